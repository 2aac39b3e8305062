"""Targets over time: a change of target never rewrites what was spent under the old one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from watchkeeper.kernel.clock import Minute
from watchkeeper.slo.model import TargetVersion
from watchkeeper.slo.windows import Interval


def allowance(target: Decimal) -> Fraction:
    """The share of events that may be bad: 1 − target, exactly."""
    return 1 - Fraction(target)


def phases(
    versions: Sequence[TargetVersion], current: Decimal, whole: Interval
) -> list[tuple[Interval, Decimal]]:
    """Which target held in which part of an interval; the parts make up the whole.

    ``versions`` may come in any order; the first also holds for everything before it, as an
    objective speaks of all the evidence it is given. No versions: the current target throughout.
    """
    ordered = sorted(versions, key=lambda v: v.since)
    if not ordered:
        return [(whole, current)]
    found: list[tuple[Interval, Decimal]] = []
    for i, version in enumerate(ordered):
        start = whole[0] if i == 0 else max(whole[0], version.since)
        end = whole[1] if i + 1 == len(ordered) else min(whole[1], ordered[i + 1].since)
        if start >= end:
            continue
        if found and found[-1][1] == version.target:
            found[-1] = ((found[-1][0][0], end), version.target)
        else:
            found.append(((start, end), version.target))
    return found


def at(versions: Sequence[TargetVersion], current: Decimal, minute: Minute) -> Decimal:
    """The target in force in this minute."""
    return phases(versions, current, (minute, minute + 1))[0][1]
