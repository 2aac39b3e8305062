"""Who is on call, minute by minute, by the plainest reading of the rules.

Shares no code with the product. Something happens "at 09:00 local time" at the first minute at
which the clock on the wall shows 09:00 of that day or later: so a time that the clocks skip means
the first minute after the gap, and one that they show twice means the first of the two.
"""

from __future__ import annotations

import calendar
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo

from watchkeeper.oncall.schedule.model import Change
from watchkeeper.spec.duty import LayerDefinition, ScheduleDefinition

Who = tuple[tuple[str, ...], tuple[str, ...]]
"""(users, shadows)."""


@dataclass(frozen=True)
class Wall:
    """The clock on the wall at each minute from ``first`` (epoch minutes) on."""

    first: int
    shows: Sequence[datetime]
    highest: Sequence[datetime]

    def when(self, local: datetime) -> int:
        """The first minute, as an index, at which it shows this time or later."""
        return bisect_left(self.highest, local)


def wall(zone: str, first: int, last: int) -> Wall:
    """The clock of a zone over the minutes [first, last)."""
    its = ZoneInfo(zone)
    shows = [
        datetime.fromtimestamp(m * 60, UTC).astimezone(its).replace(tzinfo=None)
        for m in range(first, last)
    ]
    return Wall(first, shows, list(accumulate(shows, max)))


def final(
    schedule: ScheduleDefinition, changes: Sequence[Change], start: int, end: int
) -> list[Who]:
    """(users, shadows) of each minute in [start, end), epoch minutes."""
    earliest = min(
        [start, *(_minute_before(layer.start) for layer in schedule.layers)],
    )
    clock = wall(schedule.time_zone, earliest - 3 * 1440, end + 2 * 1440)
    tables = [_layer(layer, clock) for layer in schedule.layers]
    return [
        _at(schedule, changes, tables, clock, minute - clock.first) for minute in range(start, end)
    ]


def _minute_before(local: str) -> int:
    return int(datetime.fromisoformat(local).replace(tzinfo=UTC).timestamp() // 60) - 1440


def _layer(layer: LayerDefinition, clock: Wall) -> list[int | None]:
    """The number of the turn at each minute; None where the layer is not in force."""
    size = len(clock.shows)
    first = datetime.fromisoformat(layer.start)
    begin = clock.when(first)
    end = clock.when(datetime.fromisoformat(layer.end)) if layer.end else size
    turns: list[int | None] = [None] * size
    number, at = 0, begin
    while at < size:
        number += 1
        until = min(size, _turn(layer, first, number, begin, clock))
        turns[at:until] = [number - 1] * (until - at)
        at = max(at, until)
        if until >= size:
            break
    allowed = _allowed(layer, clock)
    return [t if begin <= i < end and allowed[i] else None for i, t in enumerate(turns)]


def _turn(layer: LayerDefinition, first: datetime, number: int, begin: int, clock: Wall) -> int:
    """The index of the minute at which turn ``number`` begins."""
    count = number * layer.every
    match str(layer.kind):
        case "hourly":
            return begin + 60 * count
        case "daily":
            return clock.when(first + timedelta(days=count))
        case "weekly":
            return clock.when(first + timedelta(weeks=count))
    day, month, year = first.day, first.month + count, first.year
    while month > 12:
        month, year = month - 12, year + 1
    day = min(day, calendar.monthrange(year, month)[1])
    return clock.when(first.replace(year=year, month=month, day=day))


def _allowed(layer: LayerDefinition, clock: Wall) -> list[bool]:
    size = len(clock.shows)
    if not layer.restrictions:
        return [True] * size
    allowed = [False] * size
    day, last = clock.shows[0].date(), clock.shows[-1].date()
    while day <= last:
        for hours in layer.restrictions:
            if hours.days and day.weekday() not in hours.days:
                continue
            ends_on = day if hours.end > hours.start else day + timedelta(days=1)
            begin = clock.when(_clock(day, hours.start))
            end = clock.when(_clock(ends_on, hours.end))
            for i in range(begin, min(end, size)):
                allowed[i] = True
        day += timedelta(days=1)
    return allowed


def _clock(day: date, minutes: int) -> datetime:
    return datetime(day.year, day.month, day.day) + timedelta(minutes=minutes)


def _at(
    schedule: ScheduleDefinition,
    changes: Sequence[Change],
    tables: Sequence[Sequence[int | None]],
    clock: Wall,
    i: int,
) -> Who:
    seconds = (clock.first + i) * 60
    now = [c for c in changes if c.start <= seconds < c.end]
    away = {c.replaces for c in now if c.kind == "leave" and c.user == ""}
    users: tuple[str, ...] = ()
    for layer, table in zip(schedule.layers, tables, strict=True):
        turn = table[i]
        if layer.shadow or turn is None:
            continue
        mine = _present(layer, turn, away)
        users = mine or users  # a later layer covers those before it
    if schedule.holiday_users and clock.shows[i].date().isoformat() in schedule.holidays:
        users = schedule.holiday_users
    for change in now:
        if change.kind == "override" and change.replaces == "":
            users = (change.user,)
        elif change.user and change.replaces in users:
            put = [change.user if u == change.replaces else u for u in users]
            users = tuple(sorted(set(put), key=put.index))
    shadows: list[str] = []
    for layer, table in zip(schedule.layers, tables, strict=True):
        turn = table[i]
        if layer.shadow and turn is not None:
            shadows += [u for u in _present(layer, turn, away) if u not in users]
    return users, tuple(shadows)


def _present(layer: LayerDefinition, turn: int, away: set[str]) -> tuple[str, ...]:
    entries = [layer.users[(turn + k) % len(layer.users)] for k in range(len(layer.users))]
    if entries[0] == "-":
        return ()
    for entry in entries:
        left = tuple(u for u in entry.split("+") if u != "-" and u not in away)
        if left:
            return left
    return ()
