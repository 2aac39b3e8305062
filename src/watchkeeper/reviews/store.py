"""Frozen reviews, notes, and when reviews are sent next, in the database. The room's only SQL."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace

from sqlalchemy import (
    Column,
    Connection,
    Double,
    Index,
    Integer,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.engine import RowMapping

from watchkeeper.kernel.clock import Seconds
from watchkeeper.reviews.model import Frozen, Note, NoteKind, Review, of_json
from watchkeeper.store import metadata
from watchkeeper.store.tables import ID
from watchkeeper.store.writing import insert_new

review = Table(
    "review",
    metadata,
    Column("team", String(200), primary_key=True),
    Column("week", String(10), primary_key=True),
    Column("at", Double, nullable=False),
    Column("why", String(20), nullable=False),
    Column("document", Text, nullable=False),
)

review_note = Table(
    "review_note",
    metadata,
    Column("id", ID, primary_key=True),
    Column("team", String(200), nullable=False),
    Column("week", String(10), nullable=False),
    Column("kind", String(10), nullable=False),
    Column("text", Text, nullable=False),
    Column("author", String(200), nullable=False),
    Column("at", Double, nullable=False),
    Column("changed_by", String(200), nullable=False),
    Column("changed_at", Double),
    Column("version", Integer, nullable=False),
    Index("ix_review_note_week", "team", "week"),
    sqlite_autoincrement=True,
)

review_due = Table(
    "review_due",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("schedule", String(300), nullable=False),
    Column("next_at", Double, nullable=False),
    Index("ix_review_due_next", "next_at"),
)

_NOTE = tuple(n for n in Note.__slots__ if n != "id")


# ---------------------------------------------------------------- frozen reviews


def freeze(conn: Connection, made: Review, at: Seconds, why: str) -> bool:
    """Keep a review as it is; one that is kept already stays. True when this one was kept."""
    document = json.dumps(asdict(made), ensure_ascii=False)
    row = {"team": made.team, "week": made.week, "at": at, "why": why, "document": document}
    return insert_new(conn, review, row)


def frozen(conn: Connection, team: str, week: str) -> Frozen | None:
    """A review as it was kept."""
    c = review.c
    row = conn.execute(select(review).where(c.team == team, c.week == week)).mappings().first()
    return None if row is None else _frozen(row)


def frozen_weeks(conn: Connection, limit: int = 2_000) -> dict[tuple[str, str], str]:
    """(team, week) of those that are kept → why, the latest weeks first."""
    c = review.c
    rows = conn.execute(select(c.team, c.week, c.why).order_by(c.week.desc(), c.team).limit(limit))
    return {(team, week): why for team, week, why in rows}


def _frozen(row: RowMapping) -> Frozen:
    its = of_json(json.loads(row["document"]))
    return Frozen(row["team"], row["week"], row["at"], row["why"], its)


# ---------------------------------------------------------------- notes


def add_note(conn: Connection, made: Note) -> Note:
    """Keep a note; it comes back with its id."""
    values = {**{n: getattr(made, n) for n in _NOTE}, "kind": str(made.kind)}
    query = insert(review_note).values(**values).returning(review_note.c.id)
    return replace(made, id=int(conn.execute(query).scalar_one()))


def save_note(conn: Connection, changed: Note) -> Note | None:
    """Write a note that was read at ``changed.version``; None when another was quicker."""
    c, after = review_note.c, replace(changed, version=changed.version + 1)
    values = {**{n: getattr(after, n) for n in _NOTE}, "kind": str(after.kind)}
    query = update(review_note).where(c.id == changed.id, c.version == changed.version)
    return after if conn.execute(query.values(**values)).rowcount else None


def note(conn: Connection, note_id: int) -> Note | None:
    """One note."""
    query = select(review_note).where(review_note.c.id == note_id)
    row = conn.execute(query).mappings().first()
    return None if row is None else _note(row)


def notes(conn: Connection, team: str, week: str) -> list[Note]:
    """What was written of a week, in order."""
    c = review_note.c
    query = select(review_note).where(c.team == team, c.week == week).order_by(c.id)
    return [_note(row) for row in conn.execute(query).mappings()]


def _note(row: RowMapping) -> Note:
    return Note(**{**row, "kind": NoteKind(row["kind"])})


# ---------------------------------------------------------------- when they are sent


@dataclass(frozen=True, slots=True)
class Due:
    """When the review of this name is sent next; ``schedule``: by what that was reckoned."""

    name: str
    schedule: str
    next_at: Seconds


def plans(conn: Connection) -> dict[str, Due]:
    """What is known of each, by name."""
    rows = conn.execute(select(review_due)).mappings()
    return {row["name"]: Due(**row) for row in rows}


def plan(conn: Connection, made: Due) -> None:
    """Plan the first sending, unless another replica has."""
    insert_new(conn, review_due, asdict(made))


def plan_anew(conn: Connection, made: Due, known: Due) -> bool:
    """Plan the next sending; False when another was quicker."""
    c = review_due.c
    query = update(review_due).where(
        c.name == made.name, c.next_at == known.next_at, c.schedule == known.schedule
    )
    return bool(conn.execute(query.values(**asdict(made))).rowcount)


def forget(conn: Connection, name: str) -> None:
    """It is defined no more."""
    conn.execute(delete(review_due).where(review_due.c.name == name))
