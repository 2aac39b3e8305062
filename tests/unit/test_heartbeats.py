"""Heartbeats: silence, failure and runs that do not end become alerts; a success closes them."""

from __future__ import annotations

import asyncio
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.duty import HERE, START
from tests.support.intake import Doors
from watchkeeper.alerting import beating
from watchkeeper.alerting.heartbeats import (
    Beat,
    Ping,
    from_row,
    judge,
    next_time,
    pinged,
    state,
    to_row,
)
from watchkeeper.alerting.model import AlertState, SignalAction, Urgency
from watchkeeper.spec.duty import HeartbeatDefinition
from watchkeeper.store import Database

HOURLY = HeartbeatDefinition("backup", HERE, every=3600.0, grace=600.0)
BERLIN = HeartbeatDefinition("nightly", HERE, cron="30 2 * * *", time_zone="Europe/Berlin")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp()


def test_what_was_never_heard_of_is_not_waited_for() -> None:
    assert judge(HOURLY, Beat(), START + 10**9) == (Beat(), None)
    assert state(HOURLY, Beat(), START) == "new"


def test_silence_is_an_alert_after_the_time_and_its_grace_and_not_before() -> None:
    beat = pinged(HOURLY, Beat(), Ping.SUCCESS, "", START)

    assert judge(HOURLY, beat, START + 4200)[1] is None
    _, signal = judge(HOURLY, beat, START + 4200.001)
    assert signal is not None
    assert (signal.action, signal.urgency) == (SignalAction.TRIGGER, Urgency.PAGE)
    assert "2026-01-05T09:00:00Z" in signal.summary


def test_a_failure_is_an_alert_at_once_and_the_next_success_closes_it() -> None:
    failed = pinged(HOURLY, Beat(), Ping.FAIL, "exit code 2: no space", START)
    failed, signal = judge(HOURLY, failed, START)
    assert signal is not None
    assert signal.summary == "backup failed: exit code 2: no space"
    assert judge(HOURLY, failed, START + 10**6) == (failed, None)

    good, signal = judge(HOURLY, pinged(HOURLY, failed, Ping.SUCCESS, "", START + 9), START + 9)
    assert signal is not None
    assert signal.action is SignalAction.RESOLVE
    assert state(HOURLY, good, START + 9) == "up"


def test_a_run_that_starts_and_does_not_end_is_an_alert() -> None:
    beat = pinged(HOURLY, Beat(), Ping.START, "", START)

    assert state(HOURLY, beat, START + 10) == "running"
    _, signal = judge(HOURLY, beat, START + 4201)
    assert signal is not None
    assert "did not end; never finished" in signal.summary
    assert pinged(HOURLY, beat, Ping.SUCCESS, "", START + 90).took == 90


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("2026-01-05T09:00", "2026-01-06T02:30"),
        ("2026-03-28T03:00", "2026-03-29T03:00"),  # 02:30 is skipped: at once after the change
        ("2026-03-29T12:00", "2026-03-30T02:30"),
        ("2026-10-25T01:00", "2026-10-25T02:30"),  # 02:30 comes twice: the first is meant
    ],
)
def test_cron_keeps_local_time_through_changes_of_the_clock(after: str, expected: str) -> None:
    assert next_time(BERLIN, at(after)) == at(expected)


def test_a_cron_job_that_reported_at_the_repeated_hour_is_not_expected_again_that_night() -> None:
    assert next_time(BERLIN, at("2026-10-25T02:31")) == at("2026-10-26T02:30")


PINGS = st.lists(st.tuples(st.sampled_from(list(Ping)), st.integers(1, 9000)), max_size=12)


@given(PINGS)
@settings(deadline=None, max_examples=150)
def test_its_alert_is_open_exactly_while_it_is_late_or_failed(
    pings: list[tuple[Ping, int]],
) -> None:
    beat, now, is_open = Beat(), START, False
    for kind, wait in pings:
        now += wait
        for ping in (None, kind):
            if ping is not None:
                beat = pinged(HOURLY, beat, ping, "", now)
            beat, signal = judge(HOURLY, from_row(to_row(beat)), now)
            if signal is not None:
                assert (signal.action is SignalAction.TRIGGER) != is_open
                is_open = not is_open
            assert is_open == (state(HOURLY, beat, now) in ("late", "failed"))


# ---------------------------------------------------------------- through the door


def ping(doors: Doors, tail: str = "", method: str = "GET", name: str = "backup") -> int:
    key = doors.keys[f"heartbeat/{name}"]
    answer = asyncio.run(doors.send(f"/hb/{key}{tail}", b"why\0 not", None, method))
    assert method != "HEAD" or answer.content == b""
    return answer.status_code


def test_pings_by_every_method_and_code(db: Database) -> None:
    doors = Doors(db)

    assert [ping(doors, m, "GET") for m in ("/start", "/0", "", "/success")] == [200] * 4
    assert [ping(doors, "", m) for m in ("HEAD", "POST")] == [200, 200]
    assert doors.alerts() == []
    assert ping(doors, "/137", "POST") == 200
    assert doors.only().summary == "backup failed: exit code 137: why not"
    assert ping(doors, "/0") == 200
    assert doors.only().state is AlertState.CLOSED


def test_the_engine_opens_the_alert_of_a_late_one_once(db: Database) -> None:
    doors = Doors(db)
    ping(doors)
    doors.clock.advance(4300)

    with db.write() as conn:
        assert beating.anything_late(conn, doors.specs, doors.clock.now())
        assert beating.step(conn, doors.specs, doors.clock.now()) == 1
        assert beating.step(conn, doors.specs, doors.clock.now() + 60) == 0

    assert (doors.only().key, doors.only().count) == ("backup", 1)
    assert doors.only().integration == "heartbeat"


@pytest.mark.parametrize("tail", ["/256", "/-1", "/later", "/1/2", "/½", "/99999999999999999999"])
def test_what_a_ping_cannot_say_is_refused(db: Database, tail: str) -> None:
    assert ping(Doors(db), tail) == 400


def test_the_key_of_an_integration_opens_no_heartbeat_and_the_reverse(db: Database) -> None:
    doors = Doors(db)
    wrong = asyncio.run(doors.send(f"/hb/{doors.keys['generic']}", None, None, "GET"))
    other = asyncio.run(doors.send(f"/in/{doors.keys['heartbeat/backup']}", {"title": "x"}))

    assert (wrong.status_code, other.status_code) == (401, 401)
    assert ping(doors, "", "DELETE") == 405
