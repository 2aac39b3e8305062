"""Composite SLOs: a journey as good as its parts. Pure.

A composite counts minutes. In a minute each part with evidence has a ratio, good / total:

* ``weighted``: the minute's good share is the weighted mean of the ratios of the parts that have
  evidence, ``Σ wᵢ rᵢ / Σ wᵢ``;
* ``all_of``: the minute is as good as its worst part, ``min rᵢ``.

Each minute in which any part has evidence counts 1 with that share good. A part whose evidence is
slices speaks with its slice in each of the slice's minutes; a grouped part with all its label sets
together. A part without evidence in a minute has no say in it.
"""

from __future__ import annotations

import hashlib

import numpy as np

from watchkeeper.slo.model import BoolArray, FloatArray
from watchkeeper.spec.model import Composite

_LONGEST = 400


def row_key(composite: Composite) -> str:
    """The ledger row of a composite; it names all that its evidence depends on."""
    parts = ",".join(
        f"{p.slo}={p.weight.normalize():f}" if composite.mode == "weighted" else p.slo
        for p in composite.parts
    )
    if len(parts) > _LONGEST:  # a ledger key has room for 500 characters
        parts = f"{parts[:80]}…{hashlib.sha256(parts.encode()).hexdigest()}"
    return f"#composite/{composite.mode}/{parts}"


def evidence(
    mode: str, weights: FloatArray, good: FloatArray, total: FloatArray, seen: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(good, total, seen) of each minute, from [parts, minutes] arrays and [parts] weights."""
    some = total > 0
    ratio = np.divide(good, total, out=np.zeros_like(good), where=some)
    any_part: BoolArray = np.any(some, axis=0, keepdims=False)
    if mode == "all_of":
        worst = np.where(some, ratio, np.inf).min(axis=0)
        share = np.where(any_part, worst, 0.0)
    else:
        weight = some * weights[:, None]
        whole = weight.sum(axis=0)
        share = np.divide(
            (ratio * weight).sum(axis=0), whole, out=np.zeros_like(whole), where=whole > 0
        )
        any_part &= whole > 0
    observed = np.where((seen > 0).any(axis=0), 1.0, 0.0)
    counted = np.where(any_part, 1.0, 0.0)
    return np.where(any_part, share, 0.0), counted, observed
