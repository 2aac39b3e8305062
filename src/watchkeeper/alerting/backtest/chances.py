"""The exact binomial test of many samples at once. Pure; the same test as ``policies.evidence``."""

from __future__ import annotations

import math

import numpy as np

from watchkeeper.alerting.policies.evidence import chance_of
from watchkeeper.slo.model import BoolArray, FloatArray

_SMALL = 16
_TABLE = np.asarray([math.inf, *(math.lgamma(i) for i in range(1, _SMALL))])
_CLOSE = 1e-6
_MOST_TERMS = 20_000


def below(bad: FloatArray, total: FloatArray, allowed: float, level: float) -> BoolArray:
    """[n] whether so many bad events by chance are less likely than ``level``.

    Bounds of the tail decide what is clear (Chernoff above, one term of it below); what lies
    between is summed term by term, and what then is too close to call is asked of ``chance_of``.
    """
    if not 0.0 < allowed < 1.0:
        return np.asarray(
            [chance_of(b, t, allowed) < level for b, t in zip(bad, total, strict=True)], bool
        )
    k, n = np.minimum(np.floor(bad), np.floor(total)), np.floor(total)
    found = np.zeros(len(k), dtype=bool)
    asked = np.flatnonzero((k > n * allowed) & (k > 0) & (n > 0))
    at_k, at_n = k[asked], n[asked]
    ceiling = -at_n * _divergence(at_k / at_n, allowed)
    sure = ceiling < math.log(level) - _CLOSE
    found[asked[sure]] = True
    first = _log_term(at_k, at_n, allowed)
    open_ = ~sure & (first < math.log(level) + _CLOSE)
    if open_.any():
        found[asked[open_]] = _decide(at_k[open_], at_n[open_], first[open_], allowed, level)
    # At or below the mean the chance is about a half and more; only a lax level asks for it.
    if level > 0.2:
        for i in np.flatnonzero((k <= n * allowed) & (n > 0)).tolist():
            found[i] = chance_of(bad[i], total[i], allowed) < level
    return found


def _decide(
    k: FloatArray, n: FloatArray, first: FloatArray, allowed: float, level: float
) -> BoolArray:
    pairs, back = np.unique(np.stack((k, n)), axis=1, return_inverse=True)
    at = np.zeros(pairs.shape[1])
    at[back] = first
    chance = np.exp(at) * _tail(pairs[0], pairs[1], allowed)
    verdict: BoolArray = chance < level
    for i in np.flatnonzero(np.abs(chance - level) <= _CLOSE * level).tolist():
        verdict[i] = chance_of(float(pairs[0, i]), float(pairs[1, i]), allowed) < level
    decided: BoolArray = verdict[back]
    return decided


def _tail(k: FloatArray, n: FloatArray, p: float) -> FloatArray:
    """The tail's sum in units of its first term: each term from the one before it."""
    term, total, at = np.ones(len(k)), np.ones(len(k)), k.copy()
    odds = p / (1.0 - p)
    for _ in range(_MOST_TERMS):
        term = term * np.maximum(n - at, 0.0) / (at + 1.0) * odds
        total = total + term
        at = at + 1.0
        if not np.any(term > total * 1e-12):
            break
    return total


def _log_term(k: FloatArray, n: FloatArray, p: float) -> FloatArray:
    """log P(X = k) of Binomial(n, p)."""
    ways = log_gamma(n + 1.0) - log_gamma(k + 1.0) - log_gamma(n - k + 1.0)
    found: FloatArray = ways + k * math.log(p) + (n - k) * math.log1p(-p)
    return found


def _divergence(x: FloatArray, p: float) -> FloatArray:
    """Kullback–Leibler divergence of Bernoulli(x) from Bernoulli(p), for x > p > 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = np.where(x < 1.0, (1.0 - x) * (np.log1p(-x) - math.log1p(-p)), 0.0)
    found: FloatArray = x * np.log(x / p) + rest
    return found


def log_gamma(x: FloatArray) -> FloatArray:
    """log Γ of whole numbers ≥ 1: a table below 16, Stirling's series above (error < 1e-14)."""
    big = np.maximum(x, _SMALL)
    series = (big - 0.5) * np.log(big) - big + 0.5 * math.log(2 * math.pi)
    inverse = 1.0 / big
    square = inverse * inverse
    series += inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680)))
    small = np.clip(x, 1, _SMALL - 1).astype(np.int64)
    found: FloatArray = np.where(x < _SMALL, _TABLE[small], series)
    return found
