"""Burn cut into episodes. Pure.

A step (a minute, or more of a long spell) is *hot* when it burns at more than twice the pace that
spends the budget evenly. Hot steps with little between them are one episode, and it counts only
when it stands out of chance: its bad events exceed what an even spend allows by three standard
deviations of a Poisson count, and by three events. A spell that burns slowly, in no one minute but
over hours, is one episode as a whole.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from watchkeeper.causes.model import Episode
from watchkeeper.causes.onset import split
from watchkeeper.kernel.clock import Minute
from watchkeeper.slo.model import FloatArray, IntArray

HOT = 2.0
"""Burn rate from which on a step is hot."""
JOIN = 15
"""Minutes; hot steps with no more than this between them belong together."""
SIGMAS = 3.0
FEWEST = 3.0
LOOK_BACK = 120
"""Minutes before the first hot step in which the onset may lie."""
LOOK_ON = 60
"""Minutes after it that the split sees: later, recovery would pull at it."""
SLOW = 0.5
"""Hot minutes that carry less than this share of a spell's excess do not explain it."""


@dataclass(frozen=True, slots=True)
class Steps:
    """Counts between edges: ``edges`` has one more than the arrays. ``may``: an even spend."""

    edges: IntArray
    bad: FloatArray
    total: FloatArray
    may: FloatArray


def cut(steps: Steps, first: int) -> list[Episode]:
    """The episodes of one spell, in order, never overlapping.

    ``first`` is the index of the spell's first step; those before it are only looked back at.
    """
    runs = _runs(steps, first)
    excess = float((steps.bad - steps.may)[first:].sum())
    found = sum(float((steps.bad - steps.may)[i:j].sum()) for i, j in runs)
    if found < SLOW * excess and _stands_out(steps, first, len(steps.bad)):
        runs = [_trimmed(steps, first, len(steps.bad))]
    return _episodes(steps, runs)


def _runs(steps: Steps, first: int) -> list[tuple[int, int]]:
    hot = np.flatnonzero((steps.bad > HOT * steps.may) & (steps.bad > 0))
    runs: list[tuple[int, int]] = []
    for i in hot[hot >= first].tolist():
        if runs and steps.edges[i] - steps.edges[runs[-1][1]] <= JOIN:
            runs[-1] = (runs[-1][0], i + 1)
        else:
            runs.append((i, i + 1))
    return [run for run in runs if _stands_out(steps, *run)]


def _stands_out(steps: Steps, i: int, j: int) -> bool:
    bad, may = float(steps.bad[i:j].sum()), float(steps.may[i:j].sum())
    return bad - may >= max(FEWEST, SIGMAS * math.sqrt(max(may, 0.0)))


def _trimmed(steps: Steps, i: int, j: int) -> tuple[int, int]:
    costly = np.flatnonzero(steps.bad[i:j] > 0)
    return i + int(costly[0]), i + int(costly[-1]) + 1


def _episodes(steps: Steps, runs: Sequence[tuple[int, int]]) -> list[Episode]:
    found: list[Episode] = []
    free = 0
    for i, j in runs:
        at = onset(steps, i, j, free)
        i = min(i, at)
        found.append(_episode(steps, i, j, at))
        free = j
    return found


def _episode(steps: Steps, i: int, j: int, at: int) -> Episode:
    return Episode(
        _minute(steps, i),
        _minute(steps, j),
        _minute(steps, at),
        float(steps.bad[i:j].sum()),
        float(steps.total[i:j].sum()),
        j == len(steps.bad),
    )


def _minute(steps: Steps, i: int) -> Minute:
    return int(steps.edges[i])


def onset(steps: Steps, i: int, j: int, free: int = 0) -> int:
    """The step in which the run [i, j) got worse, not before ``free``; ``i`` if none stands out."""
    low = max(free, int(np.searchsorted(steps.edges, steps.edges[i] - LOOK_BACK)))
    high = min(j, int(np.searchsorted(steps.edges, steps.edges[i] + LOOK_ON)))
    total = steps.total[low:high]
    ratio = np.divide(steps.bad[low:high], total, out=np.zeros(high - low), where=total > 0)
    found = split(ratio, total)
    return i if found is None else low + found
