"""What to look at first when something fails: the last changes, and dependencies that fail. Pure.

A quick answer for people who respond, from what is known at once; `causes` weighs the evidence of
a whole episode. Each culprit has a score in (0, 1]: *standing* × *nearness in time* × *kind*.

Standing asks where the service is in the failing part of the dependency graph: trouble travels from
callee to caller, so a failing service below which nothing fails is where it begins (1); one with a
failing dependency of its own suffers more likely than it causes (½); a dependency that nobody
measures may be either (½ for each step away); one that is measured and healthy is unlikely (⅛).
Nearness is 1 / (1 + age / 20 min): a half at 20 minutes before the trouble, a quarter at an hour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from watchkeeper.changes.model import Change, ChangeKind, Outcome
from watchkeeper.changes.rules import away_from_users, made_against, until
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Seconds

HALF = 20 * 60.0
"""Seconds before the trouble at which a change counts half."""
SLACK = 120.0
"""Seconds by which a change may seem to come after the trouble that it made: measurements are of
whole minutes, and clocks differ."""
LOOK_BACK = 86400.0
"""Seconds before the trouble in which changes are looked for."""
LEAST = 0.02
"""Culprits with a lower score are not offered."""

_KINDS: Mapping[ChangeKind, float] = {ChangeKind.MAINTENANCE: 0.8, ChangeKind.OTHER: 0.6}
_DID: Mapping[ChangeKind, str] = {
    ChangeKind.DEPLOYMENT: "went out",
    ChangeKind.CONFIGURATION: "was configured",
    ChangeKind.FLAG: "was switched",
    ChangeKind.INFRASTRUCTURE: "was changed",
    ChangeKind.MAINTENANCE: "began",
    ChangeKind.OTHER: "was changed",
}


@dataclass(frozen=True, slots=True)
class Burning:
    """An objective that misses its target now: its words (``availability``), its burn rate."""

    slo: str
    service: str
    what: str
    rate: float


@dataclass(frozen=True, slots=True)
class Scene:
    """What is known when something fails.

    ``services``: those that the incident names. ``depends_on``: who calls whom. ``burning``:
    objectives that burn. ``measured``: services that have an objective with evidence. ``onset``:
    when the trouble began.
    """

    services: tuple[str, ...]
    depends_on: Mapping[str, Sequence[str]]
    burning: Sequence[Burning]
    measured: frozenset[str]
    onset: Seconds
    names: Mapping[str, str]
    """What is shown for a service; those that are not in it are shown as they are."""
    over: bool = False
    """The trouble is over: what burned then is told."""


@dataclass(frozen=True, slots=True)
class Culprit:
    """Something to look at: a change, or (``change`` None) a dependency that fails.

    ``why``: one sentence; ``reasons``: what speaks for it and against it, one sentence each.
    ``slo``: the objective of its service that burns most, '' when none does.
    """

    service: str
    change: Change | None
    score: float
    why: str
    reasons: tuple[str, ...]
    slo: str = ""


def rank(scene: Scene, changes: Sequence[Change], limit: int = 5) -> list[Culprit]:
    """The likeliest first; ties: the latest change first. At most ``limit``."""
    steps = reach(scene.services, scene.depends_on)
    found = [c for change in changes if (c := _changed(scene, steps, change)) is not None]
    found.sort(key=lambda c: (-c.score, -(c.change.started_at if c.change else 0.0), c.service))
    told = {c.service for c in found if c.score >= 0.5}
    failing = [f for s in steps if s not in told and (f := _failing(scene, steps, s)) is not None]
    every = sorted([*found, *failing], key=lambda c: -c.score)  # stable: as sorted above
    return [c for c in every if c.score >= LEAST][:limit]


def reach(services: Sequence[str], depends_on: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """These services and all that they depend on, with how many steps away each is."""
    steps = dict.fromkeys(services, 0)
    waiting = list(steps)
    for name in waiting:  # grows while it is walked: nearest first
        for needed in depends_on.get(name, ()):
            if needed not in steps:
                steps[needed] = steps[name] + 1
                waiting.append(needed)
    return steps


# ---------------------------------------------------------------- a change


def _changed(scene: Scene, steps: Mapping[str, int], change: Change) -> Culprit | None:
    known = [s for s in change.services if s in steps]
    early = scene.onset - change.started_at
    if not known or early > LOOK_BACK or early < -SLACK or made_against(change, scene.onset):
        return None
    service = max(known, key=lambda s: (_standing(scene, steps, s), -steps[s]))
    score = _standing(scene, steps, service) * _nearness(early) * _KINDS.get(change.kind, 1.0)
    against = []
    if change.outcome is Outcome.ROLLED_BACK and until(change) <= scene.onset:
        score *= 0.25
        against.append("It was rolled back before.")
    if away_from_users(change):
        score *= 0.1
        against.append(f"It went to {change.environment}, where no user is.")
    if early < 0:
        score *= 0.5
    why = f"{subject(change, scene.names.get(service, service))} {_when(change, early)}"
    related = _related(scene, steps, service)
    said = f"{why}{', and ' if related else ''}{related}."
    return Culprit(
        service,
        change,
        score,
        said,
        (f"{why}.", *_sentences(related), *against),
        _slo(scene, service),
    )


def subject(change: Change, service: str) -> str:
    """A change in two words: ``payments 1.4.2``, else its summary."""
    if change.version:
        return f"{service} {change.version}"
    return change.summary.rstrip(".")[:120] or f"{change.kind} of {service}"


def _when(change: Change, early: float) -> str:
    did = _DID[change.kind]
    if abs(early) < 30:
        return f"{did} just as the trouble began"
    if early < 0:
        return f"{did} {text.duration(-early)} after the trouble seemed to begin"
    under_way = change.ended_at is not None and until(change) - change.started_at > 300
    if under_way and until(change) > change.started_at + early:
        return f"began {text.duration(early)} before the trouble and was still under way"
    return f"{did} {text.duration(early)} before the trouble began"


def _nearness(early: float) -> float:
    return 1 / (1 + max(0.0, early) / HALF)


# ---------------------------------------------------------------- where it stands


def _burns(scene: Scene, service: str) -> Burning | None:
    mine = [b for b in scene.burning if b.service == service]
    return max(mine, key=lambda b: b.rate, default=None)


def _slo(scene: Scene, service: str) -> str:
    burning = _burns(scene, service)
    return burning.slo if burning else ""


def _standing(scene: Scene, steps: Mapping[str, int], service: str) -> float:
    fails = steps[service] == 0 or _burns(scene, service) is not None
    if not fails:
        return 0.125 if service in scene.measured else 0.5 ** steps[service]
    below = set(reach([service], scene.depends_on)) - {service}
    return 0.5 if any(_burns(scene, s) for s in below) else 1.0


def _failing(scene: Scene, steps: Mapping[str, int], service: str) -> Culprit | None:
    """A dependency that fails itself, with no change near that would explain it."""
    if steps[service] == 0 or _burns(scene, service) is None:
        return None
    related = _related(scene, steps, service)
    why = f"{related[0].upper()}{related[1:]}." if related else ""
    score = 0.5 * _standing(scene, steps, service)
    return Culprit(
        service,
        None,
        score,
        why,
        (why, "No change to it is known from just before."),
        _slo(scene, service),
    )


def _related(scene: Scene, steps: Mapping[str, int], service: str) -> str:
    """Why this service matters: ``checkout depends on payments, whose availability burns 12×``."""
    shown = scene.names.get(service, service)
    burning = _burns(scene, service)
    verb = "burned" if scene.over else "burns"
    burns = f"{burning.what} {verb} {text.times(burning.rate)}" if burning else ""
    if steps[service] == 0:
        return f"its {burns}" if burns else ""
    caller = _caller(scene, steps, service)
    if burns:
        return f"{caller} depends on {shown}, whose {burns}"
    unlike = ", which is within its objectives" if service in scene.measured else ""
    return f"{caller} depends on {shown}{unlike}"


def _caller(scene: Scene, steps: Mapping[str, int], service: str) -> str:
    """Of the services that the incident names, the first that needs this one."""
    needing = (s for s in scene.services if service in reach([s], scene.depends_on))
    name = next(needing, scene.services[0])
    return scene.names.get(name, name)


def _sentences(related: str) -> tuple[str, ...]:
    return (f"{related[0].upper()}{related[1:]}.",) if related else ()
