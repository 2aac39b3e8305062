"""Mitigations: which are offered, with which values, what a run becomes, whether it helped. Pure.

The burn rate over some minutes is ``(bad / total) / (1 - target)``: 1 spends the budget exactly
over its window.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from watchkeeper.incidents.mitigation.model import Burn, Help, Outcome, Run, RunState
from watchkeeper.incidents.model import Incident
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import MINUTE, Minute, Seconds
from watchkeeper.kernel.errors import UserError
from watchkeeper.spec.mitigation_read import PLACEHOLDER
from watchkeeper.spec.model import ServiceDefinition
from watchkeeper.spec.response import (
    ACTIONS,
    MitigationDefinition,
    MitigationKind,
    ParameterDefinition,
)

LEASE = 15.0
"""Seconds after which a server that says nothing is held to be gone."""
PICK_UP = 60.0
"""Seconds in which a server must take a run; what nobody took is not run later."""
BEFORE, AFTER = 5, 3
"""Minutes before a run and after it that are compared."""
SCRAPE = 60.0
"""Seconds after a run that say nothing: a source that is read once a minute tells in them what
happened before."""
SETTLE = 60.0
"""Seconds that measurements may be late."""
PATIENCE = 600.0
"""Seconds after a run until which the ledger is asked again when it knows too little."""
LEAST = 10.0
"""Requests in a window below which nothing is said of it."""
CLEARLY = 0.5
"""A burn rate below this share of what it was is clearly less."""
MOST_VALUE = 200
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


# ---------------------------------------------------------------- which are offered


def offered(
    incident: Incident,
    mitigations: Mapping[str, MitigationDefinition],
    services: Mapping[str, ServiceDefinition],
) -> list[MitigationDefinition]:
    """Those for its services and what they depend on, and those for any; reverts first.

    Within an action, those of the incident's own services stand before those of dependencies. An
    incident without services is offered all.
    """
    steps = reach(incident.services, services)

    def distance(m: MitigationDefinition) -> int | None:
        if not m.services or not incident.services:
            return len(steps)
        return min((steps[s] for s in m.services if s in steps), default=None)

    near = [(d, m) for m in mitigations.values() if (d := distance(m)) is not None]
    return [m for d, m in sorted(near, key=lambda n: (ACTIONS.index(n[1].action), n[0]))]


def reach(names: Sequence[str], services: Mapping[str, ServiceDefinition]) -> dict[str, int]:
    """These services and all that they depend on, with how many steps away each is."""
    steps = dict.fromkeys(names, 0)
    waiting = list(steps)
    for name in waiting:  # grows while it is walked
        known = services.get(name)
        for needed in known.depends_on if known else ():
            if needed not in steps:
                steps[needed] = steps[name] + 1
                waiting.append(needed)
    return steps


def can_try(definition: MitigationDefinition) -> bool:
    """Whether there is a dry run: its own, or one that its kind has."""
    own = definition.kind not in (MitigationKind.COMMAND, MitigationKind.HTTP)
    return own or bool(definition.dry_run)


# ---------------------------------------------------------------- with which values


def checked_values(definition: MitigationDefinition, given: Mapping[str, str]) -> dict[str, str]:
    """The value of every parameter; defaults for those not given. Raises UserError."""
    known = {p.name: p for p in definition.parameters}
    for name in given:
        if name not in known:
            raise UserError(
                f"{definition.name} has no parameter {name[:40]!r}.",
                f"It has: {', '.join(known) or 'none'}.",
            )
    return {n: _checked(p, given.get(n, "") or p.default) for n, p in known.items()}


def _checked(parameter: ParameterDefinition, value: str) -> str:
    shown = repr(value[:60])
    if parameter.choices:
        if value not in parameter.choices:
            raise UserError(
                f"{parameter.name} cannot be {shown}.", f"One of: {', '.join(parameter.choices)}."
            )
        return value
    if not value:
        raise UserError(f"{parameter.name} has no value.", f"Give one: {parameter.title}.")
    if len(value) > MOST_VALUE or _CONTROL.search(value):
        raise UserError(
            f"{parameter.name} cannot be {shown}.",
            f"One line of at most {MOST_VALUE} characters.",
        )
    if not re.fullmatch(parameter.pattern, value):
        raise UserError(
            f"{parameter.name} cannot be {shown}.", f"It must match {parameter.pattern}"
        )
    return value


def filled(value: Any, values: Mapping[str, str]) -> Any:  # noqa: ANN401 - any piece of settings
    """Settings with their parameters filled in: a text stays one text, whatever is in it."""
    if isinstance(value, str):
        return PLACEHOLDER.sub(lambda m: values.get(m[1], m[0]), value)
    if isinstance(value, Mapping):
        return {k: filled(v, values) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [filled(v, values) for v in value]
    return value


def settings_of(definition: MitigationDefinition, dry_run: bool) -> Mapping[str, Any]:
    """The settings of a run, parameters not filled in yet. Raises UserError."""
    if not dry_run:
        return definition.settings
    if not can_try(definition):
        raise UserError(
            f"{definition.name} has no dry run.", "Add dryRun: to its definition, or run it."
        )
    return {**definition.settings, **definition.dry_run}


# ---------------------------------------------------------------- what becomes of a run


def expired(run: Run, now: Seconds) -> Outcome | None:
    """The end of a run that nobody carries out any more; None: it goes on."""
    if run.state is RunState.REQUESTED and now - run.requested_at > PICK_UP:
        said = f"No server took it within {text.duration(PICK_UP)}; nothing was done"
        return Outcome(RunState.FAILED, said)
    if run.state is RunState.RUNNING and run.lease_until is not None and run.lease_until < now:
        return Outcome(RunState.UNKNOWN, "The server that ran it went away in the middle")
    return None


def ended(run: Run, outcome: Outcome, now: Seconds) -> Run:
    """The run after its end, with the time at which the ledger is asked: not of what failed."""
    checks = not run.dry_run and outcome.state is not RunState.FAILED
    return replace(
        run,
        state=outcome.state,
        outcome=outcome.text[:1000],
        ended_at=run.ended_at if run.ended_at is not None else now,
        lease_until=None,
        check_at=first_check(now) if checks else None,
    )


def first_check(ended_at: Seconds) -> Seconds:
    """When the minutes after a run are over and measured."""
    return (minute_after(ended_at + SCRAPE) + AFTER) * float(MINUTE) + SETTLE


def minute_after(at: Seconds) -> Minute:
    """The first whole minute after an instant."""
    return int(-(-at // MINUTE))


def windows(run: Run) -> tuple[tuple[Minute, Minute], tuple[Minute, Minute]]:
    """The whole minutes [start, end) before the run and after it."""
    start = int((run.started_at or run.requested_at) // MINUTE)
    ended = run.ended_at if run.ended_at is not None else run.requested_at
    after = minute_after(ended + SCRAPE)
    return (start - BEFORE, start), (after, after + AFTER)


# ---------------------------------------------------------------- whether it helped


def burn(bad: float, total: float, target: float) -> float | None:
    """Burn rate of a window; None: too few requests to tell."""
    if total < LEAST or target >= 1:
        return None
    return (bad / total) / (1 - target)


def judged(burns: Iterable[Burn]) -> Help:
    """What they say together: of the one that burned fastest before."""
    told = [b for b in burns if b.before is not None and b.after is not None]
    if not told:
        return Help.UNTOLD
    worst = max(told, key=lambda b: b.before or 0.0)
    before, after = worst.before or 0.0, worst.after or 0.0
    if after > 1 and after > before * 1.5:
        return Help.WORSE
    if before > 1 and after <= 1:
        return Help.STOPPED
    if after < before * CLEARLY:
        return Help.LESS
    return Help.NONE


SENTENCES: Mapping[Help, str] = {
    Help.STOPPED: "It helped",
    Help.LESS: "It helped a part",
    Help.NONE: "It made no clear difference",
    Help.WORSE: "It is worse since",
    Help.UNTOLD: "Whether it helped cannot be told: too few requests were measured",
}


def verdict(helped: Help, burns: Sequence[Burn]) -> str:
    """The sentence for the timeline, with the numbers."""
    told = [b for b in burns if b.before is not None and b.after is not None]
    told.sort(key=lambda b: -(b.before or 0.0))
    said = "; ".join(
        f"{b.slo} burned at {text.times(b.before)} in the {BEFORE} min before, "
        f"{text.times(b.after)} in the {AFTER} min after"
        for b in told[:3]
    )
    return SENTENCES[helped] + (f": {said}" if said else "")


# ---------------------------------------------------------------- in words


def with_values(title: str, values: Mapping[str, str], dry_run: bool) -> str:
    """What is run, in words: ``Roll back (version=v1), dry run``."""
    given = ", ".join(f"{k}={v}" for k, v in values.items())
    said = f"{title} ({given})" if given else title
    return f"{said}, dry run" if dry_run else said
