"""Turns of a rotation, and the hours in which a layer is in force. Pure.

Local times that a change of the clock skips mean the first instant after the gap; those that occur
twice mean the first.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from watchkeeper.kernel.clock import Seconds
from watchkeeper.spec.duty import LayerDefinition, Restriction, RotationKind

DAY = timedelta(days=1)


@lru_cache(maxsize=65_536)
def instant(local: datetime, zone: str) -> Seconds:
    """The instant of a naive local time."""
    its = ZoneInfo(zone)
    aware = local.replace(tzinfo=its)
    back = aware.astimezone(UTC).astimezone(its).replace(tzinfo=None)
    if back == local:
        return aware.timestamp()
    # In the gap: PEP 495's fold=0 reads it with the offset before the change, and so lands after
    # it by as much as the time lies in the gap; the change itself is where offsets differ.
    after = local.replace(tzinfo=its, fold=1).timestamp()  # read with the offset after: too early
    return _change_between(after, aware.timestamp(), its)


def _change_between(low: Seconds, high: Seconds, zone: ZoneInfo) -> Seconds:
    """The instant in (low, high] at which the offset changes, to the second."""
    a, b = int(low), int(high)
    before = datetime.fromtimestamp(a, zone).utcoffset()
    while b - a > 1:
        middle = (a + b) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == before:
            a = middle
        else:
            b = middle
    return float(b)


def local_of(at: Seconds, zone: str) -> datetime:
    """The naive local time of an instant."""
    return datetime.fromtimestamp(at, ZoneInfo(zone)).replace(tzinfo=None)


def turn_start(layer: LayerDefinition, number: int, zone: str) -> Seconds:
    """When turn ``number`` begins; 0 is the first."""
    first = datetime.fromisoformat(layer.start)
    match layer.kind:
        case RotationKind.HOURLY:
            return instant(first, zone) + number * layer.every * 3600.0
        case RotationKind.DAILY:
            return instant(first + number * layer.every * DAY, zone)
        case RotationKind.WEEKLY:
            return instant(first + 7 * number * layer.every * DAY, zone)
        case _:
            return instant(_months_later(first, number * layer.every), zone)


def _months_later(first: datetime, months: int) -> datetime:
    year, month = divmod(first.year * 12 + first.month - 1 + months, 12)
    day = min(first.day, monthrange(year, month + 1)[1])
    return first.replace(year=year, month=month + 1, day=day)


def turn_at(layer: LayerDefinition, at: Seconds, zone: str) -> int:
    """The number of the turn that holds this instant; negative before the first."""
    first, local = datetime.fromisoformat(layer.start), local_of(at, zone)
    match layer.kind:
        case RotationKind.HOURLY:
            return int((at - instant(first, zone)) // (layer.every * 3600))
        case RotationKind.MONTHLY:
            months = (local.year - first.year) * 12 + local.month - first.month
            guess = months // layer.every
        case kind:
            days = 1 if kind is RotationKind.DAILY else 7
            guess = (local.date() - first.date()).days // (days * layer.every)
    # The guess looks at dates only; the time of day, or a change of the clock, moves it by one.
    while turn_start(layer, guess, zone) > at:
        guess -= 1
    while turn_start(layer, guess + 1, zone) <= at:
        guess += 1
    return guess


def in_force(layer: LayerDefinition, at: Seconds, zone: str) -> bool:
    """True when the layer has begun, has not ended, and its restrictions let it."""
    if at < turn_start(layer, 0, zone):
        return False
    if layer.end is not None and at >= instant(datetime.fromisoformat(layer.end), zone):
        return False
    if not layer.restrictions:
        return True
    today = local_of(at, zone).date()
    return any(
        start <= at < end
        for restriction in layer.restrictions
        for day in (today - DAY, today)
        for start, end in _hours(restriction, day, zone)
    )


def _hours(restriction: Restriction, day: date, zone: str) -> Iterator[tuple[Seconds, Seconds]]:
    if restriction.days and day.weekday() not in restriction.days:
        return
    midnight = datetime.combine(day, time())
    over = restriction.end <= restriction.start
    end_day = midnight + DAY if over else midnight
    yield (
        instant(midnight + timedelta(minutes=restriction.start), zone),
        instant(end_day + timedelta(minutes=restriction.end), zone),
    )


def boundaries(
    layer: LayerDefinition, start: Seconds, end: Seconds, zone: str
) -> Iterator[Seconds]:
    """Instants in (start, end) at which this layer may say something new."""
    number = max(0, turn_at(layer, start, zone))
    while (at := turn_start(layer, number, zone)) < end:
        yield at
        number += 1
    if layer.end is not None:
        yield instant(datetime.fromisoformat(layer.end), zone)
    if not layer.restrictions:
        return
    day, last = local_of(start, zone).date() - DAY, local_of(end, zone).date()
    while day <= last:
        for restriction in layer.restrictions:
            for pair in _hours(restriction, day, zone):
                yield from pair
        day += DAY


def days_between(start: Seconds, end: Seconds, zone: str) -> Iterator[date]:
    """The local dates that the interval touches."""
    day, last = local_of(start, zone).date(), local_of(end, zone).date()
    while day <= last:
        yield day
        day += DAY
