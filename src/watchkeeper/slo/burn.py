"""Burn rate: how many times faster than an even spend the budget goes. Pure.

``burn = (bad / total) / (1 − target)`` over a window; 1 spends exactly one budget per window
length. The two page conditions are those of "The Site Reliability Workbook", chapter 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class PageCondition:
    """Both windows must burn at ``threshold`` or faster."""

    long: str
    short: str
    threshold: Fraction


PAGE_CONDITIONS = (
    PageCondition("1h", "5m", Fraction(144, 10)),
    PageCondition("6h", "30m", Fraction(6)),
)


def burn(allowed: Fraction, bad: Fraction, events: float) -> float | None:
    """Bad events over allowed ones; None without events.

    With a target of 100 % no bad event is allowed: 0 while there is none, else None, as any is
    infinitely many times what may be (the state says depleted).
    """
    if events <= 0:
        return None
    if allowed == 0:
        return 0.0 if bad <= 0 else None
    return float(bad / allowed)


def reaches(allowed: Fraction, bad: Fraction, events: float, threshold: Fraction) -> bool:
    """Whether the burn rate is at least the threshold, decided without a rounded quotient."""
    return events > 0 and bad > 0 and bad >= allowed * threshold


def pages(measured: Mapping[str, tuple[Fraction, Fraction, float]]) -> bool:
    """Whether a page condition holds, from (allowed, bad, events) by window name."""
    return any(
        reaches(*measured[c.long], c.threshold) and reaches(*measured[c.short], c.threshold)
        for c in PAGE_CONDITIONS
    )
