"""Schedules as calendars: what we publish others read, and what others publish we read."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import icalendar
import pytest

from tests.support.duty import START, policy, specs, to, user
from tests.unit.test_schedule_rules import (
    CHANGES_OF_THE_CLOCK,
    change,
    hours,
    layer,
    minute,
    schedule,
)
from watchkeeper.kernel.errors import UserError
from watchkeeper.notify.guarded import Web
from watchkeeper.oncall import audit, calendars, store
from watchkeeper.oncall.calling import changes_of
from watchkeeper.oncall.schedule.calendar import Reading, read_calendar
from watchkeeper.oncall.schedule.ical import feed
from watchkeeper.oncall.schedule.model import Shift
from watchkeeper.oncall.schedule.rules import gaps, on_call, shifts
from watchkeeper.spec.duty import ContactDefinition, ScheduleDefinition, TargetKind
from watchkeeper.spec.findings import Place
from watchkeeper.spec.model import Specs
from watchkeeper.store import Database

USERS = {n: user(n) for n in ("ann", "ben", "cho", "dee")}
DAY = 86_400.0


def calendar(*events: str) -> str:
    body = "\r\n".join(f"BEGIN:VEVENT\r\n{e.strip()}\r\nEND:VEVENT" for e in events)
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\n{body}\r\nEND:VCALENDAR\r\n"


def event(start: str, end: str, summary: str, more: str = "") -> str:
    head = f"UID:{start}{summary}\nDTSTAMP:20260101T000000Z\n"
    return f"{head}DTSTART{start}\nDTEND{end}\nSUMMARY:{summary}\n{more}"


def read(
    text: str, start: str = "2026-01-01", end: str = "2027-01-01", zone: str = "UTC"
) -> Reading:
    return read_calendar(text, USERS, zone, minute(start) * 60.0, minute(end) * 60.0)


def stretches(text: str, **more: str) -> list[tuple[str, str, str]]:
    """(start, end, users) in UTC."""
    return [(_shown(b.start), _shown(b.end), "+".join(b.users)) for b in read(text, **more).booked]


def _shown(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M")


# ---------------------------------------------------------------- out


@pytest.mark.parametrize("case", sorted(CHANGES_OF_THE_CLOCK))
def test_a_feed_shows_the_shifts_of_the_final_schedule_in_another_reader(case: str) -> None:
    zone, day = CHANGES_OF_THE_CLOCK[case]
    its = schedule(
        zone,
        layer("days", ["ann", "ben+cho"], start="2010-01-04T00:30"),
        layer("dee; \\ and more", ["dee"], start="2010-01-04T00:30",
              restrictions=(hours("22:00", "02:30"),)),
    )  # fmt: skip
    start = minute(day) * 60.0 - 2 * DAY
    made = shifts(its, (), start, start + 5 * DAY)

    text = feed("Übung der Nacht", [("s", s) for s in made], start, "https://x.example/a")

    found = icalendar.Calendar.from_ical(text)
    assert str(found["X-WR-CALNAME"]) == "Übung der Nacht"
    events: list[Any] = list(found.walk("VEVENT"))
    seen = [(e["DTSTART"].dt.timestamp(), e["DTEND"].dt.timestamp(), str(e["SUMMARY"]))
            for e in events]  # fmt: skip
    assert seen == [(s.start, s.end, f"{', '.join(s.users)} on call: s") for s in made if s.users]
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    assert len({str(e["UID"]) for e in found.walk("VEVENT")}) == len(seen)


def test_our_own_feed_read_in_is_the_same_schedule() -> None:
    its = schedule("Europe/Berlin", layer(users=["ann", "ben+cho", "-"]))
    start = minute("2026-03-27") * 60.0
    made = shifts(its, (), start, start + 5 * DAY)

    read_in = read(feed("s", [("s", s) for s in made], start, ""))

    assert read_in.unknown == ()
    assert [(b.start, b.end, b.users) for b in read_in.booked] == [
        (s.start, s.end, s.users) for s in made if s.users
    ]


def test_a_feed_of_nothing_is_a_calendar() -> None:
    found = icalendar.Calendar.from_ical(feed("s", [("s", Shift(0, 60, ()))], 0.0, ""))
    assert found.walk("VEVENT") == []


# ---------------------------------------------------------------- in


def test_recurrence_exceptions_and_moved_events_are_expanded_through_daylight_saving() -> None:
    weekly = event(
        ";TZID=Europe/Berlin:20260318T090000", ";TZID=Europe/Berlin:20260318T170000", "Ann",
        "RRULE:FREQ=WEEKLY;COUNT=4\nEXDATE;TZID=Europe/Berlin:20260325T090000",
    )  # fmt: skip
    moved = (
        weekly.replace("20260318", "20260409")
        .partition("RRULE")[0]
        .replace("UID:;TZID=Europe/Berlin:20260409", "UID:;TZID=Europe/Berlin:20260318")
        + "RECURRENCE-ID;TZID=Europe/Berlin:20260408T090000\nSEQUENCE:1"
    )

    assert stretches(calendar(weekly, moved)) == [
        ("2026-03-18T08:00", "2026-03-18T16:00", "ann"),
        ("2026-04-01T07:00", "2026-04-01T15:00", "ann"),
        ("2026-04-09T07:00", "2026-04-09T15:00", "ann"),
    ]


def test_whole_days_are_days_of_the_schedules_zone() -> None:
    text = calendar(event(";VALUE=DATE:20260308", ";VALUE=DATE:20260309", "ben"))
    assert stretches(text, zone="America/New_York") == [
        ("2026-03-08T05:00", "2026-03-09T04:00", "ben")
    ]


@pytest.mark.parametrize(
    ("summary", "more", "who"),
    [
        ("ann", "", "ann"),
        ("Ann", "", "ann"),
        ("ben on call", "", "ben"),
        ("On-call", "ATTENDEE:mailto:CHO@push", "cho"),
        ("ann, ben & dee", "", "ann+ben+dee"),
        ("ann and somebody", "", "ann"),
    ],
)
def test_people_are_found_by_address_name_or_display_name(
    summary: str, more: str, who: str
) -> None:
    text = calendar(event(":20260105T000000Z", ":20260106T000000Z", summary, more))
    assert [s[2] for s in stretches(text)] == [who]


def test_names_that_nobody_has_are_told_and_book_nobody() -> None:
    text = calendar(event(":20260105T000000Z", ":20260106T000000Z", "Zoe, ann"),
                    event(":20260107T000000Z", ":20260108T000000Z", "Offsite"))  # fmt: skip
    found = read(text)
    assert (found.unknown, [b.users for b in found.booked]) == (("Zoe", "Offsite"), [("ann",)])


def test_who_is_booked_at_the_same_time_is_on_call_together() -> None:
    text = calendar(event(":20260105T000000Z", ":20260105T120000Z", "ann"),
                    event(":20260105T060000Z", ":20260105T180000Z", "ben"))  # fmt: skip
    assert [(s[0][-5:], s[1][-5:], s[2]) for s in stretches(text)] == [
        ("00:00", "06:00", "ann"),
        ("06:00", "12:00", "ann+ben"),
        ("12:00", "18:00", "ben"),
    ]


def test_cancelled_events_are_left_out() -> None:
    text = calendar(event(":20260105T000000Z", ":20260106T000000Z", "ann", "STATUS:CANCELLED"))
    assert stretches(text) == []


@pytest.mark.parametrize("text", ["", "hello", "BEGIN:VCALENDAR\nBEGIN:VEVENT\n"])
def test_what_is_no_calendar_is_said_to_be_none(text: str) -> None:
    with pytest.raises(UserError, match="no calendar"):
        read(text)


# ---------------------------------------------------------------- kept


def with_calendar(where: str, file: str = "duty.yaml") -> Specs:
    its = ScheduleDefinition("first", "first", Place(file), "UTC", ical=where)
    return specs(schedules={"first": its})


def now_on_call(db: Database, its: Specs, at: float) -> tuple[str, ...]:
    with db.read() as conn:
        changes = changes_of(store.changes(conn, at), "first")
    return on_call(its.duty.schedules["first"], changes, at).users


def no_fetch(_: str) -> str:
    raise AssertionError("nothing is fetched")


@contextmanager
def serving(answers: Sequence[tuple[int, str]]) -> Iterator[str]:
    """A server that gives one answer after the other."""
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, text = left.pop(0)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_calendar_is_read_again_and_the_last_good_one_is_kept_when_it_is_away(
    db: Database,
) -> None:
    ann = calendar(event(":20260105T000000Z", ":20260201T000000Z", "ann"))
    ben = calendar(event(":20260105T000000Z", ":20260201T000000Z", "ben"))
    its = with_calendar("https://calendar.example/shop.ics")
    with serving([(200, ann), (503, "down"), (200, ben)]) as url:
        web = Web(allow_private=True)

        def fetch(_: str) -> str:
            return web.call("GET", url).text

        assert calendars.refresh(db, its, fetch, START) == 1
        assert now_on_call(db, its, START) == ("ann",)
        assert calendars.refresh(db, its, fetch, START + 60) == 0
        assert calendars.refresh(db, its, fetch, START + 900) == 1
        assert now_on_call(db, its, START + 900) == ("ann",)
        with db.read() as conn:
            assert "503" in calendars.state_of(conn, "first").problem
        assert calendars.refresh(db, its, fetch, START + 960) == 1
        assert now_on_call(db, its, START + 960) == ("ben",)


def test_a_file_beside_the_definitions_is_read(db: Database, tmp_path: Path) -> None:
    text = calendar(event(":20260105T000000Z", ":20260201T000000Z", "ann"))
    (tmp_path / "rota.ics").write_text(text)
    its = with_calendar("rota.ics", str(tmp_path / "duty.yaml"))

    calendars.refresh(db, its, no_fetch, START)

    assert now_on_call(db, its, START) == ("ann",)
    with db.read() as conn:
        found = changes_of(store.changes(conn, START), "first")
    assert gaps(its.duty.schedules["first"], found, START, START + DAY) == []


def test_overrides_stand_on_what_the_calendar_says(db: Database, tmp_path: Path) -> None:
    text = calendar(event(":20260105T000000Z", ":20260201T000000Z", "ann"))
    (tmp_path / "rota.ics").write_text(text)
    its = with_calendar("rota.ics", str(tmp_path / "duty.yaml"))
    with db.write() as conn:
        made = change("override", "2026-01-05T00:00", "2026-01-06T00:00", "dee")
        store.add_change(conn, replace(made, schedule="first"), START)
    calendars.refresh(db, its, no_fetch, START)

    assert now_on_call(db, its, START) == ("dee",)
    assert now_on_call(db, its, START + DAY) == ("ann",)


def test_a_calendar_that_cannot_be_read_for_an_hour_is_an_alert(db: Database) -> None:
    its = with_calendar("gone.ics")
    for at in (0, 1800, 3600):
        calendars.refresh(db, its, no_fetch, START + at)
        with db.read() as conn:
            codes = {f.code for f in audit.readiness(conn, its, START + at)}
        assert ("calendar-stale:first" in codes) == (at == 3600)


def test_names_that_nobody_has_are_an_alert(db: Database, tmp_path: Path) -> None:
    text = calendar(event(":20260105T000000Z", ":20260201T000000Z", "Zoe"))
    (tmp_path / "rota.ics").write_text(text)
    its = with_calendar("rota.ics", str(tmp_path / "duty.yaml"))
    calendars.refresh(db, its, no_fetch, START)

    with db.read() as conn:
        found = {f.code: f.text for f in audit.readiness(conn, its, START)}
    assert "Zoe" in found["calendar-unknown:first"]


def test_a_gap_and_a_person_without_a_contact_are_alerts(db: Database) -> None:
    night_only = schedule("UTC", layer(users=["ann"], restrictions=(hours("22:00", "06:00"),)))
    mute = {"ann": user("ann", contacts=(), page=())}
    its = specs(schedules={"first": replace(night_only, name="first")}, users=mute)

    with db.read() as conn:
        codes = {f.code for f in audit.readiness(conn, its, START)}
    assert {"gap:first", "no-contact"} <= codes


def test_whoever_a_policy_or_an_override_calls_needs_a_contact_too(db: Database) -> None:
    mute = {n: user(n, contacts=(), page=(), team="") for n in ("dee", "eve", "fay", "gil")}
    mute["fay"] = replace(mute["fay"], team="night")
    everyone = {"ann": user("ann"), **mute}
    policies = {
        "p": policy(
            (to(TargetKind.SCHEDULE, "first"), 60.0),
            (to(TargetKind.USER, "dee"), 60.0),
            fallback=(to(TargetKind.TEAM, "night"),),
        )
    }
    its = specs(
        schedules={"first": replace(schedule("UTC", layer(users=["ann"])), name="first")},
        users=everyone,
        escalation_policies=policies,
    )
    with db.write() as conn:
        late = change("override", "2026-01-05T00:00", "2027-01-01T00:00", "eve")
        store.add_change(conn, replace(late, schedule="first"), START)

    with db.read() as conn:
        (found,) = [f for f in audit.readiness(conn, its, START) if f.code == "no-contact"]
    assert found.text.endswith(": dee, eve, fay")


def test_a_persons_address_finds_them() -> None:
    mail = {"ann": user("ann", contacts=(ContactDefinition("mail", "Ann@Example.org"),))}
    text = calendar(event(":20260105T000000Z", ":20260106T000000Z", "Bereitschaft",
                          "ATTENDEE;CN=A:mailto:ann@example.org"))  # fmt: skip
    start = minute("2026-01-01") * 60.0
    assert read_calendar(text, mail, "UTC", start, start + 30 * DAY).booked[0].users == ("ann",)
