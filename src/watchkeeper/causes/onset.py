"""When an SLI got worse: a least-squares split. Pure.

The series is cut in two so that the sum of squared distances to the mean of each part, weighted by
requests, is smallest (a regression tree's first split; Breiman et al., *Classification and
Regression Trees*, 1984, section 8.3). Three ways in which a plain split goes wrong are ruled out:
a cut after which it is better, not worse; a blip that had long recovered, pulling the cut to
itself; and noise, when no cut leaves most of what follows on the worse side.
"""

from __future__ import annotations

import numpy as np

from watchkeeper.slo.model import FloatArray

STAYS = 2 / 3
"""At least this share of the samples from the onset on stands nearer to the worse mean: what
recovers sooner than it lasted is an episode of its own."""


def split(values: FloatArray, weights: FloatArray) -> int | None:
    """The index from which ``values`` are higher for good; None when there is no such step.

    ``weights`` are the numbers of events behind each value; a sample without events says nothing.
    """
    n = len(values)
    if n < 2:
        return None
    w = np.maximum(weights, 0.0)
    wy, wyy = w * values, w * values * values
    left_w, left_y, left_yy = (np.cumsum(a)[:-1] for a in (w, wy, wyy))
    right_w, right_y, right_yy = w.sum() - left_w, wy.sum() - left_y, wyy.sum() - left_yy
    usable = (left_w > 0) & (right_w > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = left_y / left_w, right_y / right_w
        cost = left_yy - left_y * low + right_yy - right_y * high
    cost = np.where(usable & (high > low), cost, np.inf)
    for i in np.argsort(cost, kind="stable").tolist():
        if not np.isfinite(cost[i]):
            return None
        after = values[i + 1 :][w[i + 1 :] > 0]
        if np.mean(after > (low[i] + high[i]) / 2) >= STAYS:
            return int(i + 1)
    return None
