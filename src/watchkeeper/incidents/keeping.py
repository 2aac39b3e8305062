"""What every use case of an incident shares: find it, save it with its entry and event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from watchkeeper.incidents import clocks, store
from watchkeeper.incidents.model import EntryKind, Incident, NewEntry
from watchkeeper.incidents.rules import Changed
from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.spec.model import Specs
from watchkeeper.spec.response import SeverityDefinition
from watchkeeper.store import timeline


@dataclass(frozen=True, slots=True)
class By:
    """Who does something, and where: web, api, cli, slack, matrix, engine."""

    actor: str
    source: str


ENGINE = By("engine", "engine")


def must(conn: Connection, incident_id: int) -> Incident:
    """An incident that is there, which nobody else changes meanwhile. Raises NotFound."""
    found = store.get(conn, incident_id, lock=True)
    if found is None:
        raise NotFound(f"There is no incident {incident_id}.", "`wk incident list` shows them.")
    return found


def kept_with(
    conn: Connection, changed: Changed, kind: EntryKind, by: By, now: Seconds, specs: Specs,
    data: Mapping[str, Any],
) -> Incident:  # fmt: skip
    """Save a change with its entry and its event. Raises UserError when another was quicker."""
    after = changed.incident
    after = clocks.scheduled(
        after, store.roles(conn, after.id), grade_of(specs, after), specs.response.roles
    )
    kept = store.save(conn, after)
    if kept is None:
        raise UserError("Somebody changed this incident just now.", "Look at it and try again.")
    write(conn, kept, kind, by, changed.text, now, data=data)
    log(conn, kept, f"incident.{kind}", by, now, {"text": changed.text[:500]})
    return kept


def schedule(conn: Connection, incident: Incident, specs: Specs) -> Incident:
    """Save when the engine must look at it next. Raises UserError when another was quicker."""
    holdings = store.roles(conn, incident.id)
    after = clocks.scheduled(incident, holdings, grade_of(specs, incident), specs.response.roles)
    kept = store.save(conn, after)
    if kept is None:
        raise UserError("Somebody changed this incident just now.", "Look at it and try again.")
    return kept


def write(
    conn: Connection, incident: Incident, kind: EntryKind, by: By, text: str, now: Seconds,
    *, data: Mapping[str, Any] | None = None, at: Seconds | None = None,
) -> None:  # fmt: skip
    """Write an entry of its timeline."""
    store.append(conn, incident.id, NewEntry(kind, by.actor, by.source, text, data or {}, at), now)


def person(specs: Specs, user: str) -> None:
    """Raises UserError when there is no such user."""
    if user and specs.duty.users and user not in specs.duty.users:
        raise UserError(
            f"There is no user {user!r}.", f"One of: {', '.join(sorted(specs.duty.users))}."
        )


def known_names(
    specs: Specs, services: Sequence[str], slos: Sequence[str], journeys: Sequence[str]
) -> None:
    """Raises UserError when one of these is not defined."""
    for what, names, known in (
        ("service", services, specs.services),
        ("objective", slos, specs.slos),
        ("journey", journeys, specs.journeys),
    ):
        for name in names:
            if name not in known:
                some = ", ".join(list(known)[:20]) or "none is defined"
                raise UserError(f"There is no {what} {name!r}.", f"Known: {some}.")


def grade_of(specs: Specs, incident: Incident) -> SeverityDefinition:
    """Its severity; one that is defined no more obliges like the mildest."""
    severities = specs.response.severities
    return severities.get(incident.severity) or list(severities.values())[-1]


def log(
    conn: Connection, incident: Incident, kind: str, by: By, now: Seconds, data: Mapping[str, Any]
) -> None:
    """Append an event to the general timeline."""
    timeline.append(conn, now, kind, f"incident/{incident.id}", by.actor, data)
