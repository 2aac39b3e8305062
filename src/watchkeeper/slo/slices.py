"""Time slices: OpenSLO's ``Timeslices`` and ``RatioTimeslices``. Pure.

A slice of n minutes starts at a multiple of n minutes since the epoch. It belongs to the window
that holds its first minute, and the slice in progress counts as it stands. A slice without events
is no evidence and does not count. What a slice counts is kept as a ledger row of its own, at the
slice's first minute, so its windows cost as little as any.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np

from watchkeeper.slo.model import FloatArray, IntArray
from watchkeeper.spec.model import Method, RatioTimeSlices, SloDefinition, TimeSlices

_EXACT_UP_TO = 2.0**53


def row_key(slo: SloDefinition) -> str | None:
    """The ledger row that holds this SLO's evidence, None for a composite (see composite.py)."""
    return None if slo.sli is None else slo.sli.key + suffix(slo.method)


def suffix(method: Method) -> str:
    """What is added to the SLI's key: nothing for occurrences, ``#slices/5/0.99``, ``#ratio/5``."""
    if isinstance(method, TimeSlices):
        return f"#slices/{method.minutes}/{method.slice_target.normalize():f}"
    if isinstance(method, RatioTimeSlices):
        return f"#ratio/{method.minutes}"
    return ""


def minutes_of(method: Method) -> int:
    """Minutes that one piece of evidence stands for: the slice's length, else 1."""
    return method.minutes if isinstance(method, TimeSlices | RatioTimeSlices) else 1


def starts_of(minutes: IntArray, length: int) -> IntArray:
    """The slices that hold these minutes, each once, in order."""
    return np.unique(minutes // length * length)


def evidence(
    method: Method, good: FloatArray, total: FloatArray, seen: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(good, total, seen) that slices with these sums count, each [slices].

    Time slices: 1 good of 1 when ``good / total >= slice_target``, else 0 of 1. Ratio time slices:
    ``good / total`` of 1. Empty slices: 0 of 0. ``seen`` is 1 where any minute was observed.
    """
    some = total > 0
    if isinstance(method, TimeSlices):
        ratio = meets(good, total, method.slice_target).astype(np.float64)
    else:
        ratio = np.divide(good, total, out=np.zeros_like(good), where=some)
    return np.where(some, ratio, 0.0), some.astype(np.float64), (seen > 0).astype(np.float64)


def meets(good: FloatArray, total: FloatArray, target: Decimal) -> np.ndarray:
    """[slices] bool: ``good / total >= target``, compared as whole numbers."""
    share = Fraction(target)
    have, need = good * float(share.denominator), total * float(share.numerator)
    met = have >= need
    rounded = (np.maximum(have, need) >= _EXACT_UP_TO) | (good != np.floor(good))
    for i in np.flatnonzero(rounded & (np.abs(have - need) <= 1e-9 * need)).tolist():
        met[i] = Fraction(good[i]) >= Fraction(total[i]) * share
    return np.asarray(met)
