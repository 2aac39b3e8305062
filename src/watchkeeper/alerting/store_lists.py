"""Alerts as people look for them: filtered, counted, beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select

from watchkeeper.alerting.model import Alert, AlertState
from watchkeeper.alerting.store import alert, by_ids
from watchkeeper.kernel.clock import Seconds

NEAR = 20_000
"""Ids on either side of an alert among which others that go with it are looked for: a bound on the
work, far more than come in while one alert is open."""
NOT_CLOSED = (str(AlertState.OPEN), str(AlertState.ACKNOWLEDGED))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which alerts; '' and () are all. ``text`` is in the summary, the service or the key."""

    states: Sequence[str] = ()
    severity: str = ""
    urgency: str = ""
    service: str = ""
    integration: str = ""
    text: str = ""


def find(conn: Connection, wanted: Wanted, before: int | None, limit: int) -> list[Alert]:
    """Alerts, newest first; ``before`` is the id after which to go on."""
    query = select(alert.c.id).where(_of(wanted))
    if before is not None:
        query = query.where(alert.c.id < before)
    ids = conn.execute(query.order_by(alert.c.id.desc()).limit(limit)).scalars()
    return by_ids(conn, [int(i) for i in ids])[::-1]


def count(conn: Connection, wanted: Wanted) -> int:
    """How many there are."""
    query = select(func.count()).select_from(alert).where(_of(wanted))
    return int(conn.execute(query).scalar_one())


def values_of_open(conn: Connection, column: str, limit: int = 200) -> list[str]:
    """What stands in ``service`` or ``integration`` of alerts that are not closed, sorted."""
    chosen = alert.c[column]
    query = select(chosen).where(alert.c.state.in_(NOT_CLOSED), chosen != "").distinct()
    return sorted(conn.execute(query.order_by(chosen).limit(limit)).scalars())


def open_alerts(conn: Connection, after: int, limit: int) -> list[Alert]:
    """Alerts that are not closed, by id, after this one."""
    query = select(alert.c.id).where(alert.c.state.in_(NOT_CLOSED), alert.c.id > after)
    ids = conn.execute(query.order_by(alert.c.id).limit(limit)).scalars()
    return by_ids(conn, [int(i) for i in ids])


def beside(
    conn: Connection, one: Alert, services: Sequence[str], now: Seconds, limit: int
) -> list[Alert]:
    """Others of these services, or on the same page, that were open while ``one`` was."""
    until = one.closed_at if one.closed_at is not None else now
    same: list[Any] = [alert.c.service.in_(list(services))]
    if one.page_id is not None:
        same.append(alert.c.page_id == one.page_id)
    query = select(alert.c.id).where(
        alert.c.id.between(one.id - NEAR, one.id + NEAR),
        alert.c.id != one.id,
        or_(*same),
        alert.c.opened_at <= until,
        or_(alert.c.closed_at.is_(None), alert.c.closed_at >= one.opened_at),
    )
    ids = conn.execute(query.order_by(alert.c.id.desc()).limit(limit)).scalars()
    return by_ids(conn, [int(i) for i in ids])[::-1]


def earlier(conn: Connection, one: Alert, limit: int) -> list[Alert]:
    """Alerts of the same key that came before this one, newest first."""
    query = select(alert.c.id).where(
        alert.c.id.between(one.id - NEAR, one.id - 1),
        alert.c.integration == one.integration,
        alert.c.key == one.key,
    )
    ids = conn.execute(query.order_by(alert.c.id.desc()).limit(limit)).scalars()
    return by_ids(conn, [int(i) for i in ids])[::-1]


def _of(wanted: Wanted) -> Any:  # noqa: ANN401
    asked: list[Any] = [True]
    if wanted.states:
        asked.append(alert.c.state.in_(list(wanted.states)))
    for name in ("severity", "urgency", "service", "integration"):
        if value := getattr(wanted, name):
            asked.append(alert.c[name] == value)
    if wanted.text:
        low = wanted.text.lower()
        columns = (alert.c.summary, alert.c.service, alert.c.key)
        asked.append(or_(*[func.lower(c).contains(low, autoescape=True) for c in columns]))
    return and_(*asked)
