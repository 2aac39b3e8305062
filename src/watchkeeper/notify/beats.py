"""Replicas and their beats in the database: who says that they live."""

from __future__ import annotations

import time
from collections.abc import Collection

from sqlalchemy import (
    Column,
    Connection,
    Double,
    Integer,
    String,
    Table,
    bindparam,
    func,
    select,
    update,
)

from watchkeeper.kernel.clock import Seconds, SteadyClock, resumed
from watchkeeper.store import metadata
from watchkeeper.store.writing import insert_new

replica = Table(
    "replica",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("beat", Integer, nullable=False),
    Column("seen_at", Double, nullable=False),
    Column("version", Integer, nullable=False),
    # How far the replica's clock was ahead of the wall clock. None: it does not say.
    Column("ahead", Double),
)
_BEAT = (
    update(replica)
    .where(replica.c.id == bindparam("b_id"))
    .values({n: bindparam(f"b_{n}") for n in ("beat", "seen_at", "version", "ahead")})
)
_BEATS = select(replica.c.id, replica.c.beat)
_NEWEST = select(func.max(replica.c.version))


def beat(
    conn: Connection,
    replica_id: str,
    number: int,
    version: int,
    now: Seconds,
    ahead: Seconds | None = None,
) -> None:
    """Say that this replica lives."""
    values = {
        "id": replica_id, "beat": number, "seen_at": now, "version": version, "ahead": ahead
    }  # fmt: skip
    if not conn.execute(_BEAT, {f"b_{n}": v for n, v in values.items()}).rowcount:
        insert_new(conn, replica, values)


def beats(conn: Connection) -> dict[str, int]:
    """The beat of every replica that is known."""
    return {str(name): int(number) for name, number in conn.execute(_BEATS)}


def newest_version(conn: Connection) -> int:
    """The newest version of the delivery's protocol that any replica speaks."""
    return int(conn.execute(_NEWEST).scalar() or 0)


def forget_replicas(conn: Connection, gone: Collection[str]) -> None:
    """These replicas have ended."""
    if gone:
        conn.execute(replica.delete().where(replica.c.id.in_(gone)))


def wall(conn: Connection) -> Seconds:
    """The wall clock that all replicas of this database share: PostgreSQL's, or the machine's."""
    if conn.dialect.name != "postgresql":
        return time.time()
    return float(conn.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())


def steady_clock(conn: Connection) -> SteadyClock:
    """A clock that goes on from where the replica stood that was seen last."""
    at = wall(conn)
    newest = select(replica.c.seen_at, replica.c.ahead).where(replica.c.ahead.is_not(None))
    last = conn.execute(newest.order_by(replica.c.seen_at.desc()).limit(1)).first()
    start = None if last is None else resumed(at, last.seen_at, last.seen_at - last.ahead)
    return SteadyClock(at, time.monotonic, start)
