"""What a change would make of a schedule, before it is kept; and hours of shifts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from itertools import pairwise

from watchkeeper.kernel.clock import Seconds
from watchkeeper.oncall.schedule.model import Change, Shift
from watchkeeper.oncall.schedule.rules import on_call, shifts
from watchkeeper.oncall.schedule.turns import days_between, instant
from watchkeeper.spec.duty import LayerDefinition, ScheduleDefinition

WORK_STARTS, WORK_ENDS = 9, 18
"""Local working hours, Monday to Friday, as `oncall.load` counts them."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A stretch [start, end) in which other people are on call than before."""

    start: Seconds
    end: Seconds
    before: tuple[str, ...]
    after: tuple[str, ...]


def differences(
    schedule: ScheduleDefinition, changes: Sequence[Change], proposed: Change
) -> list[Difference]:
    """Where the final schedule with ``proposed`` differs from the one without it, by time."""
    with_it = [*changes, proposed]
    marks = {proposed.start, proposed.end}
    for each in (changes, with_it):
        for shift in shifts(schedule, each, proposed.start, proposed.end):
            marks.update((shift.start, shift.end))
    found: list[Difference] = []
    for start, end in pairwise(sorted(marks)):
        before = on_call(schedule, changes, start).users
        after = on_call(schedule, with_it, start).users
        last = found[-1] if found else None
        if last is not None and (last.end, last.before, last.after) == (start, before, after):
            found[-1] = replace(last, end=end)
        elif before != after:
            found.append(Difference(start, end, before, after))
    return found


def layer_shifts(
    schedule: ScheduleDefinition, layer: LayerDefinition, start: Seconds, end: Seconds
) -> list[Shift]:
    """What one layer alone says of [start, end), a shadow layer too; its gaps are left out."""
    alone = replace(schedule, layers=(replace(layer, shadow=False),), holidays=())
    return [s for s in shifts(alone, (), start, end) if s.users]


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of shifts, and how many of them lie outside working hours."""

    total: float
    outside: float


def hours_of(spans: Iterable[tuple[Seconds, Seconds]], zone: str) -> Hours:
    """The hours of these stretches; working hours are Monday to Friday, 09 to 18, in ``zone``."""
    total = inside = 0.0
    for start, end in spans:
        total += end - start
        for day in days_between(start, end, zone):
            if day.weekday() >= 5:
                continue
            midnight = datetime.combine(day, time())
            opens = instant(midnight + timedelta(hours=WORK_STARTS), zone)
            closes = instant(midnight + timedelta(hours=WORK_ENDS), zone)
            inside += max(0.0, min(end, closes) - max(start, opens))
    return Hours(total / 3600, (total - inside) / 3600)
