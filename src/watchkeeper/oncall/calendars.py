"""Schedules that are read from calendars: fetched now and then, kept while their source is away."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from sqlalchemy import Connection

from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import UserError, WatchkeeperError
from watchkeeper.oncall import store
from watchkeeper.oncall.schedule.calendar import Reading, as_changes, read_calendar
from watchkeeper.spec.duty import ScheduleDefinition
from watchkeeper.spec.model import Specs
from watchkeeper.store import Database, timeline

EVERY, AGAIN = 900.0, 60.0
"""Seconds between two readings; after one that failed."""
STALE = 3600.0
"""Seconds without a reading after which somebody is told."""
BACK, AHEAD = 8 * 86_400.0, 100 * 86_400.0
"""How far back and ahead events are kept."""
LARGEST = 4 * 2**20
"""Bytes of a calendar that are read."""

Fetch = Callable[[str], str]
"""The text at an https address. Raises WatchkeeperError."""


@dataclass(frozen=True, slots=True)
class CalendarState:
    """What came of reading a schedule's calendar. ``source``: the address that was read."""

    source: str = ""
    next_at: Seconds = 0.0
    read_at: Seconds | None = None
    since: Seconds | None = None  # of the first failure since the last reading
    problem: str = ""
    unknown: tuple[str, ...] = field(default=())
    broken: tuple[str, ...] = field(default=())


def due(conn: Connection, specs: Specs, now: Seconds) -> list[ScheduleDefinition]:
    """The schedules whose calendar must be read, or read anew since it was moved."""
    found = []
    for schedule in specs.duty.schedules.values():
        if not schedule.ical:
            continue
        state = state_of(conn, schedule.name)
        if state.next_at <= now or state.source != schedule.ical:
            found.append(schedule)
    return found


def refresh(db: Database, specs: Specs, fetch: Fetch, now: Seconds) -> int:
    """Read the calendars that are due, outside of any transaction. Returns how many."""
    with db.read() as conn:
        waiting = due(conn, specs, now)
    for schedule in waiting:
        try:
            text = _text(schedule, fetch)
            zone, people = schedule.time_zone, specs.duty.users
            reading = read_calendar(text, people, zone, now - BACK, now + AHEAD)
        except WatchkeeperError as error:
            with db.write() as conn:
                _failed(conn, schedule, error.message, now)
        else:
            with db.write() as conn:
                _keep(conn, schedule, reading, now)
    return len(waiting)


def _text(schedule: ScheduleDefinition, fetch: Fetch) -> str:
    if schedule.ical.startswith("https://"):
        return fetch(schedule.ical)
    path = Path(schedule.place.file).parent / schedule.ical.removeprefix("file://")
    try:
        with path.open("rb") as file:
            return file.read(LARGEST).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UserError(f"{schedule.ical} cannot be read: {said}.") from None


def _keep(conn: Connection, schedule: ScheduleDefinition, reading: Reading, now: Seconds) -> None:
    made = as_changes(schedule.name, reading.booked)
    changed = store.replace_calendar(conn, schedule.name, made)
    before = state_of(conn, schedule.name)
    state = CalendarState(
        schedule.ical, now + EVERY, now, unknown=reading.unknown, broken=reading.broken
    )
    _save(conn, schedule, state)
    if changed or before.problem:
        data = {"events": len(made), "unknown": list(reading.unknown)}
        timeline.append(conn, now, "calendar.read", f"schedule/{schedule.name}", "engine", data)


def _failed(conn: Connection, schedule: ScheduleDefinition, why: str, now: Seconds) -> None:
    before = state_of(conn, schedule.name)
    since = before.since if before.since is not None else now
    state = replace(before, source=schedule.ical, next_at=now + AGAIN, since=since, problem=why)
    _save(conn, schedule, state)
    if before.problem != why:
        data = {"problem": why}
        timeline.append(conn, now, "calendar.failed", f"schedule/{schedule.name}", "engine", data)


def _save(conn: Connection, schedule: ScheduleDefinition, state: CalendarState) -> None:
    store.put_setting(conn, f"calendar:{schedule.name}"[:100], json.dumps(asdict(state)))


def state_of(conn: Connection, schedule: str) -> CalendarState:
    """What came of the last reading."""
    kept = store.get_setting(conn, f"calendar:{schedule}"[:100])
    if kept is None:
        return CalendarState()
    read = json.loads(kept)
    named = {k: tuple(read.get(k, ())) for k in ("unknown", "broken")}
    return CalendarState(**{**read, **named})


def weak(conn: Connection, specs: Specs, now: Seconds) -> Sequence[tuple[str, str]]:
    """(code, text) of calendars that could not be read for an hour, or name whom we do not know."""
    found: list[tuple[str, str]] = []
    for name, schedule in specs.duty.schedules.items():
        if not schedule.ical:
            continue
        state = state_of(conn, name)
        if state.since is not None and now - state.since >= STALE:
            text = f"the calendar of the schedule {name} cannot be read: {state.problem}"
            found.append((f"calendar-stale:{name}", text))
        if state.unknown:
            text = (
                f"the calendar of {name} names nobody that we know: {', '.join(state.unknown[:10])}"
            )
            found.append((f"calendar-unknown:{name}", text))
        if state.broken:
            text = f"the calendar of {name} has events that make no sense: "
            found.append((f"calendar-broken:{name}", text + ", ".join(state.broken[:10])))
    return found
