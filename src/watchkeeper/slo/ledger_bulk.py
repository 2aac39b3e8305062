"""Reading different minutes of different SLIs at once; more of the ledger's SQL.

``ledger.edges`` reads the same minutes of many SLIs. Here each SLI has its own: hours that lie
close together are read as a range, single ones by what they are (chunk, hour, slot), for all SLIs
together, and only that slot's part of the row comes out of the database.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import Connection, Table, func, select, text

from watchkeeper.kernel.clock import HOUR_MINUTES as HOUR
from watchkeeper.kernel.courtesy import politely
from watchkeeper.slo import ledger
from watchkeeper.slo.ledger_tables import chunk_head, hot, hours, sli
from watchkeeper.slo.model import BoolArray, FloatArray, IntArray
from watchkeeper.slo.packing import FIELDS, SLOTS, frame_of, hour_of

Request = tuple[int, IntArray]
"""An SLI's id, and the minutes at which its cumulative counts are asked for."""

Point = tuple[int, int, int]
"""Chunk, hour or hot minute, slot."""

_MOST_BINDS = 400
_RANGE = 20
_SPARSE = 4
_VALUE = 8
_SLOT_BYTES = FIELDS * _VALUE


@dataclass(slots=True)
class _Ask:
    """One request, by where its minutes are kept."""

    chunk: int
    slot: int
    minutes: IntArray
    hot_start: int
    head: int
    hour: IntArray = field(init=False)
    is_hot: BoolArray = field(init=False)
    on_hour: BoolArray = field(init=False)

    def __post_init__(self) -> None:
        self.hour = self.minutes // HOUR
        self.is_hot = self.minutes >= self.hot_start
        self.on_hour = ~self.is_hot & (self.minutes == self.hour * HOUR)

    @property
    def dense(self) -> bool:
        """Whether its hours are better read as a range."""
        asked = self.hour[self.on_hour]
        return len(asked) >= _RANGE and int(np.ptp(asked)) < _SPARSE * len(asked)

    def points(self, mask: BoolArray) -> list[Point]:
        """The rows that hold these minutes."""
        at = np.minimum(self.minutes - 1, self.head) if mask is self.is_hot else self.hour
        return [(self.chunk, m, self.slot) for m in at[mask].tolist()]


@dataclass(slots=True)
class _Found:
    """What was read."""

    bases: dict[Point, bytes] = field(default_factory=dict)
    frames: dict[Point, bytes] = field(default_factory=dict)
    unpacked: dict[tuple[int, int], tuple[FloatArray, FloatArray]] = field(default_factory=dict)
    first_hours: dict[int, int] = field(default_factory=dict)


def edges_many(conn: Connection, requests: Sequence[Request]) -> list[FloatArray]:
    """Cumulative (good, total, seen) before each minute of each request: [len(minutes), 3] each.

    The same figures as ``ledger.edges``. An id of −1 holds nothing.
    """
    starts = heads(conn, {i // SLOTS for i, m in requests if i >= 0 and len(m)})
    asks = [
        _Ask(i // SLOTS, i % SLOTS, minutes, *starts[i // SLOTS]) if i // SLOTS in starts else None
        for i, minutes in requests
    ]
    found = _read(conn, [ask for ask in asks if ask is not None])
    return [
        np.zeros((len(minutes), FIELDS)) if ask is None else _fill(conn, ask, found)
        for ask, (_, minutes) in politely(zip(asks, requests, strict=True))
    ]


def last_registered(conn: Connection) -> tuple[Any, ...]:
    """What tells whether any SLI was registered since: rows are only ever added."""
    newest = select(sli).order_by(sli.c.id.desc()).limit(1)
    return tuple(conn.execute(newest).one_or_none() or ())


def unpacked_slots(
    conn: Connection, asked: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], FloatArray]:
    """The minutes [60, 3] of packed hours, by (SLI, hour); zeros where an hour has no row."""
    found = {key: np.zeros((HOUR, FIELDS)) for key in asked}
    wanted: dict[tuple[int, int], list[int]] = {}
    for sli_id, hour in asked:
        wanted.setdefault((sli_id // SLOTS, hour), []).append(sli_id)
    for chunk, hour, deltas in _rows(conn, hours, ("hour", "deltas"), set(wanted)):
        steps = hour_of(deltas)
        for sli_id in wanted[chunk, hour]:
            found[sli_id, hour] = steps[:, sli_id % SLOTS].copy()
    return found


def heads(conn: Connection, names: Iterable[int]) -> dict[int, tuple[int, int]]:
    """(first hot minute, last hot minute) by chunk."""
    found: dict[int, tuple[int, int]] = {}
    for part in _parts(sorted(names)):
        query = select(chunk_head.c.chunk, chunk_head.c.hot_start, chunk_head.c.head)
        rows = conn.execute(query.where(chunk_head.c.chunk.in_(part)))
        found.update((chunk, (start, head)) for chunk, start, head in rows)
    return found


def _read(conn: Connection, asks: Sequence[_Ask]) -> _Found:
    """Everything asked for but ranges; hours that lack a row are absent."""
    found = _Found()
    at_hours = {p for ask in asks if not ask.dense for p in ask.points(ask.on_hour)}
    found.bases = _slots(conn, hours, "hour", "base", at_hours)
    at_hot = {p for ask in asks for p in ask.points(ask.is_hot)}
    found.frames = _slots(conn, hot, "minute", "cum", at_hot)
    inside = {p[:2] for ask in asks for p in ask.points(~ask.is_hot & ~ask.on_hour)}
    for chunk, hour, base, deltas in _rows(conn, hours, ("hour", "base", "deltas"), inside):
        found.unpacked[chunk, hour] = (frame_of(base), hour_of(deltas))
    missing = {p[0] for p in at_hours if p not in found.bases}
    for part in _parts(sorted(missing)):
        query = select(hours.c.chunk, func.min(hours.c.hour)).where(hours.c.chunk.in_(part))
        found.first_hours.update((c, h) for c, h in conn.execute(query.group_by(hours.c.chunk)))
    return found


def _slots(
    conn: Connection, table: Table, key: str, column: str, points: set[Point]
) -> dict[Point, bytes]:
    """One slot's bytes of each of these frames."""
    part = f"substr(h.{column}, p.slot * {_SLOT_BYTES} + 1, {_SLOT_BYTES})"
    rows = _joined(conn, table, key, ("p.slot", part), points)
    return {(chunk, at, slot): bytes(value) for chunk, at, slot, value in rows}


def _rows(
    conn: Connection, table: Table, columns: tuple[str, ...], pairs: set[tuple[int, int]]
) -> Iterator[tuple[Any, ...]]:
    """(chunk, *columns) of these rows; the first column is what the pairs name beside the chunk."""
    shown = tuple(f"h.{column}" for column in columns[1:])
    return _joined(conn, table, columns[0], shown, {(c, at, 0) for c, at in pairs})


def _joined(
    conn: Connection, table: Table, key: str, shown: tuple[str, ...], points: set[Point]
) -> Iterator[tuple[Any, ...]]:
    """(chunk, key, *shown) of the rows that exist; thousands of points go as one bound value."""
    if not points:
        return iter(())
    ordered = sorted(points)
    bound: dict[str, object]
    if conn.dialect.name == "postgresql":
        lists = "CAST(:a AS integer[]), CAST(:b AS bigint[]), CAST(:c AS integer[])"
        source = f"unnest({lists}) AS p(chunk, at, slot) JOIN"
        bound = {name: [p[i] for p in ordered] for i, name in enumerate("abc")}
    else:
        fields = ", ".join(
            f"json_extract(value, '$[{i}]') AS {name}"
            for i, name in enumerate(("chunk", "at", "slot"))
        )
        # CROSS JOIN: SQLite must go from the points to the rows by key, and not the other way.
        source = f"(SELECT {fields} FROM json_each(:points)) AS p CROSS JOIN"
        bound = {"points": json.dumps(ordered)}
    columns = ", ".join(("h.chunk", f"h.{key}", *shown))
    on = f"h.chunk = p.chunk AND h.{key} = p.at"
    query = f"SELECT {columns} FROM {source} {table.name} AS h ON {on}"
    return (tuple(row) for row in conn.execute(text(query), bound).all())


def _fill(conn: Connection, ask: _Ask, found: _Found) -> FloatArray:
    out = np.zeros((len(ask.minutes), FIELDS))
    todo = np.ones(len(ask.minutes), dtype=bool)
    _put(out, todo, ask.is_hot, [found.frames.get(p) for p in ask.points(ask.is_hot)])
    if ask.dense:
        _put_range(conn, ask, out, todo)
    else:
        begins = found.first_hours.get(ask.chunk, -1)
        known = [
            _EMPTY if p not in found.bases and p[1] < begins else found.bases.get(p)
            for p in ask.points(ask.on_hour)
        ]
        _put(out, todo, ask.on_hour, known)
    for hour in np.unique(ask.hour[todo]).tolist():
        if (ask.chunk, hour) in found.unpacked:
            base, deltas = found.unpacked[ask.chunk, hour]
            here = todo & (ask.hour == hour)
            steps = np.concatenate((base[None, ask.slot], deltas[:, ask.slot])).cumsum(axis=0)
            out[here] = steps[ask.minutes[here] - hour * HOUR]
            todo[here] = False
    if todo.any():
        # Hours in which nothing happened to the whole chunk, asked for one by one.
        ids = np.asarray([ask.chunk * SLOTS + ask.slot], dtype=np.int64)
        out[todo] = ledger.edges(conn, ids, ask.minutes[todo].tolist())[:, 0, :]
    return out


_EMPTY = bytes(_SLOT_BYTES)


def _put(out: FloatArray, todo: BoolArray, mask: BoolArray, values: Sequence[bytes | None]) -> None:
    """Write slots' bytes where they are known."""
    if not values:
        return
    where = np.flatnonzero(mask)
    known = [i for i, value in enumerate(values) if value is not None]
    where = where[known]
    joined = b"".join(value for value in values if value is not None)
    out[where] = np.frombuffer(joined, dtype="<f8").reshape(-1, FIELDS)
    todo[where] = False


def _put_range(conn: Connection, ask: _Ask, out: FloatArray, todo: BoolArray) -> None:
    """Read every row of the range and the one after it.

    Before an hour without a row, which changed nothing, stands what stands before the next row's.
    """
    asked = ask.hour[ask.on_hour]
    low, high = int(asked.min()), int(asked.max())
    mine = hours.c.chunk == ask.chunk
    after = select(func.min(hours.c.hour)).where(mine, hours.c.hour > high).scalar_subquery()
    query = select(hours.c.hour, hours.c.base).where(
        mine, hours.c.hour >= low, hours.c.hour <= func.coalesce(after, high)
    )
    rows = [(h, frame_of(b)[ask.slot]) for h, b in conn.execute(query.order_by(hours.c.hour))]
    if not rows or rows[-1][0] <= high:
        ids = np.asarray([ask.chunk * SLOTS + ask.slot], dtype=np.int64)
        rows.append((high + 1, ledger.edges(conn, ids, [ask.hot_start])[0, 0]))
    at = np.searchsorted(np.asarray([h for h, _ in rows]), asked)
    out[ask.on_hour] = np.stack([values for _, values in rows])[at]
    todo[ask.on_hour] = False


def _parts(items: Sequence[int]) -> Iterator[Sequence[int]]:
    return (items[i : i + _MOST_BINDS] for i in range(0, len(items), _MOST_BINDS))
