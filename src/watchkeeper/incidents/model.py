"""Incidents, roles and entries. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from watchkeeper.kernel.clock import Seconds


class IncidentState(StrEnum):
    """Where the work stands. What each means is shown to people: see `MEANING`."""

    TRIGGERED = "triggered"
    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MITIGATED = "mitigated"
    RESOLVED = "resolved"


MEANING: Mapping[IncidentState, str] = {
    IncidentState.TRIGGERED: "Declared; nobody has begun to look.",
    IncidentState.INVESTIGATING: "People look for what is wrong.",
    IncidentState.IDENTIFIED: "What is wrong is known; it is still wrong.",
    IncidentState.MITIGATED: "Users are no longer hurt; the cause may still be there.",
    IncidentState.RESOLVED: "It is over. The postmortem begins.",
}


class EntryKind(StrEnum):
    """What an entry of the timeline is."""

    DETECTED = "detected"
    CHANGE = "change"
    ACTION = "action"
    DECISION = "decision"
    MESSAGE = "message"
    UPDATE = "update"
    ROLE = "role"
    SEVERITY = "severity"
    STATE = "state"
    MITIGATION = "mitigation"
    METRIC = "metric"
    NOTE = "note"
    LINK = "link"
    AMENDMENT = "amendment"


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident as kept.

    ``update_due_at``: when others must be told next; None: nothing is due. ``due_at``: when the
    engine must look at it next. ``began_at``/``detected_at``/…: UTC epoch seconds, the times that
    durations are computed from; each may be set by a person, with a reason on the timeline.
    ``services``/``slos``/``journeys``: what is affected. ``merged_into``: the one that goes on.
    ``causes``: what kind of thing it was, in words of the team (`bad-deploy`). ``fingerprint``: of
    its alert and cause, by which it is known again. ``entries``: how many the timeline has;
    ``head``: the digest of the last one.
    """

    id: int
    title: str
    severity: str
    state: IncidentState
    declared_at: Seconds
    declared_by: str
    version: int
    summary: str = ""
    services: tuple[str, ...] = ()
    slos: tuple[str, ...] = ()
    journeys: tuple[str, ...] = ()
    pages: tuple[int, ...] = ()
    began_at: Seconds | None = None
    detected_at: Seconds | None = None
    acknowledged_at: Seconds | None = None
    mitigated_at: Seconds | None = None
    resolved_at: Seconds | None = None
    last_update_at: Seconds | None = None
    update_due_at: Seconds | None = None
    due_at: Seconds | None = None
    merged_into: int | None = None
    drill: bool = False
    causes: tuple[str, ...] = ()
    fingerprint: str = ""
    entries: int = 0
    head: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RoleHolding:
    """Who has a role. ``offered_to``: whom it is being handed to and who has not accepted yet."""

    incident_id: int
    role: str
    user: str
    since: Seconds
    offered_to: str = ""
    offered_at: Seconds | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the timeline; never changed once written.

    ``at``: when it happened; ``written_at``: when it was written. ``source``: web, api, cli, slack,
    matrix, engine. ``amends``: the number of the entry that this one corrects; ``data`` then holds
    what changes: ``text``, ``at``, ``pinned``. ``digest``: see `incidents.chain`;
    ``previous``: that of the entry before it in the same incident, '' for the first.
    """

    id: int
    incident_id: int
    number: int
    kind: EntryKind
    at: Seconds
    written_at: Seconds
    actor: str
    source: str
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)
    amends: int | None = None
    previous: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class NewEntry:
    """What is to be written. ``at``: None is the time of writing."""

    kind: EntryKind
    actor: str
    source: str
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)
    at: Seconds | None = None
    amends: int | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """An entry as it is read now: with its amendments applied, and how often it was amended."""

    entry: Entry
    text: str
    at: Seconds
    pinned: bool = False
    amendments: int = 0


@dataclass(frozen=True, slots=True)
class Impact:
    """What an incident cost, from the ledger.

    Times in seconds, None when an end is not known. ``bad``/``total``: events by SLO; ``budget``:
    the share of each SLO's budget that was spent by them; ``users`` and ``revenue`` (by currency)
    from the figures of the services. ``overrides``: what a person put in its place, and why.
    """

    start: Seconds
    end: Seconds
    bad: Mapping[str, float]
    total: Mapping[str, float]
    budget: Mapping[str, float]
    users: float | None
    revenue: Mapping[str, float]
    to_detect: float | None = None
    to_acknowledge: float | None = None
    to_mitigate: float | None = None
    to_resolve: float | None = None
    overrides: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
