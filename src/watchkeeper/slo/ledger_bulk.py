"""Reading many edges of a few SLIs each: hours by the range, hours to unpack by the list.

``ledger.edges`` reads the same minutes of many SLIs; this reads different minutes of different
SLIs. With ledger_chunks and store, the room's only SQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from sqlalchemy import Connection, select, tuple_

from watchkeeper.kernel.clock import HOUR_MINUTES as HOUR
from watchkeeper.slo import ledger
from watchkeeper.slo.ledger_tables import chunk_head, hours
from watchkeeper.slo.model import FloatArray, IntArray
from watchkeeper.slo.packing import FIELDS, SLOTS, frame_of, hour_of

Request = tuple[int, IntArray]
"""An SLI's id, and the minutes at which its cumulative counts are asked for."""

_MOST_PAIRS = 400
_FEW = 3


def edges_many(conn: Connection, requests: Sequence[Request]) -> list[FloatArray]:
    """Cumulative (good, total, seen) before each minute of each request: [len(minutes), 3] each.

    The same figures as ``ledger.edges``. An id of −1 holds nothing.
    """
    out = [np.zeros((len(minutes), FIELDS)) for _, minutes in requests]
    start_of = _hot_starts(conn, {i // SLOTS for i, m in requests if i >= 0 and len(m)})
    by_chunk: dict[int, list[int]] = {}
    for r, (sli_id, _) in enumerate(requests):
        if sli_id // SLOTS in start_of:
            by_chunk.setdefault(sli_id // SLOTS, []).append(r)
    packed = _packed(conn, requests, by_chunk, start_of)
    for chunk, members in by_chunk.items():
        bases = _bases(conn, requests, members, chunk, start_of[chunk])
        for r in members:
            _fill(conn, requests[r], out[r], chunk, bases, packed)
    return out


def _hot_starts(conn: Connection, names: Iterable[int]) -> dict[int, int]:
    found: dict[int, int] = {}
    ordered = sorted(names)
    for i in range(0, len(ordered), _MOST_PAIRS):
        part = ordered[i : i + _MOST_PAIRS]
        query = select(chunk_head.c.chunk, chunk_head.c.hot_start)
        found.update((c, s) for c, s in conn.execute(query.where(chunk_head.c.chunk.in_(part))))
    return found


_Bases = tuple[IntArray, FloatArray]


def _bases(
    conn: Connection, requests: Sequence[Request], members: Sequence[int], chunk: int, hot: int
) -> _Bases:
    """Hours with a row in the range asked for, and their bases [hours, 64, 3]."""
    whole = [m[(m % HOUR == 0) & (m < hot)] for _, m in (requests[r] for r in members)]
    asked = np.unique(np.concatenate(whole)) // HOUR
    if len(asked) < _FEW:
        return np.zeros(0, dtype=np.int64), np.zeros((0, SLOTS, FIELDS))
    query = select(hours.c.hour, hours.c.base).where(hours.c.chunk == chunk)
    wide = int(asked[-1] - asked[0]) > 8 * len(asked)
    within = (
        hours.c.hour.in_(asked.tolist()[:_MOST_PAIRS])
        if wide
        else hours.c.hour.between(int(asked[0]), int(asked[-1]))
    )
    rows = sorted((h, base) for h, base in conn.execute(query.where(within)))
    if not rows:
        return np.zeros(0, dtype=np.int64), np.zeros((0, SLOTS, FIELDS))
    return np.asarray([h for h, _ in rows]), np.stack([frame_of(base) for _, base in rows])


def _packed(
    conn: Connection,
    requests: Sequence[Request],
    by_chunk: Mapping[int, Sequence[int]],
    start_of: Mapping[int, int],
) -> dict[tuple[int, int], FloatArray]:
    """Cumulative [61, 64, 3] of the hours in which a minute off the hour is asked for."""
    pairs: set[tuple[int, int]] = set()
    for chunk, members in by_chunk.items():
        for r in members:
            minutes = requests[r][1]
            off = minutes[(minutes % HOUR != 0) & (minutes < start_of[chunk])] // HOUR
            pairs.update((chunk, h) for h in np.unique(off).tolist())
    found: dict[tuple[int, int], FloatArray] = {}
    ordered = sorted(pairs)
    for i in range(0, len(ordered), _MOST_PAIRS):
        query = select(hours.c.chunk, hours.c.hour, hours.c.base, hours.c.deltas).where(
            tuple_(hours.c.chunk, hours.c.hour).in_(ordered[i : i + _MOST_PAIRS])
        )
        for chunk, hour, base, deltas in conn.execute(query):
            first = frame_of(base)[None]
            steps = np.cumsum(hour_of(deltas), axis=0)
            found[chunk, hour] = np.concatenate((first, first + steps))
    return found


def _fill(
    conn: Connection,
    request: Request,
    out: FloatArray,
    chunk: int,
    bases: _Bases,
    packed: Mapping[tuple[int, int], FloatArray],
) -> None:
    sli_id, minutes = request
    slot = sli_id % SLOTS
    hour, offset = minutes // HOUR, minutes % HOUR
    known_hours, frames = bases
    rest = np.ones(len(minutes), dtype=bool)
    if len(known_hours):
        at = np.minimum(np.searchsorted(known_hours, hour), len(known_hours) - 1)
        hit = (offset == 0) & (known_hours[at] == hour)
        out[hit] = frames[at[hit], slot]
        rest[hit] = False
    for h in np.unique(hour[rest]).tolist():
        cum = packed.get((chunk, h))
        if cum is not None:
            here = rest & (hour == h)
            out[here] = cum[offset[here], slot]
            rest[here] = False
    if rest.any():
        # Hot minutes, and hours in which nothing happened.
        ids = np.asarray([sli_id], dtype=np.int64)
        out[rest] = ledger.edges(conn, ids, minutes[rest].tolist())[:, 0, :]
