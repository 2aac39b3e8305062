"""Native histograms as the API gives them. Pure.

A sample is ``{"count": "12", "sum": "3.4", "buckets": [[rule, left, right, count], …]}`` where rule
0 is open left (left, right], 1 open right, 2 open both, 3 closed both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def count(histogram: Mapping[str, Any]) -> float:
    """All observations."""
    return float(histogram["count"])


def until(histogram: Mapping[str, Any], bound: float) -> float:
    """Observations up to ``bound``: exact at a bucket's edge, else interpolated within it."""
    total = 0.0
    for _rule, left_text, right_text, amount_text in histogram.get("buckets") or ():
        left, right, amount = float(left_text), float(right_text), float(amount_text)
        if right <= bound:
            total += amount
        elif left < bound:
            total += amount * (bound - left) / (right - left)
    return total


def cuts(histogram: Mapping[str, Any], bound: float) -> bool:
    """True when ``bound`` lies inside a bucket, so that ``until`` had to estimate."""
    return any(
        float(left) < bound < float(right) for _, left, right, _ in histogram.get("buckets") or ()
    )
