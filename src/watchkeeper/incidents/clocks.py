"""When somebody must be told something about an incident, and that it was told. Pure.

What waits is a *series*: a first moment, and perhaps the same again and again after it. How many
moments of a series were told is kept with the incident under the key of the series; the key holds
the time that the series counts from, so that an update, which moves that time, begins a new one.
So each moment is told once, whatever restarts in between; what a pause has made late is told once,
not once for each moment missed.

- An *update* is due ``update_every`` after the last one: a reminder `lead` before, an escalation
  when it is due, and one more each ``update_every`` until it comes.
- The *first public message* is due ``first_public`` after the declaration, or after the incident
  became severe enough to need one, likewise.
- A *role* that must be held and is not: after 2 minutes, then every 10.
- A role *offered* and not accepted: after 5 minutes, once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from watchkeeper.incidents.model import Incident, IncidentState, RoleHolding
from watchkeeper.incidents.rules import empty_roles
from watchkeeper.kernel.clock import Seconds
from watchkeeper.spec.response import MINUTE, RoleDefinition, SeverityDefinition

LONGEST_LEAD = 5 * MINUTE
EMPTY_AFTER, EMPTY_EVERY = 2 * MINUTE, 10 * MINUTE
OFFER_AFTER = 5 * MINUTE


class NoticeKind(StrEnum):
    """What is told."""

    UPDATE_SOON = "update soon"
    UPDATE_LATE = "update late"
    PUBLIC_SOON = "public soon"
    PUBLIC_LATE = "public late"
    ROLE_EMPTY = "role empty"
    OFFER_OPEN = "offer open"


@dataclass(frozen=True, slots=True)
class Series:
    """Moments at which somebody is told: ``at``, then each ``every`` seconds; None: only once."""

    kind: NoticeKind
    key: str
    at: Seconds
    every: float | None = None
    role: str = ""

    def passed(self, now: Seconds) -> int:
        """How many of its moments are at or before now."""
        if now < self.at:
            return 0
        return 1 if self.every is None else 1 + math.floor((now - self.at) / self.every)

    def after(self, told: int) -> Seconds | None:
        """The moment after so many; None: there is none."""
        if told == 0:
            return self.at
        return None if self.every is None else self.at + told * self.every


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell now. ``number``: the how-manieth of its series, from 1; ``at``: since when
    it is true; ``role``: which one."""

    kind: NoticeKind
    number: int
    at: Seconds
    role: str = ""


def lead(every: float) -> float:
    """Seconds before an update is due at which people are reminded: a third, at most 5 min."""
    return min(LONGEST_LEAD, every / 3)


def begun(incident: Incident, severity: SeverityDefinition) -> Incident:
    """The incident, just declared, with its first update due."""
    due = None
    if severity.update_every is not None:
        due = incident.declared_at + severity.update_every
    return _public_from(replace(incident, update_due_at=due), severity, incident.declared_at)


def _public_from(incident: Incident, severity: SeverityDefinition, now: Seconds) -> Incident:
    """The incident that knows since when a first public message is owed, if one is."""
    data = {k: v for k, v in incident.data.items() if k != "public_from"}
    if severity.first_public is not None:
        data["public_from"] = incident.data.get("public_from", now)
    return replace(incident, data=data)


def updated(
    incident: Incident, severity: SeverityDefinition, now: Seconds, *, public: bool
) -> Incident:
    """The incident after an update: the next one is due a whole interval later."""
    every = None if incident.state is IncidentState.RESOLVED else severity.update_every
    due = None if every is None else now + every
    after = replace(incident, last_update_at=now, update_due_at=due)
    if public and "first_public_at" not in incident.data:
        after = replace(after, data={**incident.data, "first_public_at": now})
    return after


def graded(incident: Incident, severity: SeverityDefinition, now: Seconds) -> Incident:
    """The incident after a change of severity: due by the new interval since the last update.

    What would be due at once is due after `lead`, for nobody can write faster.
    """
    due = None
    if severity.update_every is not None and incident.state is not IncidentState.RESOLVED:
        last = incident.last_update_at or incident.declared_at
        due = max(last + severity.update_every, now + lead(severity.update_every))
    data = {**incident.data, "graded_at": now}
    return _public_from(replace(incident, update_due_at=due, data=data), severity, now)


def moved(incident: Incident, severity: SeverityDefinition, now: Seconds) -> Incident:
    """The incident after a change of state: nothing is due when it is over.

    One that is opened again waits as long as a new one: what came due meanwhile is not told.
    """
    if incident.state is IncidentState.RESOLVED:
        return replace(incident, update_due_at=None, data={**incident.data, "over": True})
    if incident.data.get("over"):
        data = {k: v for k, v in incident.data.items() if k not in ("over", "public_from")}
        incident = replace(incident, data={**data, "reopened_at": now})
        incident = _public_from(incident, severity, now)
    if incident.update_due_at is None and severity.update_every is not None:
        return replace(incident, update_due_at=now + severity.update_every)
    return incident


def series(
    incident: Incident,
    holdings: Sequence[RoleHolding],
    severity: SeverityDefinition,
    roles: Mapping[str, RoleDefinition],
) -> list[Series]:
    """All that waits in an incident."""
    if incident.state is IncidentState.RESOLVED or incident.merged_into is not None:
        return []
    opened = max(incident.declared_at, float(incident.data.get("reopened_at", 0.0)))
    found = _due(
        "update", NoticeKind.UPDATE_SOON, NoticeKind.UPDATE_LATE,
        incident.update_due_at, severity.update_every,
    )  # fmt: skip
    if severity.first_public is not None and "first_public_at" not in incident.data:
        due = float(incident.data.get("public_from", opened)) + severity.first_public
        found += _due(
            "public", NoticeKind.PUBLIC_SOON, NoticeKind.PUBLIC_LATE, due, severity.first_public
        )
    since = max(opened, float(incident.data.get("graded_at", 0.0)))
    left = {h.role: h.since for h in holdings if not h.user}
    for role in empty_roles(incident, holdings, roles):
        at = max(since, left.get(role.name, 0.0)) + EMPTY_AFTER
        key = f"empty:{role.name}@{at}"
        found.append(Series(NoticeKind.ROLE_EMPTY, key, at, EMPTY_EVERY, role.name))
    for each in holdings:
        if each.offered_to and each.offered_at is not None:
            at = max(opened, each.offered_at) + OFFER_AFTER
            key = f"offer:{each.role}@{at}"
            found.append(Series(NoticeKind.OFFER_OPEN, key, at, None, each.role))
    return found


def _due(
    name: str, soon: NoticeKind, late: NoticeKind, due: Seconds | None, every: float | None
) -> list[Series]:
    if due is None or every is None:
        return []
    return [
        Series(soon, f"{name}-soon@{due}", due - lead(every)),
        Series(late, f"{name}-late@{due}", due, every),
    ]


def advance(
    incident: Incident,
    holdings: Sequence[RoleHolding],
    severity: SeverityDefinition,
    roles: Mapping[str, RoleDefinition],
    now: Seconds,
) -> tuple[Incident, list[Notice]]:
    """What must be told now, and the incident that knows that it was told, with its next due time.

    A reminder that comes together with its own escalation is left out.
    """
    waiting = series(incident, holdings, severity, roles)
    told: Mapping[str, int] = incident.data.get("clock", {})
    after = {s.key: max(s.passed(now), told.get(s.key, 0)) for s in waiting}
    notices = [
        Notice(s.kind, after[s.key], s.at, s.role)
        for s in waiting
        if after[s.key] > told.get(s.key, 0)
    ]
    late = {n.kind for n in notices}
    for soon, then in (
        (NoticeKind.UPDATE_SOON, NoticeKind.UPDATE_LATE),
        (NoticeKind.PUBLIC_SOON, NoticeKind.PUBLIC_LATE),
    ):
        if then in late:
            notices = [n for n in notices if n.kind is not soon]
    following = [at for s in waiting if (at := s.after(after[s.key])) is not None]
    data = {**incident.data, "clock": {k: n for k, n in after.items() if n}}
    return replace(incident, due_at=min(following, default=None), data=data), notices


def scheduled(
    incident: Incident,
    holdings: Sequence[RoleHolding],
    severity: SeverityDefinition,
    roles: Mapping[str, RoleDefinition],
) -> Incident:
    """The incident with the time at which the engine must look at it next, telling nothing."""
    told: Mapping[str, int] = incident.data.get("clock", {})
    waiting = series(incident, holdings, severity, roles)
    following = [at for s in waiting if (at := s.after(told.get(s.key, 0))) is not None]
    return replace(incident, due_at=min(following, default=None))
