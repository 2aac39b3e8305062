"""Ledger rows computed from other rows (time slices, composites), kept equal to their base.

Each row's values are a function of its base minutes. Whenever base minutes change, be it now or by
late data, the slices and minutes they touch are computed again and the difference is recorded: so
a derived row always equals what a recount of its base would give.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection

from watchkeeper.kernel.clock import Minute, Seconds
from watchkeeper.measure.model import GroupKey
from watchkeeper.slo import composite, ledger, slices
from watchkeeper.slo.model import FloatArray, IntArray
from watchkeeper.slo.subjects import row_key
from watchkeeper.spec.model import Composite, Method, Occurrences, SloDefinition, Specs

Touched = dict[tuple[str, GroupKey], IntArray]
"""Base rows → the minutes of them that changed."""

OCCURRENCES = Occurrences()
FEW = 12
"""Up to this many steps are read as single edges; more, as one series."""


@dataclass(frozen=True, slots=True)
class Part:
    """A composite's part: the rows that hold its evidence, its slice length and weight."""

    key: str
    minutes: int
    weight: float


@dataclass(frozen=True, slots=True)
class Derived:
    """One kind of derived row: ``key``, from the rows of ``base`` (slices) or of ``parts``."""

    key: str
    base: str = ""
    method: Method = OCCURRENCES
    mode: str = ""
    parts: tuple[Part, ...] = ()


def derived_rows(specs: Specs) -> list[Derived]:
    """Every derived row the specs need, each after those it is made from."""
    found: dict[str, Derived] = {}
    for slo in specs.slos.values():
        if slo.sli is not None and slices.suffix(slo.method):
            key = row_key(slo)
            found[key] = Derived(key, base=slo.sli.key, method=slo.method)
    for slo in specs.slos.values():
        if slo.composite is not None:
            _add_composite(specs, slo.composite, found, ())
    return list(found.values())


def _add_composite(
    specs: Specs, made_of: Composite, found: dict[str, Derived], above: tuple[str, ...]
) -> None:
    key = composite.row_key(made_of)
    if key in found or key in above:
        return
    parts: list[Part] = []
    for part in made_of.parts:
        slo = specs.slos.get(part.slo)
        if slo is None:
            continue
        if slo.composite is not None:
            _add_composite(specs, slo.composite, found, (*above, key))
        parts.append(_part(slo, float(part.weight)))
    found[key] = Derived(key, mode=made_of.mode, parts=tuple(parts))


def _part(slo: SloDefinition, weight: float) -> Part:
    return Part(row_key(slo), slices.minutes_of(slo.method), weight)


# ---------------------------------------------------------------- keeping up


def follow(conn: Connection, rows: Sequence[Derived], touched: Touched, now: Seconds) -> None:
    """Bring every derived row up to date after these base minutes changed."""
    if not rows or not touched:
        return
    keys = {r.key for r in rows} | {r.base for r in rows} | {p.key for r in rows for p in r.parts}
    known = _index(conn, keys)
    for row in rows:
        changed = (
            _follow_parts(conn, row, touched, known, now)
            if row.parts
            else _follow_slices(conn, row, touched, known, now)
        )
        touched.update(changed)


def rebuild(conn: Connection, rows: Sequence[Derived], now: Seconds) -> None:
    """Compute rows that are new, or that lag behind their base, from the whole history.

    A row lags when its SLO had been taken out of the specs for a while.
    """
    keys = {r.key for r in rows} | {r.base for r in rows} | {p.key for r in rows for p in r.parts}
    known = _index(conn, keys - {""})
    last = _last_seen(conn, known)
    touched: Touched = {}
    lagging = [row for row in rows if _lags(row, known, last)]
    for base in {b for row in lagging for b in _bases(row)}:
        for group, sli_id in known.get(base, {}).items():
            first, final = last[sli_id]
            if first >= 0:
                touched[base, group] = np.arange(first, final + 1, dtype=np.int64)
    follow(conn, lagging, touched, now)


def _bases(row: Derived) -> list[str]:
    return [p.key for p in row.parts] or [row.base]


def _lags(row: Derived, known: Mapping[str, Mapping[GroupKey, int]], last: Spans) -> bool:
    """Whether a base row was seen after the last slice that the derived row knows."""
    for base in _bases(row):
        for group, sli_id in known.get(base, {}).items():
            own = known.get(row.key, {}).get(() if row.parts else group)
            newest = last[sli_id][1]
            known_to = -1 if own is None else last[own][1] + slices.minutes_of(row.method)
            if newest >= 0 and newest >= known_to:
                return True
    return False


Spans = Mapping[int, tuple[Minute, Minute]]


def _last_seen(conn: Connection, known: Mapping[str, Mapping[GroupKey, int]]) -> Spans:
    ids = sorted({i for groups in known.values() for i in groups.values()})
    if not ids:
        return {}
    spans = ledger.spans(conn, np.asarray(ids, dtype=np.int64)).tolist()
    return {i: (int(a), int(b)) for i, (a, b) in zip(ids, spans, strict=True)}


def _index(conn: Connection, keys: Iterable[str]) -> dict[str, dict[GroupKey, int]]:
    found = ledger.find(conn, sorted(k for k in keys if k))
    return {key: {row.group: row.id for row in rows} for key, rows in found.items()}


def _ids(
    conn: Connection,
    key: str,
    groups: Sequence[GroupKey],
    known: dict[str, dict[GroupKey, int]],
    now: Seconds,
) -> tuple[IntArray, list[GroupKey]]:
    """Ids of the derived rows, and those groups that are new."""
    have = known.setdefault(key, {})
    new = [g for g in groups if g not in have]
    if new:
        have.update(zip(new, ledger.register(conn, [(key, g) for g in new], now), strict=True))
    return np.asarray([have[g] for g in groups], dtype=np.int64), new


def _follow_slices(
    conn: Connection,
    row: Derived,
    touched: Touched,
    known: dict[str, dict[GroupKey, int]],
    now: Seconds,
) -> Touched:
    groups = [g for k, g in touched if k == row.base]
    if not groups:
        return {}
    length = slices.minutes_of(row.method)
    ids, new = _ids(conn, row.key, groups, known, now)
    bases = np.asarray([known[row.base][g] for g in groups], dtype=np.int64)
    minutes = [touched[row.base, g] for g in groups]
    if new:
        minutes = [
            _history(conn, int(b), m) if g in new else m
            for g, b, m in zip(groups, bases, minutes, strict=True)
        ]
    changed: Touched = {}
    starts = [slices.starts_of(m, length) for m in minutes]
    for same, at in _alike(starts):
        values = sums(conn, bases[same], at, length)
        want = np.stack(slices.evidence(row.method, *np.moveaxis(values, -1, 0)), axis=-1)
        _set(conn, ids[same], at, want)
        for i in same.tolist():
            changed[row.key, groups[i]] = at
    return changed


def _follow_parts(
    conn: Connection,
    row: Derived,
    touched: Touched,
    known: dict[str, dict[GroupKey, int]],
    now: Seconds,
) -> Touched:
    minutes = [
        np.unique((m[:, None] + np.arange(p.minutes)).ravel())
        for p in row.parts
        for (key, _), m in touched.items()
        if key == p.key
    ]
    if not minutes:
        return {}
    ids, new = _ids(conn, row.key, [()], known, now)
    at = np.unique(np.concatenate(minutes))
    if new:
        every = [i for p in row.parts for i in known.get(p.key, {}).values()]
        for sli_id in every:
            at = np.union1d(at, _history(conn, sli_id, at))
    values = np.stack([_part_values(conn, p, known, at) for p in row.parts])
    weights = np.asarray([p.weight for p in row.parts])
    want = np.stack(composite.evidence(row.mode, weights, *np.moveaxis(values, -1, 0)), axis=-1)
    _set(conn, ids, at, want[:, None, :])
    return {(row.key, ()): at}


def _part_values(
    conn: Connection, part: Part, known: Mapping[str, Mapping[GroupKey, int]], at: IntArray
) -> FloatArray:
    """[minutes, 3] of one part, all its label sets together; a slice speaks in all its minutes."""
    ids = np.asarray(list(known.get(part.key, {}).values()), dtype=np.int64)
    if not len(ids):
        return np.zeros((len(at), 3))
    starts = at // part.minutes * part.minutes
    unique, back = np.unique(starts, return_inverse=True)
    total: FloatArray = sums(conn, ids, unique, 1).sum(axis=1)
    return total[back]


def _history(conn: Connection, sli_id: int, minutes: IntArray) -> IntArray:
    """All minutes of a base row's life, and those given."""
    first, last = ledger.spans(conn, np.asarray([sli_id], dtype=np.int64))[0].tolist()
    if first < 0:
        return minutes
    return np.union1d(minutes, np.arange(first, last + 1, dtype=np.int64))


def _alike(starts: Sequence[IntArray]) -> list[tuple[IntArray, IntArray]]:
    """Rows that share the same slices, so that they are read together: (row indices, slices)."""
    groups: dict[bytes, list[int]] = {}
    for i, at in enumerate(starts):
        groups.setdefault(at.tobytes(), []).append(i)
    return [(np.asarray(same, dtype=np.int64), starts[same[0]]) for same in groups.values()]


def sums(conn: Connection, ids: IntArray, starts: IntArray, length: int) -> FloatArray:
    """[starts, ids, 3]: events of each row in [start, start + length)."""
    if len(starts) <= FEW:
        minutes, back = np.unique(np.concatenate((starts, starts + length)), return_inverse=True)
        cum = ledger.edges(conn, ids, minutes.tolist())[back]
        few: FloatArray = cum[len(starts) :] - cum[: len(starts)]
        return few
    return np.stack([_sums_of(conn, int(i), starts, length) for i in ids], axis=1)


def _sums_of(conn: Connection, sli_id: int, starts: IntArray, length: int) -> FloatArray:
    first, end = int(starts[0]), int(starts[-1]) + length
    whole = ledger.series(conn, sli_id, first, end)
    steps: FloatArray = np.column_stack((whole.good, whole.total, whole.seen))
    if length == 1:
        return steps[starts - first]
    gaps = starts - first
    summed: FloatArray = np.stack([steps[gaps + i] for i in range(length)]).sum(axis=0)
    return summed


def _set(conn: Connection, ids: IntArray, at: IntArray, want: FloatArray) -> None:
    """Make the rows' minutes hold exactly ``want`` [minutes, ids, 3] by recording differences."""
    delta = want - sums(conn, ids, at, 1)
    rows, columns = np.nonzero(np.any(delta != 0, axis=2))
    if len(rows):
        change = delta[rows, columns]
        ledger.record_arrays(conn, ids[columns], at[rows], change[:, 0], change[:, 1], change[:, 2])
