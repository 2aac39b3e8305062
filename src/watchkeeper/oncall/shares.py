"""How a schedule is shared among its people, as planned: so that hand-offs can be made fair. Pure.

It is about plans, never about what people did: hours on call ahead, with overrides, swaps, leave
and holidays, and how many of them are nights and weekends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time

from watchkeeper.kernel.clock import Seconds
from watchkeeper.oncall.load import DAY_ENDS, DAY_STARTS
from watchkeeper.oncall.schedule.model import Change
from watchkeeper.oncall.schedule.rules import NOBODY, shifts
from watchkeeper.oncall.schedule.turns import days_between, instant
from watchkeeper.spec.duty import ScheduleDefinition

HOUR = 3600.0
EVEN = 0.1
"""People whose hours are no further apart than this part of the most are said to share evenly."""


@dataclass(frozen=True, slots=True)
class Share:
    """One person's planned hours on call, and those of them out of working hours."""

    user: str
    hours: float
    out_of_hours: float


def shares(
    schedule: ScheduleDefinition, changes: Sequence[Change], start: Seconds, end: Seconds
) -> list[Share]:
    """Everybody on the schedule in [start, end), most hours first; who has none is there too."""
    hours = dict.fromkeys(_named(schedule), 0.0)
    outs = dict(hours)
    for shift in shifts(schedule, changes, start, end):
        whole = shift.end - shift.start
        working = _working(shift.start, shift.end, schedule.time_zone)
        for user in shift.users:
            hours[user] = hours.get(user, 0.0) + whole / HOUR
            outs[user] = outs.get(user, 0.0) + (whole - working) / HOUR
    found = [Share(user, hours[user], outs[user]) for user in hours]
    return sorted(found, key=lambda s: (-s.hours, s.user))


def even(found: Sequence[Share]) -> bool:
    """True when both the hours and those out of hours are about the same for everybody."""
    return _close([s.hours for s in found]) and _close([s.out_of_hours for s in found])


def _close(amounts: Sequence[float]) -> bool:
    return not amounts or max(amounts) - min(amounts) <= EVEN * max(amounts)


def _named(schedule: ScheduleDefinition) -> list[str]:
    named = (u for la in schedule.layers if not la.shadow for e in la.users for u in e.split("+"))
    return [u for u in dict.fromkeys(named) if u != NOBODY]


def _working(start: Seconds, end: Seconds, zone: str) -> float:
    """Seconds of [start, end) that are working hours."""
    found = 0.0
    for day in days_between(start, end, zone):
        if day.weekday() < 5:
            opens = instant(datetime.combine(day, time(DAY_STARTS)), zone)
            closes = instant(datetime.combine(day, time(DAY_ENDS)), zone)
            found += max(0.0, min(end, closes) - max(start, opens))
    return found
