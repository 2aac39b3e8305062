"""Who is sent the digest, when next, in the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import (
    Column,
    Connection,
    Double,
    Index,
    String,
    Table,
    delete,
    insert,
    select,
    update,
)

from watchkeeper.kernel.clock import Seconds
from watchkeeper.store import metadata
from watchkeeper.store.tables import ID

digest = Table(
    "digest",
    metadata,
    Column("id", ID, primary_key=True),
    Column("user", String(200), nullable=False),
    Column("channel", String(200), nullable=False),
    Column("address", String(500), nullable=False),
    Column("team", String(200), nullable=False),
    Column("made_by", String(200), nullable=False),
    Column("since", Double, nullable=False),
    Column("next_at", Double, nullable=False),
    Index("ix_digest_next", "next_at"),
    sqlite_autoincrement=True,
)
_FIELDS = ("user", "channel", "address", "team", "made_by", "since", "next_at")


@dataclass(frozen=True, slots=True)
class Subscription:
    """A digest for a ``user``, or for an ``address`` of a ``channel``, such as a team's room.

    ``team``: only of services that it owns; '' is all. ``since``: what was published before was in
    an earlier one.
    """

    id: int
    user: str
    channel: str
    address: str
    team: str
    made_by: str
    since: Seconds
    next_at: Seconds


def add(conn: Connection, made: Subscription) -> Subscription:
    """Keep one; it comes back with its id."""
    values = {n: getattr(made, n) for n in _FIELDS}
    found = conn.execute(insert(digest).values(**values).returning(digest.c.id)).scalar_one()
    return replace(made, id=int(found))


def remove(conn: Connection, subscription_id: int) -> bool:
    """End one; False when there is none."""
    return bool(conn.execute(delete(digest).where(digest.c.id == subscription_id)).rowcount)


def every(conn: Connection) -> Sequence[Subscription]:
    """All of them, the oldest first."""
    rows = conn.execute(select(digest).order_by(digest.c.id)).mappings()
    return [Subscription(**row) for row in rows]


def due(conn: Connection, now: Seconds, limit: int = 100) -> Sequence[Subscription]:
    """Those that are to be sent; no other replica takes them meanwhile."""
    query = select(digest).where(digest.c.next_at <= now).order_by(digest.c.next_at, digest.c.id)
    rows = conn.execute(query.limit(limit).with_for_update(skip_locked=True)).mappings()
    return [Subscription(**row) for row in rows]


def anything_due(conn: Connection, now: Seconds) -> bool:
    """True when some digest is to be sent."""
    query = select(digest.c.id).where(digest.c.next_at <= now).limit(1)
    return conn.execute(query).first() is not None


def sent(conn: Connection, its: Subscription, since: Seconds, next_at: Seconds) -> None:
    """Keep up to when it was told, and when the next one is due."""
    query = update(digest).where(digest.c.id == its.id)
    conn.execute(query.values(since=since, next_at=next_at))
