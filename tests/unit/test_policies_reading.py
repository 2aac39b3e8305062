"""Evidence comes from the counts of the evaluation; without data nothing ends."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.support.slo import rolling, slo, specs
from tests.support.slo_room import room
from tests.unit.test_policies import NOW, busy, status
from watchkeeper.alerting.policies.reading import lookup_of
from watchkeeper.alerting.policies.rules import PolicyState, decide, step
from watchkeeper.kernel.duration import parse_duration
from watchkeeper.measure.model import Count
from watchkeeper.slo import work as slo_work
from watchkeeper.slo.model import BURN_WINDOWS, Events, Fleet, WindowCounts
from watchkeeper.spec.duty import BurnRule, Guards, NoDataRule
from watchkeeper.spec.model import Specs

FIRST = 1_767_225_600 // 60
RULE = BurnRule(parse_duration("1h"), parse_duration("5m"), 14.4, "page")


def test_usual_windows_are_answered_from_the_fleet_as_the_ledger_counts_them(
    tmp_path: Path,
) -> None:
    defined = specs(slo("a", "0.99", rolling("30d")), slo("b", "0.999", rolling("7d")))
    now = (FIRST + 500) * 60.0
    with room(tmp_path, defined) as its:
        its.load(defined, FIRST * 60.0)
        its.record(
            [Count(f"{n}-sli", FIRST + m, 90 + m % 7, 100) for n in "ab" for m in range(480)], now
        )
        its.correct("b", FIRST + 100, FIRST + 200)
        with its.db.read() as conn:
            fleet = slo_work.evaluate_fleet(conn, defined, now)

            def never(names: Sequence[str], minutes: int) -> Mapping[str, Events]:
                raise AssertionError((names, minutes))

            lookup = lookup_of(fleet, never)
            for _, minutes in BURN_WINDOWS:
                recounted = slo_work.recent(conn, defined, ["a", "b"], minutes, now)
                assert {n: lookup(n, minutes) for n in "ab"} == recounted
                for name in "ab":
                    single = slo_work.recent(conn, defined, [name], minutes, now)
                    assert single == {name: recounted[name]}


def test_a_window_of_ones_own_is_read_once_for_the_whole_fleet() -> None:
    asked: list[tuple[int, int]] = []

    def read(names: Sequence[str], minutes: int) -> Mapping[str, Events]:
        asked.append((len(names), minutes))
        return dict.fromkeys(names, Events(1.0, 2.0, 3))

    fleet = Fleet([status(name=f"s{i}") for i in range(50)], NOW, 1)
    lookup = lookup_of(fleet, read)
    assert {lookup(f"s{i}", 45) for i in range(50)} == {Events(1.0, 2.0, 3)}
    assert lookup("unknown", 45) is None
    assert asked == [(50, 45)]


def blind_after(page: bool) -> tuple[PolicyState, list[str]]:
    """The state after an outage that ends in silence, and what was said in it."""
    state, _ = decide(status(20.0), (RULE,), Guards(), PolicyState(), NOW, busy)
    gone = status(burn_rate=dict.fromkeys([n for n, _ in BURN_WINDOWS]))
    seen = 0 if page else 5
    said: list[str] = []
    for minute in range(1, 120):
        state, signals = decide(
            gone,
            (RULE, NoDataRule(900.0, "ticket")),
            Guards(hold=120),
            state,
            NOW + 60 * minute,
            lambda _, __: Events(0.0, 0.0, seen),
        )
        said += [f"{s.action} {s.urgency}" for s in signals]
    return state, said


def test_a_page_does_not_end_because_its_source_died() -> None:
    state, said = blind_after(page=True)
    assert state.page.opened == NOW
    assert said == []  # and a page includes the ticket that says that there is no data


def test_a_page_ends_when_minutes_without_traffic_were_observed() -> None:
    state, said = blind_after(page=False)
    assert state == PolicyState()
    assert said == ["resolve page"]


@pytest.mark.parametrize("burn", [0.5, 50.0])
def test_a_fleet_of_ten_thousand_decides_in_a_fraction_of_a_second(burn: float) -> None:
    n = 10_000
    statuses = [status(burn, name=f"s{i}") for i in range(n)]
    events = np.full((len(BURN_WINDOWS), n), 10_000.0)
    counts = WindowCounts(events * (1 - burn * 0.001), events, np.full_like(events, 60.0))
    fleet = Fleet(statuses, NOW, 1, counts)
    lookup = lookup_of(fleet, lambda names, minutes: {})
    empty = Specs({}, {}, {}, {}, {}, {})
    began = time.process_time()
    _, signals = step(fleet, empty, {}, NOW, lookup)
    took = time.process_time() - began
    assert len(signals) == (n if burn > 14.4 else 0)
    assert took < (3.0 if signals else 0.6)
