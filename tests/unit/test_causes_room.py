"""Where a budget went, over a real ledger and real changes; and that it always adds up."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import count, pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.causes_room import (
    DAY,
    NOW,
    NOW_MINUTE,
    CausesRoom,
    Minutes,
    causes_room,
    objective,
    quiet,
)
from watchkeeper.causes import keeping, store, work
from watchkeeper.causes.model import Account, Entry, Kind
from watchkeeper.changes.model import MITIGATION, ChangeKind
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.store import timeline

START = NOW_MINUTE - DAY
SERVICES = ("web", "shop", "payments", "stock")
MANY = 40


@pytest.fixture
def room(tmp_path: Path) -> Iterator[CausesRoom]:
    with causes_room(tmp_path) as made:
        yield made


def burn(room: CausesRoom, **bad: tuple[int, int, int]) -> None:
    """A quiet week of every service, but (from, to, bad of each 100) for those named."""
    for name in SERVICES:
        minutes = quiet(NOW_MINUTE - 2 * DAY, NOW_MINUTE)
        if name in bad:
            start, end, each = bad[name]
            minutes |= dict.fromkeys(range(START + start, START + end), (each, 100))
        room.record(name, minutes)


def first(account: Account) -> Entry:
    return account.entries[0]


def adds_up(account: Account) -> None:
    assert sum((e.bad for e in account.entries), Fraction(0)) == account.consumed
    assert sum(account.by_kind().values(), Fraction(0)) == account.consumed


# ---------------------------------------------------------------- who did it


def test_a_bad_release_is_named_over_a_later_innocent_one(room: CausesRoom) -> None:
    burn(room, shop=(300, 340, 30))
    guilty = room.change("shop", START + 296, "2.1")
    room.change("stock", START + 299, "7.0")
    room.change("web", START + 300, "3.3")

    found = room.account("shop")

    best = first(found)
    assert (best.kind, best.what) == (Kind.DEPLOYMENT, "shop 2.1")
    assert best.episode is not None
    assert best.verdict is not None
    assert (best.episode.start, best.episode.end) == (START + 300, START + 340)
    assert best.verdict.best.change == str(guilty)
    assert best.bad == 1200 - 1  # one would have failed anyway, at the usual rate
    adds_up(found)


def test_a_mitigation_is_not_the_cause_of_what_it_was_run_against(room: CausesRoom) -> None:
    burn(room, shop=(300, 303, 30))
    guilty = room.change("shop", START + 298, "2.1")
    room.change("shop", START + 301, source=MITIGATION)
    best = first(room.account("shop"))
    assert best.verdict is not None
    assert best.verdict.best.change == str(guilty)
    told = [h.change for h in best.verdict.hypotheses if h.change]
    assert told == [str(guilty)]


def test_a_bad_release_of_a_dependency_is_named_over_an_innocent_one_of_the_service_itself(
    room: CausesRoom,
) -> None:
    burn(room, shop=(300, 340, 30), payments=(300, 340, 30))
    room.change("payments", START + 290, "8.0")
    room.change("shop", START + 299, "2.2")

    assert first(room.account("shop")).what == "payments 8.0"


def test_a_dependency_that_failed_first_is_named_when_nothing_was_changed(room: CausesRoom) -> None:
    burn(room, shop=(300, 340, 30), payments=(298, 340, 30))
    room.change("stock", START + 299, "7.0")

    best = first(room.account("shop"))

    assert (best.kind, best.what) == (Kind.DEPENDENCY, "payments failed")


def test_without_evidence_it_is_unknown(room: CausesRoom) -> None:
    burn(room, shop=(300, 340, 30))
    room.change("shop", START - 900, "1.0")
    room.change("shop", START + 299, "rc1", environment="staging")

    assert [e.kind for e in room.account("shop").entries] == [Kind.UNKNOWN, Kind.UNKNOWN]


def test_maintenance_of_the_service_is_infrastructure(room: CausesRoom) -> None:
    burn(room, shop=(300, 340, 30))
    room.change("shop", START + 299, kind=ChangeKind.MAINTENANCE)

    assert first(room.account("shop")).kind is Kind.INFRASTRUCTURE


def test_a_zone_that_alone_fails_is_infrastructure(tmp_path: Path) -> None:
    with causes_room(tmp_path, [objective("by-zone", "shop", group_by=("zone",))]) as room:
        burn(room, shop=(300, 340, 30))
        for zone in "abc":
            minutes = quiet(START, NOW_MINUTE, 33)
            if zone == "b":
                minutes |= dict.fromkeys(range(START + 300, START + 340), (30, 33))
            room.record("by-zone", minutes, (("zone", zone),))

        best = first(room.account("shop"))

    assert (best.kind, best.what) == (Kind.INFRASTRUCTURE, "Only zone=b")
    assert best.verdict is not None
    assert best.verdict.slices[0] == "zone=b"


def test_a_level_that_was_crossed_is_infrastructure(tmp_path: Path) -> None:
    with causes_room(tmp_path, [objective("cpu", "payments", gauge=True)]) as room:
        burn(room, shop=(300, 340, 30))
        room.record("cpu", {m: (int(290 <= m - START < 345), 1) for m in range(START, START + 400)})

        best = first(room.account("shop"))

    assert (best.kind, best.what) == (Kind.INFRASTRUCTURE, "payments was saturated")


def weeks(spike: int) -> Minutes:
    """Four alike weeks, with a spike of demand under which ever more fails."""
    minutes = quiet(NOW_MINUTE - 28 * DAY, NOW_MINUTE, 100, 40)
    for i in range(60):
        total = 100 + i * spike
        minutes[START + 300 + i] = (total * i // 200, total)
    return minutes


def test_a_spike_of_demand_that_failures_follow_is_named_with_its_volume(room: CausesRoom) -> None:
    room.record("shop", weeks(10))

    found = room.account("shop", 14 * DAY)

    best = first(found)
    assert best.kind is Kind.TRAFFIC_SPIKE
    assert best.what.startswith("Demand rose to ")
    adds_up(found)


def test_a_release_during_more_demand_leaves_the_volume_to_demand(room: CausesRoom) -> None:
    minutes = quiet(NOW_MINUTE - 28 * DAY, NOW_MINUTE, 100, 2)
    minutes |= dict.fromkeys(range(START + 300, START + 360), (90, 300))
    room.record("shop", minutes)
    room.change("shop", START + 299, "2.1")

    found = room.account("shop", 14 * DAY)

    kinds = [(e.kind, e.what) for e in found.entries]
    assert kinds[0] == (Kind.DEPLOYMENT, "shop 2.1")
    assert (Kind.TRAFFIC_SPIKE, "More demand than usual") in kinds
    adds_up(found)


# ---------------------------------------------------------------- keeping, late data, people


def test_a_kept_verdict_outlives_the_changes_and_late_data_moves_its_counts(
    room: CausesRoom,
) -> None:
    burn(room, shop=(300, 340, 30))
    room.change("shop", START + 296, "2.1")
    room.keep("shop")
    before = first(room.account("shop"))

    room.record("shop", {START + 310: (50, 50)})
    after = first(room.account("shop"))

    assert (after.what, after.bad) == (before.what, before.bad + 50)
    adds_up(room.account("shop"))


def test_a_change_that_is_told_late_is_judged_again(room: CausesRoom) -> None:
    burn(room, shop=(300, 340, 30))
    room.keep("shop")
    assert first(room.account("shop")).kind is Kind.UNKNOWN

    room.change("shop", START + 296, "2.1")

    assert first(room.account("shop")).what == "shop 2.1"


def test_an_episode_that_a_correction_excludes_is_gone(room: CausesRoom) -> None:
    burn(room, shop=(300, 340, 30))
    room.keep("shop")

    room.exclude("shop", START + 290, START + 350)
    found = room.account("shop")
    room.keep("shop")

    assert [e.episode for e in found.entries] == [None]
    adds_up(found)
    with room.db.read() as conn:
        assert store.kept(conn, "shop", 0, NOW_MINUTE) == {}


def test_what_a_person_says_counts_is_audited_and_can_be_taken_back(room: CausesRoom) -> None:
    burn(room, shop=(300, 340, 30))
    automatic = first(room.account("shop"))

    label = room.say("shop", START + 320, Kind.DEPENDENCY, "The bank's certificate expired")
    said = room.account("shop")
    room.record("shop", {START + 305: (40, 40)})  # late data: the episode is still the same one
    later = room.account("shop")
    with room.db.write() as conn:
        work.unsay(conn, "shop", label.id, "bo", NOW)
    taken_back = room.account("shop")

    assert automatic.kind is Kind.UNKNOWN
    for found in (said, later):
        best = first(found)
        assert (best.kind, best.what) == (Kind.DEPENDENCY, "The bank's certificate expired")
        assert best.label is not None
        assert best.label.author == "ada"
        adds_up(found)
    assert first(taken_back).kind is Kind.UNKNOWN
    with room.db.read() as conn:
        events = [
            (e.kind, e.actor)
            for e in timeline.read(conn, subject="slo/shop")
            if e.kind.startswith("cause.")
        ]
    assert events == [("cause.said", "ada"), ("cause.unsaid", "bo")]


def test_how_right_it_was_is_measured_by_what_people_say(room: CausesRoom) -> None:
    burn(room, shop=(300, 340, 30), stock=(600, 640, 30))
    room.change("shop", START + 296, "2.1")
    room.change("stock", START + 596, "7.1")
    room.say("shop", START + 320, Kind.DEPLOYMENT)
    room.say("stock", START + 620, Kind.INFRASTRUCTURE, "A full disk")

    with room.db.read() as conn:
        found = {a.kind: a for a in work.measured(conn)}

    assert (found[Kind.DEPLOYMENT].precision, found[Kind.DEPLOYMENT].recall) == (0.5, 1.0)
    assert (found[Kind.INFRASTRUCTURE].precision, found[Kind.INFRASTRUCTURE].recall) == (None, 0.0)


def test_saying_something_of_a_quiet_time_or_without_end_is_refused(room: CausesRoom) -> None:
    burn(room, shop=(300, 340, 30))

    with pytest.raises(NotFound, match="no episode"):
        room.say("shop", START + 100, Kind.DEPLOYMENT)
    with pytest.raises(UserError, match="too long"):
        room.say("shop", START + 320, Kind.DEPLOYMENT, "x" * 201)
    with pytest.raises(NotFound), room.db.write() as conn:
        work.unsay(conn, "shop", "nothing", "ada", NOW)


def test_windows_of_any_length_are_answered_and_impossible_ones_refused(room: CausesRoom) -> None:
    burn(room, shop=(300, 340, 30))

    assert room.account("shop", 600).consumed < room.account("shop", 2 * DAY).consumed
    for minutes in (0, -5, 500 * DAY):
        with pytest.raises(UserError):
            room.account("shop", minutes)
    with pytest.raises(NotFound):
        room.account("nothing")


def test_slos_whose_ledger_changed_are_due_those_that_burn_first(room: CausesRoom) -> None:
    burn(room, payments=(DAY - 31, DAY, 60))

    def due(most: int = 10) -> dict[str, float]:
        with room.db.read() as conn:
            return keeping.due(conn, room.specs, room.fleet(), NOW, most)

    assert next(iter(due())) == "payments"
    assert list(due(1)) == ["payments"]
    with room.db.write() as conn:
        keeping.note_looks(conn, due(), NOW)
    assert due() == {}
    room.record("stock", {START - 600: (3, 3)})  # late data of days ago
    assert list(due()) == ["stock"]


def test_looking_again_keeps_verdicts_and_stops_when_its_time_is_over(room: CausesRoom) -> None:
    burn(room, shop=(300, 340, 30), payments=(300, 340, 30))
    clock = count()

    def look(step: float) -> int:
        return keeping.look_again(
            room.db, room.specs, room.fleet(), NOW, lambda: next(clock) * step
        )

    assert look(0.7) == 1  # the second comes after a second
    assert look(0.0) == 3
    assert look(0.0) == 0
    with room.db.read() as conn:
        kept = {name: list(store.kept(conn, name, 0, NOW_MINUTE)) for name in SERVICES}
    assert kept == {
        "web": [], "shop": [START + 340], "payments": [START + 340], "stock": [],
    }  # fmt: skip


# ---------------------------------------------------------------- conservation


@pytest.fixture(scope="module")
def laws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[CausesRoom, Iterator[int]]]:
    more = [objective(f"law-{i}", "shop", target="0.9") for i in range(MANY)]
    with causes_room(tmp_path_factory.mktemp("laws"), more) as room:
        for i in range(0, 3000, 170):
            room.change("shop", NOW_MINUTE - i, str(i))
        yield room, count()


span = st.tuples(st.integers(1, 2800), st.integers(1, 120))
step = st.one_of(
    st.tuples(st.just("record"), span, st.integers(0, 30)),
    st.tuples(st.just("exclude"), span, st.just(0)),
    st.tuples(st.just("say"), span, st.integers(0, 4)),
    st.tuples(st.just("keep"), st.just((1, 1)), st.just(0)),
)


@given(st.lists(step, min_size=2, max_size=7), st.sampled_from([None, 600, 2000]))
@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_causes_add_up_to_what_was_consumed_through_late_data_corrections_and_what_people_say(
    laws: tuple[CausesRoom, Iterator[int]],
    steps: list[tuple[str, tuple[int, int], int]],
    minutes: int | None,
) -> None:
    room, numbers = laws
    slo = f"law-{next(numbers) % MANY}"
    for i, (what, (before, length), n) in enumerate(steps):
        start = NOW_MINUTE - before
        end = min(start + length, NOW_MINUTE)
        if what == "record":
            room.record(slo, dict.fromkeys(range(start, end), (n, 30)))
        elif what == "exclude":
            room.exclude(slo, start, end, f"{slo}-{i}-{next(numbers)}")
        elif what == "keep":
            room.keep(slo)
        else:
            for entry in room.account(slo).entries[:n]:
                if entry.episode is not None:
                    kind = list(Kind)[n]
                    room.say(slo, entry.episode.start, kind, "so it was")

    whole = room.account(slo)
    adds_up(whole)
    adds_up(room.account(slo, minutes))
    assert float(whole.consumed) == room.consumed(slo)
    assert all(e.bad.denominator == 1 for e in whole.entries)
    episodes = sorted({(e.episode.start, e.episode.end) for e in whole.entries if e.episode})
    assert all(a[1] <= b[0] for a, b in pairwise(episodes))
