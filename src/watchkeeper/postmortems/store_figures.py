"""What figures are made of: only the columns that they need, read as plain rows."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from watchkeeper.incidents.durations import between
from watchkeeper.incidents.store import incident, incident_part
from watchkeeper.kernel.clock import Seconds
from watchkeeper.postmortems.figures import Happened, Promised
from watchkeeper.postmortems.model import ActionState
from watchkeeper.postmortems.store_items import action_item

_STATES = {str(state): state for state in ActionState}


def happened(
    conn: Connection, since: Seconds, until: Seconds, service: str = "", severity: str = ""
) -> list[Happened]:
    """Incidents that were declared in [since, until): no exercises, none that others took in."""
    c, p = incident.c, incident_part.c
    within = [c.declared_at >= since, c.declared_at < until, c.drill.is_(False)]
    within.append(c.merged_into.is_(None))
    if severity:
        within.append(c.severity == severity)
    if service:
        named = select(p.incident_id).where(p.kind == "service", p.name == service)
        within.append(c.id.in_(named))
    query = select(
        c.id, c.declared_at, c.severity, c.began_at, c.detected_at, c.acknowledged_at,
        c.mitigated_at, c.resolved_at,
    ).where(*within)  # fmt: skip
    rows = conn.execute(query).all()
    ids = [row.id for row in rows]
    services, causes = _named(conn, "service", ids), _named(conn, "cause", ids)
    return [
        Happened(at, graded, between(*moments), services.get(number, ()), causes.get(number, ()))
        for number, at, graded, *moments in rows
    ]


def _named(conn: Connection, kind: str, ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """The services or causes of incidents, by incident: of these, and of others between them.

    An index holds all of it in one run; to look into it for each incident takes four times as long.
    """
    c = incident_part.c
    if not ids:
        return {}
    between_them = c.incident_id.between(min(ids), max(ids))
    found: dict[int, tuple[str, ...]] = {}
    query = select(c.incident_id, c.name).where(c.kind == kind, between_them)
    for number, name in conn.execute(query).all():
        found[number] = (*found.get(number, ()), name)
    return found


def promised(conn: Connection, since: Seconds, until: Seconds) -> list[Promised]:
    """Action items that were made in [since, until)."""
    c = action_item.c
    query = select(c.created_at, c.state, c.due_at, c.done_at, c.type)
    query = query.where(c.created_at >= since, c.created_at < until)
    return [
        Promised(made, _STATES[state], due, done, kind)
        for made, state, due, done, kind in conn.execute(query).all()
    ]
