"""Demand: whether it left its seasonal band, and what that did to the bad events. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from watchkeeper.causes.model import Parts
from watchkeeper.causes.shares import apportion
from watchkeeper.slo.model import FloatArray

FEWEST = 3
"""Comparable intervals of the past that make a band."""
WIDE = 3.0
FEWEST_STEPS = 10
VARIES = 0.1
"""Standard deviation over mean from which on demand varies enough to be followed."""
FLAT = 0.7
LEAST_WIDTH = 0.2
"""A band is at least this share of its middle wide: weeks that were all alike prove little."""


@dataclass(frozen=True, slots=True)
class Band:
    """Demand in comparable intervals: the middle, and the most that is still usual."""

    middle: float
    top: float


def band(history: Sequence[float]) -> Band | None:
    """The seasonal band of ``history``: the same minutes of earlier weeks (or days).

    Median and three scaled median absolute deviations; None when there is too little to compare.
    """
    known = np.asarray([h for h in history if h > 0], dtype=np.float64)
    if len(known) < FEWEST:
        return None
    middle = float(np.median(known))
    spread = 1.4826 * float(np.median(np.abs(known - middle)))
    return Band(middle, middle + max(WIDE * spread, LEAST_WIDTH * middle))


def follows(bad: FloatArray, total: FloatArray, at: int = 0) -> float:
    """How far the share of bad events follows demand: Pearson's correlation over steps, −1 to 1.

    ``at`` is the step in which it got worse. Anything that began with it correlates over the whole,
    so the steps since then must agree; while demand hardly varies in them, they cannot, and it is
    at most FLAT. 0 where there are too few steps to tell, or nothing moves.
    """
    whole = _correlation(bad, total)
    since = total[at:]
    if len(since) < FEWEST_STEPS or np.std(since) < VARIES * np.mean(since):
        return min(whole, FLAT)
    return min(whole, _correlation(bad[at:], since))


def _correlation(bad: FloatArray, total: FloatArray) -> float:
    known = total > 0
    if known.sum() < FEWEST_STEPS:
        return 0.0
    load, rate = total[known], bad[known] / total[known]
    if np.ptp(load) <= 0 or np.ptp(rate) <= 0:
        return 0.0
    return float(np.corrcoef(load, rate)[0, 1])


def split(bad: Fraction, total: float, usual_rate: float, usual_demand: float = 1.0) -> Parts:
    """Bad events by volume, rate and interaction, exactly.

    With N events of which a share p is bad, usually N₀ and p₀:

        p·N = p₀·N₀ + p₀·(N − N₀) + (p − p₀)·N₀ + (p − p₀)·(N − N₀)

    the usual ones, volume, rate and interaction (the three-way decomposition of a product, as in
    price-volume analysis). ``usual_demand`` is N₀ / N, at most 1: demand that is not known to have
    left its band is usual, as are rates that did not worsen,
    so that no part is negative; the parts are then made whole events by largest remainders.
    """
    if bad <= 0 or total <= 0:
        return Parts(bad, Fraction(0), Fraction(0), Fraction(0))
    n, p = Fraction(total), bad / Fraction(total)
    n0 = n * min(Fraction(1), max(Fraction(usual_demand), Fraction(0)))
    p0 = min(p, max(Fraction(usual_rate), Fraction(0)))
    weights = [p0 * n0, p0 * (n - n0), (p - p0) * n0, (p - p0) * (n - n0)]
    return Parts(*apportion(bad, weights))
