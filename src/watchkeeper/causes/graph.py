"""Which service is at the root: callers' failures are explained by those of their callees. Pure.

For each service that can be reached from the one that fails, the *excess* is how much more went
wrong than usual, in the units of the SLI: failed requests, or seconds that requests took longer.
What a service's own callees went wrong with explains that much of it; the rest is its *own*:

    own(s) = excess(s) − Σ over callees c of excess(c), of those whose excess is beyond noise

So a service that only passes on a callee's failures has little of its own, and the one where they
arise has most. Counting events, not rates or scores, is what keeps a small edge with a huge
relative change from outranking the service that did the damage.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from watchkeeper.slo.model import FloatArray

BEYOND_NOISE = 3.0
"""Standard deviations from which on an excess is no chance."""


@dataclass(frozen=True, slots=True)
class Excess:
    """How much more went wrong than usual, and how many standard deviations that is."""

    amount: float
    sigmas: float


@dataclass(frozen=True, slots=True)
class Suspect:
    """A service with failures of its own; ``standing`` is 1 for the first, of others their share
    of what the first has."""

    service: str
    own: float
    standing: float
    excess: Excess


def excess(now: FloatArray, usual: FloatArray) -> Excess:
    """The excess of samples ``now`` over ``usual`` ones (both as differences from the usual level).

    The noise is the median absolute deviation × 1.4826 (a normal's standard deviation), at least a
    tenth of the plain standard deviation: series that hardly ever move are not infinitely certain.
    """
    center = float(np.median(usual)) if len(usual) else 0.0
    spread = 1.4826 * float(np.median(np.abs(usual - center))) if len(usual) else 0.0
    plain = float(np.std(usual)) if len(usual) else 0.0
    noise = max(spread, plain / 10, 1e-3)
    amount = float(now.sum())
    return Excess(amount, amount / (noise * math.sqrt(max(len(now), 1))))


def excess_of_counts(bad: float, total: float, usual_bad: float, usual_total: float) -> Excess:
    """The excess of counts over a usual rate; the noise is Poisson's of what was to be expected.

    One event is added to the variance, so that nothing follows from a single failure, and the
    uncertainty of the usual rate counts too.
    """
    rate = usual_bad / usual_total if usual_total > 0 else 0.0
    expected = rate * total
    scale = total / usual_total if usual_total > 0 else 1.0
    amount = bad - expected
    return Excess(amount, amount / math.sqrt(1 + expected * (1 + scale)))


def reachable(entry: str, calls: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Services that ``entry`` depends on, itself first, with the number of calls to get there."""
    depth = {entry: 0}
    queue = [entry]
    for service in queue:
        for callee in calls.get(service, ()):
            if callee not in depth:
                depth[callee] = depth[service] + 1
                queue.append(callee)
    return depth


def suspects(
    excesses: Mapping[str, Excess], calls: Mapping[str, Sequence[str]], entry: str
) -> list[Suspect]:
    """Services that fail by themselves, the likeliest root first; reachable from ``entry`` only."""
    depth = reachable(entry, calls)
    failing = {
        s: e
        for s, e in excesses.items()
        if s in depth and e.sigmas >= BEYOND_NOISE and e.amount > 0
    }
    own = {
        service: e.amount
        - sum(failing[c].amount for c in set(calls.get(service, ())) - {service} if c in failing)
        for service, e in failing.items()
    }
    # A cycle of callers explains all of itself; then the deepest one is the best guess there is.
    order = sorted(own, key=lambda s: (-own[s], -depth[s], s))
    most = max((own[s] for s in order), default=0.0)
    return [
        Suspect(s, own[s], max(0.0, own[s] / most) if most > 0 else float(i == 0), failing[s])
        for i, s in enumerate(order)
    ]
