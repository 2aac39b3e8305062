"""Counter arithmetic shared by the adapters that read cumulative counters. Pure.

A counter only grows; when it falls, its process restarted and counted anew from zero. So between
two samples ``a`` then ``b`` there were ``b - a`` events if ``b >= a``, at least ``b`` if ``b < a``.
Events between the last sample and a restart are in no sample and cannot be known; each restart is
therefore counted as a *reset* and shown. Nothing is extrapolated.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from watchkeeper.kernel.clock import Minute, Seconds
from watchkeeper.measure.model import Count, GroupKey

YOUNG = 300.0
"""First seen within this many seconds of its start, a process has counted only events of then."""

_LONG = 24  # from here on numpy beats a plain loop


def increments(values: Sequence[float], last: float | None) -> tuple[list[float], int]:
    """Events between consecutive samples of one counter, and how often it was reset.

    ``last`` is the value before the first sample; None makes the first a baseline (0 events).
    ``result[i]`` belongs to the time of sample i. NaN is no sample: 0 events.
    """
    if len(values) >= _LONG:
        return _increments_long(values, last)
    deltas: list[float] = []
    resets = 0
    for value in values:
        if value != value:  # NaN
            deltas.append(0.0)
            continue
        if last is None:
            deltas.append(0.0)
        elif value >= last:
            deltas.append(value - last)
        else:
            resets += 1
            deltas.append(value)
        last = value
    return deltas, resets


def _increments_long(values: Sequence[float], last: float | None) -> tuple[list[float], int]:
    array = np.asarray(values, dtype=np.float64)
    real = ~np.isnan(array)
    kept = array[real]
    if not len(kept):
        return [0.0] * len(values), 0
    start = kept[0] if last is None else last
    steps = np.diff(kept, prepend=start)
    falls = steps < 0
    steps[falls] = kept[falls]
    result: NDArray[np.float64] = np.zeros(len(array))
    result[real] = steps
    return result.tolist(), int(falls.sum())


def guided_increments(
    values: Sequence[float], last: float | None, guide: Sequence[float], guide_last: float
) -> list[float]:
    """Like ``increments``, with resets told by a second counter from the same samples.

    For shares of a native histogram, which may dip a little when buckets are merged.
    """
    deltas: list[float] = []
    for value, count in zip(values, guide, strict=True):
        if last is None:
            deltas.append(0.0)
        elif count < guide_last:
            deltas.append(value)
        else:
            deltas.append(max(0.0, value - last))
        last, guide_last = value, count
    return deltas


@dataclass(frozen=True, slots=True)
class Birth:
    """What is known when a series is met for the first time, at the time of its first sample.

    ``target_read_before``: its target was read earlier and did not have the series then.
    ``process_start``: when its process started, where the target says so.
    ``siblings_at_start``: other series of the same SLI were observed when the process started.
    ``siblings_before``: other series of the same SLI were observed well before this sample.
    """

    first_sample: Seconds
    target_read_before: bool = False
    process_start: Seconds | None = None
    siblings_at_start: bool = False
    siblings_before: bool = False


def first_value_counts(birth: Birth) -> bool:
    """True when all events in a new series' first value happened while we were watching.

    Otherwise the value is a baseline: a counter of a process that ran long before it was measured.
    """
    if birth.target_read_before:
        return True
    if birth.process_start is None:
        return birth.siblings_before
    age = birth.first_sample - birth.process_start
    return age <= YOUNG or birth.siblings_at_start


def newest(values: Iterable[float], last: float | None) -> float | None:
    """The value to compare the next sample with: the last that is a number."""
    for value in values:
        if not math.isnan(value):
            last = value
    return last


class Tally:
    """Adds up good and total per SLI, group and minute, and gives them as sorted counts."""

    __slots__ = ("_cells",)

    def __init__(self) -> None:
        self._cells: dict[tuple[str, GroupKey, Minute], list[float]] = {}

    def add(
        self, sli: str, group: GroupKey, minute: Minute, good: float, total: float, seen: bool
    ) -> None:
        """Add events; ``seen`` marks the minute as observed."""
        cell = self._cells.get((sli, group, minute))
        if cell is None:
            self._cells[sli, group, minute] = [good, total, float(seen)]
            return
        cell[0] += good
        cell[1] += total
        if seen:
            cell[2] = 1.0

    def counts(self) -> list[Count]:
        """What was added, minutes in order; cells without events or observation are left out."""
        return [
            Count(sli, minute, good, total, int(seen), group)
            for (sli, group, minute), (good, total, seen) in sorted(
                self._cells.items(), key=lambda item: item[0][2]
            )
            if seen or good or total
        ]
