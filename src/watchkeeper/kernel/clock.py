"""Clocks. Rules never read one; work functions and loops are handed one."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
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
