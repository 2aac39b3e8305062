"""Posts, notices and subscribers in the database: the SQL of status pages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    Select,
    String,
    Table,
    Text,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.engine import RowMapping

from watchkeeper.incidents.model import IncidentState
from watchkeeper.incidents.status.model import Subscriber
from watchkeeper.incidents.store import incident, incident_entry
from watchkeeper.kernel.clock import Seconds
from watchkeeper.store import asking, metadata
from watchkeeper.store.tables import ID
from watchkeeper.store.writing import insert_new

status_post = Table(
    "status_post",
    metadata,
    Column("incident_id", ID, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("public", Boolean, nullable=False),
    Index("ix_status_post_at", "public", "at"),
)

status_notice = Table(
    "status_notice",
    metadata,
    Column("id", ID, primary_key=True),
    Column("page", String(200), nullable=False),
    Column("incident_id", ID, nullable=False),
    Column("number", Integer, nullable=False),
    Column("at", Double, nullable=False),
    Column("reached", ID, nullable=False),
    Column("planned", String(100), nullable=False, server_default=""),
    sqlite_autoincrement=True,
)

status_planned = Table(
    "status_planned",
    metadata,
    Column("page", String(200), primary_key=True),
    Column("until", Double, nullable=False),
)
"""Until when a page's planned work was looked at for what began or ended."""

status_subscriber = Table(
    "status_subscriber",
    metadata,
    Column("id", ID, primary_key=True),
    Column("page", String(200), nullable=False),
    Column("kind", String(10), nullable=False),
    Column("address", String(500), nullable=False),
    Column("active", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("confirmed_at", Double),
    Column("components", Text, nullable=False),
    Index("ix_status_subscriber_address", "page", "kind", "address", unique=True),
    Index("ix_status_subscriber_page", "page", "active", "id"),
    sqlite_autoincrement=True,
)


@dataclass(frozen=True, slots=True)
class Notice:
    """An update that subscribers of a page are being told of. ``number``: of its entry, 0: that the
    incident was ended. ``reached``: the last subscriber whose message is in the outbox.
    ``planned``: the public name of planned work, when it is of that and of no incident."""

    id: int
    page: str
    incident_id: int
    number: int
    at: Seconds
    reached: int
    planned: str = ""


# ---------------------------------------------------------------- posts


def add_post(conn: Connection, incident_id: int, number: int, at: Seconds, public: bool) -> None:
    """Note that an entry is an update, so that pages find it."""
    values = {"incident_id": incident_id, "number": number, "at": at, "public": public}
    conn.execute(insert(status_post).values(**values))


def revision(conn: Connection) -> int:
    """The number of the newest entry of any timeline: whatever changes an incident writes one."""
    return int(conn.execute(select(func.max(incident_entry.c.id))).scalar() or 0)


def told_since(conn: Connection, since: Seconds, until: Seconds | None = None) -> list[int]:
    """Incidents that the public was told of in [since, until), and those open of which it was."""
    c = status_post.c
    query = select(c.incident_id).where(c.public, c.at >= since).distinct()
    if until is not None:
        query = query.where(c.at < until)
    found = {int(i) for i in conn.execute(query).scalars()}
    going = select(c.incident_id).join(incident, incident.c.id == c.incident_id)
    going = going.where(c.public, incident.c.state != str(IncidentState.RESOLVED)).distinct()
    return sorted(found | {int(i) for i in conn.execute(going).scalars()})


def declared_since(conn: Connection, since: Seconds, until: Seconds | None = None) -> list[int]:
    """Incidents declared in [since, until), and all that are open."""
    c = incident.c
    query = select(c.id).where(c.declared_at >= since)
    if until is not None:
        query = query.where(c.declared_at < until)
    going = select(c.id).where(c.state != str(IncidentState.RESOLVED))
    found = {int(i) for i in conn.execute(query).scalars()}
    return sorted(found | {int(i) for i in conn.execute(going).scalars()})


def first_post(conn: Connection) -> Seconds | None:
    """When the public was told of anything for the first time."""
    found = conn.execute(select(func.min(status_post.c.at)).where(status_post.c.public)).scalar()
    return None if found is None else float(found)


def told_of(conn: Connection, incident_id: int) -> bool:
    """Whether the public was told of this incident."""
    c = status_post.c
    query = select(c.number).where(c.incident_id == incident_id, c.public).limit(1)
    return conn.execute(query).first() is not None


# ---------------------------------------------------------------- notices


def add_notice(conn: Connection, page: str, incident_id: int, number: int, now: Seconds) -> None:
    """Subscribers of a page are to be told."""
    values = {"page": page, "incident_id": incident_id, "number": number, "at": now, "reached": 0}
    conn.execute(insert(status_notice).values(**values))


def add_planned_notice(
    conn: Connection, page: str, planned: str, number: int, now: Seconds
) -> None:
    """Subscribers of a page are to be told of planned work."""
    values = {"page": page, "incident_id": 0, "number": number, "at": now, "reached": 0}
    conn.execute(insert(status_notice).values(**values, planned=planned))


def looked_until(conn: Connection) -> dict[str, Seconds]:
    """Until when planned work was looked at, by page."""
    c = status_planned.c
    return {page: float(until) for page, until in conn.execute(select(c.page, c.until))}


def look(conn: Connection, page: str, now: Seconds) -> Seconds | None:
    """Planned work is looked at until ``now``. Since when; None: for the first time, or another
    replica has looked by then."""
    if insert_new(conn, status_planned, {"page": page, "until": now}):
        return None
    c = status_planned.c
    query = select(c.until).where(c.page == page).with_for_update()
    since = float(conn.execute(query).scalar_one())
    if since >= now:
        return None
    conn.execute(update(status_planned).where(c.page == page).values(until=now))
    return since


WAITING = exists().where(status_notice.c.id.is_not(None))
"""Whether subscribers are still to be told of something: for `watchkeeper.store.asking`."""
_WAITING = asking.ask(WAITING)


def anything_to_tell(conn: Connection) -> bool:
    """True when subscribers are still to be told of something."""
    return asking.answers(conn, _WAITING) == [True]


def next_notice(conn: Connection) -> Notice | None:
    """The oldest notice; no other replica takes it meanwhile."""
    query = select(status_notice).order_by(status_notice.c.id).limit(1)
    row = conn.execute(query.with_for_update(skip_locked=True)).mappings().first()
    return Notice(**row) if row else None


def reached(conn: Connection, notice: Notice, subscriber: int | None) -> None:
    """How far a notice got; None: all have been told."""
    where = status_notice.c.id == notice.id
    if subscriber is None:
        conn.execute(delete(status_notice).where(where))
    else:
        conn.execute(update(status_notice).where(where).values(reached=subscriber))


# ---------------------------------------------------------------- subscribers


def subscribe(conn: Connection, new: Subscriber) -> Subscriber:
    """Keep a subscriber who has not confirmed; the one that is there is given back, with the
    components that were asked for now if it was not confirmed either."""
    held = of_address(conn, new.page, new.kind, new.address)
    c = status_subscriber.c
    if held is None:
        query = insert(status_subscriber).values(**_values(new)).returning(c.id)
        return replace(new, id=int(conn.execute(query).scalar_one()))
    if held.active:
        return held
    again = replace(new, id=held.id)
    conn.execute(update(status_subscriber).where(c.id == held.id).values(**_values(again)))
    return again


def of_address(conn: Connection, page: str, kind: str, address: str) -> Subscriber | None:
    """The subscriber of a page with this address."""
    c = status_subscriber.c
    found = _found(
        conn, select(status_subscriber).where(c.page == page, c.kind == kind, c.address == address)
    )
    return found[0] if found else None


def get(conn: Connection, subscriber_id: int) -> Subscriber | None:
    """One subscriber."""
    found = _found(conn, select(status_subscriber).where(status_subscriber.c.id == subscriber_id))
    return found[0] if found else None


def confirm(conn: Connection, subscriber_id: int, now: Seconds) -> bool:
    """The address proved itself; False when it is gone, or had before."""
    c = status_subscriber.c
    query = update(status_subscriber).where(c.id == subscriber_id, c.active.is_(False))
    return bool(conn.execute(query.values(active=True, confirmed_at=now)).rowcount)


def choose(conn: Connection, subscriber_id: int, components: Sequence[str]) -> None:
    """Tell a subscriber of these components; () is all."""
    where = status_subscriber.c.id == subscriber_id
    values = {"components": json.dumps(list(components))}
    conn.execute(update(status_subscriber).where(where).values(**values))


def remove(conn: Connection, subscriber_id: int) -> bool:
    """Forget a subscriber; False when there is none."""
    where = status_subscriber.c.id == subscriber_id
    return bool(conn.execute(delete(status_subscriber).where(where)).rowcount)


def forget_unconfirmed(conn: Connection, before: Seconds) -> int:
    """Forget those who asked before this time and never confirmed."""
    c = status_subscriber.c
    where = c.active.is_(False), c.created_at < before
    return conn.execute(delete(status_subscriber).where(*where)).rowcount


def subscribers(
    conn: Connection, page: str, *, active: bool | None = None, after: int = 0,
    limit: int | None = None, text: str = "",
) -> list[Subscriber]:  # fmt: skip
    """Subscribers of a page by id, those after ``after``."""
    c = status_subscriber.c
    query = select(status_subscriber).where(c.page == page, c.id > after).order_by(c.id)
    if active is not None:
        query = query.where(c.active.is_(active))
    if text:
        query = query.where(func.lower(c.address).contains(text.lower(), autoescape=True))
    return _found(conn, query if limit is None else query.limit(limit))


def count(conn: Connection, page: str) -> int:
    """How many are told."""
    c = status_subscriber.c
    query = select(func.count()).where(c.page == page, c.active)
    return int(conn.execute(query).scalar_one())


def _values(its: Subscriber) -> dict[str, Any]:
    values = {n: getattr(its, n) for n in Subscriber.__slots__ if n != "id"}
    return {**values, "components": json.dumps(list(its.components))}


def _found(conn: Connection, query: Select[Any]) -> list[Subscriber]:
    return [_subscriber(row) for row in conn.execute(query).mappings()]


def _subscriber(row: RowMapping) -> Subscriber:
    named: dict[str, Any] = {n: row[n] for n in Subscriber.__slots__}
    named.update(active=bool(row["active"]), components=tuple(json.loads(row["components"])))
    return Subscriber(**named)
