"""Inserting where another replica may insert the same: said once for both databases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def upsert(conn: Connection, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert rows, or replace those with the same primary key."""
    if not rows:
        return
    statement = _insert(conn, table)
    keys = [c.name for c in table.primary_key.columns]
    values = {c.name: statement.excluded[c.name] for c in table.columns if c.name not in keys}
    conn.execute(statement.on_conflict_do_update(index_elements=keys, set_=values), list(rows))


def insert_new(conn: Connection, table: Table, row: Mapping[str, object]) -> bool:
    """Insert a row unless its primary key is there; True when this transaction inserted it.

    When another transaction has just inserted the key, this waits until that one has ended.
    """
    keys = list(table.primary_key.columns)
    statement = _insert(conn, table).on_conflict_do_nothing(index_elements=keys)
    return conn.execute(statement.returning(*keys), dict(row)).first() is not None


def _insert(conn: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    if conn.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
