"""A backtest and the machine that runs live say the same, minute by minute, over a real ledger."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from tests.support.slo import calendar, rolling, slo, specs
from tests.support.slo_room import room
from watchkeeper.alerting.backtest.alarms import alarms
from watchkeeper.alerting.backtest.grid import burn
from watchkeeper.alerting.backtest.model import History, Plan
from watchkeeper.alerting.backtest.windows import Counts
from watchkeeper.alerting.model import SignalAction
from watchkeeper.alerting.policies.rules import Lookup, PolicyState, decide
from watchkeeper.measure.model import Count
from watchkeeper.slo import work as slo_work
from watchkeeper.spec.duty import AlertRule, ConsumedRule, ExhaustionRule, Guards, NoDataRule
from watchkeeper.spec.model import Specs, Window

DAY_ZERO = 1_767_225_600 // 60  # 2026-01-01, where calendar periods begin
Minutes = list[tuple[int, int, int]]
"""(bad, total, seen) a minute."""
Spoken = list[tuple[float, str, str]]

RULES: tuple[AlertRule, ...] = (
    ExhaustionRule(600.0, "page"),
    ExhaustionRule(3600.0, "ticket"),
    ExhaustionRule(1800.0, "ticket", roll_off=False),
    burn("30m", "5m", 6.0, "page"),
    burn("1h", "10m", 2.0, "ticket"),
    ConsumedRule(0.5, "info"),
    ConsumedRule(1.0, "ticket"),
    NoDataRule(420.0, "ticket"),
)


def live(
    folder: Path, defined: Specs, minutes: Minutes, rules: tuple[AlertRule, ...], guards: Guards
) -> Spoken:
    """What the machine says, asked at the end of each minute."""
    spoken: Spoken = []
    state = PolicyState()
    with room(folder, defined) as its:
        its.load(defined, DAY_ZERO * 60)
        for i, (bad, total, seen) in enumerate(minutes):
            now = (DAY_ZERO + i + 1) * 60.0
            if seen:
                its.record([Count("checkout-sli", DAY_ZERO + i, total - bad, total)], now)
            with its.db.read() as conn:
                fleet = slo_work.evaluate_fleet(conn, defined, now)

                state, signals = decide(
                    fleet.statuses[0], rules, guards, state, now, reading(conn, defined, now)
                )
            for signal in signals:
                before = [action for _, urgency, action in spoken if urgency == signal.urgency]
                # What is told again with new numbers is no change.
                if signal.action is SignalAction.RESOLVE or before[-1:] != ["trigger"]:
                    spoken.append((now, str(signal.urgency), str(signal.action)))
    return sorted(spoken)


def reading(conn: Connection, defined: Specs, now: float) -> Lookup:
    """What the machine asks the ledger."""
    return lambda name, length: slo_work.recent(conn, defined, [name], length, now).get(name)


def backtested(
    minutes: Minutes, target: str, window: Window, rules: tuple[AlertRule, ...], guards: Guards
) -> Spoken:
    """What the backtest says of the same minutes."""
    bad, total, seen = (np.asarray(c, dtype=np.float64) for c in zip(*minutes, strict=True))
    history = History(DAY_ZERO * 60.0, (total - bad) * seen, total * seen, seen)
    found = alarms(Plan("p", rules, guards), Counts(history, Decimal(target), window))
    spoken = [(a.opened, str(a.urgency), "trigger") for a in found]
    spoken += [(a.closed, str(a.urgency), "resolve") for a in found if a.closed is not None]
    return sorted(spoken)


def stretch(draw: st.DrawFn) -> Minutes:
    length, total = draw(st.integers(1, 25)), draw(st.sampled_from((0, 1, 7, 100)))
    bad = draw(st.integers(0, total))
    seen = draw(st.sampled_from((1, 1, 1, 1, 0)))
    return [(min(bad, total), total, seen)] * length


@st.composite
def histories(draw: st.DrawFn) -> Minutes:
    found: Minutes = []
    for _ in range(draw(st.integers(1, 6))):
        found += stretch(draw)
    return found[:90]


OUTAGE: Minutes = [(0, 100, 1)] * 20 + [(60, 100, 1)] * 25 + [(0, 100, 1)] * 40
LEAK: Minutes = [(0, 100, 1)] * 75 + [(100, 100, 1)] * 10 + [(0, 0, 0)] * 12


@pytest.mark.parametrize(
    "window", [rolling("1h"), rolling("90m"), calendar("1h")], ids=["1h", "90m", "calendar"]
)
@settings(
    deadline=None,
    max_examples=8,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    minutes=histories(),
    target=st.sampled_from(("0.9", "0.95", "0.5")),
    guards=st.sampled_from(
        (Guards(), Guards(50, 3, 0.01, 120), Guards(0, 0, None, 600), Guards(0, 5, 0.3, 0))
    ),
)
@example(minutes=OUTAGE, target="0.95", guards=Guards(hold=120))
@example(minutes=LEAK, target="0.9", guards=Guards(hold=120))
def test_the_backtest_says_what_the_machine_says(
    tmp_path_factory: pytest.TempPathFactory,
    window: Window,
    minutes: Minutes,
    target: str,
    guards: Guards,
) -> None:
    defined = specs(slo("checkout", target, window))
    spoken = live(tmp_path_factory.mktemp("bt"), defined, minutes, RULES, guards)
    assert backtested(minutes, target, window, RULES, guards) == spoken


def test_there_is_something_to_compare() -> None:
    spoken = backtested(OUTAGE, "0.95", rolling("1h"), RULES, Guards(hold=120))
    assert {(u, a) for _, u, a in spoken} >= {("page", "trigger"), ("page", "resolve")}
    spoken = backtested(LEAK, "0.9", rolling("90m"), RULES[:1], Guards())
    assert [(u, a) for _, u, a in spoken] == [("page", "trigger"), ("page", "resolve")]
    spoken = backtested(LEAK, "0.9", rolling("90m"), RULES, Guards())
    assert {u for _, u, _ in spoken} == {"page", "ticket", "info"}
