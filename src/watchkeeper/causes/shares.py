"""Shares that add up exactly. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction


def apportion(total: Fraction, weights: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """Part ``total`` by ``weights`` (not negative) in whole events; the parts add up to ``total``.

    Largest remainders (Hamilton's method), the earlier part on a tie. A total that is not whole
    leaves its fraction with the heaviest part. Without any weight, or for a total that is not
    positive, all of it is the last part's.
    """
    if not weights:
        raise ValueError("there is nothing to apportion to")
    whole, weight = total // 1, sum(weights, Fraction(0))
    if weight <= 0 or total <= 0:
        return (*(Fraction(0) for _ in weights[1:]), total)
    quotas = [whole * w / weight for w in weights]
    parts = [Fraction(q // 1) for q in quotas]
    missing = int(whole - sum(parts, Fraction(0)))
    by_remainder = sorted(range(len(parts)), key=lambda i: (parts[i] - quotas[i], i))
    for i in by_remainder[:missing]:
        parts[i] += 1
    parts[max(range(len(parts)), key=lambda i: (weights[i], -i))] += total - whole
    return tuple(parts)
