"""Rooms of incidents in other chats, what was told there, and what came from there."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    String,
    Table,
    Text,
    and_,
    delete,
    or_,
    select,
    update,
)
from sqlalchemy.engine import RowMapping

from watchkeeper.incidents.chat.model import Known, Room
from watchkeeper.incidents.model import IncidentState
from watchkeeper.incidents.store import incident
from watchkeeper.kernel.clock import Seconds
from watchkeeper.store import metadata
from watchkeeper.store.tables import ID
from watchkeeper.store.writing import insert_new, upsert

incident_room = Table(
    "incident_room",
    metadata,
    Column("incident_id", ID, primary_key=True, autoincrement=False),
    Column("channel", String(200), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("external", String(300), nullable=False),
    Column("told", Integer, nullable=False),
    Column("topic", Text, nullable=False),
    Column("invited", Text, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("due_at", Double, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("doubt", Boolean, nullable=False),
    Column("said", Text, nullable=False),
    Column("since", Double),
    Column("lease", Double),
    Column("version", Integer, nullable=False),
    Index("ix_incident_room_due", "open", "due_at"),
    Index("ix_incident_room_external", "channel", "external"),
)

incident_room_message = Table(
    "incident_room_message",
    metadata,
    Column("incident_id", ID, primary_key=True, autoincrement=False),
    Column("channel", String(200), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("external", String(300), nullable=False),
    Index("ix_incident_room_message_external", "channel", "external"),
)

chat_seen = Table(
    "chat_seen",
    metadata,
    Column("channel", String(200), primary_key=True),
    Column("event", String(300), primary_key=True),
    Column("at", Double, nullable=False),
    Index("ix_chat_seen_at", "at"),
)

chat_person = Table(
    "chat_person",
    metadata,
    Column("channel", String(200), primary_key=True),
    Column("external", String(200), primary_key=True),
    Column("user", String(200), nullable=False),
    Column("name", String(200), nullable=False),
    Column("at", Double, nullable=False),
)

chat_cursor = Table(
    "chat_cursor",
    metadata,
    Column("channel", String(200), primary_key=True),
    Column("since", Text, nullable=False),
    Column("lease", Double),
    Column("owner", String(50), nullable=False),
)

# ---------------------------------------------------------------- rooms


def without(
    conn: Connection, channel: str, severities: Collection[str], *, drills: bool
) -> list[int]:
    """Incidents that go on and have no open room in this chat. No severities: all of them."""
    i, r = incident.c, incident_room.c
    here = and_(r.incident_id == i.id, r.channel == channel, r.open.is_(True))
    query = select(i.id).select_from(incident.outerjoin(incident_room, here))
    query = query.where(
        i.state != str(IncidentState.RESOLVED), i.merged_into.is_(None), r.channel.is_(None)
    )
    if severities:
        query = query.where(i.severity.in_(list(severities)))
    if not drills:
        query = query.where(i.drill.is_(False))
    return [int(n) for n in conn.execute(query.order_by(i.id)).scalars()]


def open_room(conn: Connection, made: Room) -> None:
    """Keep a new room; one that was closed goes on where it ended."""
    if insert_new(conn, incident_room, _values(made)):
        return
    r = incident_room.c
    its = r.incident_id == made.incident_id, r.channel == made.channel
    conn.execute(update(incident_room).where(*its).values(open=True, due_at=made.due_at))


def anything_due(conn: Connection, channels: Collection[str], now: Seconds) -> bool:
    """Whether a room of one of these chats waits to be told something."""
    query = _waiting(channels, now).with_only_columns(incident_room.c.incident_id).limit(1)
    return conn.execute(query).first() is not None


def claim(
    conn: Connection, channels: Collection[str], now: Seconds, lease: float, limit: int
) -> list[Room]:
    """Take rooms that wait. One whose lease ran out was left in the middle: in doubt."""
    found = [_room(row) for row in conn.execute(_waiting(channels, now).limit(limit)).mappings()]
    taken = []
    for room in found:
        doubt = room.doubt or room.lease is not None
        kept = save(conn, replace(room, doubt=doubt, lease=now + lease))
        if kept is not None:
            taken.append(kept)
    return taken


def _waiting(channels: Collection[str], now: Seconds) -> Any:  # noqa: ANN401 - a Select
    r, i = incident_room.c, incident.c
    query = select(incident_room).join(incident, i.id == r.incident_id)
    query = query.where(
        r.open.is_(True),
        r.due_at <= now,
        r.channel.in_(list(channels)),
        or_(r.lease.is_(None), r.lease <= now),
        or_(r.told < i.entries, r.external == ""),
    )
    return query.order_by(r.due_at, r.incident_id, r.channel)


def save(conn: Connection, room: Room) -> Room | None:
    """Write one that was read at ``room.version``; None when another was quicker."""
    r = incident_room.c
    its = r.incident_id == room.incident_id, r.channel == room.channel, r.version == room.version
    values = {**_values(room), "version": room.version + 1}
    if not conn.execute(update(incident_room).where(*its).values(**values)).rowcount:
        return None
    return replace(room, version=room.version + 1)


def of_incident(conn: Connection, incident_id: int) -> list[Room]:
    """The rooms of an incident."""
    r = incident_room.c
    query = select(incident_room).where(r.incident_id == incident_id).order_by(r.channel)
    return [_room(row) for row in conn.execute(query).mappings()]


def by_external(conn: Connection, channel: str, external: str) -> Room | None:
    """The room that a chat calls so."""
    r = incident_room.c
    query = select(incident_room).where(r.channel == channel, r.external == external)
    row = conn.execute(query).mappings().first() if external else None
    return _room(row) if row is not None else None


def close_old(conn: Connection, before: Seconds) -> None:
    """Close rooms of incidents that were over before this; nobody looks for news of them."""
    over = select(incident.c.id).where(
        incident.c.state == str(IncidentState.RESOLVED), incident.c.resolved_at < before
    )
    r = incident_room.c
    old = r.open.is_(True), r.lease.is_(None), r.incident_id.in_(over)
    conn.execute(update(incident_room).where(*old).values(open=False))


def _values(room: Room) -> dict[str, Any]:
    values: dict[str, Any] = {n: getattr(room, n) for n in Room.__slots__}
    return {**values, "invited": json.dumps(list(room.invited))}


def _room(row: RowMapping) -> Room:
    named: dict[str, Any] = {n: row[n] for n in Room.__slots__}
    return Room(**{**named, "invited": tuple(json.loads(row["invited"]))})


# ---------------------------------------------------------------- messages and events


def note_message(
    conn: Connection, incident_id: int, channel: str, number: int, external: str
) -> None:
    """Remember which message of a chat an entry is."""
    row = {"incident_id": incident_id, "channel": channel, "number": number, "external": external}
    upsert(conn, incident_room_message, [row])


def message_of(conn: Connection, incident_id: int, channel: str, number: int) -> str:
    """The chat's id of an entry; '' when it is not there."""
    m = incident_room_message.c
    its = m.incident_id == incident_id, m.channel == channel, m.number == number
    return str(conn.execute(select(m.external).where(*its)).scalar() or "")


def entry_of(conn: Connection, incident_id: int, channel: str, external: str) -> int | None:
    """The entry that a message of a chat is."""
    m = incident_room_message.c
    its = m.incident_id == incident_id, m.channel == channel, m.external == external
    return conn.execute(select(m.number).where(*its)).scalar()


def first_time(conn: Connection, channel: str, event: str, now: Seconds) -> bool:
    """True when this event was not seen before; it is from now on."""
    return insert_new(conn, chat_seen, {"channel": channel, "event": event[:300], "at": now})


def forget_seen(conn: Connection, before: Seconds) -> None:
    """Drop events that no chat repeats any more."""
    conn.execute(delete(chat_seen).where(chat_seen.c.at < before))


# ---------------------------------------------------------------- people and cursors


def person(conn: Connection, channel: str, external: str, since: Seconds = 0.0) -> Known | None:
    """Who somebody in a chat is; None when that was not asked since then."""
    p = chat_person.c
    its = p.channel == channel, p.external == external, p.at >= since
    row = conn.execute(select(p.user, p.name).where(*its)).first()
    return Known(str(row[0]), str(row[1])) if row is not None else None


def save_person(conn: Connection, channel: str, external: str, known: Known, now: Seconds) -> None:
    """Remember who somebody is."""
    row = {"channel": channel, "external": external[:200], "user": known.user[:200],
           "name": known.name[:200], "at": now}  # fmt: skip
    upsert(conn, chat_person, [row])


def take_cursor(
    conn: Connection, channel: str, owner: str, now: Seconds, lease: float
) -> str | None:
    """Where to go on listening, for the one replica that may; None: another listens."""
    insert_new(conn, chat_cursor, {"channel": channel, "since": "", "lease": None, "owner": ""})
    c = chat_cursor.c
    free = c.channel == channel, or_(c.lease.is_(None), c.lease <= now, c.owner == owner)
    query = update(chat_cursor).where(*free).values(owner=owner, lease=now + lease)
    row = conn.execute(query.returning(c.since)).first()
    return None if row is None else str(row[0])


def move_cursor(conn: Connection, channel: str, owner: str, before: str, since: str) -> bool:
    """Go on from here; False when another replica has gone on meanwhile."""
    c = chat_cursor.c
    its = c.channel == channel, c.owner == owner, c.since == before
    return bool(conn.execute(update(chat_cursor).where(*its).values(since=since)).rowcount)


def give_back(conn: Connection, channels: Sequence[str], owner: str) -> None:
    """Let others listen: this replica ends."""
    c = chat_cursor.c
    mine = c.channel.in_(list(channels)), c.owner == owner
    conn.execute(update(chat_cursor).where(*mine).values(lease=None, owner=""))


def listens(conn: Connection, channel: str) -> bool:
    """Whether it is known from where on a chat is listened to."""
    query = select(chat_cursor.c.since).where(chat_cursor.c.channel == channel)
    return bool(conn.execute(query).scalar())
