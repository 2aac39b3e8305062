"""What may be done with an incident, and what becomes of it: functions of (incident, now). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from watchkeeper.incidents.model import Incident, IncidentState, RoleHolding
from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import UserError
from watchkeeper.spec.response import RoleDefinition, SeverityDefinition

MOST_TITLE = 300
MOST_TEXT = 20_000
ORDER = tuple(IncidentState)
TIMES = ("began_at", "detected_at", "acknowledged_at", "mitigated_at", "resolved_at")
"""The times that durations are computed from, in the order in which they come."""
MEMORY = ("clock", "first_public_at")
"""What the clock keeps in `Incident.data`."""


@dataclass(frozen=True, slots=True)
class Changed:
    """An incident after a change, and the sentence that tells of it."""

    incident: Incident
    text: str


def title_of(text: str) -> str:
    """A title that may be kept. Raises UserError."""
    said = " ".join(text.split())
    if not said:
        raise UserError("The incident has no title.", "Say what users notice, in a few words.")
    if len(said) > MOST_TITLE:
        raise UserError(
            f"The title is longer than {MOST_TITLE} characters.", "Put the rest into the summary."
        )
    return said


def text_of(text: str, what: str = "The text") -> str:
    """A text that may be written. Raises UserError."""
    said = text.strip()
    if not said:
        raise UserError(f"{what} is empty.", "Write what happened.")
    if len(said) > MOST_TEXT:
        raise UserError(f"{what} is longer than {MOST_TEXT:,} characters.", "Attach it as a file.")
    return said


def severity_named(text: str, severities: Mapping[str, SeverityDefinition]) -> SeverityDefinition:
    """The severity that somebody means: ``SEV1``, ``sev1``, ``1``. Raises UserError."""
    wanted = text.strip().casefold()
    for name, each in severities.items():
        if wanted in (name.casefold(), name.casefold().removeprefix("sev")):
            return each
    known = "; ".join(f"{s.name}: {s.description}" for s in severities.values())
    raise UserError(f"{text!r} is no severity.", f"One of {known}")


def state_named(text: str) -> IncidentState:
    """The state that somebody means. Raises UserError."""
    try:
        return IncidentState(text.strip().casefold())
    except ValueError:
        raise UserError(f"{text!r} is no state.", f"One of: {', '.join(IncidentState)}.") from None


def role_named(text: str, roles: Mapping[str, RoleDefinition]) -> RoleDefinition:
    """The role that somebody means: its name, its title or its initials. Raises UserError."""
    wanted = text.strip().casefold()
    for name, each in roles.items():
        initials = "".join(word[0] for word in each.title.split())
        if wanted in (name.casefold(), each.title.casefold(), initials.casefold()):
            return each
    known = ", ".join(f"{r.name} ({r.title})" for r in roles.values())
    raise UserError(f"{text!r} is no role.", f"One of: {known}.")


def open_for_change(incident: Incident) -> Incident:
    """The incident, if it may still be worked on. Raises UserError when it was merged."""
    if incident.merged_into is not None:
        raise UserError(
            f"Incident {incident.id} was merged into {incident.merged_into}.",
            f"Work goes on in incident {incident.merged_into}.",
        )
    return incident


def graded(incident: Incident, severity: SeverityDefinition, why: str) -> Changed:
    """The incident with another severity; ``why`` is told, and may be ''. Raises UserError."""
    open_for_change(incident)
    if severity.name == incident.severity:
        raise UserError(f"It is {severity.name} already.", "Nothing has to be changed.")
    text = f"{incident.severity} → {severity.name}" + (f": {why.strip()}" if why.strip() else "")
    return Changed(replace(incident, severity=severity.name), text)


def moved(incident: Incident, state: IncidentState, why: str, now: Seconds) -> Changed:
    """The incident in another state, with the times that this sets.

    Going back needs a reason: what was thought to be over was not, and the times that said so are
    taken back. Raises UserError.
    """
    open_for_change(incident)
    if state is incident.state:
        raise UserError(f"It is {state} already.", "Nothing has to be changed.")
    back = ORDER.index(state) < ORDER.index(incident.state)
    if back and not why.strip():
        raise UserError(
            f"Going back from {incident.state} to {state} needs a reason.",
            "Say what showed that it was not so.",
        )
    after = replace(incident, state=state)
    if state is IncidentState.RESOLVED:
        mitigated = now if incident.mitigated_at is None else incident.mitigated_at
        after = replace(after, mitigated_at=mitigated, resolved_at=now)
    elif state is IncidentState.MITIGATED:
        after = replace(after, mitigated_at=now, resolved_at=None)
    else:
        after = replace(after, mitigated_at=None, resolved_at=None)
        # Somebody works on it: that is an acknowledgement, if none came before.
        if incident.acknowledged_at is None and state is not IncidentState.TRIGGERED:
            after = replace(after, acknowledged_at=now)
    text = f"{incident.state} → {state}" + (f": {why.strip()}" if why.strip() else "")
    return Changed(after, text)


def timed(
    incident: Incident, times: Mapping[str, Seconds | None], why: str, now: Seconds
) -> Changed:
    """The incident with other times; each must be in the past and in order. Raises UserError."""
    unknown = set(times) - set(TIMES)
    if unknown:
        raise UserError(
            f"{', '.join(sorted(unknown))} is no time of an incident.",
            f"One of: {', '.join(TIMES)}.",
        )
    if not times:
        raise UserError("No time is given.", f"Give one of: {', '.join(TIMES)}.")
    if not why.strip():
        raise UserError("Setting a time needs a reason.", "Say how it is known.")
    fields: dict[str, Any] = dict(times)
    after = replace(incident, **fields)
    said = [(n, getattr(after, n)) for n in TIMES if getattr(after, n) is not None]
    for name, at in said:
        if at > now:
            raise UserError(f"{name} is in the future.", "Give a time that is past.")
    for (first, one), (second, two) in pairwise(said):
        # People may acknowledge at the moment of detection, and mitigate before anybody has it.
        if one > two and {first, second} != {"acknowledged_at", "mitigated_at"}:
            raise UserError(f"{second} is before {first}.", "Set both, or look at the timeline.")
    return Changed(after, f"{', '.join(times)} set: {why.strip()}")


def merged(incident: Incident, into: Incident, now: Seconds) -> Changed:
    """The incident as a part of another, which goes on. Raises UserError."""
    open_for_change(incident)
    open_for_change(into)
    if into.id == incident.id:
        raise UserError("An incident is not merged into itself.", "Name another one.")
    after = replace(
        incident,
        merged_into=into.id,
        state=IncidentState.RESOLVED,
        resolved_at=now if incident.resolved_at is None else incident.resolved_at,
        update_due_at=None,
        due_at=None,
    )
    return Changed(after, f"Merged into incident {into.id}, {into.title}")


def with_parts(incident: Incident, **parts: Sequence[str | int]) -> Incident:
    """The incident with more services, slos, journeys, pages or causes."""
    joined: dict[str, Any] = {
        name: tuple(dict.fromkeys([*getattr(incident, name), *more]))
        for name, more in parts.items()
    }
    return replace(incident, **joined)


def holder(holdings: Sequence[RoleHolding], role: str) -> str:
    """Who has a role; '' is nobody."""
    return next((h.user for h in holdings if h.role == role), "")


def empty_roles(
    incident: Incident,
    holdings: Sequence[RoleHolding],
    roles: Mapping[str, RoleDefinition],
) -> list[RoleDefinition]:
    """Roles that must be held at this severity and are not."""
    return [
        r
        for r in roles.values()
        if incident.severity in r.severities and not holder(holdings, r.name)
    ]


def fill(
    incident: Incident,
    roles: Mapping[str, RoleDefinition],
    candidates: Mapping[str, Sequence[str]],
    severities: Sequence[str],
) -> dict[str, str]:
    """Who has which role at first: role → user.

    ``candidates``: people on call for each role, best first. Where two severities or more are worse
    than this one, one person may hold several roles; else each role goes to another person as long
    as there is one. A role for which nobody stands ready stays empty, and somebody is told.
    """
    minor = incident.severity in severities[2:]
    given: dict[str, str] = {}
    for role in roles.values():
        if incident.severity not in role.severities and not candidates.get(role.name):
            continue
        people = list(candidates.get(role.name, ()))
        free = [p for p in people if p not in given.values()]
        # Somebody with two roles is better than a role that nobody has; but the one who leads a
        # severe incident must not also be the one who changes the system.
        chosen = (people if minor else free)[:1]
        if chosen:
            given[role.name] = chosen[0]
    return given
