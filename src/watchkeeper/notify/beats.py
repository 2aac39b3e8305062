"""Replicas and their beats in the database: who says that they live."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Column, Connection, Double, Integer, String, Table, func, select, update

from watchkeeper.kernel.clock import Seconds
from watchkeeper.store import metadata
from watchkeeper.store.writing import insert_new

replica = Table(
    "replica",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("beat", Integer, nullable=False),
    Column("seen_at", Double, nullable=False),
    Column("version", Integer, nullable=False),
)


def beat(conn: Connection, replica_id: str, number: int, version: int, now: Seconds) -> None:
    """Say that this replica lives."""
    values = {"beat": number, "seen_at": now, "version": version}
    query = update(replica).where(replica.c.id == replica_id).values(**values)
    if not conn.execute(query).rowcount:
        insert_new(conn, replica, {"id": replica_id, **values})


def beats(conn: Connection) -> dict[str, int]:
    """The beat of every replica that is known."""
    rows = conn.execute(select(replica.c.id, replica.c.beat))
    return {str(name): int(number) for name, number in rows}


def newest_version(conn: Connection) -> int:
    """The newest version of the delivery's protocol that any replica speaks."""
    return int(conn.execute(select(func.max(replica.c.version))).scalar() or 0)


def forget_replicas(conn: Connection, gone: Collection[str]) -> None:
    """These replicas have ended."""
    if gone:
        conn.execute(replica.delete().where(replica.c.id.in_(gone)))
