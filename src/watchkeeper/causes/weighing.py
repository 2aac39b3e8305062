"""How far a change explains an episode: time decay × standing of the changed service. Pure.

Not merely the latest: a change of a service that does not fail by itself is a bystander, however
fresh, and an old change of one that does may still have done it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from watchkeeper.causes.model import Change
from watchkeeper.kernel.clock import Seconds

HALF_LIFE = 1800.0
"""Seconds after a roll-out in which a change becomes half as likely to be why."""
TOLERANCE = 120.0
"""Seconds by which a change may come after the onset: clocks differ, minutes are whole."""
BYSTANDER = 0.05
"""Standing of a service that is not known to fail, or not to be depended on."""
UNSEEN = 0.5
"""Standing of a dependency that nothing is measured of, per call to get there."""
CALLER = 0.2
"""Standing of a service that calls the failing one: it can only have sent other requests."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """A change, its score (0 to 1) and what that is made of; ``gap`` in seconds to the onset.

    ``service``: which of those that it changed stands highest.
    """

    change: Change
    service: str
    score: float
    gap: float
    standing: float


def weigh(
    changes: Sequence[Change],
    onset: Seconds,
    standing: Mapping[str, float],
    *,
    half_life: float = HALF_LIFE,
    tolerance: float = TOLERANCE,
) -> list[Weighed]:
    """The changes that could be why, the likeliest first.

    score = standing(service) · 2^(−gap / half_life), where the gap runs from the end of the
    roll-out to the onset, and is 0 when it got worse during the roll-out. A change that began
    after the onset (and tolerance) is no cause. Services not in ``standing`` are bystanders.
    """
    found = []
    for change in changes:
        if change.at > onset + tolerance:
            continue
        gap = max(0.0, onset - max(change.at, min(change.until, onset)))
        service = max(change.services, key=lambda s: standing.get(s, BYSTANDER))
        stands = standing.get(service, BYSTANDER)
        found.append(Weighed(change, service, stands * 0.5 ** (gap / half_life), gap, stands))
    return sorted(found, key=lambda w: (-w.score, w.gap, w.change.id))


def standings(
    entry: str,
    own: Mapping[str, float],
    measured: Sequence[str],
    depth: Mapping[str, int],
    calls: Mapping[str, Sequence[str]],
    callers: Sequence[str],
) -> dict[str, float]:
    """The standing of every service that matters to ``entry``.

    ``own``: of suspects; ``measured``: services whose SLIs were looked at; ``depth``: calls from
    the entry to each of its dependencies. What was measured and is no suspect did not fail by
    itself. What nothing is measured of cannot be excluded: it may be why those fail that call it,
    the less so the more calls it takes to get there.
    """
    found = dict.fromkeys(callers, CALLER)
    if entry not in measured:
        found[entry] = 1.0
    for service in sorted(depth, key=lambda s: depth[s]):
        if service in measured:
            found[service] = max(own.get(service, 0.0), BYSTANDER)
        for callee in calls.get(service, ()):
            if callee in depth and callee not in measured:
                found[callee] = max(found.get(callee, BYSTANDER), found[service] * UNSEEN)
    return found
