"""From facts to hypotheses: what speaks for each kind of cause, in words. Pure.

Scores are between 0 and 1 and mean the same for every kind: at THIN or less, the evidence is too
thin and the answer is *unknown*. Each is a product of things that all must hold, so one that does
not hold is enough to doubt it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from watchkeeper.causes.graph import Suspect
from watchkeeper.causes.model import Hypothesis, Kind
from watchkeeper.causes.slices import Slice
from watchkeeper.causes.weighing import BYSTANDER, Weighed
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Minute

THIN = 0.5
"""What a hypothesis must exceed to be the answer."""
MOST_SHOWN = 6
FIRST_WITHIN = 2
"""Minutes by which a dependency may seem to fail later than who depends on it, and be why."""
LATER = 0.3
"""What is left of a dependency that clearly failed later: it may be a victim as well."""
INFRASTRUCTURE = frozenset(("infrastructure", "maintenance"))
"""Kinds of changes that are no deployments."""
PLACES = frozenset(
    (
        *("host", "hostname", "node", "instance", "pod", "container", "machine", "server", "rack"),
        *("zone", "az", "availability_zone", "region", "datacenter", "dc", "cluster"),
    )
)
"""Labels that say where something ran."""
VERSIONS = frozenset(
    ("version", "release", "build", "revision", "image", "tag", "commit", "canary")
)
"""Labels that say what ran."""
LEAST_LIFT = 0.25
"""A slice that lifts less fails much like everything else."""
FOLLOWS = 0.6
"""Correlation from which on the rate of failures follows the load."""


@dataclass(frozen=True, slots=True)
class Failing:
    """A dependency with failures of its own: since when, and how much of ours that is (0 to 1)."""

    suspect: Suspect
    onset: Minute
    covers: float


@dataclass(frozen=True, slots=True)
class Saturated:
    """A gauge's objective that was broken when it began."""

    slo: str
    service: str
    since: Minute


@dataclass(frozen=True, slots=True)
class Demand:
    """Demand over the episode beside its band; ``follows``: how far the bad share follows it."""

    total: float
    middle: float
    top: float
    follows: float


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known about one episode. ``measured``: services whose SLIs were looked at."""

    service: str
    onset: Minute
    measured: frozenset[str] = frozenset()
    changes: Sequence[Weighed] = ()
    failing: Sequence[Failing] = ()
    slices: Sequence[Slice] = ()
    saturated: Sequence[Saturated] = ()
    demand: Demand | None = None


def hypotheses(facts: Facts) -> tuple[Hypothesis, ...]:
    """What may be why, the likeliest first; *unknown* stands where evidence becomes thin."""
    found = [
        *_changes(facts),
        *_slices(facts),
        *_saturation(facts),
        *_dependencies(facts),
        *_traffic(facts),
    ]
    order = list(Kind)
    ranked = sorted(found, key=lambda h: (-round(h.score, 3), order.index(h.kind), h.what))
    above = [h for h in ranked if h.score > THIN]
    below = [h for h in ranked if h.score <= THIN]
    return (*above[:MOST_SHOWN], _unknown(bool(above), below), *below[:MOST_SHOWN])


def _unknown(known: bool, below: Sequence[Hypothesis]) -> Hypothesis:
    if known:
        why = "What stands before this has more evidence than chance would give."
    elif below:
        why = f"Nothing has enough evidence; the most has {below[0].what}."
    else:
        why = "No change, failing dependency, odd slice or unusual demand was found."
    return Hypothesis(Kind.UNKNOWN, THIN, "Not known", (why,))


def _changes(facts: Facts) -> list[Hypothesis]:
    found: list[Hypothesis] = []
    for weighed in facts.changes:
        change = weighed.change
        kind = Kind.INFRASTRUCTURE if change.kind in INFRASTRUCTURE else Kind.DEPLOYMENT
        ran = _slice_of(change.version, facts.slices) if kind is Kind.DEPLOYMENT else None
        score, evidence = weighed.score, [_when(weighed), _standing(weighed, facts)]
        if ran is not None and facts.service in change.services:
            score = max(score, ran.lift * 0.5 ** (weighed.gap / 86_400))
            evidence.append(_carries(ran))
        found.append(
            Hypothesis(kind, score, change.title, tuple(evidence), weighed.service, change.id)
        )
    return found


def _when(weighed: Weighed) -> str:
    if weighed.gap <= 0:
        return "It got worse while this was rolled out or at once after."
    return f"It got worse {text.duration(weighed.gap)} after this was rolled out."


def _standing(weighed: Weighed, facts: Facts) -> str:
    service = weighed.service
    if weighed.standing <= BYSTANDER:
        return f"{service} does not fail by itself, so this looks like a bystander."
    if service == facts.service:
        return "It changed the service itself, whose failures no dependency explains."
    if service not in facts.measured:
        return f"It changed {service}, of which nothing is measured: it may have failed."
    share = text.whole_percent(weighed.standing)
    return f"It changed {service}, which stands at {share} among the services that fail."


def _slice_of(version: str, slices: Sequence[Slice]) -> Slice | None:
    return next(
        (
            s
            for s in slices[:3]
            if version and any(k in VERSIONS and v == version for k, v in s.labels)
        ),
        None,
    )


def _carries(found: Slice) -> str:
    carries = text.whole_percent(min(1.0, found.carries))
    traffic = text.whole_percent(found.traffic)
    beyond = "of what failed beyond the usual"
    return f"{found.text} carries {carries} {beyond}, with {traffic} of the traffic."


def _slices(facts: Facts) -> list[Hypothesis]:
    if not facts.slices:
        return []
    best = facts.slices[0]
    if best.lift < LEAST_LIFT:
        return []
    names = {name for name, _ in best.labels}
    if names & VERSIONS:
        return [Hypothesis(Kind.DEPLOYMENT, best.lift, f"Only {best.text}", (_carries(best),))]
    if names & PLACES:
        return [Hypothesis(Kind.INFRASTRUCTURE, best.lift, f"Only {best.text}", (_carries(best),))]
    return []


def _saturation(facts: Facts) -> list[Hypothesis]:
    found = []
    for gauge in facts.saturated:
        ahead = facts.onset - gauge.since
        score = 0.8 if ahead >= -FIRST_WITHIN else LATER
        when = "when it began" if ahead <= FIRST_WITHIN else f"{text.duration(ahead * 60)} before"
        evidence = (f"The objective {gauge.slo} of {gauge.service} was broken {when}.",)
        found.append(
            Hypothesis(
                Kind.INFRASTRUCTURE,
                score,
                f"{gauge.service} was saturated",
                evidence,
                gauge.service,
            )
        )
    return found


def _dependencies(facts: Facts) -> list[Hypothesis]:
    found = []
    for failing in facts.failing:
        suspect = failing.suspect
        if suspect.service == facts.service:
            continue
        # A change that explains the dependency says more than that the dependency failed.
        changed = [w.score for w in facts.changes if w.service == suspect.service]
        most = next((score - 0.01 for score in changed if score > THIN), 1.0)
        ahead = facts.onset - failing.onset
        first = ahead >= -FIRST_WITHIN
        score = min(most, suspect.standing * failing.covers * (1.0 if first else LATER))
        if ahead > FIRST_WITHIN:
            when = f"{text.duration(ahead * 60)} earlier"
        else:
            when = "at the same time" if first else f"only {text.duration(-ahead * 60)} later"
        evidence = (
            f"{suspect.service} began to fail {when}.",
            f"{text.count(round(suspect.own))} of its failures are its own, not passed on; "
            f"they can explain {text.whole_percent(failing.covers)} of ours.",
        )
        what = f"{suspect.service} failed"
        found.append(Hypothesis(Kind.DEPENDENCY, score, what, evidence, suspect.service))
    return found


def _traffic(facts: Facts) -> list[Hypothesis]:
    demand = facts.demand
    if demand is None or demand.total <= demand.top:
        return []
    follows = max(0.0, demand.follows)
    # At FOLLOWS it is as likely as not; a rate that moves exactly as the load does is certain.
    score = min(1.0, THIN + (follows - FOLLOWS) / (1 - FOLLOWS) * (1 - THIN))
    times = text.times(demand.total / demand.middle)
    evidence = (
        f"Demand was {times} of what is usual at this time; up to "
        f"{text.times(demand.top / demand.middle)} would be.",
        f"The share of failures follows the load at a correlation of {demand.follows:.2f}.",
    )
    return [Hypothesis(Kind.TRAFFIC_SPIKE, max(0.0, score), f"Demand rose to {times}", evidence)]
