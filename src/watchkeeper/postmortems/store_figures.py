"""What figures are made of: only the columns that they need, read as plain rows."""

from __future__ import annotations

from sqlalchemy import Connection, select

from watchkeeper.incidents.durations import between
from watchkeeper.incidents.store import incident, incident_part
from watchkeeper.kernel.clock import Seconds
from watchkeeper.postmortems.figures import Happened, Promised
from watchkeeper.postmortems.model import ActionState
from watchkeeper.postmortems.store_items import action_item


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
    parts: dict[int, dict[str, list[str]]] = {}
    joined = select(p.incident_id, p.kind, p.name).join(incident, c.id == p.incident_id)
    joined = joined.where(*within, p.kind.in_(["service", "cause"]))
    for number, kind, name in conn.execute(joined.order_by(p.incident_id, p.name)):
        parts.setdefault(number, {}).setdefault(kind, []).append(name)
    query = select(
        c.id, c.declared_at, c.severity, c.began_at, c.detected_at, c.acknowledged_at,
        c.mitigated_at, c.resolved_at,
    ).where(*within)  # fmt: skip
    found = []
    for number, at, graded, *moments in conn.execute(query.order_by(c.id)):
        took = between(*moments)
        named_parts = parts.get(number, {})
        services, causes = (tuple(named_parts.get(k, ())) for k in ("service", "cause"))
        found.append(Happened(at, graded, took, services, causes))
    return found


def promised(conn: Connection, since: Seconds, until: Seconds) -> list[Promised]:
    """Action items that were made in [since, until)."""
    c = action_item.c
    query = select(c.created_at, c.state, c.due_at, c.done_at, c.type)
    query = query.where(c.created_at >= since, c.created_at < until)
    return [
        Promised(made, ActionState(state), due, done, kind)
        for made, state, due, done, kind in conn.execute(query)
    ]
