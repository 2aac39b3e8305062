"""The rows of the ledger's chunks: reading and writing them on either database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Column, Connection, Select, bindparam, func, select, update

from watchkeeper.slo.ledger_tables import chunk_head, hot, hours
from watchkeeper.slo.model import FloatArray, IntArray
from watchkeeper.slo.packing import FIELDS, HOUR, SLOTS, frame_bytes, frame_of, hour_of, sum_of
from watchkeeper.store.writing import upsert

_MOST_BINDS = 900
_PIECE = 500


@dataclass
class Head:
    """What is known of a chunk: where its hot minutes begin and end, what was seen when."""

    chunk: int
    hot_start: int
    head: int
    spans: IntArray  # [64, 2] first and last seen minute, -1: none
    fresh: bool = False


def read_heads(conn: Connection, names: Sequence[int]) -> dict[int, Head]:
    """The heads of these chunks that exist, by number."""
    found: dict[int, Head] = {}
    for part in parts(list(names)):
        query = select(chunk_head).where(chunk_head.c.chunk.in_(part)).order_by(chunk_head.c.chunk)
        for row in conn.execute(query):
            seen = np.frombuffer(row.spans, "<i8").reshape(SLOTS, 2).astype(np.int64)
            found[row.chunk] = Head(row.chunk, row.hot_start, row.head, seen)
    return found


def save_heads(conn: Connection, heads: Sequence[Head]) -> None:
    """Keep where these chunks' hot minutes begin and end."""
    upsert(
        conn,
        chunk_head,
        [
            {
                "chunk": h.chunk,
                "hot_start": h.hot_start,
                "head": h.head,
                "spans": h.spans.astype("<i8").tobytes(),
            }
            for h in heads
        ],
    )


def hot_from(conn: Connection, since: Mapping[int, int]) -> dict[int, dict[int, FloatArray]]:
    """Frames from a minute on (and the head's, when that lies before it), per chunk."""
    by_minute: dict[int, list[int]] = {}
    for name, minute in since.items():
        by_minute.setdefault(minute, []).append(name)
    found: dict[int, dict[int, FloatArray]] = {}
    for minute, names in by_minute.items():
        for part in parts(names):
            query = select(hot.c.chunk, hot.c.minute, hot.c.cum).where(
                hot.c.chunk.in_(part), hot.c.minute >= minute
            )
            for name, at, cum in conn.execute(query):
                found.setdefault(name, {})[at] = frame_of(cum)
    missing = [name for name in since if name not in found]
    for part in parts(missing):
        query = (
            select(hot.c.chunk, hot.c.minute, hot.c.cum)
            .join(chunk_head, chunk_head.c.chunk == hot.c.chunk)
            .where(hot.c.chunk.in_(part), hot.c.minute == chunk_head.c.head)
        )
        for name, at, cum in conn.execute(query):
            found.setdefault(name, {})[at] = frame_of(cum)
    # A new chunk has only the frame before its first hot minute, which is written but not its head.
    for name in missing:
        found.setdefault(name, {})
    return found


def bases_from(conn: Connection, chunk: int, hour: int) -> dict[int, FloatArray]:
    """Frames before each packed hour of a chunk, from an hour on."""
    query = select(hours.c.hour, hours.c.base).where(hours.c.chunk == chunk, hours.c.hour >= hour)
    return {h: frame_of(base) for h, base in conn.execute(query)}


def deltas_at(conn: Connection, chunk: int, at: Sequence[int]) -> dict[int, FloatArray]:
    """The deltas of these packed hours of a chunk."""
    found: dict[int, FloatArray] = {}
    for part in parts(list(at)):
        query = select(hours.c.hour, hours.c.deltas).where(
            hours.c.chunk == chunk, hours.c.hour.in_(part)
        )
        found.update({h: hour_of(d) for h, d in conn.execute(query)})
    return found


def one_sum(conn: Connection, chunk: int, hour: int) -> FloatArray:
    """What one packed hour added."""
    total: FloatArray = deltas_at(conn, chunk, [hour])[hour].sum(axis=0)
    return total


def end_before(conn: Connection, chunk: int, hour: int) -> FloatArray:
    """The end of the last packed hour before this one; zeros when there is none."""
    found = ends_before(conn, [chunk], hour)
    return found.get(chunk, np.zeros((SLOTS, FIELDS)))


def ends_before(conn: Connection, names: Sequence[int], hour: int) -> dict[int, FloatArray]:
    """The end of the last hour before ``hour`` that has a row, per chunk that has one."""
    found: dict[int, FloatArray] = {}
    for part in parts(list(names)):
        newest = (
            select(hours.c.chunk, func.max(hours.c.hour).label("hour"))
            .where(hours.c.chunk.in_(part), hours.c.hour < hour)
            .group_by(hours.c.chunk)
            .subquery()
        )
        query = select(hours.c.chunk, hours.c.base, hours.c.deltas).join(
            newest, (newest.c.chunk == hours.c.chunk) & (newest.c.hour == hours.c.hour)
        )
        for name, base, deltas in conn.execute(query):
            found[name] = frame_of(base) + sum_of(deltas, HOUR)
    return found


def bases_at(conn: Connection, names: Sequence[int], hour: int) -> dict[int, FloatArray]:
    """Frames before an hour, of the chunks that have it packed."""
    found: dict[int, FloatArray] = {}
    for part in parts(list(names)):
        query = select(hours.c.chunk, hours.c.base).where(
            hours.c.hour == hour, hours.c.chunk.in_(part)
        )
        found.update({name: frame_of(base) for name, base in conn.execute(query).all()})
    return found


def hours_at(
    conn: Connection, names: Sequence[int], hour: int
) -> dict[int, tuple[FloatArray, FloatArray]]:
    """(base, deltas) of an hour, of the chunks that have it packed."""
    stored = _stored_at(conn, names, hour)
    return {name: (frame_of(base), hour_of(deltas)) for name, base, deltas in stored}


def within_hour(
    conn: Connection, names: Sequence[int], hour: int, minutes: int
) -> dict[int, FloatArray]:
    """Frames ``minutes`` into an hour, of the chunks that have it packed."""
    stored = _stored_at(conn, names, hour)
    return {name: frame_of(base) + sum_of(deltas, minutes) for name, base, deltas in stored}


def _stored_at(conn: Connection, names: Sequence[int], hour: int) -> list[tuple[int, bytes, bytes]]:
    """(chunk, base, deltas) of an hour as stored."""
    found: list[tuple[int, bytes, bytes]] = []
    for part in parts(list(names)):
        query = select(hours.c.chunk, hours.c.base, hours.c.deltas).where(
            hours.c.hour == hour, hours.c.chunk.in_(part)
        )
        found += [(name, base, deltas) for name, base, deltas in conn.execute(query).all()]
    return found


def packed(conn: Connection, chunk: int) -> Iterator[tuple[int, FloatArray]]:
    """(hour, deltas) of every packed hour of a chunk, the oldest first."""
    query = select(hours.c.hour, hours.c.deltas).where(hours.c.chunk == chunk)
    for hour, deltas in _pieces(conn, query, hours.c.hour):
        yield hour, hour_of(deltas)


def hot_frames(conn: Connection, chunk: int) -> Iterator[tuple[int, FloatArray]]:
    """(minute, frame) of every hot minute of a chunk and of the one before them, in order."""
    query = select(hot.c.minute, hot.c.cum).where(hot.c.chunk == chunk)
    for minute, cum in _pieces(conn, query, hot.c.minute):
        yield minute, frame_of(cum)


def _pieces(
    conn: Connection, query: Select[int, bytes], at: Column[int]
) -> Iterator[tuple[int, bytes]]:
    """The query's rows in the order of ``at``, its first column; few of them in memory."""
    piece = query.order_by(at).limit(_PIECE)
    rows = conn.execute(piece).all()
    while rows:
        yield from rows
        rows = conn.execute(piece.where(at > rows[-1][0])).all()


def hot_row(chunk: int, minute: int, frame: FloatArray) -> dict[str, object]:
    """A hot frame as a row."""
    return {"chunk": chunk, "minute": minute, "cum": frame_bytes(frame)}


def rebase(conn: Connection, shifts: Sequence[Mapping[str, object]]) -> None:
    """Give packed hours new bases."""
    if not shifts:
        return
    statement = (
        update(hours)
        .where(hours.c.chunk == bindparam("at_chunk"), hours.c.hour == bindparam("at_hour"))
        .values(base=bindparam("new_base"))
    )
    conn.execute(
        statement,
        [{"at_chunk": s["chunk"], "at_hour": s["hour"], "new_base": s["base"]} for s in shifts],
    )


def parts(items: list[int]) -> Iterable[list[int]]:
    """A list in pieces that fit one statement."""
    return (items[i : i + _MOST_BINDS] for i in range(0, len(items), _MOST_BINDS))
