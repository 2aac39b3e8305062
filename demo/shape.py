"""How many requests the shop gets at any time: a day, a week, nothing else. Pure.

The same shape drives the live traffic and the replayed history, so that the minute before the
demo began looks like the minute after.
"""

from __future__ import annotations

import math

DAY = 86400.0
BASE_RATE = 26.0
"""Requests per second, averaged over a weekday."""

SHARES = {"home": 0.30, "list": 0.20, "product": 0.25, "cart": 0.10, "checkout": 0.15}
"""Which page a request is for."""


def daily(at: float) -> float:
    """Factor for the time of day: lowest (0.55) at 04:00 UTC, highest (1.45) at 16:00."""
    return 1.0 - 0.45 * math.cos(2 * math.pi * (at % DAY - 4 * 3600) / DAY)


def weekly(at: float) -> float:
    """Factor for the day of the week: Saturday and Sunday have four fifths of the traffic."""
    weekday = int(at // DAY + 3) % 7  # the epoch began on a Thursday
    return 0.8 if weekday >= 5 else 1.0


def requests_per_second(at: float) -> float:
    """Expected requests a second at this UTC epoch second."""
    return BASE_RATE * daily(at) * weekly(at)
