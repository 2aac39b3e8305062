"""Cursors, notes, health and push keys in the database. The room's only SQL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    Integer,
    String,
    Table,
    Text,
    delete,
    select,
    update,
)

from watchkeeper.kernel.clock import Seconds
from watchkeeper.measure.model import Batch, Note, SourceHealth
from watchkeeper.spec.model import SourceDefinition
from watchkeeper.store import metadata
from watchkeeper.store.writing import insert_new

KEEP_NOTES_SECONDS = 30 * 86400
MOST_NOTES_SHOWN = 50
_MOST_MESSAGE = 500

source_state = Table(
    "source_state",
    metadata,
    Column("source", String(200), primary_key=True),
    Column("cursor", Text),
    Column("last_success", Double),
    Column("last_error", Text, nullable=False),
    Column("last_error_at", Double),
)

source_note = Table(
    "source_note",
    metadata,
    Column("source", String(200), primary_key=True),
    Column("day", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(50), primary_key=True),
    Column("message", String(_MOST_MESSAGE), primary_key=True),
    Column("sli", String(500), nullable=False),
    Column("at", Double, nullable=False),
    Column("count", Integer, nullable=False),
)

push_key = Table(
    "push_key",
    metadata,
    Column("key", String(200), primary_key=True),
    Column("at", Double, nullable=False, index=True),
)


def cursors(conn: Connection, sources: Sequence[str]) -> dict[str, Mapping[str, Any] | None]:
    """Where each source stands; None: never read."""
    query = select(source_state.c.source, source_state.c.cursor).where(
        source_state.c.source.in_(sources)
    )
    rows: dict[str, str | None] = dict(iter(conn.execute(query)))
    return {name: _loads(rows.get(name)) for name in sources}


def save(
    conn: Connection,
    definition: SourceDefinition,
    batch: Batch,
    now: Seconds,
    expected_cursor: Mapping[str, Any] | None,
) -> bool:
    """Save cursor, health and notes of a batch; to be done in the transaction that records it.

    False, and nothing saved, when the cursor is no longer ``expected_cursor``: another replica has
    recorded these events already, so the caller must not.
    """
    stored = _lock(conn, definition.name)
    if _loads(stored) != _normal(expected_cursor):
        return False
    errors = [note for note in batch.notes if note.kind == "error"]
    values: dict[str, Any] = {}
    if batch.cursor is not None:
        values["cursor"] = json.dumps(batch.cursor, sort_keys=True)
    if errors:
        values |= {"last_error": _storable(errors[-1].message), "last_error_at": now}
    else:
        values |= {"last_success": now, "last_error": ""}
    same = source_state.c.source == definition.name
    conn.execute(update(source_state).where(same).values(**values))
    for note in batch.notes:
        _note(conn, definition.name, note)
    return True


def _lock(conn: Connection, source: str) -> str | None:
    insert_new(conn, source_state, {"source": source, "last_error": ""})
    query = select(source_state.c.cursor).where(source_state.c.source == source)
    cursor: str | None = conn.execute(query.with_for_update()).scalar_one()
    return cursor


def _note(conn: Connection, source: str, note: Note) -> None:
    key = {
        "source": source,
        "day": int(note.at // 86400),
        "kind": note.kind,
        "message": _storable(note.message)[:_MOST_MESSAGE],
    }
    row = {**key, "sli": _storable(note.sli), "at": note.at, "count": note.count}
    if insert_new(conn, source_note, row):
        old = int(note.at - KEEP_NOTES_SECONDS) // 86400
        conn.execute(
            delete(source_note).where(source_note.c.source == source, source_note.c.day < old)
        )
        return
    same = [source_note.c[name] == value for name, value in key.items()]
    more = update(source_note).where(*same)
    conn.execute(more.values(count=source_note.c.count + note.count, at=note.at))


def _storable(text: str) -> str:
    """Text that every database takes: notes may quote what a log or an endpoint said."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def health(
    conn: Connection, definitions: Sequence[SourceDefinition], now: Seconds
) -> list[SourceHealth]:
    """How each source is doing, in the order given, with its newest notes."""
    states = {row.source: row for row in conn.execute(select(source_state))}
    found = []
    for definition in definitions:
        state = states.get(definition.name)
        success = state.last_success if state else None
        found.append(
            SourceHealth(
                definition.name,
                str(definition.type),
                success,
                state.last_error if state else "",
                None if success is None else max(0.0, now - success),
                notes(conn, definition.name),
            )
        )
    return found


def notes(conn: Connection, source: str) -> list[Note]:
    """The newest notes of a source, equal ones of a day counted together."""
    query = (
        select(source_note)
        .where(source_note.c.source == source)
        .order_by(source_note.c.at.desc(), source_note.c.message)
        .limit(MOST_NOTES_SHOWN)
    )
    # Not by attribute: a row is a tuple, whose own ``count`` is a method.
    rows = conn.execute(query).mappings()
    return [Note(r["kind"], r["message"], r["at"], r["count"], r["sli"]) for r in rows]


def claim_push(conn: Connection, key: str, now: Seconds, keep_seconds: float) -> bool:
    """Take an idempotency key; False when it was taken within ``keep_seconds``."""
    conn.execute(delete(push_key).where(push_key.c.at < now - keep_seconds))
    return insert_new(conn, push_key, {"key": key, "at": now})


def _loads(cursor: str | None) -> Mapping[str, Any] | None:
    loaded: Mapping[str, Any] | None = None if cursor is None else json.loads(cursor)
    return loaded


def _normal(cursor: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The cursor as it would come back from the database (tuples become lists)."""
    return None if cursor is None else _loads(json.dumps(cursor, sort_keys=True))
