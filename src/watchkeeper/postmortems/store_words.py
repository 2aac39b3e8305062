"""The words of postmortems in the database: full-text search that both databases do alike.

One row for each word of a text, by its stem, with what it weighs there; a search takes the
postmortems that have all words, the last one perhaps only begun, and ranks them as BM25 does.
"""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    Select,
    String,
    Table,
    delete,
    func,
    select,
)

from watchkeeper.postmortems.store import postmortem
from watchkeeper.postmortems.terms import MOST_LENGTH, tokens, weights
from watchkeeper.store import metadata
from watchkeeper.store.writing import insert_rows

_ID = BigInteger().with_variant(Integer, "sqlite")
_PHRASE = re.compile(r'"([^"]+)"')
FEW = 400
"""Candidates up to which the database is asked about them alone."""

postmortem_word = Table(
    "postmortem_word",
    metadata,
    # By code point, so that what begins alike stands together whatever the database's locale is.
    Column(
        "word",
        String(MOST_LENGTH).with_variant(String(MOST_LENGTH, collation="C"), "postgresql"),
        primary_key=True,
    ),
    Column("postmortem_id", _ID, primary_key=True, autoincrement=False),
    Column("weight", Double, nullable=False),
    Index("ix_postmortem_word_postmortem", "postmortem_id"),
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
    # Rare words first: what they leave is soon few, and of the others only that is asked.
    begun = asked[-1]
    counted = {word: _count(conn, word, word == begun) for word in asked}
    ranks: dict[int, float] | None = None
    for word in sorted(asked, key=lambda w: counted[w]):
        rare = math.log(1 + (max(total - counted[word], 0) + 0.5) / (counted[word] + 0.5))
        found = _having(conn, word, word == begun, ranks)
        before = ranks
        ranks = {
            number: (before[number] if before else 0.0) + weight * rare
            for number, weight in found.items()
            if before is None or number in before
        }
        if not ranks:
            return [], 0
    phrases = [p.casefold() for p in _PHRASE.findall(text) if p.strip()]
    kept = _narrowed(conn, ranks or {}, states, phrases)
    best = heapq.nlargest(most, ((rank, number) for number, rank in kept.items()))
    return [Hit(number, rank) for rank, number in best], len(kept)


def _count(conn: Connection, word: str, begun: bool) -> int:
    query = _where(select(func.count(postmortem_word.c.postmortem_id.distinct())), word, begun)
    return int(conn.execute(query).scalar_one())


def _having(
    conn: Connection, word: str, begun: bool, among: dict[int, float] | None
) -> dict[int, float]:
    c = postmortem_word.c
    query = _where(select(c.postmortem_id, func.max(c.weight)), word, begun)
    if among is not None and len(among) <= FEW:
        query = query.where(c.postmortem_id.in_(list(among)))
    return {int(n): float(w) for n, w in conn.execute(query.group_by(c.postmortem_id))}


def _where(query: Select[Any], word: str, begun: bool) -> Select[Any]:
    c = postmortem_word.c
    if not begun:
        return query.where(c.word == word)
    return query.where(c.word >= word, c.word < word + chr(0x10FFFF))


def _narrowed(
    conn: Connection, ranks: dict[int, float], states: Sequence[str], phrases: Sequence[str]
) -> dict[int, float]:
    if not states and not phrases:
        return ranks
    c = postmortem.c
    query = select(c.id)
    if states:
        query = query.where(c.state.in_(list(states)))
    for phrase in phrases:
        query = query.where(c.words.contains(phrase, autoescape=True))
    if len(ranks) <= FEW:
        query = query.where(c.id.in_(list(ranks)))
    return {n: ranks[n] for n in conn.execute(query).scalars() if n in ranks}


def unindexed(conn: Connection, limit: int = 50) -> list[int]:
    """Postmortems whose words are not kept yet: those of versions that kept none."""
    c = postmortem.c
    there = select(postmortem_word.c.word).where(postmortem_word.c.postmortem_id == c.id).exists()
    return [int(i) for i in conn.execute(select(c.id).where(~there).limit(limit)).scalars()]
