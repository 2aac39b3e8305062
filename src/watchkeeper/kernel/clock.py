"""Clocks. Rules never read one; work functions and loops are handed one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

Seconds = float
"""UTC epoch seconds."""
Minute = int
"""Number of a UTC minute since the epoch; minute m holds events in [60 m, 60 m + 60)."""

MINUTE = 60
HOUR_MINUTES = 60
DAY_MINUTES = 1440


class Clock(Protocol):
    """What tells the time."""

    def now(self) -> Seconds:
        """UTC epoch seconds."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> Seconds:
        """UTC epoch seconds, from the operating system."""
        return time.time()


SLEW = 0.1
"""A steady clock that is off runs this much faster or slower than the truth: an hour's difference
is gone after ten hours, and a wait of five minutes takes four and a half to five and a half."""
BELIEVED = 86400.0
"""Seconds. A start that finds its wall clock further from what was kept believes the wall clock."""


@dataclass(frozen=True, slots=True)
class Fix:
    """What a steady clock knew when it last looked: three clocks at the same instant."""

    monotonic: Seconds
    time: Seconds
    wall: Seconds


def slewed(fix: Fix, monotonic: Seconds) -> Seconds:
    """The steady time at this reading of the monotonic clock, which is not before the fix's.

    time + elapsed + the difference to the wall clock, but at most ``SLEW`` of what has elapsed.
    """
    elapsed = monotonic - fix.monotonic
    most = SLEW * elapsed
    return fix.time + elapsed + min(most, max(-most, fix.wall - fix.time))


def resumed(wall: Seconds, seen_at: Seconds, seen_wall: Seconds) -> Seconds:
    """Where a steady clock starts, when the last one to run told ``seen_at`` at ``seen_wall``.

    The difference between the two holds on, less what was slewed since. Never before ``seen_at``,
    because rows are due by it: a wall clock that went back while nobody ran must not make them
    wait. Differences of more than ``BELIEVED`` are not kept.
    """
    passed = wall - seen_wall
    ahead = seen_at - seen_wall
    if abs(ahead) > BELIEVED or passed < -BELIEVED:
        return wall
    if passed < 0:
        return seen_at
    left = max(0.0, abs(ahead) - SLEW * passed)
    return max(seen_at, wall + math.copysign(left, ahead))


class SteadyClock:
    """Time that never jumps: it follows the monotonic clock and slews towards the wall clock.

    The law: between any two readings, ``e`` seconds of the monotonic clock apart, it moves on by
    (1 - SLEW) e to (1 + SLEW) e, whatever the wall clock does meanwhile; and when the wall clock
    runs as the monotonic one does, the difference between the two goes to 0 and stays there. So a
    wall clock that is set an hour forth or back makes no escalation fire an hour early, and none
    stand still. ``observe`` tells it the wall clock's time; replicas that share a database tell
    it the database's, so that they agree although their own clocks do not. Safe for many threads.
    """

    def __init__(
        self, wall: Seconds, monotonic: Callable[[], float], start: Seconds | None = None
    ) -> None:
        self._monotonic = monotonic
        self._fix = Fix(monotonic(), wall if start is None else start, wall)

    def now(self) -> Seconds:
        """UTC epoch seconds, steadily."""
        # The fix first: one that is made meanwhile could be later than the reading.
        fix = self._fix
        return slewed(fix, self._monotonic())

    def observe(self, wall: Seconds) -> Seconds:
        """The wall clock says this now. Returns how far this clock is ahead of it, in seconds."""
        at = self._monotonic()
        time_now = slewed(self._fix, at)
        self._fix = Fix(at, time_now, wall)
        return time_now - wall


@dataclass
class VirtualClock:
    """A clock that stands still until it is moved; for tests and simulation."""

    seconds: Seconds = 0.0

    def now(self) -> Seconds:
        """The time it was last set to."""
        return self.seconds

    def advance(self, seconds: Seconds) -> Seconds:
        """Move forward and return the new time."""
        self.seconds += seconds
        return self.seconds

    def ticks(self, every: Seconds, until: Seconds) -> Iterator[Seconds]:
        """Advance in steps of ``every`` up to and including ``until``."""
        while self.seconds + every <= until:
            yield self.advance(every)


def minute_of(seconds: Seconds) -> Minute:
    """The minute that holds this instant."""
    return math.floor(seconds / MINUTE)


def window_end(now: Seconds) -> Minute:
    """The exclusive end minute of a window that ends now: the minute in progress counts."""
    return math.ceil(now / MINUTE)


def iso(seconds: Seconds) -> str:
    """RFC 3339 in UTC, to the second: ``2026-11-23T14:02:40Z``."""
    return datetime.fromtimestamp(math.floor(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
