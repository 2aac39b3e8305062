"""Inserting where another replica may insert the same: said once for both databases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import Connection, CursorResult, Table, TextClause, text
from sqlalchemy.dialects import postgresql, sqlite

_LONGEST = 64
"""Rows in one SQLite statement."""


def upsert(conn: Connection, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert rows, or replace those with the same primary key."""
    if not rows:
        return
    statement = _insert(conn, table)
    keys = [c.name for c in table.primary_key.columns]
    values = {c.name: statement.excluded[c.name] for c in table.columns if c.name not in keys}
    conn.execute(statement.on_conflict_do_update(index_elements=keys, set_=values), list(rows))


def insert_new(
    conn: Connection, table: Table, row: Mapping[str, object], unique: Sequence[str] = ()
) -> bool:
    """Insert a row unless its primary key is there; True when this transaction inserted it.

    ``unique``: the columns of another unique index by which it is known instead. When another
    transaction has just inserted the key, this waits until that one has ended.
    """
    keys = [table.c[name] for name in unique] or list(table.primary_key.columns)
    statement = _insert(conn, table).on_conflict_do_nothing(index_elements=keys)
    return conn.execute(statement.returning(*keys), dict(row)).first() is not None


def insert_rows(
    conn: Connection,
    table: Table,
    rows: Sequence[Mapping[str, object]],
    *,
    unless_there: bool = False,
) -> None:
    """Insert rows of plain values that all name the same columns, in order.

    ``unless_there`` leaves out those with a key that is there.
    """
    if not rows:
        return
    ending = "ON CONFLICT DO NOTHING" if unless_there else ""
    if conn.dialect.name != "postgresql":
        for _ in insert_parts(conn, table, rows, ending):
            pass
        return
    conn.execute(_from_json(table, tuple(rows[0]), ending), {"rows": as_json(rows)})


@lru_cache(maxsize=1000)
def _from_json(table: Table, names: tuple[str, ...], ending: str) -> TextClause:
    columns = ", ".join(f'"{name}"' for name in names)
    said = f'INSERT INTO "{table.name}" ({columns}) SELECT {columns} FROM {recordset(table)}'
    return text(f"{said} {ending}")


def insert_parts(
    conn: Connection, table: Table, rows: Sequence[Mapping[str, object]], ending: str = ""
) -> Iterator[tuple[Sequence[Mapping[str, object]], CursorResult[Any]]]:
    """SQLite: insert rows of plain values, many in one statement; each part with its result.

    The driver lets go of the interpreter once a statement. One for each row would hand it to
    another busy thread, and wait for it to come back, for each row (measured: half the time).
    """
    for i in range(0, len(rows), _LONGEST):
        part = rows[i : i + _LONGEST]
        names = tuple(part[0])
        flat = tuple(row[name] for row in part for name in names)
        yield part, conn.exec_driver_sql(_values(table.name, names, len(part), ending), flat)


@lru_cache(maxsize=1000)
def _values(table: str, names: tuple[str, ...], rows: int, ending: str) -> str:
    one = f"({', '.join('?' * len(names))})"
    columns = ", ".join(f'"{name}"' for name in names)
    return f'INSERT INTO "{table}" ({columns}) VALUES {", ".join([one] * rows)} {ending}'


def recordset(table: Table, rows: str = ":rows") -> str:
    """PostgreSQL: the parameter ``rows`` (see `as_json`) as rows of this table.

    One short statement and one parameter, however many rows: the driver prepares it once, where a
    long list of values would be read anew each time (measured: a third of the time for 16 rows).
    """
    return f'json_populate_recordset(NULL::"{table.name}", CAST({rows} AS json))'


def as_json(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows of plain values as the JSON that `recordset` reads."""
    return orjson.dumps(rows).decode()


def _insert(conn: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    if conn.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
