"""The SLI ledger: cumulative good and total events per SLI and minute.

Any window is the difference of two entries, so attainment, burn, calendar windows, corrections and
backtests all say the same numbers. The layout is told in docs/architecture.md. Late data adds to
its own minute and shifts everything later of its SLI, so it is exact at any age.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, func, insert, select, text, update

from watchkeeper.kernel.clock import HOUR_MINUTES, Minute, Seconds
from watchkeeper.measure.model import Count, GroupKey
from watchkeeper.slo import ledger_chunks as chunks
from watchkeeper.slo import ledger_tables as tables
from watchkeeper.slo.ledger_chunks import KEEP_MINUTES
from watchkeeper.slo.model import FloatArray, IntArray, Series
from watchkeeper.slo.packing import SLOTS

_LOCK = 7_202_612  # any number that other programs are unlikely to lock
_MOST_BINDS = 500


@dataclass(frozen=True, slots=True)
class SliRow:
    """A registered SLI: its number, key and label set."""

    id: int
    key: str
    group: GroupKey


# ---------------------------------------------------------------- one writer


def hold(conn: Connection) -> None:
    """Hold off everybody else who writes the ledger, until this transaction ends.

    Every function here that writes does so itself. Call it first when what is written depends on
    what is read before. The order of chunks then cannot matter, so that writers never deadlock.
    SQLite has one writer at a time anyway.
    """
    if conn.dialect.name == "postgresql":
        conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


# ---------------------------------------------------------------- which SLIs there are


def register(conn: Connection, slis: Sequence[tuple[str, GroupKey]], now: Seconds) -> list[int]:
    """The numbers of these (key, group) pairs, in their order; new ones are added."""
    wanted = list(dict.fromkeys(slis))
    known = _ids(conn, wanted)
    missing = [pair for pair in wanted if pair not in known]
    if missing:
        hold(conn)  # two replicas must not give out the same number
        known = _ids(conn, wanted)
        missing = [pair for pair in wanted if pair not in known]
        known.update(_add(conn, missing, now))
    return [known[pair] for pair in slis]


def _ids(
    conn: Connection, wanted: Sequence[tuple[str, GroupKey]]
) -> dict[tuple[str, GroupKey], int]:
    keys = list(dict.fromkeys(key for key, _ in wanted))
    rows = find(conn, keys)
    return {(key, row.group): row.id for key, found in rows.items() for row in found}


def _add(
    conn: Connection, missing: Sequence[tuple[str, GroupKey]], now: Seconds
) -> dict[tuple[str, GroupKey], int]:
    if not missing:
        return {}
    first = (conn.execute(select(func.max(tables.sli.c.id))).scalar() or 0) + 1
    numbered = {pair: first + i for i, pair in enumerate(missing)}
    conn.execute(
        insert(tables.sli),
        [
            {"id": number, "key": key, "labels": json.dumps(group), "created_at": now}
            for (key, group), number in numbered.items()
        ],
    )
    return numbered


def find(conn: Connection, keys: Sequence[str]) -> Mapping[str, list[SliRow]]:
    """The registered SLIs of these keys, one per label set, by number; unknown keys are absent."""
    found: dict[str, list[SliRow]] = {}
    table = tables.sli
    for start in range(0, len(keys), _MOST_BINDS):
        part = list(keys[start : start + _MOST_BINDS])
        query = select(table.c.id, table.c.key, table.c.labels).where(table.c.key.in_(part))
        for number, key, labels in conn.execute(query.order_by(table.c.id)):
            found.setdefault(key, []).append(SliRow(number, key, _group(labels)))
    return found


def every_key(conn: Connection) -> list[str]:
    """All keys that were ever counted, sorted."""
    return list(
        conn.execute(select(tables.sli.c.key).distinct().order_by(tables.sli.c.key)).scalars()
    )


def _group(labels: str) -> GroupKey:
    if labels == "[]":
        return ()
    return tuple((str(k), str(v)) for k, v in json.loads(labels))


# ---------------------------------------------------------------- writing


def record(conn: Connection, counts: Sequence[Count], now: Seconds) -> int:
    """Add counts to the ledger in the caller's transaction; returns the new revision.

    Amounts may be negative and of any age. A minute is marked as seen at most once.
    """
    if not counts:
        return revision(conn)
    pairs = list(dict.fromkeys((c.sli, c.group) for c in counts))
    number = dict(zip(pairs, register(conn, pairs, now), strict=True))
    n = len(counts)
    ids = np.fromiter((number[c.sli, c.group] for c in counts), np.int64, n)
    minutes = np.fromiter((c.minute for c in counts), np.int64, n)
    good = np.fromiter((c.good for c in counts), np.float64, n)
    total = np.fromiter((c.total for c in counts), np.float64, n)
    seen = np.fromiter((c.seen for c in counts), np.float64, n)
    return record_arrays(conn, ids, minutes, good, total, seen)


def record_arrays(
    conn: Connection,
    ids: IntArray,
    minutes: IntArray,
    good: FloatArray,
    total: FloatArray,
    seen: FloatArray,
) -> int:
    """As ``record``, from arrays of equal length [n]; the fast door."""
    hold(conn)
    if len(ids):
        amounts = np.stack((good, total, seen), axis=1).astype(np.float64)
        chunks.add(conn, ids // SLOTS, ids % SLOTS, minutes, amounts)
    changed = conn.execute(
        update(tables.state)
        .where(tables.state.c.id == 1)
        .values(revision=tables.state.c.revision + 1)
    )
    if not changed.rowcount:
        conn.execute(insert(tables.state).values(id=1, revision=1))
    return revision(conn)


def pack(
    conn: Connection, now: Seconds, keep_minutes: int = KEEP_MINUTES, most_chunks: int | None = None
) -> int:
    """Move closed hours older than ``keep_minutes`` out of the hot table.

    Returns how many chunks of 64 SLIs were packed. With ``most_chunks`` a transaction stays short:
    call it again, each time in a transaction of its own, until it returns 0.
    """
    hold(conn)
    until = (int(now // 60) - keep_minutes) // HOUR_MINUTES * HOUR_MINUTES
    return chunks.pack(conn, until, most_chunks)


def revision(conn: Connection) -> int:
    """A number that grows with every transaction that records."""
    query = select(tables.state.c.revision).where(tables.state.c.id == 1)
    return int(conn.execute(query).scalar() or 0)


# ---------------------------------------------------------------- reading


def edges(conn: Connection, ids: IntArray, minutes: Sequence[Minute]) -> FloatArray:
    """Cumulative (good, total, seen) over all minutes before each of ``minutes``.

    Returns float64 [len(minutes), len(ids), 3]; zeros before the first count.
    """
    return chunks.edges(conn, np.asarray(ids, np.int64), np.asarray(minutes, np.int64))


def series(
    conn: Connection, sli_id: int, start: Minute, end: Minute, step_minutes: int = 1
) -> Series:
    """Events per step of [start, end); the last step may be shorter."""
    at = np.arange(start, end, step_minutes, dtype=np.int64)
    bounds = np.append(at, end)
    cum = edges(conn, np.asarray([sli_id]), bounds.tolist())[:, 0, :]
    steps = np.diff(cum, axis=0)
    return Series(at, steps[:, 0], steps[:, 1], steps[:, 2], step_minutes)


def spans(conn: Connection, ids: IntArray) -> IntArray:
    """First and last seen minute of each SLI, int64 [len(ids), 2]; -1 where nothing was seen."""
    return chunks.spans(conn, np.asarray(ids, np.int64))


# ---------------------------------------------------------------- in and out


def export_rows(conn: Connection, keys: Sequence[str] | None = None) -> Iterator[Count]:
    """Every minute that was counted or seen, of these keys or of all; oldest first per SLI.

    Lossless: ``import_rows`` into an empty ledger makes the same one. SLIs of a chunk come
    together, so that each packed hour is read once and memory stays small.
    """
    found = find(conn, every_key(conn) if keys is None else list(keys))
    by_chunk: dict[int, dict[int, SliRow]] = {}
    for row in sorted((r for rows in found.values() for r in rows), key=lambda r: r.id):
        by_chunk.setdefault(row.id // SLOTS, {})[row.id % SLOTS] = row
    for chunk, slots in by_chunk.items():
        for start, deltas in chunks.blocks(conn, chunk):
            yield from _counts(start, deltas, slots)


def _counts(start: Minute, deltas: FloatArray, slots: Mapping[int, SliRow]) -> Iterator[Count]:
    for i, slot in np.argwhere(deltas.any(axis=2)).tolist():
        row = slots.get(slot)
        if row is not None:
            good, total, seen = deltas[i, slot].tolist()
            yield Count(row.key, start + i, good, total, int(seen), row.group)


def import_rows(conn: Connection, rows: Sequence[Count], now: Seconds) -> int:
    """Add exported minutes; returns the revision."""
    return record(conn, rows, now)
