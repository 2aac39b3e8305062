"""Reading different minutes of different SLIs at once; more of the ledger's SQL.

``ledger.edges`` reads the same minutes of many SLIs. Here each SLI has its own: hours that lie
close together are read as a range, others by their (chunk, hour), for all SLIs together.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from sqlalchemy import Connection, func, select, text

from watchkeeper.kernel.clock import HOUR_MINUTES as HOUR
from watchkeeper.slo import ledger
from watchkeeper.slo.ledger_tables import chunk_head, hours
from watchkeeper.slo.model import FloatArray, IntArray
from watchkeeper.slo.packing import FIELDS, SLOTS, frame_of, hour_of

Request = tuple[int, IntArray]
"""An SLI's id, and the minutes at which its cumulative counts are asked for."""

T = TypeVar("T")

_MOST_BINDS = 400
_RANGE = 20
_SPARSE = 4


@dataclass(slots=True)
class _Known:
    """What has been read of one chunk, below its first hot minute."""

    hot_start: int
    # Rows in a range, one after another: before an hour without a row, which changed nothing,
    # stands what stands before the next row's hour.
    hours: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    frames: FloatArray = field(default_factory=lambda: np.zeros((0, SLOTS, FIELDS)))
    bases: dict[int, FloatArray] = field(default_factory=dict)  # hour → before it, [64, 3]
    unpacked: dict[int, FloatArray] = field(default_factory=dict)  # hour → [61, 64, 3]
    first_hour: int | None = None


def edges_many(conn: Connection, requests: Sequence[Request]) -> list[FloatArray]:
    """Cumulative (good, total, seen) before each minute of each request: [len(minutes), 3] each.

    The same figures as ``ledger.edges``. An id of −1 holds nothing.
    """
    out = [np.zeros((len(minutes), FIELDS)) for _, minutes in requests]
    known = _hot_starts(conn, {i // SLOTS for i, m in requests if i >= 0 and len(m)})
    by_chunk: dict[int, list[int]] = {}
    for r, (sli_id, _) in enumerate(requests):
        if sli_id // SLOTS in known:
            by_chunk.setdefault(sli_id // SLOTS, []).append(r)
    minutes_of = {c: np.concatenate([requests[r][1] for r in rs]) for c, rs in by_chunk.items()}
    _read_hours(conn, known, minutes_of)
    _unpack(conn, known, minutes_of)
    for chunk, members in by_chunk.items():
        for r in members:
            _fill(conn, requests[r], out[r], known[chunk])
    return out


def _hot_starts(conn: Connection, names: Iterable[int]) -> dict[int, _Known]:
    found: dict[int, _Known] = {}
    for part in _parts(sorted(names)):
        query = select(chunk_head.c.chunk, chunk_head.c.hot_start)
        rows = conn.execute(query.where(chunk_head.c.chunk.in_(part)))
        found.update((chunk, _Known(hot_start)) for chunk, hot_start in rows)
    return found


def _read_hours(
    conn: Connection, known: Mapping[int, _Known], minutes_of: Mapping[int, IntArray]
) -> None:
    """What stands before each whole hour that is asked for."""
    pairs: list[tuple[int, int]] = []
    for chunk, minutes in minutes_of.items():
        at = minutes[(minutes % HOUR == 0) & (minutes < known[chunk].hot_start)]
        asked = np.unique(at) // HOUR
        if len(asked) >= _RANGE and asked[-1] - asked[0] < _SPARSE * len(asked):
            _read_range(conn, chunk, known[chunk], int(asked[0]), int(asked[-1]))
        else:
            pairs += [(chunk, h) for h in asked.tolist()]
    for chunk, hour, base in _rows(conn, "base", pairs):
        known[chunk].bases[hour] = frame_of(base)
    _find_first(conn, known, {c for c, h in pairs if h not in known[c].bases})


def _read_range(conn: Connection, chunk: int, known: _Known, low: int, high: int) -> None:
    """Every row of the range, and the one after it."""
    mine = hours.c.chunk == chunk
    after = select(func.min(hours.c.hour)).where(mine, hours.c.hour > high).scalar_subquery()
    query = select(hours.c.hour, hours.c.base).where(
        mine, hours.c.hour >= low, hours.c.hour <= func.coalesce(after, high)
    )
    rows = [(h, frame_of(base)) for h, base in conn.execute(query.order_by(hours.c.hour))]
    if not rows or rows[-1][0] <= high:
        ids = np.arange(chunk * SLOTS, (chunk + 1) * SLOTS, dtype=np.int64)
        rows.append((known.hot_start // HOUR, ledger.edges(conn, ids, [known.hot_start])[0]))
    known.hours = np.asarray([h for h, _ in rows], dtype=np.int64)
    known.frames = np.stack([frame for _, frame in rows])


def _find_first(conn: Connection, known: Mapping[int, _Known], chunks: set[int]) -> None:
    """Where history begins, for chunks in which an hour had no row: before it there is nothing."""
    for part in _parts(sorted(chunks)):
        query = select(hours.c.chunk, func.min(hours.c.hour)).where(hours.c.chunk.in_(part))
        for chunk, first in conn.execute(query.group_by(hours.c.chunk)):
            known[chunk].first_hour = first


def _unpack(
    conn: Connection, known: Mapping[int, _Known], minutes_of: Mapping[int, IntArray]
) -> None:
    """Every minute of the hours in which a minute off the hour is asked for."""
    pairs: list[tuple[int, int]] = []
    for chunk, minutes in minutes_of.items():
        off = minutes[(minutes % HOUR != 0) & (minutes < known[chunk].hot_start)]
        pairs += [(chunk, h) for h in np.unique(off // HOUR).tolist()]
    for chunk, hour, base, deltas in _rows(conn, "base, deltas", pairs):
        before = frame_of(base)[None]
        after = before + np.cumsum(hour_of(deltas), axis=0)
        known[chunk].unpacked[hour] = np.concatenate((before, after))


def _rows(
    conn: Connection, columns: str, pairs: Sequence[tuple[int, int]]
) -> Iterator[tuple[Any, ...]]:
    """(chunk, hour, …) of the rows that exist; thousands of pairs go as one bound value."""
    if not pairs:
        return iter(())
    chunks, at = [c for c, _ in pairs], [h for _, h in pairs]
    if conn.dialect.name == "postgresql":
        asked = "unnest(CAST(:chunks AS integer[]), CAST(:at AS bigint[])) AS p(chunk, hour)"
        on = "h.chunk = p.chunk AND h.hour = p.hour"
        bound: dict[str, object] = {"chunks": chunks, "at": at}
    else:
        # CROSS JOIN: SQLite must go from the pairs to the rows by their key, and not the other way.
        asked = "json_each(:pairs) AS p"
        on = "h.chunk = json_extract(p.value, '$[0]') AND h.hour = json_extract(p.value, '$[1]')"
        bound = {"pairs": json.dumps(pairs)}
    join = "JOIN" if conn.dialect.name == "postgresql" else "CROSS JOIN"
    query = f"SELECT h.chunk, h.hour, {columns} FROM {asked} {join} {hours.name} AS h ON {on}"
    return (tuple(row) for row in conn.execute(text(query), bound).all())


def _fill(conn: Connection, request: Request, out: FloatArray, known: _Known) -> None:
    sli_id, minutes = request
    slot = sli_id % SLOTS
    hour, offset = minutes // HOUR, minutes % HOUR
    rest = np.ones(len(minutes), dtype=bool)
    if len(known.hours):
        at = np.searchsorted(known.hours, hour)
        inside = at < len(known.hours)
        at = np.minimum(at, len(known.hours) - 1)
        hit = inside & (hour >= known.hours[0]) & ((offset == 0) | (known.hours[at] != hour))
        out[hit] = known.frames[at[hit], slot]
        rest = ~hit
    for i in np.flatnonzero(rest).tolist():
        value = _one(known, int(hour[i]), int(offset[i]), slot)
        if value is not None:
            out[i] = value
            rest[i] = False
    if rest.any():
        # Hot minutes, and hours in which nothing happened.
        ids = np.asarray([sli_id], dtype=np.int64)
        out[rest] = ledger.edges(conn, ids, minutes[rest].tolist())[:, 0, :]


def _one(known: _Known, hour: int, offset: int, slot: int) -> FloatArray | float | None:
    unpacked = known.unpacked.get(hour)
    if unpacked is not None:
        value: FloatArray = unpacked[offset, slot]
        return value
    if offset == 0 and hour in known.bases:
        base: FloatArray = known.bases[hour][slot]
        return base
    if known.first_hour is not None and hour < known.first_hour:
        return 0.0
    return None


def _parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[i : i + _MOST_BINDS] for i in range(0, len(items), _MOST_BINDS))
