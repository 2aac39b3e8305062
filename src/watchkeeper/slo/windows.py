"""Windows: which minutes an SLO's budget is counted over. Pure.

A rolling window is the last so many minutes. A calendar window is a whole period (days, weeks,
months, quarters, years) counted from a start in a time zone, by the wall clock there: a day that
loses an hour to daylight saving has 23 hours, and a month that starts on the 31st starts on the
last day of a shorter month.
"""

from __future__ import annotations

import math
import re
from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from watchkeeper.kernel import text
from watchkeeper.kernel.clock import MINUTE, Minute, Seconds, window_end
from watchkeeper.kernel.duration import Duration, parse_duration
from watchkeeper.kernel.errors import UserError
from watchkeeper.spec.model import CalendarWindow, RollingWindow, Window

Interval = tuple[Minute, Minute]
"""Half-open interval of minutes [start, end)."""

_WHOLE_DAYS = re.compile(r"(\d+[dw])+")
_DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Bounds:
    """A window at one instant: events in [start, end) count, the period ends at ``period_end``.

    Rolling: ``period_end == end``. Calendar: the end of the running period, so ``length`` is that
    of the whole period and ``end - start`` what has passed of it.
    """

    start: Minute
    end: Minute
    period_end: Minute
    rolling: bool

    @property
    def length(self) -> int:
        """Minutes of the whole window: of a running calendar period, those to come too."""
        return self.period_end - self.start

    @property
    def elapsed(self) -> int:
        """Minutes that are counted."""
        return self.end - self.start


def label(window: Window) -> str:
    """The window's name: ``30d`` rolling, ``1M calendar`` for a period."""
    length = str(window.duration)
    return length if isinstance(window, RollingWindow) else f"{length} calendar"


def in_words(name: str) -> str:
    """A window's `label` as one would say it after "over": ``30 days``, ``a calendar month``."""
    length, _, calendar = name.partition(" ")
    said = text.length(parse_duration(length))
    if not calendar:
        return said
    amount, _, unit = said.partition(" ")
    return f"a calendar {unit}" if amount == "1" else f"{amount} calendar {unit}"


def bounds(window: Window, now: Seconds) -> Bounds:
    """The window's minutes at ``now``.

    The end is exclusive, ``ceil(now / 60)``. A calendar window is the period that holds the last
    counted minute: asked at midnight of the 1st, the month that has just ended, whole; a second
    later, the new month. Before the first start, periods are counted backwards from it.
    Raises UserError for an unknown time zone or a start that is not a date.
    """
    end = window_end(now)
    if isinstance(window, RollingWindow):
        return Bounds(end - window.duration.minutes, end, end, rolling=True)
    start, period_end = period(window, end - 1)
    return Bounds(start, end, period_end, rolling=False)


def period(window: CalendarWindow, minute: Minute) -> Interval:
    """The calendar period [start, end) that holds this minute."""
    anchor, zone = _anchor(window.start, window.time_zone)
    k = _guess(window.duration, anchor, zone, minute)
    while _start(window.duration, anchor, zone, k) > minute:
        k -= 1
    while _start(window.duration, anchor, zone, k + 1) <= minute:
        k += 1
    return _start(window.duration, anchor, zone, k), _start(window.duration, anchor, zone, k + 1)


@lru_cache(maxsize=1024)
def _anchor(start: str, time_zone: str) -> tuple[datetime, ZoneInfo]:
    try:
        zone = ZoneInfo(time_zone or "UTC")
    except (KeyError, ValueError, OSError) as error:
        raise UserError(
            f"{time_zone!r} is not a known time zone", "use an IANA name such as Europe/Berlin"
        ) from error
    try:
        return datetime.fromisoformat(start).replace(tzinfo=None), zone
    except ValueError as error:
        raise UserError(
            f"{start!r} is not a start of a calendar window", "write e.g. 2026-01-31 12:30:00"
        ) from error


def _guess(duration: Duration, anchor: datetime, zone: ZoneInfo, minute: Minute) -> int:
    if duration.months:
        local = datetime.fromtimestamp(minute * MINUTE, UTC).astimezone(zone)
        months = (local.year - anchor.year) * 12 + local.month - anchor.month
        return months // duration.months
    since = minute * MINUTE - _epoch(anchor, zone)
    return math.floor(since / duration.seconds)


def _start(duration: Duration, anchor: datetime, zone: ZoneInfo, k: int) -> Minute:
    """Start of the k-th period, from the anchor each time: a month end clipped once stays whole."""
    if duration.months:
        local = _add_months(anchor, k * duration.months)
    elif _WHOLE_DAYS.fullmatch(duration.text):
        local = anchor + timedelta(days=k * round(duration.seconds / _DAY_SECONDS))
    else:  # hours and minutes are lengths of real time, whatever the wall clock does
        return math.ceil((_epoch(anchor, zone) + k * duration.seconds) / MINUTE)
    return math.ceil(_epoch(local, zone) / MINUTE)


def _epoch(local: datetime, zone: ZoneInfo) -> float:
    """Wall time → epoch. The first of two equal times; one that is skipped moves on by the gap."""
    return local.replace(tzinfo=zone, fold=0).timestamp()


def _add_months(anchor: datetime, months: int) -> datetime:
    year, month = divmod(anchor.year * 12 + anchor.month - 1 + months, 12)
    day = min(anchor.day, monthrange(year, month + 1)[1])
    return anchor.replace(year=year, month=month + 1, day=day)


def union(intervals: Sequence[Interval]) -> list[Interval]:
    """The same minutes as sorted, disjoint intervals; empty ones vanish."""
    merged: list[Interval] = []
    for start, end in sorted(i for i in intervals if i[0] < i[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def without(whole: Interval, holes: Sequence[Interval]) -> list[Interval]:
    """The parts of ``whole`` outside the holes (sorted and disjoint, as ``union`` gives them)."""
    parts: list[Interval] = []
    at, end = whole
    for start, stop in holes:
        if stop <= at or start >= end:
            continue
        if start > at:
            parts.append((at, start))
        at = max(at, stop)
    if at < end:
        parts.append((at, end))
    return parts


def length(intervals: Sequence[Interval]) -> int:
    """Minutes in disjoint intervals."""
    return sum(end - start for start, end in intervals)
