"""Is it more than bad luck? The exact binomial test of errors against an objective. Pure."""

from __future__ import annotations

from math import exp, lgamma, log, log1p


def chance_of(bad: float, total: float, allowed: float) -> float:
    """P(X ≥ bad) for X ~ Binomial(total, allowed): how likely so many bad events are by chance.

    ``allowed`` is 1 − target. Exact: the terms of the tail are summed from the first on, each from
    the one before it, until they no longer matter (relative 1e-12). Counts are rounded down.
    Source: Clopper and Pearson, "The use of confidence or fiducial limits" (1934), one-sided.
    """
    n, k = int(total), int(bad)
    if k <= 0 or n <= 0:
        return 1.0
    if allowed <= 0.0:
        return 0.0
    if allowed >= 1.0:
        return 1.0
    if k > n:
        k = n
    if k <= n * allowed:  # below the mean the other side is the shorter one
        return 1.0 - _tail(n - k + 1, n, 1.0 - allowed)
    return _tail(k, n, allowed)


def _tail(k: int, n: int, p: float) -> float:
    """P(X ≥ k), for k above the mean, where each term is smaller than the one before."""
    if k > n:
        return 0.0
    first = lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(p) + (n - k) * log1p(-p)
    term = total = 1.0
    odds = p / (1.0 - p)
    for i in range(k, n):
        term *= (n - i) / (i + 1) * odds
        total += term
        if term < total * 1e-12:
            break
    return min(1.0, exp(first) * total)
