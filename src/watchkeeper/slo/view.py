"""One SLI as an SLO sees it: cumulative counts without the corrected intervals, and what its
target versions allow. Pure, given a function that reads the ledger.

Everything that looks at one SLO over time (windows, burn-down, hours, roll-off) reads through a
view, so corrections and changes of target are handled in one place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np

from watchkeeper.kernel.clock import Minute
from watchkeeper.slo.model import FloatArray, IntArray, TargetVersion
from watchkeeper.slo.versions import allowance, phases
from watchkeeper.slo.windows import Interval

GOOD, TOTAL, SEEN, MAY = 0, 1, 2, 3
"""Columns of a view: cumulative good, total, seen minutes, and allowed bad events × ``scale``."""

Read = Callable[[IntArray], FloatArray]
"""Minutes → the ledger's cumulative [len, 3] (good, total, seen) before each of them."""

_FAR = 2**60


@dataclass(frozen=True, slots=True)
class Terms:
    """What an SLO subtracts and allows: holes, and allowances in whole numbers over ``scale``."""

    holes: tuple[Interval, ...]
    parts: tuple[tuple[Interval, int], ...]  # may = total · numerator / scale
    scale: int

    @property
    def plain(self) -> bool:
        """No holes and one target: the ledger's counts can be used as they are."""
        return not self.holes and len(self.parts) == 1


def terms(
    target: Decimal, versions: Sequence[TargetVersion], holes: Sequence[Interval], whole: Interval
) -> Terms:
    """The terms over ``whole``; holes (disjoint, sorted) outside it are left out."""
    shares = [(span, allowance(t)) for span, t in phases(versions, target, whole)]
    shares = [
        ((-_FAR if i == 0 else a, _FAR if i + 1 == len(shares) else b), share)
        for i, ((a, b), share) in enumerate(shares)
    ] or [((-_FAR, _FAR), allowance(target))]
    scale = math.lcm(*(share.denominator for _, share in shares))
    inside = tuple(h for h in holes if h[0] < whole[1] and h[1] > whole[0])
    return Terms(inside, tuple((span, int(share * scale)) for span, share in shares), scale)


def share(numerator: int, scale: int) -> Fraction:
    """The allowance as the fraction it stands for."""
    return Fraction(numerator, scale)


class View:
    """Cumulative counts of one SLO under its terms."""

    def __init__(self, read: Read, its_terms: Terms) -> None:
        self._read = read
        self.terms = its_terms
        self._known: dict[Minute, FloatArray] = {}

    def cum(self, minutes: Sequence[Minute] | IntArray) -> FloatArray:
        """[len, 4] cumulative before each minute: good, total, seen, allowed × scale.

        Only differences mean anything. Events in holes are not there.
        """
        asked = np.asarray(minutes, dtype=np.int64)
        parts = self.terms.parts
        if self.terms.plain:
            raw = self._read(asked)
            return np.column_stack((raw, raw[:, TOTAL] * parts[0][1]))
        bounds = [end for (_, end), _ in parts[:-1]]
        fixed = self._outside_holes(np.asarray(bounds, dtype=np.int64))
        counts = self._outside_holes(asked)
        may = np.zeros(len(asked))
        for i, ((start, end), numerator) in enumerate(parts):
            low = 0.0 if i == 0 else fixed[i - 1, TOTAL]
            high = math.inf if i + 1 == len(parts) else fixed[i, TOTAL]
            inside = np.where(asked >= end, high, np.where(asked <= start, low, counts[:, TOTAL]))
            may += (inside - low) * numerator
        return np.column_stack((counts, may))

    def _outside_holes(self, minutes: IntArray) -> FloatArray:
        """Cumulative [len, 3] with the holes' events taken out."""
        holes = self.terms.holes
        if not len(minutes):
            return np.zeros((0, 3))
        clipped = minutes.copy()
        for start, end in holes:
            clipped[(minutes > start) & (minutes < end)] = start
        self._learn([m for hole in holes for m in hole])
        counts = self._read(clipped).copy()
        for start, end in holes:
            counts[minutes >= end] -= self._known[end] - self._known[start]
        return counts

    def _learn(self, minutes: Sequence[Minute]) -> None:
        missing = [m for m in minutes if m not in self._known]
        if missing:
            rows = self._read(np.asarray(missing, dtype=np.int64))
            self._known.update(zip(missing, rows, strict=True))
