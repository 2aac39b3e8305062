"""The final schedule: layers, holidays, leave, overrides, in that order. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from itertools import pairwise

from watchkeeper.kernel.clock import Seconds
from watchkeeper.oncall.schedule.model import Change, Shift
from watchkeeper.oncall.schedule.turns import (
    boundaries,
    days_between,
    in_force,
    instant,
    local_of,
    turn_at,
)
from watchkeeper.spec.duty import LayerDefinition, ScheduleDefinition

NOBODY = "-"


def on_call(schedule: ScheduleDefinition, changes: Sequence[Change], at: Seconds) -> Shift:
    """Who is on call at this instant; ``start`` and ``end`` are both ``at``."""
    away = _away(changes, at)
    users, layer, reason = _by_layers(schedule, away, at)
    today = local_of(at, schedule.time_zone).date().isoformat()
    if schedule.holiday_users and today in schedule.holidays:
        users, layer, reason = schedule.holiday_users, "holidays", "holiday"
    for change in changes:
        if change.start <= at < change.end:
            after = _after(change, users)
            if after != users:
                users, reason = after, "" if change.kind == "calendar" else change.kind
    shadows = tuple(
        user
        for each in schedule.layers
        if each.shadow and in_force(each, at, schedule.time_zone)
        for user in _turn(each, away, at, schedule.time_zone)
    )
    return Shift(at, at, users, tuple(u for u in shadows if u not in users), layer, reason)


def _away(changes: Sequence[Change], at: Seconds) -> frozenset[str]:
    """Those who are on leave with nobody named to stand in."""
    return frozenset(
        c.replaces for c in changes if c.kind == "leave" and not c.user and c.start <= at < c.end
    )


def _by_layers(
    schedule: ScheduleDefinition, away: frozenset[str], at: Seconds
) -> tuple[tuple[str, ...], str, str]:
    zone = schedule.time_zone
    for layer in reversed(schedule.layers):
        if layer.shadow or not in_force(layer, at, zone):
            continue
        users = _turn(layer, away, at, zone)
        if users:
            moved = users != _turn(layer, frozenset(), at, zone)
            return users, layer.name, "leave" if moved else ""
    return (), "", ""


def _turn(layer: LayerDefinition, away: frozenset[str], at: Seconds, zone: str) -> tuple[str, ...]:
    """The users of the turn; for those on leave, the next of the rotation who is not."""
    number, size = turn_at(layer, at, zone), len(layer.users)
    for step in range(size):
        entry = layer.users[(number + step) % size]
        if entry == NOBODY and step == 0:
            return ()
        present = tuple(u for u in entry.split("+") if u not in away and u != NOBODY)
        if present:
            return present
    return ()


def _after(change: Change, users: tuple[str, ...]) -> tuple[str, ...]:
    if change.kind == "leave" and not change.user:
        return users
    if change.kind == "calendar":
        return tuple(change.user.split("+"))
    if change.kind == "override" and not change.replaces:
        return (change.user,)
    if change.replaces not in users:
        return users
    swapped = (change.user if u == change.replaces else u for u in users)
    return tuple(dict.fromkeys(swapped))


def shifts(
    schedule: ScheduleDefinition, changes: Sequence[Change], start: Seconds, end: Seconds
) -> list[Shift]:
    """The final schedule of [start, end): shifts that touch, and differ from each other."""
    found: list[Shift] = []
    marks = _marks(schedule, changes, start, end)
    for begin, until in pairwise(marks):
        here = replace(on_call(schedule, changes, begin), start=begin, end=until)
        last = found[-1] if found else None
        if last is not None and replace(here, start=last.start) == replace(last, end=until):
            found[-1] = replace(last, end=until)
        else:
            found.append(here)
    return found


def _marks(
    schedule: ScheduleDefinition, changes: Sequence[Change], start: Seconds, end: Seconds
) -> list[Seconds]:
    zone = schedule.time_zone
    marks = {start, end}
    for layer in schedule.layers:
        marks.update(boundaries(layer, start, end, zone))
    for change in changes:
        marks.update((change.start, change.end))
    if schedule.holidays:
        for day in days_between(start, end, zone):
            marks.update(_midnights(day, zone))
    return sorted(m for m in marks if start <= m <= end)


def _midnights(day: date, zone: str) -> tuple[Seconds, Seconds]:
    midnight = datetime.combine(day, time())
    return instant(midnight, zone), instant(midnight + timedelta(days=1), zone)


def gaps(
    schedule: ScheduleDefinition, changes: Sequence[Change], start: Seconds, end: Seconds
) -> list[Shift]:
    """The shifts of [start, end) without anybody."""
    holes = [s for s in shifts(schedule, changes, start, end) if not s.users]
    joined: list[Shift] = []
    for hole in holes:
        if joined and joined[-1].end == hole.start:
            joined[-1] = replace(joined[-1], end=hole.end)
        else:
            joined.append(hole)
    return joined


def next_handoff(
    schedule: ScheduleDefinition, changes: Sequence[Change], at: Seconds
) -> Shift | None:
    """The first later shift with other users; None when there is none for a year."""
    now = on_call(schedule, changes, at).users
    for days in (8, 40, 400):
        for shift in shifts(schedule, changes, at, at + days * 86400.0):
            if shift.users != now:
                return shift
    return None
