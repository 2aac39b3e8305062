"""Chunks of 64 SLIs: adding to them, packing them, reading their edges. The ledger's SQL.

Per chunk the hot table holds one frame a minute, dense from ``hot_start - 1`` (so that the first
hot minute has a predecessor) to ``head``; what is older is in hours. An hour without a row changed
nothing: its frame is the end of the last hour that has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, Table, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from watchkeeper.kernel.clock import HOUR_MINUTES as HOUR
from watchkeeper.slo.ledger_tables import chunk_head, hot, hours
from watchkeeper.slo.model import FloatArray, IntArray
from watchkeeper.slo.packing import (
    FIELDS,
    SLOTS,
    frame_bytes,
    frame_of,
    hour_bytes,
    hour_of,
)

KEEP_MINUTES = 180
_MOST_BINDS = 900
SEEN = 2


@dataclass
class Head:
    """What is known of a chunk: where its hot minutes begin and end, what was seen when."""

    chunk: int
    hot_start: int
    head: int
    spans: IntArray  # [64, 2] first and last seen minute, -1: none
    fresh: bool = False


# ---------------------------------------------------------------- adding


def add(
    conn: Connection, chunk: IntArray, slot: IntArray, minute: IntArray, amounts: FloatArray
) -> None:
    """Add amounts [n, 3] at (chunk, slot, minute); all in the caller's transaction."""
    order = np.lexsort((minute, chunk))
    chunk, slot, minute, amounts = chunk[order], slot[order], minute[order], amounts[order]
    names, starts = np.unique(chunk, return_index=True)
    parts = list(
        zip(names.tolist(), starts.tolist(), [*starts[1:].tolist(), len(chunk)], strict=True)
    )
    heads = _heads(conn, names.tolist(), lock=True)
    plans = []
    for name, a, b in parts:
        head = heads.get(name) or _new_head(name, int(minute[b - 1]))
        plans.append((head, slot[a:b], minute[a:b], amounts[a:b].copy()))
    _advance(conn, [(head, int(m[-1])) for head, _, m, _ in plans])
    frames = _hot_from(conn, {h.chunk: max(int(m[0]), h.hot_start) - 1 for h, _, m, _ in plans})
    written: list[dict[str, object]] = []
    for head, s, m, d in plans:
        cut = int(np.searchsorted(m, head.hot_start))
        if cut:
            _add_old(conn, head, s[:cut], m[:cut], d[:cut], frames)
        if cut < len(m):
            written += _add_hot(head, s[cut:], m[cut:], d[cut:], frames.get(head.chunk, {}))
        _widen(head, s, m, d)
    _upsert(conn, hot, written)
    _save(conn, [head for head, *_ in plans])


def _new_head(chunk: int, last: int) -> Head:
    start = (last - KEEP_MINUTES) // HOUR * HOUR
    return Head(chunk, start, start - 1, np.full((SLOTS, 2), -1, np.int64), fresh=True)


def _advance(conn: Connection, targets: Sequence[tuple[Head, int]]) -> None:
    """Keep the dense hot part short when time has leapt: pack what lies far behind first."""
    changed = []
    for head, last in targets:
        start = (last - KEEP_MINUTES) // HOUR * HOUR
        if head.fresh:
            _upsert(conn, hot, [_row(head.chunk, head.head, np.zeros((SLOTS, FIELDS)))])
            changed.append(head)
        elif last > head.head + KEEP_MINUTES:
            _pack_chunk(conn, head, start)
            changed.append(head)
    _save(conn, changed)


def _add_hot(
    head: Head,
    slot: IntArray,
    minute: IntArray,
    amounts: FloatArray,
    frames: Mapping[int, FloatArray],
) -> list[dict[str, object]]:
    """Frames to write: from the first minute touched to the (new) head."""
    # Minutes that were skipped since the head are written too: hot minutes are dense.
    first, last = min(int(minute[0]), head.head + 1), max(head.head, int(minute[-1]))
    cum = np.empty((last - first + 2, SLOTS, FIELDS))
    for i, at in enumerate(range(first - 1, last + 1)):
        cum[i] = frames[min(at, head.head)]
    deltas = np.zeros((last - first + 1, SLOTS, FIELDS))
    np.add.at(deltas, (minute - first, slot), amounts)
    have = np.diff(cum[:, :, SEEN], axis=0)
    deltas[:, :, SEEN] = _seen_once(have, deltas[:, :, SEEN])
    new = cum[1:] + np.cumsum(deltas, axis=0)
    head.head = last
    return [_row(head.chunk, first + i, frame) for i, frame in enumerate(new)]


def _seen_once(have: FloatArray, more: FloatArray) -> FloatArray:
    """What to add so that a minute is seen 0 or 1 times, whatever came before."""
    return np.clip(have + more, 0.0, 1.0) - have


def _add_old(
    conn: Connection,
    head: Head,
    slot: IntArray,
    minute: IntArray,
    amounts: FloatArray,
    frames: dict[int, dict[int, FloatArray]],
) -> None:
    """Add to packed hours and shift everything later: the later hours' bases and the hot frames."""
    hour = minute // HOUR
    first = int(hour[0])
    running = _end_before(conn, head.chunk, first)
    bases = _bases_from(conn, head.chunk, first)
    touched = sorted(set(hour.tolist()))
    deltas_of = _deltas_at(conn, head.chunk, touched)
    carry = np.zeros((SLOTS, FIELDS))
    rows: list[dict[str, object]] = []
    shifts: list[dict[str, object]] = []
    cursor = 0
    for h in sorted({*bases, *touched}):
        base = bases[h] + carry if h in bases else running
        if h in deltas_of or h not in bases:
            end = int(np.searchsorted(hour, h, side="right"))
            old = deltas_of.get(h, np.zeros((HOUR, SLOTS, FIELDS)))
            new = _with(old, slot[cursor:end], minute[cursor:end] - h * HOUR, amounts[cursor:end])
            cursor = end
            rows.append(
                {
                    "chunk": head.chunk,
                    "hour": h,
                    "base": frame_bytes(base),
                    "deltas": hour_bytes(new),
                }
            )
            carry = carry + (new - old).sum(axis=0)
            running = base + new.sum(axis=0)
        else:
            shifts.append({"chunk": head.chunk, "hour": h, "base": frame_bytes(base)})
            # Only when a missing hour follows is this hour's end needed; reading it then is rare.
            running = (
                base + _one_sum(conn, head.chunk, h) if _gap_after(h, bases, touched) else base
            )
    _upsert(conn, hours, rows)
    _rebase(conn, shifts)
    _shift_hot(conn, head, carry, frames)


def _gap_after(h: int, bases: Mapping[int, FloatArray], touched: Sequence[int]) -> bool:
    following = [t for t in touched if t > h and t not in bases]
    return bool(following) and not any(h < b < following[0] for b in bases)


def _with(old: FloatArray, slot: IntArray, at: IntArray, amounts: FloatArray) -> FloatArray:
    more = np.zeros_like(old)
    np.add.at(more, (at, slot), amounts)
    more[:, :, SEEN] = _seen_once(old[:, :, SEEN], more[:, :, SEEN])
    return old + more


def _shift_hot(
    conn: Connection, head: Head, carry: FloatArray, frames: dict[int, dict[int, FloatArray]]
) -> None:
    if not carry.any():
        return
    query = select(hot.c.minute, hot.c.cum).where(hot.c.chunk == head.chunk)
    rows = [(m, frame_of(c) + carry) for m, c in conn.execute(query)]
    _upsert(conn, hot, [_row(head.chunk, m, frame) for m, frame in rows])
    known = frames.get(head.chunk, {})
    for m, frame in rows:
        if m in known:
            known[m] = frame


def _widen(head: Head, slot: IntArray, minute: IntArray, amounts: FloatArray) -> None:
    used = amounts[:, SEEN] > 0
    if not used.any():
        return
    s, m = slot[used], minute[used]
    low = np.full(SLOTS, np.iinfo(np.int64).max)
    np.minimum.at(low, s, m)
    high = np.full(SLOTS, -1, np.int64)
    np.maximum.at(high, s, m)
    first, last = head.spans[:, 0], head.spans[:, 1]
    here = high >= 0
    head.spans[:, 0] = np.where(here & ((first < 0) | (low < first)), low, first)
    head.spans[:, 1] = np.maximum(last, high)


# ---------------------------------------------------------------- packing


def pack(conn: Connection, until: int) -> int:
    """Move hot hours before minute ``until`` (on the hour) into the hours table."""
    query = select(chunk_head.c.chunk).where(chunk_head.c.hot_start < until)
    names = list(conn.execute(query.order_by(chunk_head.c.chunk)).scalars())
    moved = 0
    for head in _heads(conn, names, lock=True).values():
        moved += _pack_chunk(conn, head, until)
        _save(conn, [head])
    return moved


def _pack_chunk(conn: Connection, head: Head, until: int) -> int:
    if until <= head.hot_start:
        return 0
    query = select(hot.c.minute, hot.c.cum).where(hot.c.chunk == head.chunk, hot.c.minute < until)
    frames = {m: frame_of(c) for m, c in conn.execute(query)}
    last = frames[min(head.head, until - 1)]
    rows = []
    for start in range(head.hot_start, min(until, head.head + 1), HOUR):
        cum = np.stack([frames.get(m, last) for m in range(start - 1, start + HOUR)])
        deltas = np.diff(cum, axis=0)
        if deltas.any():
            rows.append(
                {
                    "chunk": head.chunk,
                    "hour": start // HOUR,
                    "base": frame_bytes(cum[0]),
                    "deltas": hour_bytes(deltas),
                }
            )
    _upsert(conn, hours, rows)
    _upsert(conn, hot, [_row(head.chunk, until - 1, last)])
    conn.execute(delete(hot).where(hot.c.chunk == head.chunk, hot.c.minute < until - 1))
    head.hot_start, head.head = until, max(head.head, until - 1)
    return len(rows)


# ---------------------------------------------------------------- reading


def edges(conn: Connection, ids: IntArray, minutes: IntArray) -> FloatArray:
    """Cumulative amounts before each minute: float64 [len(minutes), len(ids), 3]."""
    out = np.zeros((len(minutes), len(ids), FIELDS))
    known = np.flatnonzero(ids >= 0)
    if not len(known) or not len(minutes):
        return out
    chunk = ids[known] // SLOTS
    heads = _heads(conn, np.unique(chunk).tolist(), lock=False)
    columns = {name: known[chunk == name] for name in heads}
    slots = {name: ids[columns[name]] % SLOTS for name in heads}
    _hot_edges(conn, heads, columns, slots, minutes, out)
    _hour_edges(conn, heads, columns, slots, minutes, out)
    return out


_Columns = Mapping[int, IntArray]


def _hot_edges(
    conn: Connection,
    heads: Mapping[int, Head],
    columns: _Columns,
    slots: _Columns,
    minutes: IntArray,
    out: FloatArray,
) -> None:
    wanted: dict[tuple[int, int], list[int]] = {}
    for name, head in heads.items():
        for i in np.flatnonzero(minutes >= head.hot_start).tolist():
            wanted.setdefault((name, min(int(minutes[i]) - 1, head.head)), []).append(i)
    for (name, minute), frame in _frames(conn, wanted).items():
        values = frame[slots[name]]
        for i in wanted[name, minute]:
            out[i, columns[name]] = values


def _frames(
    conn: Connection, wanted: Iterable[tuple[int, int]]
) -> dict[tuple[int, int], FloatArray]:
    keys = set(wanted)
    by_chunk: dict[tuple[int, ...], list[int]] = {}
    per: dict[int, list[int]] = {}
    for name, minute in sorted(keys):
        per.setdefault(name, []).append(minute)
    for name, at in per.items():
        by_chunk.setdefault(tuple(at), []).append(name)
    found: dict[tuple[int, int], FloatArray] = {}
    for at_minutes, names in by_chunk.items():
        for part in _parts(list(at_minutes)):
            for some in _parts(names):
                query = select(hot.c.chunk, hot.c.minute, hot.c.cum).where(
                    hot.c.chunk.in_(some), hot.c.minute.in_(part)
                )
                for name, minute, cum in conn.execute(query):
                    found[name, minute] = frame_of(cum)
    return found


def _hour_edges(
    conn: Connection,
    heads: Mapping[int, Head],
    columns: _Columns,
    slots: _Columns,
    minutes: IntArray,
    out: FloatArray,
) -> None:
    groups: dict[tuple[int, ...], list[int]] = {}
    at: dict[int, IntArray] = {}
    for name, head in heads.items():
        at[name] = np.flatnonzero(minutes < head.hot_start)
        if len(at[name]):
            groups.setdefault(tuple(at[name].tolist()), []).append(name)
    for places, names in groups.items():
        index = np.asarray(places)
        hour = (minutes[index] - 1) // HOUR
        for h in np.unique(hour).tolist():
            here = index[hour == h]
            offsets = minutes[here] - h * HOUR
            _one_hour(conn, names, h, here, offsets, columns, slots, out)


def _one_hour(
    conn: Connection,
    names: Sequence[int],
    h: int,
    here: IntArray,
    offsets: IntArray,
    columns: _Columns,
    slots: _Columns,
    out: FloatArray,
) -> None:
    """Fill the edges that lie ``offsets`` (1 to 60) minutes into hour ``h``, for these chunks."""
    on_the_hour = bool((offsets == HOUR).all())
    missing = set(names)
    if on_the_hour:
        # The next hour's base is this hour's end, and needs no unpacking.
        for name, base in _bases_at(conn, names, h + 1).items():
            out[np.ix_(here, columns[name])] = base[slots[name]]
            missing.discard(name)
    for name, (base, deltas) in _hours_at(conn, sorted(missing), h).items():
        if len(offsets) == 1:
            after = base + deltas[: offsets[0]].sum(axis=0)
            out[here[0], columns[name]] = after[slots[name]]
        else:
            sums = base[slots[name]] + np.cumsum(deltas[:, slots[name]], axis=0)
            out[np.ix_(here, columns[name])] = sums[offsets - 1]
        missing.discard(name)
    for name, end in _ends_before(conn, sorted(missing), h).items():
        out[np.ix_(here, columns[name])] = end[slots[name]]


def spans(conn: Connection, ids: IntArray) -> IntArray:
    """First and last seen minute of each id; -1 where nothing was seen."""
    out = np.full((len(ids), 2), -1, np.int64)
    chunk = ids // SLOTS
    known = ids >= 0
    for name, head in _heads(conn, np.unique(chunk[known]).tolist(), lock=False).items():
        mine = known & (chunk == name)
        out[mine] = head.spans[ids[mine] % SLOTS]
    return out


def extent(conn: Connection, chunk: int) -> tuple[int, int]:
    """First and last minute that a chunk may hold anything at; (0, -1) when it holds nothing."""
    head = _heads(conn, [chunk], lock=False).get(chunk)
    if head is None:
        return 0, -1
    first = conn.execute(select(func.min(hours.c.hour)).where(hours.c.chunk == chunk)).scalar()
    return (head.hot_start if first is None else min(first * HOUR, head.hot_start)), head.head


# ---------------------------------------------------------------- SQL


def _heads(conn: Connection, names: Sequence[int], lock: bool) -> dict[int, Head]:
    found: dict[int, Head] = {}
    for part in _parts(list(names)):
        query = select(chunk_head).where(chunk_head.c.chunk.in_(part)).order_by(chunk_head.c.chunk)
        if lock:
            query = query.with_for_update()  # SQLite has one writer anyway and leaves this out
        for row in conn.execute(query):
            seen = np.frombuffer(row.spans, "<i8").reshape(SLOTS, 2).astype(np.int64)
            found[row.chunk] = Head(row.chunk, row.hot_start, row.head, seen)
    return found


def _save(conn: Connection, heads: Sequence[Head]) -> None:
    _upsert(
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


def _hot_from(conn: Connection, since: Mapping[int, int]) -> dict[int, dict[int, FloatArray]]:
    """Frames from a minute on (and the head's, when that lies before it), per chunk."""
    by_minute: dict[int, list[int]] = {}
    for name, minute in since.items():
        by_minute.setdefault(minute, []).append(name)
    found: dict[int, dict[int, FloatArray]] = {}
    for minute, names in by_minute.items():
        for part in _parts(names):
            query = select(hot.c.chunk, hot.c.minute, hot.c.cum).where(
                hot.c.chunk.in_(part), hot.c.minute >= minute
            )
            for name, at, cum in conn.execute(query):
                found.setdefault(name, {})[at] = frame_of(cum)
    missing = [name for name in since if name not in found]
    for part in _parts(missing):
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


def _bases_from(conn: Connection, chunk: int, hour: int) -> dict[int, FloatArray]:
    query = select(hours.c.hour, hours.c.base).where(hours.c.chunk == chunk, hours.c.hour >= hour)
    return {h: frame_of(base) for h, base in conn.execute(query)}


def _deltas_at(conn: Connection, chunk: int, at: Sequence[int]) -> dict[int, FloatArray]:
    found: dict[int, FloatArray] = {}
    for part in _parts(list(at)):
        query = select(hours.c.hour, hours.c.deltas).where(
            hours.c.chunk == chunk, hours.c.hour.in_(part)
        )
        found.update({h: hour_of(d) for h, d in conn.execute(query)})
    return found


def _one_sum(conn: Connection, chunk: int, hour: int) -> FloatArray:
    total: FloatArray = _deltas_at(conn, chunk, [hour])[hour].sum(axis=0)
    return total


def _end_before(conn: Connection, chunk: int, hour: int) -> FloatArray:
    found = _ends_before(conn, [chunk], hour)
    return found.get(chunk, np.zeros((SLOTS, FIELDS)))


def _ends_before(conn: Connection, names: Sequence[int], hour: int) -> dict[int, FloatArray]:
    """The end of the last hour before ``hour`` that has a row, per chunk that has one."""
    found: dict[int, FloatArray] = {}
    for part in _parts(list(names)):
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
            found[name] = frame_of(base) + hour_of(deltas).sum(axis=0)
    return found


def _bases_at(conn: Connection, names: Sequence[int], hour: int) -> dict[int, FloatArray]:
    found: dict[int, FloatArray] = {}
    for part in _parts(list(names)):
        query = select(hours.c.chunk, hours.c.base).where(
            hours.c.hour == hour, hours.c.chunk.in_(part)
        )
        found.update({name: frame_of(base) for name, base in conn.execute(query)})
    return found


def _hours_at(
    conn: Connection, names: Sequence[int], hour: int
) -> dict[int, tuple[FloatArray, FloatArray]]:
    found: dict[int, tuple[FloatArray, FloatArray]] = {}
    for part in _parts(list(names)):
        query = select(hours.c.chunk, hours.c.base, hours.c.deltas).where(
            hours.c.hour == hour, hours.c.chunk.in_(part)
        )
        for name, base, deltas in conn.execute(query):
            found[name] = (frame_of(base), hour_of(deltas))
    return found


def _row(chunk: int, minute: int, frame: FloatArray) -> dict[str, object]:
    return {"chunk": chunk, "minute": minute, "cum": frame_bytes(frame)}


def _rebase(conn: Connection, shifts: Sequence[Mapping[str, object]]) -> None:
    if not shifts:
        return
    from sqlalchemy import bindparam, update

    statement = (
        update(hours)
        .where(hours.c.chunk == bindparam("at_chunk"), hours.c.hour == bindparam("at_hour"))
        .values(base=bindparam("new_base"))
    )
    conn.execute(
        statement,
        [{"at_chunk": s["chunk"], "at_hour": s["hour"], "new_base": s["base"]} for s in shifts],
    )


def _upsert(conn: Connection, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
    if not rows:
        return
    maker = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    statement = maker(table)
    keys = [c.name for c in table.primary_key.columns]
    values = {c.name: statement.excluded[c.name] for c in table.columns if c.name not in keys}
    conn.execute(statement.on_conflict_do_update(index_elements=keys, set_=values), list(rows))


def _parts(items: list[int]) -> Iterable[list[int]]:
    return (items[i : i + _MOST_BINDS] for i in range(0, len(items), _MOST_BINDS))
