"""Fire drills by the clock: raised once, made up for within an hour, over with their answer."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from tests.support.duty import SITE, START, World, policy, specs, to
from tests.support.duty_specs import codes, doc, specs_of
from watchkeeper.alerting import work as alerts_work
from watchkeeper.engine.board import Board
from watchkeeper.engine.collect import Collector
from watchkeeper.engine.tick import Engine
from watchkeeper.oncall import drilling, store, store_drills
from watchkeeper.oncall.drilling import Looked
from watchkeeper.oncall.model import Page, PageState
from watchkeeper.spec.duty import EscalationPolicyDefinition, TargetKind
from watchkeeper.store import Database

HOUR, DAY = 3600.0, 86_400.0
TEN = START + 2 * HOUR  # Monday 10:00 UTC


def drilled(cron: str = "0 10 * * *", zone: str = "UTC") -> EscalationPolicyDefinition:
    """The policy ``default`` with drills."""
    first = (to(TargetKind.SCHEDULE, "first"), 300.0)
    return policy(first, drill=cron, drill_zone=zone)


def world(db: Database, cron: str = "0 10 * * *", zone: str = "UTC") -> World:
    return World(db, specs(escalation_policies={"default": drilled(cron, zone)}))


def step(its: World) -> int:
    """What one replica does in a tick."""
    now = its.clock.now()
    with its.db.read() as conn:
        if not drilling.anything_to_drill(conn, its.specs, now):
            return 0
    with its.db.write() as conn:
        return drilling.step(conn, its.specs, SITE, now)


def at(its: World, moment: float) -> int:
    its.clock.advance(moment - its.clock.now())
    raised = step(its)
    its.run(1)
    return raised


def drills(db: Database) -> list[Page]:
    with db.read() as conn:
        return store.find(conn, kind="drill")[::-1]


def test_a_drill_is_raised_when_its_time_comes_and_calls_whoever_is_on_call(db: Database) -> None:
    its = world(db)

    assert [at(its, START), at(its, TEN - 2), at(its, TEN), at(its, TEN + 60)] == [0, 0, 1, 0]
    assert [(s.channel, s.address, s.message.kind) for s in its.sent] == [
        ("push", "ann@push", "drill")
    ]


def test_replicas_that_look_at_once_raise_one_drill(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    its = world(db)
    at(its, START)
    its.clock.advance(TEN - its.clock.now())
    together, read, raised = threading.Barrier(3), store_drills.looked, list[int]()

    def looked(conn: Connection, policy: str) -> str | None:
        """All have read before the first of them writes (where a database lets them)."""
        found = read(conn, policy)
        with contextlib.suppress(threading.BrokenBarrierError):
            together.wait(1)
        return found

    monkeypatch.setattr(store_drills, "looked", looked)
    threads = [threading.Thread(target=lambda: raised.append(step(its))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(raised) == [0, 0, 1]
    assert len(drills(db)) == 1


def test_a_drill_that_was_missed_is_made_up_for_within_an_hour_and_not_later(
    db: Database,
) -> None:
    its = world(db)
    at(its, START)

    assert at(its, TEN + 59 * 60) == 1
    its.ack(1)
    assert at(its, TEN + DAY + 61 * 60) == 0
    assert at(its, TEN + 2 * DAY) == 1


def test_times_that_were_just_written_begin_with_the_next(db: Database) -> None:
    its = world(db, "0 20 * * *")
    at(its, START)
    at(its, TEN)
    changed = {"default": drilled("55 9 * * *")}
    its.specs = specs(escalation_policies=changed)

    assert at(its, TEN + 2) == 0
    assert at(its, TEN - 300 + DAY) == 1


def test_an_answered_drill_is_over_and_calls_nobody_again(db: Database) -> None:
    its = world(db)
    at(its, START)
    at(its, TEN)
    its.ack(1)

    at(its, TEN + 10)
    sent = len(its.sent)
    its.run(2 * HOUR, every=60)

    assert its.page(1).state is PageState.RESOLVED
    assert len(its.sent) == sent
    with db.read() as conn:
        assert store_drills.drilled(conn)["default"].answered_at == its.page(1).acked_at


def test_a_drill_that_nobody_answers_ends_as_a_ticket_that_the_next_answer_closes(
    db: Database,
) -> None:
    its = world(db)
    at(its, START)
    at(its, TEN)
    at(its, TEN + HOUR - 10)
    assert its.page(1).state is PageState.OPEN

    at(its, TEN + HOUR)
    assert its.page(1).state is PageState.RESOLVED
    with db.read() as conn:
        (ticket,) = alerts_work.find(conn, states=("open",), integration="drill")
    assert (ticket.urgency, ticket.key) == ("ticket", "default")
    assert "Nobody answered the drill #1 of default" in ticket.summary

    at(its, TEN + DAY)
    its.ack(max(p.id for p in drills(db)))
    at(its, TEN + DAY + 10)
    with db.read() as conn:
        assert alerts_work.find(conn, states=("open",), integration="drill") == []


def test_a_drill_that_still_runs_is_not_raised_again(db: Database) -> None:
    its = world(db, "*/30 * * * *")
    at(its, START)

    assert at(its, START + 1800) == 1
    assert at(its, START + 3600) == 0
    assert len(drills(db)) == 1


@settings(deadline=None, max_examples=60)
@given(
    steps=st.lists(st.floats(1, 9 * HOUR), min_size=1, max_size=60),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
)
def test_every_time_that_is_looked_at_within_an_hour_is_raised_exactly_once(
    steps: list[float], zone: str
) -> None:
    its, now = drilled("0 10 * * *", zone), START
    looked = Looked(its.drill, its.drill_zone, now)
    raised: list[str] = []
    expected: list[str] = []
    for length in steps:
        before, now = now, now + length
        hit = drilling.is_due(its, looked, now)
        # An independent count: local days whose 10:00 lies in the time just passed.
        local = ZoneInfo(zone)
        day = datetime.fromtimestamp(now, local)
        ten = day.replace(hour=10, minute=0, second=0, microsecond=0).timestamp()
        if max(before, now - drilling.GRACE) < ten <= now:
            expected.append(f"{day:%F}")
        if hit:
            raised.append(f"{day:%F}")
        looked = dataclasses.replace(looked, until=now)

    assert raised == expected


def test_the_engine_raises_drills_in_its_tick(db: Database) -> None:
    its, board = world(db), Board()
    board.post(specs=its.specs)
    engine = Engine(db, (), Collector(lambda *_: pytest.fail("no source")), board)
    woken: list[int] = []
    engine.wake = lambda: woken.append(1)

    engine.drill(START)
    engine.drill(TEN)

    assert len(drills(db)) == 1
    assert woken


def test_times_of_drills_are_read_and_wrong_ones_pointed_out() -> None:
    def written(drill: object) -> dict[str, object]:
        user = doc("User", {"contacts": [{"channel": "way", "address": "a"}]}, "ann")
        channel = doc("Channel", {"type": "inbox"}, "way")
        body = {"steps": [{"notify": [{"user": "ann"}]}], "drill": drill}
        return {"docs": (channel, user, doc("EscalationPolicy", body, "p"))}

    right = written({"cron": "0 10 * * 1", "timeZone": "Europe/Berlin"})["docs"]
    found = specs_of(*right).duty.escalation_policies["p"]  # type: ignore[misc]
    assert (found.drill, found.drill_zone) == ("0 10 * * 1", "Europe/Berlin")
    for wrong, code in (
        ({"cron": "at ten"}, "bad-cron"),
        ({"timeZone": "UTC"}, "missing"),
        ({"cron": "0 10 * * 1", "timeZone": "Mars"}, "bad-zone"),
        ({"cron": "0 10 * * 1", "every": "1d"}, "unknown-key"),
    ):
        assert codes(*written(wrong)["docs"]) == [code], wrong  # type: ignore[misc]
