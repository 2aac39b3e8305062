"""When a budget runs out if the present error rate goes on, with roll-off. Pure.

A rolling window forgets: while new minutes arrive at the present rate, old ones leave with what
they allowed and what they spent. With ``may`` and ``bad`` the allowed and the bad events,

    left(k) = left(0) − may(leaving k) + bad(leaving k) + k · (may − bad, a minute at present)

and the budget is exhausted after the first k minutes with ``left(k) <= 0``. After one window
length nothing old is left and ``left`` only grows or only falls, so the search ends there. A burn
rate below 1 may still exhaust: clean minutes leave, and take the budget they earned with them.

The search is exact and cheap: what has left only grows with k, so between two grid points a < b
``left(k)`` is at least ``left(a)`` less all that leaves of what was allowed, and at least
``left(b)`` less all that leaves of what was bad. A span in which one of these bounds stays above
zero cannot hold the crossing and is not read any closer.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import numpy as np

from watchkeeper.slo.model import BoolArray, FloatArray, IntArray
from watchkeeper.slo.windows import Interval

HOUR = 60
SPLIT = 10
MARGIN = 1e-9
"""Relative margin of the vectorised screen: closer calls are decided by the exact search."""


Leaving = tuple[FloatArray, FloatArray]
"""(allowed × scale, bad × scale) of the first k minutes of the window, for some k."""

Search = Generator[IntArray, Leaving, int | None]
"""Yields the k it must know ``Leaving`` at, is sent it, and returns the answer.

So searches of many SLOs can go on side by side, and what they ask for is read together.
"""


@dataclass(frozen=True, slots=True)
class Falling:
    """``value(k) = h·start − h·lost(k) + h·gained(k) + n(k)·gain``; we ask when it falls to 0.

    ``lost`` and ``gained`` never fall with k. All terms are multiplied by ``h`` (the minutes that
    the present rate was measured over), so that whole counts stay whole numbers. ``swapped`` says
    that what leaves is gained and lost the other way round; ``minutes`` gives n(k), the future
    minutes up to k that count (all but corrected ones).
    """

    start: float
    gain: float
    h: int
    minutes: Callable[[IntArray], FloatArray]
    bad: float = 0.0  # in the window now, and in the time of the present rate: what is 0 of 0
    now_bad: float = 0.0  # left is not spent as long as nothing is bad
    swapped: bool = False

    def values(self, k: IntArray, lost: FloatArray, gained: FloatArray) -> FloatArray:
        """The value at each k."""
        found: FloatArray = self.h * (self.start - lost + gained) + self.minutes(k) * self.gain
        return found

    def reached(self, k: IntArray, lost: FloatArray, gained: FloatArray) -> BoolArray:
        """Where it has fallen far enough."""
        value = self.values(k, lost, gained)
        if self.swapped:
            return value < 0
        some_bad = self.h * (self.bad - gained) + self.minutes(k) * self.now_bad > 0
        spent: BoolArray = (value < 0) | ((value == 0) & some_bad)
        return spent

    def bound(self, k: IntArray, lost: FloatArray, gained: FloatArray) -> FloatArray:
        """A lower bound of the value over each span (k[i], k[i + 1]]: the better of two.

        From the span's start all may be lost and nothing gained; back from its end, all that was
        gained may have come only there.
        """
        n = self.minutes(k)
        gain = (n[1:] - n[:-1]) * self.gain
        value = self.values(k, lost, gained)
        from_start = value[:-1] - self.h * (lost[1:] - lost[:-1]) + np.minimum(gain, 0)
        from_end = value[1:] - self.h * (gained[1:] - gained[:-1]) - np.maximum(gain, 0)
        found: FloatArray = np.maximum(from_start, from_end)
        return found


def search(falling: Falling, grid: IntArray, origin: int = 0) -> Search:
    """The first whole k in (grid[0], grid[-1]] at which the value has fallen far enough, or None.

    ``grid`` is increasing; ``origin + k`` on a whole hour is cheapest to read, so spans are split
    there first and into minutes only where an hour may hold the crossing.
    """
    lost, gained = _sides(falling, (yield grid))
    for i in np.flatnonzero(falling.bound(grid, lost, gained) <= 0).tolist():
        a, b = int(grid[i]), int(grid[i + 1])
        if b - a > HOUR:
            found = yield from search(falling, hour_grid(a, b, origin), origin)
        else:
            found = yield from _by_minutes(falling, np.arange(a + 1, b + 1, dtype=np.int64))
        if found is not None:
            return found
    return None


def _by_minutes(falling: Falling, k: IntArray) -> Search:
    lost, gained = _sides(falling, (yield k))
    hits = np.flatnonzero(falling.reached(k, lost, gained))
    return int(k[hits[0]]) if len(hits) else None


def _sides(falling: Falling, leaving: Leaving) -> Leaving:
    return (leaving[1], leaving[0]) if falling.swapped else leaving


def first(
    falling: Falling, grid: IntArray, origin: int, leaving: Callable[[IntArray], Leaving]
) -> int | None:
    """Run one search, with a function that answers it."""
    going = search(falling, grid, origin)
    try:
        asked = next(going)
        while True:
            asked = going.send(leaving(asked))
    except StopIteration as done:
        answer: int | None = done.value
        return answer


def hour_grid(a: int, b: int, origin: int) -> IntArray:
    """a, about ``SPLIT`` k between with ``origin + k`` on a whole hour, b."""
    step = HOUR * max(1, round((b - a) / HOUR / SPLIT))
    head = a + HOUR - (origin + a) % HOUR
    inner = np.arange(head, b, step, dtype=np.int64)
    return np.concatenate(([a], inner, [b])).astype(np.int64)


def counting_minutes(holes: Sequence[Interval], end: int) -> Callable[[IntArray], FloatArray]:
    """n(k): how many of the k minutes after ``end`` lie outside the holes."""
    future = [(max(a, end) - end, b - end) for a, b in holes if b > end]

    def counted(k: IntArray) -> FloatArray:
        n = k.astype(np.float64)
        for a, b in future:
            n -= np.clip(k, a, b) - a
        return n

    return counted


def exhausts(
    may: float,
    bad: float,
    rate: tuple[float, float, int],
    minutes: Callable[[IntArray], FloatArray],
) -> Falling:
    """When what is left first is none.

    ``may`` and ``bad`` are over the window now, ``rate`` is (may, bad, minutes) of the present
    rate. No bad event in the window is never an exhausted budget, however little it allows.
    """
    now_may, now_bad, h = rate
    return Falling(may - bad, now_may - now_bad, h, minutes, bad, now_bad)


def recovers(
    may: float,
    bad: float,
    rate: tuple[float, float, int],
    minutes: Callable[[IntArray], FloatArray],
) -> Falling:
    """When a spent budget is above zero again if traffic goes on without one more bad event."""
    return Falling(bad - may, -rate[0], rate[2], minutes, swapped=True)


def nothing_leaves(k: IntArray) -> Leaving:
    """Roll-off of a calendar window: none."""
    none = np.zeros(len(k))
    return none, none


def screen_grid(length: int, origin: int, segments: int) -> IntArray:
    """A coarse grid over (0, length], on whole hours where it can be, for screening a fleet."""
    if length <= HOUR:
        return np.asarray([0, length], dtype=np.int64)
    inner = [round(length * i / segments) for i in range(1, segments)]
    whole = sorted({k - (origin + k) % HOUR for k in inner})
    return np.asarray([0, *(k for k in whole if 0 < k < length), length], dtype=np.int64)


def may_fall(
    start: FloatArray, gain: FloatArray, lost: FloatArray, gained: FloatArray, grid: IntArray
) -> BoolArray:
    """Which of N values may fall to zero: the bound above, for all at once.

    ``start``, ``gain`` (per minute) are [N]; ``lost``, ``gained`` are [len(grid), N] in the same
    units. False is a proof that the value stays above zero; True means it must be looked at.
    """
    bound = bounds_of(start, lost, gained, grid, gain)
    margin = MARGIN * (np.abs(start) + lost[-1] + gained[-1] + grid[-1] * np.abs(gain))
    falls: BoolArray = np.any(bound <= margin, axis=0)
    return falls


def bounds_of(
    start: FloatArray, lost: FloatArray, gained: FloatArray, grid: IntArray, gain: FloatArray
) -> FloatArray:
    """``Falling.bound`` of N values at once: [len(grid) − 1, N]."""
    k = grid.astype(np.float64)[:, None]
    steps = np.diff(k, axis=0) * gain
    value = start - lost + gained + k * gain
    from_start = value[:-1] - np.diff(lost, axis=0) + np.minimum(steps, 0)
    from_end = value[1:] - np.diff(gained, axis=0) - np.maximum(steps, 0)
    found: FloatArray = np.maximum(from_start, from_end)
    return found
