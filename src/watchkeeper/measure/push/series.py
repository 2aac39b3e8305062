"""Cumulative series: what each point adds to what is known of its series. Pure.

The state of a stream is JSON: ``since`` is when its series may have begun at the earliest for a
first value to count, ``series`` the last [start, time, bounds, amounts] of each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from watchkeeper.measure.counters import Birth, first_value_counts
from watchkeeper.measure.push.otlp import Nanoseconds, Point

BILLION = 1_000_000_000
MOST_SERIES = 10_000
FORGET_AFTER: Nanoseconds = 2 * 86400 * BILLION
"""A series without a point for this long, by the times of its stream's points, is forgotten."""


@dataclass(frozen=True, slots=True)
class Last:
    """The last point taken of a series."""

    start: Nanoseconds
    time: Nanoseconds
    bounds: tuple[float, ...]
    amounts: tuple[float, ...]


class RefusedError(ValueError):
    """A point that cannot be counted; the message says why."""


@dataclass
class StreamState:
    """What is remembered of a stream's cumulative series."""

    since: Nanoseconds
    series: dict[str, Last] = field(default_factory=dict)

    @classmethod
    def load(cls, cursor: Mapping[str, Any] | None, now: Nanoseconds) -> StreamState:
        """From what was saved; a stream met for the first time begins now."""
        if cursor is None:
            return cls(now)
        series = {
            key: Last(start, time, tuple(bounds), tuple(amounts))
            for key, (start, time, bounds, amounts) in cursor["series"].items()
        }
        return cls(cursor["since"], series)

    def dump(self) -> dict[str, Any]:
        """As JSON, without the series that have ended long ago."""
        self._forget()
        series = {
            key: [last.start, last.time, list(last.bounds), list(last.amounts)]
            for key, last in self.series.items()
        }
        return {"since": self.since, "series": series}

    def take(self, point: Point) -> tuple[float, ...] | None:
        """The events a cumulative point adds per bucket; None where counting only begins.

        Zeroes for a point that is repeated or late: a later one has counted its events. Raises
        RefusedError for two senders that mix in one series, and for too many series.
        """
        last = self.series.get(point.series)
        if last is None:
            if len(self.series) >= MOST_SERIES:
                raise RefusedError(f"more than {MOST_SERIES} series; drop attributes")
            added = point.amounts if self._counts_at_once(point) else None
        elif point.time <= last.time:
            return tuple(0.0 for _ in point.amounts)
        else:
            added = _grown(last, point)
        self.series[point.series] = Last(point.start, point.time, point.bounds, point.amounts)
        return added

    def _counts_at_once(self, point: Point) -> bool:
        birth = Birth(
            first_sample=point.time / BILLION,
            process_start=point.start / BILLION if point.start else None,
            siblings_at_start=point.start >= self.since,
        )
        return first_value_counts(birth)

    def _forget(self) -> None:
        newest = max((last.time for last in self.series.values()), default=0)
        for key in [k for k, v in self.series.items() if v.time < newest - FORGET_AFTER]:
            # A series that began before this may be one that was counted and forgotten.
            self.since = max(self.since, self.series.pop(key).time)


def _grown(last: Last, point: Point) -> tuple[float, ...] | None:
    if point.start >= last.time:
        return point.amounts
    if point.bounds != last.bounds or len(point.amounts) != len(last.amounts):
        return None
    steps = tuple(new - old for new, old in zip(point.amounts, last.amounts, strict=True))
    if min(steps) >= 0:
        return steps
    if 0 < point.start < last.start:
        raise RefusedError(
            "a value fell and its start went back: two senders share one series; "
            "give each its own service.instance.id"
        )
    return point.amounts
