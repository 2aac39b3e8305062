"""From the ledger to readings: one sweep over many SLOs, closer looks where they are needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from sqlalchemy import Connection

from watchkeeper.kernel.clock import Minute
from watchkeeper.kernel.courtesy import politely
from watchkeeper.slo import checks, exhaustion, ledger
from watchkeeper.slo.fleet import OWN, Readings, Subject, rate_row
from watchkeeper.slo.ledger_bulk import edges_many
from watchkeeper.slo.model import (
    BURN_WINDOWS,
    BoolArray,
    Correction,
    FloatArray,
    IntArray,
    TargetVersion,
)
from watchkeeper.slo.view import GOOD, MAY, SEEN, TOTAL, Terms, View, terms
from watchkeeper.slo.windows import Bounds, Interval, length, union, without

SEGMENTS = 8
_LONGEST = max(minutes for _, minutes in BURN_WINDOWS)
_DEPLETED = 2


@dataclass(slots=True)
class Sweep:
    """Everything read of N subjects."""

    readings: Readings
    terms: list[Terms]
    rate_rows: IntArray  # [N] the window that holds the present rate
    rate_minutes: FloatArray  # [N] observed minutes in it, at least 1
    screened_out: BoolArray  # [N] proven never to exhaust
    leaving: dict[int, exhaustion.Leaving]  # at the roll-off grid, of those not screened out
    before: FloatArray  # [N, 3] cumulative before the own window, where it was read plainly


def holes_of(subject: Subject, corrections: Mapping[str, Sequence[Correction]]) -> list[Interval]:
    """The intervals excluded from this SLO: its own, and those of its definition."""
    names = {subject.name, subject.definition.name}
    return union([(c.start, c.end) for n in names for c in corrections.get(n, ())])


def terms_of(
    subject: Subject,
    bound: Bounds,
    versions: Mapping[str, Sequence[TargetVersion]],
    corrections: Mapping[str, Sequence[Correction]],
) -> Terms:
    """What this SLO excludes and allows, as far back as any window looks and as far as one runs."""
    whole = (min(bound.start, bound.end - _LONGEST), bound.end + bound.length)
    definition = subject.definition
    holes = holes_of(subject, corrections) if corrections else []
    return terms(definition.target, versions.get(definition.name, ()), holes, whole)


def all_terms(
    subjects: Sequence[Subject],
    bounds: Sequence[Bounds],
    versions: Mapping[str, Sequence[TargetVersion]],
    corrections: Mapping[str, Sequence[Correction]],
) -> list[Terms]:
    """The terms of each subject; those with nothing of their own share them."""
    special = set(versions) | set(corrections)
    shared: dict[tuple[Decimal, Bounds], Terms] = {}
    found: list[Terms] = []
    for subject, bound in zip(subjects, bounds, strict=True):
        name, target = subject.definition.name, subject.definition.target
        if special and (name in special or subject.name in special):
            found.append(terms_of(subject, bound, versions, corrections))
            continue
        its = shared.get((target, bound))
        if its is None:
            its = shared[target, bound] = terms_of(subject, bound, {}, {})
        found.append(its)
    return found


def reader(conn: Connection, sli_id: int) -> Callable[[IntArray], FloatArray]:
    """How a view reads one ledger row; a row that does not exist holds nothing."""
    return lambda minutes: edges_many(conn, [(sli_id, np.asarray(minutes, dtype=np.int64))])[0]


def read_together(
    conn: Connection, subjects: Sequence[Subject], minutes: IntArray
) -> list[tuple[Subject, Callable[[IntArray], FloatArray]]]:
    """Readers of many rows that have these minutes at hand already; others are read on demand."""
    known = [s for s in subjects if s.sli_id >= 0]
    ids = np.asarray([s.sli_id for s in known], dtype=np.int64)
    cum = ledger.edges(conn, ids, minutes.tolist()) if known else np.zeros((len(minutes), 0, 3))
    at_hand = {s.name: cum[:, i] for i, s in enumerate(known)}

    def reading(subject: Subject) -> Callable[[IntArray], FloatArray]:
        own, fallback = at_hand.get(subject.name), reader(conn, subject.sli_id)
        if own is None:
            return fallback
        return lambda asked: own if np.array_equal(asked, minutes) else fallback(asked)

    return [(s, reading(s)) for s in subjects]


def sweep(
    conn: Connection, subjects: Sequence[Subject], bounds: Sequence[Bounds], its: list[Terms]
) -> Sweep:
    """Read every window of every subject."""
    n = len(subjects)
    rows = np.asarray([rate_row(s.slice_minutes) for s in subjects], dtype=np.int64)
    found = Sweep(
        Readings.empty(n), its, rows, np.ones(n), np.zeros(n, dtype=bool), {}, np.zeros((n, 3))
    )
    _set_terms(found.readings, bounds, its)
    plain: dict[Bounds, list[int]] = {}
    for j, (subject, bound) in enumerate(zip(subjects, bounds, strict=True)):
        if subject.sli_id < 0:
            found.screened_out[j] = True
        elif its[j].plain:
            plain.setdefault(bound, []).append(j)
        else:
            _read_special(View(reader(conn, subject.sli_id), its[j]), bound, found.readings, j)
            _measure_rate(found, subjects, np.asarray([j], dtype=np.int64))
    _read_plain(conn, subjects, plain, found)
    return found


def _measure_rate(found: Sweep, subjects: Sequence[Subject], at: IntArray) -> None:
    """How many minutes the present rate was observed over: what there is of the rate's window."""
    rows = found.rate_rows[at]
    slices = np.asarray([subjects[j].slice_minutes for j in at.tolist()], dtype=np.float64)
    longest = np.asarray([0, *(m for _, m in BURN_WINDOWS)], dtype=np.float64)[rows]
    found.rate_minutes[at] = np.clip(found.readings.seen[rows, at] * slices, 1, longest)


def _set_terms(readings: Readings, bounds: Sequence[Bounds], its: Sequence[Terms]) -> None:
    readings.scale[:] = [t.scale for t in its]
    readings.share[:] = [t.parts[-1][1] / t.scale for t in its]
    readings.counted_minutes[:] = [
        length(without((b.start, b.end), t.holes)) for b, t in zip(bounds, its, strict=True)
    ]


def _starts(bound: Bounds) -> list[Minute]:
    """The first minute of each window, the own one first."""
    return [bound.start, *(bound.end - minutes for _, minutes in BURN_WINDOWS)]


def _read_special(view: View, bound: Bounds, readings: Readings, j: int) -> None:
    cum = view.cum([bound.end, *_starts(bound)])
    counts = cum[0] - cum[1:]
    for column, grid in _grids(readings):
        grid[:, j] = counts[:, column]


def _grids(readings: Readings) -> tuple[tuple[int, FloatArray], ...]:
    return (
        (GOOD, readings.good),
        (TOTAL, readings.total),
        (SEEN, readings.seen),
        (MAY, readings.may),
    )


def _read_plain(
    conn: Connection, subjects: Sequence[Subject], plain: Mapping[Bounds, list[int]], found: Sweep
) -> None:
    """All subjects with the same window are read at the same edges in one go."""
    for bound, members in plain.items():
        at = np.asarray(members, dtype=np.int64)
        ids = np.asarray([subjects[j].sli_id for j in members], dtype=np.int64)
        grid = _roll_off_grid(bound)
        asked = np.asarray([bound.end, *_starts(bound), *(bound.start + grid)], dtype=np.int64)
        unique, back = np.unique(asked, return_inverse=True)
        cum = ledger.edges(conn, ids, unique.tolist())[back]
        first = 1 + len(BURN_WINDOWS) + 1
        counts = cum[0] - cum[1:first]
        found.before[at] = cum[1]
        numerators = np.asarray([found.terms[j].parts[0][1] for j in members], dtype=np.float64)
        for column, target in _grids(found.readings)[:3]:
            target[:, at] = counts[:, :, column]
        found.readings.may[:, at] = counts[:, :, TOTAL] * numerators
        _measure_rate(found, subjects, at)
        if len(grid):
            gone = cum[first:] - cum[1]
            lost = gone[:, :, TOTAL] * numerators
            gained = (gone[:, :, TOTAL] - gone[:, :, GOOD]) * found.readings.scale[at]
            lasts = _screen(found, at, lost, gained, grid)
            found.screened_out[at] = lasts
            for i in np.flatnonzero(~lasts).tolist():
                found.leaving[members[i]] = (lost[:, i], gained[:, i])


def _roll_off_grid(bound: Bounds) -> IntArray:
    if not bound.rolling:
        return np.zeros(0, dtype=np.int64)
    return exhaustion.screen_grid(bound.length, bound.start, SEGMENTS)


def _screen(
    found: Sweep, at: IntArray, lost: FloatArray, gained: FloatArray, grid: IntArray
) -> BoolArray:
    """[len(at)] True where a budget provably lasts."""
    readings, rows = found.readings, found.rate_rows[at]
    scale = readings.scale[at]
    own_bad = (readings.total[OWN, at] - readings.good[OWN, at]) * scale
    now_bad = (readings.total[rows, at] - readings.good[rows, at]) * scale
    gain = (readings.may[rows, at] - now_bad) / found.rate_minutes[at]
    falls = exhaustion.may_fall(readings.may[OWN, at] - own_bad, gain, lost, gained, grid)
    no_errors = (own_bad <= 0) & (now_bad <= 0) & np.all(gained >= 0, axis=0)
    lasts: BoolArray = ~falls | no_errors
    return lasts


# ---------------------------------------------------------------- closer looks


def steady(
    conn: Connection, subjects: Sequence[Subject], bounds: Sequence[Bounds], found: Sweep
) -> dict[int, list[str]]:
    """Warnings for SLIs whose share of bad events never changes, confirmed hour by hour."""
    warned: dict[int, list[str]] = {}
    for j in politely(np.flatnonzero(checks.may_be_constant(found.readings)).tolist()):
        end = bounds[j].end - bounds[j].end % 60
        edges = end - np.arange(checks.CONSTANT_DAYS * 24, -1, -1, dtype=np.int64) * 60
        cum = View(reader(conn, subjects[j].sli_id), found.terms[j]).cum(edges)
        steps = np.diff(cum, axis=0)
        if checks.is_constant(steps[:, GOOD], steps[:, TOTAL]):
            dead = not np.any(steps[:, GOOD])
            warned[j] = [checks.CONSTANT_ALL_BAD if dead else checks.CONSTANT]
    return warned


def stopped(
    conn: Connection, subjects: Sequence[Subject], bounds: Sequence[Bounds], found: Sweep
) -> dict[int, list[str]]:
    """Warnings for SLIs that no data has come from lately."""
    quiet = (found.readings.seen[1] <= 0) & (found.readings.seen[OWN] > 0)
    at = np.flatnonzero(quiet)
    if not len(at):
        return {}
    ids = np.asarray([subjects[j].sli_id for j in at.tolist()], dtype=np.int64)
    last = ledger.spans(conn, ids)[:, 1].tolist()
    warned: dict[int, list[str]] = {}
    for j, seen in zip(at.tolist(), last, strict=True):
        message = checks.stale(bounds[j].end, seen + subjects[j].slice_minutes - 1)
        if message:
            warned[j] = [message]
    return warned
