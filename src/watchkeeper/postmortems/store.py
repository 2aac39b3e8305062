"""Postmortems in the database: one row each, and every text that was ever saved."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
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
    update,
)
from sqlalchemy.engine import RowMapping

from watchkeeper.incidents.model import IncidentState
from watchkeeper.incidents.store import incident as incident_table
from watchkeeper.kernel.clock import Seconds
from watchkeeper.postmortems.model import Postmortem, PostmortemState
from watchkeeper.store import metadata
from watchkeeper.store.tables import ID

postmortem = Table(
    "postmortem",
    metadata,
    Column("id", ID, primary_key=True),
    Column("incident_id", ID),
    Column("title", String(300), nullable=False),
    Column("state", String(20), nullable=False),
    Column("owner", String(200), nullable=False),
    Column("due_at", Double),
    Column("created_at", Double, nullable=False),
    Column("version", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("severity", String(50), nullable=False),
    Column("services", Text, nullable=False),
    Column("reviewers", Text, nullable=False),
    Column("published_at", Double),
    Column("published_by", String(200), nullable=False),
    Column("next_at", Double),
    Column("data", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    # Title and text in small letters: where phrases are searched; words are in `postmortem_word`.
    # Migration 0018 keeps them uncompressed in PostgreSQL.
    Column("words", Text, nullable=False),
    Index("ix_postmortem_incident", "incident_id", unique=True),
    Index("ix_postmortem_state", "state", "id"),
    Index("ix_postmortem_next", "next_at"),
    sqlite_autoincrement=True,
)

postmortem_text = Table(
    "postmortem_text",
    metadata,
    Column("postmortem_id", ID, primary_key=True, autoincrement=False),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("author", String(200), nullable=False),
    Column("base", Integer, nullable=False),
    Column("text", Text, nullable=False),
)

_LISTS = ("services", "reviewers")
_FIELDS = tuple(n for n in Postmortem.__slots__ if n != "id")


@dataclass(frozen=True, slots=True)
class Version:
    """One text of a postmortem. ``base``: the version that its author began from."""

    number: int
    at: Seconds
    author: str
    base: int
    text: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A postmortem with the revision of its row, which every change of anything in it moves."""

    its: Postmortem
    revision: int


def add(conn: Connection, made: Postmortem, author: str) -> Postmortem:
    """Keep a new one with its first text; it comes back with its id."""
    query = insert(postmortem).values(**_values(made), revision=0).returning(postmortem.c.id)
    kept = replace(made, id=int(conn.execute(query).scalar_one()))
    _add_text(conn, kept, author, 0, made.created_at)
    return kept


def save(conn: Connection, changed: Postmortem, revision: int) -> bool:
    """Write one that was read at this revision; False when another was quicker."""
    where = postmortem.c.id == changed.id, postmortem.c.revision == revision
    values = {**_values(changed), "revision": revision + 1}
    return bool(conn.execute(update(postmortem).where(*where).values(**values)).rowcount)


def save_text(
    conn: Connection, changed: Postmortem, revision: int, author: str, base: int, now: Seconds
) -> bool:
    """The same, with a new text: ``changed.version`` is its number."""
    if not save(conn, changed, revision):
        return False
    _add_text(conn, changed, author, base, now)
    return True


def _add_text(conn: Connection, its: Postmortem, author: str, base: int, now: Seconds) -> None:
    row = {"postmortem_id": its.id, "version": its.version, "at": now, "author": author,
           "base": base, "text": its.text}  # fmt: skip
    conn.execute(insert(postmortem_text).values(**row))


def get(conn: Connection, postmortem_id: int, *, lock: bool = False) -> Kept | None:
    """One postmortem."""
    query = select(postmortem).where(postmortem.c.id == postmortem_id)
    row = conn.execute(query.with_for_update() if lock else query).mappings().first()
    return Kept(_postmortem(row), int(row["revision"])) if row else None


def of_incident(conn: Connection, incident_id: int) -> Postmortem | None:
    """The postmortem of an incident."""
    query = select(postmortem).where(postmortem.c.incident_id == incident_id)
    row = conn.execute(query).mappings().first()
    return _postmortem(row) if row else None


def find(
    conn: Connection,
    *,
    states: Sequence[str] = (),
    owner: str = "",
    before: int | None = None,
    limit: int = 100,
) -> list[Postmortem]:
    """Postmortems, newest first."""
    c = postmortem.c
    query = select(postmortem).order_by(c.id.desc()).limit(limit)
    if states:
        query = query.where(c.state.in_(list(states)))
    if owner:
        query = query.where(c.owner == owner)
    if before is not None:
        query = query.where(c.id < before)
    return [_postmortem(row) for row in conn.execute(query).mappings()]


def by_ids(conn: Connection, ids: Sequence[int]) -> list[Postmortem]:
    """Those of these that there are, in this order."""
    query = select(postmortem).where(postmortem.c.id.in_(list(ids)))
    found = {int(row["id"]): _postmortem(row) for row in conn.execute(query).mappings()}
    return [found[i] for i in ids if i in found]


def published(conn: Connection, limit: int | None = None) -> list[Postmortem]:
    """Those that are published, the newest first."""
    c = postmortem.c
    query = select(postmortem).where(c.state == str(PostmortemState.PUBLISHED)).limit(limit)
    rows = conn.execute(query.order_by(c.published_at.desc(), c.id.desc())).mappings()
    return [_postmortem(row) for row in rows]


def versions(conn: Connection, postmortem_id: int) -> list[Version]:
    """Every text, newest first."""
    c = postmortem_text.c
    query = select(postmortem_text).where(c.postmortem_id == postmortem_id)
    return [_version(row) for row in conn.execute(query.order_by(c.version.desc())).mappings()]


def version(conn: Connection, postmortem_id: int, number: int) -> Version | None:
    """One text."""
    c = postmortem_text.c
    query = select(postmortem_text).where(c.postmortem_id == postmortem_id, c.version == number)
    row = conn.execute(query).mappings().first()
    return _version(row) if row else None


def owed(conn: Connection, severities: Sequence[str], limit: int = 20) -> list[int]:
    """Incidents that are over, of these severities, and have no postmortem; not drills."""
    c = incident_table.c
    there = select(postmortem.c.id).where(postmortem.c.incident_id == c.id).exists()
    query = select(c.id).where(
        c.state == str(IncidentState.RESOLVED),
        c.severity.in_(list(severities)),
        c.merged_into.is_(None),
        c.drill.is_(False),
        ~there,
    )
    return [int(i) for i in conn.execute(query.order_by(c.id).limit(limit)).scalars()]


def due(conn: Connection, now: Seconds, limit: int = 50) -> list[Kept]:
    """Those of which somebody must be told; no other replica looks at them meanwhile."""
    query = select(postmortem).where(postmortem.c.next_at <= now).order_by(postmortem.c.next_at)
    rows = conn.execute(query.limit(limit).with_for_update(skip_locked=True)).mappings()
    return [Kept(_postmortem(row), int(row["revision"])) for row in rows]


def anything_due(conn: Connection, now: Seconds) -> bool:
    """True when somebody must be told of some postmortem."""
    query = select(postmortem.c.id).where(postmortem.c.next_at <= now).limit(1)
    return conn.execute(query).first() is not None


def _values(made: Postmortem) -> dict[str, Any]:
    values: dict[str, Any] = {n: getattr(made, n) for n in _FIELDS}
    values["state"] = str(made.state)
    for name in _LISTS:
        values[name] = json.dumps(list(getattr(made, name)))
    values["data"] = json.dumps(dict(made.data))
    values["words"] = f"{made.title}\n{made.text}".casefold()
    return values


def _postmortem(row: RowMapping) -> Postmortem:
    named: dict[str, Any] = {n: row[n] for n in ("id", *_FIELDS)}
    named["state"] = PostmortemState(row["state"])
    for name in _LISTS:
        named[name] = tuple(json.loads(row[name]))
    named["data"] = json.loads(row["data"])
    return Postmortem(**named)


def _version(row: RowMapping) -> Version:
    return Version(row["version"], row["at"], row["author"], row["base"], row["text"])
