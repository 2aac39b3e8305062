"""The timeline: what changed, when, by whom; written by the transaction that made the change."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    String,
    Table,
    Text,
    insert,
    select,
)

from watchkeeper.kernel.clock import Seconds
from watchkeeper.store.tables import metadata
from watchkeeper.store.writing import insert_rows

event = Table(
    "event",
    metadata,
    # SQLite numbers rows only in a column of exactly INTEGER.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", Double, nullable=False),
    Column("kind", String(100), nullable=False),
    Column("subject", String(500), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("data", Text, nullable=False),
    Index("ix_event_subject", "subject", "id"),
    sqlite_autoincrement=True,
)
_INSERT = insert(event)


@dataclass(frozen=True, slots=True)
class Event:
    """One entry: ``subject`` is what it is about (``slo/checkout``), ``actor`` who did it."""

    id: int
    at: Seconds
    kind: str
    subject: str
    actor: str
    data: Mapping[str, Any]


def append(
    conn: Connection, at: Seconds, kind: str, subject: str, actor: str, data: Mapping[str, Any]
) -> None:
    """Add an event in the caller's transaction."""
    told = {"at": at, "kind": kind, "subject": subject, "actor": actor}
    conn.execute(_INSERT, {**told, "data": _dumps(data)})


NewEvent = tuple[Seconds, str, str, str, Mapping[str, Any]]
"""(at, kind, subject, actor, data)."""


def append_many(conn: Connection, events: Sequence[NewEvent]) -> None:
    """Add events in the caller's transaction, in order, in one statement."""
    rows = [
        {"at": at, "kind": kind, "subject": subject, "actor": actor, "data": _dumps(data)}
        for at, kind, subject, actor, data in events
    ]
    insert_rows(conn, event, rows)


def _dumps(data: Mapping[str, Any]) -> str:
    return orjson.dumps(dict(data), option=orjson.OPT_NON_STR_KEYS).decode()


def read(
    conn: Connection, since_id: int = 0, subject: str = "", kind: str = "", limit: int = 1000
) -> Sequence[Event]:
    """Events after ``since_id``, oldest first, at most ``limit``; filtered where asked."""
    query = select(event).where(event.c.id > since_id).order_by(event.c.id).limit(limit)
    if subject:
        query = query.where(event.c.subject == subject)
    if kind:
        query = query.where(event.c.kind == kind)
    return [
        Event(r["id"], r["at"], r["kind"], r["subject"], r["actor"], json.loads(r["data"]))
        for r in conn.execute(query).mappings()
    ]
