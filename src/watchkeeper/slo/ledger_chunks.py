"""Chunks of 64 SLIs: adding to them, packing them, reading their edges.

Per chunk the hot table holds one frame a minute, dense from ``hot_start - 1`` (so that the first
hot minute has a predecessor) to ``head``; what is older is in hours. An hour without a row changed
nothing: its frame is the end of the last hour that has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from sqlalchemy import Connection, delete, select

from watchkeeper.kernel.clock import HOUR_MINUTES as HOUR
from watchkeeper.slo.ledger_late import note_late
from watchkeeper.slo.ledger_rows import (
    Head,
    bases_at,
    bases_from,
    deltas_at,
    end_before,
    ends_before,
    hot_frames,
    hot_from,
    hot_row,
    hours_at,
    one_sum,
    packed,
    parts,
    read_heads,
    rebase,
    save_heads,
    within_hour,
)
from watchkeeper.slo.ledger_tables import chunk_head, hot, hours
from watchkeeper.slo.model import FloatArray, IntArray
from watchkeeper.slo.packing import (
    FIELDS,
    SLOTS,
    frame_bytes,
    frame_of,
    hour_bytes,
)
from watchkeeper.store.writing import upsert

KEEP_MINUTES = 180
SEEN = 2


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
    heads = read_heads(conn, names.tolist())
    plans = []
    for name, a, b in parts:
        head = heads.get(name) or _new_head(name, int(minute[b - 1]))
        plans.append((head, slot[a:b], minute[a:b], amounts[a:b].copy()))
    _advance(conn, [(head, int(m[-1])) for head, _, m, _ in plans])
    frames = hot_from(conn, {h.chunk: max(int(m[0]), h.hot_start) - 1 for h, _, m, _ in plans})
    written: list[dict[str, object]] = []
    for head, s, m, d in plans:
        cut = int(np.searchsorted(m, head.hot_start))
        if cut:
            _add_old(conn, head, s[:cut], m[:cut], d[:cut], frames)
        if cut < len(m):
            written += _add_hot(head, s[cut:], m[cut:], d[cut:], frames.get(head.chunk, {}))
        _widen(head, s, m, d)
    upsert(conn, hot, written)
    save_heads(conn, [head for head, *_ in plans])


def _new_head(chunk: int, last: int) -> Head:
    start = (last - KEEP_MINUTES) // HOUR * HOUR
    return Head(chunk, start, start - 1, np.full((SLOTS, 2), -1, np.int64), fresh=True)


def _advance(conn: Connection, targets: Sequence[tuple[Head, int]]) -> None:
    """Keep the dense hot part short when time has leapt: pack what lies far behind first."""
    changed = []
    for head, last in targets:
        start = (last - KEEP_MINUTES) // HOUR * HOUR
        if head.fresh:
            upsert(conn, hot, [hot_row(head.chunk, head.head, np.zeros((SLOTS, FIELDS)))])
            changed.append(head)
        elif last > head.head + KEEP_MINUTES:
            _pack_chunk(conn, head, start)
            changed.append(head)
    save_heads(conn, changed)


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
    return [hot_row(head.chunk, first + i, frame) for i, frame in enumerate(new)]


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
    running = end_before(conn, head.chunk, first)
    bases = bases_from(conn, head.chunk, first)
    touched = sorted(set(hour.tolist()))
    deltas_of = deltas_at(conn, head.chunk, touched)
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
            running = base + one_sum(conn, head.chunk, h) if _gap_after(h, bases, touched) else base
    upsert(conn, hours, rows)
    rebase(conn, shifts)
    note_late(conn, head.chunk)
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
    upsert(conn, hot, [hot_row(head.chunk, m, frame) for m, frame in rows])
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


def pack(conn: Connection, until: int, most: int | None) -> int:
    """Move hot hours before minute ``until`` (on the hour) into the hours table.

    At most ``most`` chunks are packed (None: all); how many were.
    """
    query = select(chunk_head.c.chunk).where(chunk_head.c.hot_start < until)
    query = query.order_by(chunk_head.c.hot_start, chunk_head.c.chunk).limit(most)
    heads = read_heads(conn, list(conn.execute(query).scalars()))
    for head in heads.values():
        _pack_chunk(conn, head, until)
    save_heads(conn, list(heads.values()))
    return len(heads)


def _pack_chunk(conn: Connection, head: Head, until: int) -> None:
    if until <= head.hot_start:
        return
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
    upsert(conn, hours, rows)
    upsert(conn, hot, [hot_row(head.chunk, until - 1, last)])
    conn.execute(delete(hot).where(hot.c.chunk == head.chunk, hot.c.minute < until - 1))
    head.hot_start, head.head = until, max(head.head, until - 1)


# ---------------------------------------------------------------- reading


def edges(conn: Connection, ids: IntArray, minutes: IntArray) -> FloatArray:
    """Cumulative amounts before each minute: float64 [len(minutes), len(ids), 3]."""
    out = np.zeros((len(minutes), len(ids), FIELDS))
    known = np.flatnonzero(ids >= 0)
    if not len(known) or not len(minutes):
        return out
    chunk = ids[known] // SLOTS
    heads = read_heads(conn, np.unique(chunk).tolist())
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
        for part in parts(list(at_minutes)):
            for some in parts(names):
                query = select(hot.c.chunk, hot.c.minute, hot.c.cum).where(
                    hot.c.chunk.in_(some), hot.c.minute.in_(part)
                )
                for name, minute, cum in conn.execute(query).all():
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
        for name, base in bases_at(conn, names, h + 1).items():
            out[np.ix_(here, columns[name])] = base[slots[name]]
            missing.discard(name)
    if len(offsets) == 1:
        for name, after in within_hour(conn, sorted(missing), h, int(offsets[0])).items():
            out[here[0], columns[name]] = after[slots[name]]
            missing.discard(name)
    else:
        for name, (base, deltas) in hours_at(conn, sorted(missing), h).items():
            sums = base[slots[name]] + np.cumsum(deltas[:, slots[name]], axis=0)
            out[np.ix_(here, columns[name])] = sums[offsets - 1]
            missing.discard(name)
    for name, end in ends_before(conn, sorted(missing), h).items():
        out[np.ix_(here, columns[name])] = end[slots[name]]


def spans(conn: Connection, ids: IntArray) -> IntArray:
    """First and last seen minute of each id; -1 where nothing was seen."""
    out = np.full((len(ids), 2), -1, np.int64)
    chunk = ids // SLOTS
    known = ids >= 0
    for name, head in read_heads(conn, np.unique(chunk[known]).tolist()).items():
        mine = known & (chunk == name)
        out[mine] = head.spans[ids[mine] % SLOTS]
    return out


def blocks(conn: Connection, chunk: int) -> Iterator[tuple[int, FloatArray]]:
    """All that a chunk holds, oldest first: (first minute, deltas [minutes, 64, 3])."""
    for hour, deltas in packed(conn, chunk):
        yield hour * HOUR, deltas
    before: FloatArray | None = None
    for minute, frame in hot_frames(conn, chunk):
        if before is not None:  # the first frame is that before the first hot minute
            yield minute, (frame - before)[None]
        before = frame
