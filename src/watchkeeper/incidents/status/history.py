"""The days of a component, and the share of time or of requests in which it worked. Pure.

A day (UTC) is as its worst span. Where measurements are shown, a day on which the share of good
requests was below the objective's target is at least degraded.

Where they are not, the share is one of time. As on Statuspage, a major outage counts in full and a
partial one for 30 %; degraded performance and planned work count nothing:

    uptime = 1 − (major + 0.3 × partial) / seconds of the days

Of 90 days with a major outage of 26 min and a partial one of 60 min that is
1 − (1,560 + 0.3 × 3,600) / 7,776,000 = 99.966 %.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from watchkeeper.incidents.status.model import Day, Level, Span, worst
from watchkeeper.kernel.clock import Seconds

DAY = 86_400.0
DAYS = 90
WEIGHTS: Mapping[Level, float] = {Level.MAJOR: 1.0, Level.PARTIAL: 0.3}


def first_day(now: Seconds, days: int = DAYS) -> Seconds:
    """When the first of the last ``days`` days began; the last is the one that lasts now."""
    return now - now % DAY - (days - 1) * DAY


def days_of(
    spans: Sequence[Span], shares: Sequence[float | None] | None, target: float, now: Seconds,
    days: int = DAYS,
) -> list[Day]:  # fmt: skip
    """The last days of one component, the oldest first; ``shares``: None: not measured at all."""
    start = first_day(now, days)
    found: list[Day] = []
    for i in range(days):
        since = start + i * DAY
        until = min(since + DAY, now)
        inside = [s for s in spans if s.start < until and s.end > since]
        seconds: dict[Level, float] = {}
        for level in {s.level for s in inside}:
            seconds[level] = _covered([s for s in inside if s.level is level], since, until)
        levels = [s.level for s in inside]
        share = None if shares is None else shares[i]
        if share is not None and share < target:
            levels.append(Level.DEGRADED)
        titles = list(dict.fromkeys(s.title for s in inside if s.title))
        known = shares is None or share is not None or bool(inside)
        found.append(Day(since, worst(levels), seconds, share, titles, known))
    return found


def _covered(spans: Sequence[Span], since: Seconds, until: Seconds) -> float:
    """Seconds of [since, until) in at least one span."""
    total, reached = 0.0, since
    for span in sorted(spans, key=lambda s: s.start):
        start, end = max(span.start, reached), min(span.end, until)
        if end > start:
            total += end - start
            reached = end
    return total


def uptime_of_time(spans: Sequence[Span], now: Seconds, days: int = DAYS) -> float:
    """The share of time in which it worked; where spans overlap the worst counts."""
    start = first_day(now, days)
    edges = sorted({start, now, *(e for s in spans for e in (s.start, s.end) if start < e < now)})
    lost = 0.0
    for since, until in pairwise(edges):
        level = worst([s.level for s in spans if s.start <= since and s.end >= until])
        lost += WEIGHTS.get(level, 0.0) * (until - since)
    length = now - start
    return 1.0 if length <= 0 else 1.0 - lost / length


def shares_of(good: Sequence[float], total: Sequence[float]) -> list[float | None]:
    """The share of good requests of each day; None where nobody asked."""
    return [g / t if t > 0 else None for g, t in zip(good, total, strict=True)]
