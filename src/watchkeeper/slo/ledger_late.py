"""Which chunks' packed hours have changed: a number a chunk, kept beside the ledger's revision.

Packed hours are history; they change only when late data arrives. Whoever keeps a copy of them in
memory compares this number in the same snapshot, and so never computes with a past that was.
"""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from watchkeeper.slo.ledger_tables import state
from watchkeeper.store.writing import insert_new

_FIRST = 2
"""``state`` row 1 is the ledger's revision; chunk c has row 2 + c."""


def note_late(conn: Connection, chunk: int) -> None:
    """Packed hours of this chunk have changed in this transaction."""
    row = _FIRST + chunk
    query = update(state).where(state.c.id == row).values(revision=state.c.revision + 1)
    if not conn.execute(query).rowcount:
        insert_new(conn, state, {"id": row, "revision": 1})


def late_versions(conn: Connection) -> dict[int, int]:
    """How often each chunk's packed hours have changed; chunks that never did are absent."""
    query = select(state.c.id, state.c.revision).where(state.c.id >= _FIRST)
    return {row - _FIRST: version for row, version in conn.execute(query)}
