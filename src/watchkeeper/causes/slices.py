"""Which label slice carries the burn: log-likelihood ratios over slices of up to 3 labels. Pure.

Each combination of labels (a *leaf*) is expected to fail as often as it usually does. A slice is
all leaves that share some labels. Under the hypothesis that exactly this slice got worse, all its
leaves by one factor, the Poisson log-likelihood ratio to nothing having changed is

    llr = b · ln(b / e) − (b − e)        for b bad events where e were expected, b > e

(Kulldorff, *A spatial scan statistic*, 1997, without the scan's outside term: outside the slice
nothing changes). A slice that is too wide dilutes its factor, one that is too narrow leaves bad
events out, so the largest is the one that fits. Among the many narrow ones some look good by
chance, so each pays the logarithm of how many slices of its size there are.

Sparse counts: a leaf's usual rate is drawn towards that of all (PRIOR events of it), so a leaf that
was never seen before, or once and failed, is expected to behave like the others.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from watchkeeper.slo.model import FloatArray, IntArray

MOST_LABELS = 3
PRIOR = 20.0
"""Events at the overall rate that every leaf's usual rate starts from."""

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Leaf:
    """Counts of one combination of labels, in the episode and in usual times."""

    labels: Mapping[str, str]
    bad: float
    total: float
    usual_bad: float
    usual_total: float


@dataclass(frozen=True, slots=True)
class Slice:
    """A slice: of all excess, ``carries`` is in it, of all traffic ``traffic``; ``score`` ranks."""

    labels: Labels
    bad: float
    expected: float
    total: float
    score: float
    carries: float
    traffic: float

    @property
    def lift(self) -> float:
        """0 when it fails like everything else, 1 when nothing else does."""
        if self.traffic >= 1:
            return 0.0
        return max(0.0, min(1.0, (self.carries - self.traffic) / (1 - self.traffic)))

    @property
    def text(self) -> str:
        """``region=eu, version=2.1``."""
        return ", ".join(f"{label}={value}" for label, value in self.labels)


def carriers(leaves: Sequence[Leaf]) -> list[Slice]:
    """Slices that got worse beyond chance, the one that fits best first.

    Nothing when there is no excess, or when no slice stands out.
    """
    if not leaves:
        return []
    names = sorted({name for leaf in leaves for name in leaf.labels})
    bad = np.asarray([leaf.bad for leaf in leaves], dtype=np.float64)
    total = np.asarray([leaf.total for leaf in leaves], dtype=np.float64)
    expected = _expected(leaves, total)
    excess, events = float((bad - expected).sum()), float(total.sum())
    if excess <= 0 or events <= 0:
        return []
    codes = {name: _codes([leaf.labels.get(name, "") for leaf in leaves]) for name in names}
    found: list[Slice] = []
    for size in range(1, min(MOST_LABELS, len(names)) + 1):
        groups = [
            _group(chosen, leaves, codes, (bad, expected, total))
            for chosen in itertools.combinations(names, size)
        ]
        price = math.log(max(1, sum(len(labels) for labels, _ in groups)))
        for labels, sums in groups:
            for its, (b, e, n) in zip(labels, sums.tolist(), strict=True):
                if b > e and n < events:
                    score = _ratio(b, e) - price
                    found.append(Slice(its, b, e, n, score, (b - e) / excess, n / events))
    ranked = sorted(found, key=lambda s: (-s.score, len(s.labels), s.labels))
    return [s for s in ranked if s.score > 0]


def _expected(leaves: Sequence[Leaf], total: FloatArray) -> FloatArray:
    usual_bad = np.asarray([leaf.usual_bad for leaf in leaves], dtype=np.float64)
    usual_total = np.asarray([leaf.usual_total for leaf in leaves], dtype=np.float64)
    seen = float(usual_total.sum())
    overall = float(usual_bad.sum()) / seen if seen > 0 else 0.0
    rates: FloatArray = (usual_bad + PRIOR * overall) / (usual_total + PRIOR)
    return rates * total


def _ratio(bad: float, expected: float) -> float:
    # Half an event is expected even where nothing ever failed: else one failure would prove all.
    floor = max(expected, 0.5)
    return bad * math.log(bad / floor) - (bad - floor) if bad > floor else 0.0


def _codes(values: Sequence[str]) -> IntArray:
    return np.unique(np.asarray(values, dtype=object), return_inverse=True)[1].astype(np.int64)


def _group(
    chosen: Sequence[str],
    leaves: Sequence[Leaf],
    codes: Mapping[str, IntArray],
    counts: Sequence[FloatArray],
) -> tuple[list[Labels], FloatArray]:
    """The slices by these labels and their sums [slices, counts]."""
    key = np.zeros(len(leaves), dtype=np.int64)
    for name in chosen:
        key = key * (int(codes[name].max()) + 1) + codes[name]
    _, first, back = np.unique(key, return_index=True, return_inverse=True)
    labels = [
        tuple((name, leaves[i].labels.get(name, "")) for name in chosen) for i in first.tolist()
    ]
    sums: FloatArray = np.stack(
        [np.bincount(back, weights=c, minlength=len(first)) for c in counts], axis=1
    )
    return labels, sums
