"""The words of postmortems in the database: full-text search that both databases do alike.

One row for each word of a text, by its stem, with what it weighs there; a search takes the
postmortems that have all words, the last one perhaps only begun, and ranks them as BM25 does.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Double,
    Index,
    Select,
    String,
    Table,
    delete,
    func,
    select,
    union_all,
)

from watchkeeper.postmortems.store import postmortem
from watchkeeper.postmortems.terms import MOST_LENGTH, tokens, weights
from watchkeeper.store import metadata
from watchkeeper.store.tables import ID
from watchkeeper.store.writing import insert_rows

_PHRASE = re.compile(r'"([^"]+)"')

postmortem_word = Table(
    "postmortem_word",
    metadata,
    # By code point, so that what begins alike stands together whatever the database's locale is.
    Column(
        "word",
        String(MOST_LENGTH).with_variant(String(MOST_LENGTH, collation="C"), "postgresql"),
        primary_key=True,
    ),
    Column("postmortem_id", ID, primary_key=True, autoincrement=False),
    Column("weight", Double, nullable=False),
    Index("ix_postmortem_word_postmortem", "postmortem_id"),
    # What has a word stands together on disk, with its weight.
    sqlite_with_rowid=False,
)


@dataclass(frozen=True, slots=True)
class Hit:
    """A postmortem that has all the words, and how well it fits."""

    postmortem_id: int
    rank: float


def index(conn: Connection, postmortem_id: int, title: str, text: str) -> None:
    """Make the words of a postmortem those of this text."""
    c = postmortem_word.c
    conn.execute(delete(postmortem_word).where(c.postmortem_id == postmortem_id))
    rows = [
        {"word": word, "postmortem_id": postmortem_id, "weight": weight}
        for word, weight in sorted(weights(title, text).items())
    ]
    insert_rows(conn, postmortem_word, rows)


def search(
    conn: Connection, text: str, states: Sequence[str] = (), most: int = 50
) -> tuple[list[Hit], int]:
    """The best postmortems with all these words, of equals the newest; and how many there are.

    The last word may be only begun, so that something is found while one types. What stands
    between quotes must be there to the letter, but for capitals.
    """
    asked = list(dict.fromkeys(tokens(text)))
    if not asked:
        return [], 0
    total = int(conn.execute(select(func.count()).select_from(postmortem)).scalar_one())
    each = []
    for word in asked:
        begun = word == asked[-1]
        having = _count(conn, word, begun)
        if not having:
            return [], 0
        each.append(_weighed(word, begun, math.log(1 + (total - having + 0.5) / (having + 0.5))))
    phrases = [p.casefold() for p in _PHRASE.findall(text) if p.strip()]
    # Ranked where they are: to bring all that a common word finds here would take longer.
    query = _ranked(each, states, phrases)
    c = query.selected_columns
    rows = conn.execute(query.order_by(c.rank.desc(), c.postmortem_id.desc()).limit(most)).all()
    return [Hit(number, rank) for number, rank, _ in rows], rows[0].having if rows else 0


def _count(conn: Connection, word: str, begun: bool) -> int:
    c = postmortem_word.c
    # A word stands once in a text, but several may begin alike.
    found = func.count(c.postmortem_id.distinct()) if begun else func.count()
    return int(conn.execute(_where(select(found), word, begun)).scalar_one())


def _weighed(word: str, begun: bool, rare: float) -> Select[Any]:
    """What a word adds to the rank of each postmortem that has it."""
    c = postmortem_word.c
    weight = func.max(c.weight) if begun else c.weight
    query = _where(select(c.postmortem_id, (weight * rare).label("rank")), word, begun)
    return query.group_by(c.postmortem_id) if begun else query


def _ranked(
    each: Sequence[Select[Any]], states: Sequence[str], phrases: Sequence[str]
) -> Select[Any]:
    """Id and rank of the postmortems that have all of it, with their number in each row."""
    some = union_all(*each).subquery()
    fits = (
        select(some.c.postmortem_id, func.sum(some.c.rank).label("rank"))
        .group_by(some.c.postmortem_id)
        .having(func.count() == len(each))
        .subquery()
    )
    query = select(fits.c.postmortem_id, fits.c.rank, func.count().over().label("having"))
    c = postmortem.c
    if states:
        query = query.where(fits.c.postmortem_id.in_(select(c.id).where(c.state.in_(list(states)))))
    if phrases:
        query = query.join(postmortem, c.id == fits.c.postmortem_id)
    for phrase in phrases:
        query = query.where(c.words.contains(phrase, autoescape=True))
    return query


def _where(query: Select[Any], word: str, begun: bool) -> Select[Any]:
    c = postmortem_word.c
    if not begun:
        return query.where(c.word == word)
    return query.where(c.word >= word, c.word < word + chr(0x10FFFF))


def unindexed(conn: Connection, limit: int = 50) -> list[int]:
    """Postmortems whose words are not kept yet: those of versions that kept none."""
    c = postmortem.c
    there = select(postmortem_word.c.word).where(postmortem_word.c.postmortem_id == c.id).exists()
    return [int(i) for i in conn.execute(select(c.id).where(~there).limit(limit)).scalars()]
