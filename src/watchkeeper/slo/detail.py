"""Where one SLO's budget went: burn-down, hours, and the episodes that cost it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from watchkeeper.slo.model import BurnDown, FloatArray, IntArray, Series, Spend
from watchkeeper.slo.view import GOOD, MAY, SEEN, TOTAL

HOUR = 60
MOST_SPENDS = 20
JOIN_HOURS = 1
"""Episodes with no more than this many quiet hours between them are one."""


def hours(start: int, end: int) -> IntArray:
    """start, every whole hour between, end: the edges of the window's hours."""
    first = start + HOUR - start % HOUR
    inner = np.arange(first, end, HOUR, dtype=np.int64)
    return np.concatenate(([start], inner, [end])).astype(np.int64)


def series(edges: IntArray, cum: FloatArray, step: int) -> Series:
    """Events between consecutive edges, from the view's cumulative [len(edges), 4]."""
    steps = np.diff(cum, axis=0)
    return Series(edges[:-1], steps[:, GOOD], steps[:, TOTAL], steps[:, SEEN], step)


def burn_down(edges: IntArray, cum: FloatArray, scale: int) -> BurnDown:
    """Budget left over the window as it accumulates, as shares of the budget at its end.

    ``left(t) = 1 − bad(start..t) / budget`` starts at 1 and ends at the status's remaining ratio.
    ``even(t) = 1 − allowed(start..t) / budget`` is a spend at burn rate 1: it follows the traffic,
    and reaches 0 at the end. NaN throughout when there is no evidence; a target of 100 % is 1
    while nothing is bad and 0 after. ``cum`` and ``scale`` are the view's.
    """
    so_far = cum - cum[0]
    bad, may = so_far[:, TOTAL] - so_far[:, GOOD], so_far[:, MAY]
    if so_far[-1, TOTAL] <= 0:
        nothing = np.full(len(edges), np.nan)
        return BurnDown(edges, nothing, nothing)
    if may[-1] <= 0:
        return BurnDown(edges, np.where(bad > 0, 0.0, 1.0), np.ones(len(edges)))
    return BurnDown(edges, (may[-1] - bad * scale) / may[-1], 1 - may / may[-1])


def episodes(bad: FloatArray, may: FloatArray) -> list[tuple[int, int]]:
    """Runs [i, j) of hours that cost more than an even spend allows, near ones merged.

    ``bad`` and ``may`` are in the same units, one value an hour.
    """
    costly = np.flatnonzero((bad > may) & (bad > 0)).tolist()
    runs: list[tuple[int, int]] = []
    for i in costly:
        if runs and i - runs[-1][1] <= JOIN_HOURS:
            runs[-1] = (runs[-1][0], i + 1)
        else:
            runs.append((i, i + 1))
    return runs


def trim(minutes: IntArray, bad: FloatArray) -> tuple[int, int]:
    """First and last minute with a bad event, as [start, end); ``minutes`` has one more edge."""
    costly = np.flatnonzero(bad > 0)
    if not len(costly):
        return int(minutes[0]), int(minutes[-1])
    return int(minutes[costly[0]]), int(minutes[costly[-1] + 1])


def largest(spends: Sequence[Spend]) -> list[Spend]:
    """The costliest first, as many as a person reads."""
    return sorted(spends, key=lambda s: (-s.bad, s.start))[:MOST_SPENDS]
