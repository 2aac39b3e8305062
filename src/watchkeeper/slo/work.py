"""Doors of the room: record what was measured, evaluate, look closer, correct."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from sqlalchemy import Connection, Engine

from watchkeeper.kernel.clock import (
    DAY_MINUTES,
    HOUR_MINUTES,
    Minute,
    Seconds,
    minute_of,
    window_end,
)
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.measure.model import Batch
from watchkeeper.slo import checks, gather, ledger, store
from watchkeeper.slo import detail as rules
from watchkeeper.slo.derived import Derived, Touched, derived_rows, follow, rebuild
from watchkeeper.slo.fleet import Readings, Subject, judge, statuses
from watchkeeper.slo.ledger_bulk import last_registered
from watchkeeper.slo.model import (
    Correction,
    Events,
    Fleet,
    FloatArray,
    IntArray,
    SloDetail,
    SloStatus,
    Spend,
    Stretch,
    WindowCounts,
)
from watchkeeper.slo.outlook import outlook
from watchkeeper.slo.subjects import base_name, row_key, subjects, unknown, wanted
from watchkeeper.slo.view import GOOD, MAY, SEEN, TOTAL, View
from watchkeeper.slo.windows import Bounds, bounds, length, without
from watchkeeper.spec.model import SloDefinition, Specs
from watchkeeper.store import timeline

LATEST_MINUTES = 180
FEW = 100
"""Up to this many SLOs are looked up one by one; of more, the list of all is at hand."""


# ---------------------------------------------------------------- recording


def record_batch(conn: Connection, specs: Specs, batch: Batch, now: Seconds) -> int:
    """Add a batch's counts to the ledger and bring slices and composites up to date.

    One transaction (the caller's). Returns the ledger's revision.
    """
    revision = ledger.record(conn, batch.counts, now)
    rows = derived_rows(specs)
    if not rows or not batch.counts:
        return revision
    follow(conn, rows, _touched(rows, batch), now)
    return ledger.revision(conn)


def _touched(rows: Sequence[Derived], batch: Batch) -> Touched:
    bases = {r.base for r in rows} | {p.key for r in rows for p in r.parts}
    minutes: dict[tuple[str, tuple[tuple[str, str], ...]], set[int]] = {}
    for count in batch.counts:
        if count.sli in bases:
            minutes.setdefault((count.sli, count.group), set()).add(count.minute)
    return {row: np.asarray(sorted(at), dtype=np.int64) for row, at in minutes.items()}


def apply_specs(conn: Connection, specs: Specs, now: Seconds) -> None:
    """Take note of definitions that were loaded or changed: to be called at each load.

    A changed target becomes a new version from this minute on, so the budget spent under the old
    one stays as it was. Slices and composites that are new are computed from the SLI's history.
    """
    ledger.hold(conn)  # replicas load the same change at the same time
    known = store.targets(conn)
    new = {s.name: s.target for s in specs.slos.values() if known.get(s.name) != s.target}
    store.add_versions(conn, minute_of(now), new)
    for name in (n for n in new if n in known):
        data = {"target": str(new[name])}
        timeline.append(conn, now, "slo.target", f"slo/{name}", "specs", data)
    rebuild(conn, derived_rows(specs), now)


# ---------------------------------------------------------------- evaluating


def evaluate_fleet(
    conn: Connection, specs: Specs, now: Seconds, names: Sequence[str] | None = None
) -> Fleet:
    """Judge all SLOs (or those named: definitions or instances) at ``now``, at one revision.

    ``conn`` should be one read transaction. Raises NotFound for a name that is not defined.
    """
    if names is None:
        chosen = _every_subject(conn, specs)
    else:
        asked = set(names)
        some = _subjects(conn, specs, wanted(specs, names))
        chosen = [s for s in some if s.name in asked or s.definition.name in asked]
    with _uncollected():
        found, readings = _judge(conn, chosen, now)
        counts = WindowCounts(readings.good[1:], readings.total[1:], readings.seen[1:])
        return Fleet(found, now, ledger.revision(conn), counts)


@contextmanager
def _uncollected() -> Iterator[None]:
    """No garbage collection meanwhile.

    Tens of thousands of new objects, none of them garbage, make Python look through all it has
    again and again; that is a tenth of an evaluation's time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@dataclass(frozen=True, slots=True)
class _Plan:
    """All subjects of some specs, as long as no SLI was registered since."""

    specs: Specs
    registered: tuple[object, ...]
    subjects: Sequence[Subject]


_plans: WeakKeyDictionary[Engine, _Plan] = WeakKeyDictionary()


def _every_subject(conn: Connection, specs: Specs) -> Sequence[Subject]:
    plan, registered = _plans.get(conn.engine), last_registered(conn)
    if plan is None or plan.specs is not specs or plan.registered != registered:
        plan = _Plan(specs, registered, _subjects(conn, specs, wanted(specs, None)))
        _plans[conn.engine] = plan
    return plan.subjects


def _subjects(
    conn: Connection, specs: Specs, definitions: Sequence[SloDefinition]
) -> list[Subject]:
    found = ledger.find(conn, sorted({row_key(d) for d in definitions}))
    rows = {key: [(r.id, r.group) for r in known] for key, known in found.items()}
    return subjects(specs, definitions, rows)


def _evaluate(conn: Connection, chosen: Sequence[Subject], now: Seconds) -> list[SloStatus]:
    return _judge(conn, chosen, now)[0]


def _judge(
    conn: Connection, chosen: Sequence[Subject], now: Seconds
) -> tuple[list[SloStatus], Readings]:
    """What is said of each, and the counts that it is said from."""
    if not chosen:
        return [], Readings.empty(0)
    ends = {
        d.window: bounds(d.window, now)
        for d in {s.definition.window: s.definition for s in chosen}.values()
    }
    windows = [ends[s.definition.window] for s in chosen]
    changes, excluded = store.changed_versions(conn), store.corrections_by_slo(conn)
    its = gather.all_terms(chosen, windows, changes, excluded)
    found = gather.sweep(conn, chosen, windows, its)
    verdicts = judge(found.readings)
    ahead = outlook(conn, chosen, windows, found, verdicts)
    slices = np.asarray([s.slice_minutes for s in chosen], dtype=np.float64)
    warnings = checks.merge(
        checks.suspects(found.readings, slices),
        gather.steady(conn, chosen, windows, found),
        gather.stopped(conn, chosen, windows, found),
    )
    said = statuses(chosen, windows, found.readings, verdicts, ahead, warnings, now)
    return said, found.readings


# ---------------------------------------------------------------- one SLO in depth


def detail(conn: Connection, specs: Specs, name: str, now: Seconds) -> SloDetail:
    """One SLO (or instance) in depth, all at one revision. Raises NotFound for an unknown name."""
    subject = subject_of(conn, specs, name)
    status = _evaluate(conn, [subject], now)[0]
    bound = bounds(subject.definition.window, now)
    view, excluded = view_of(conn, subject, bound), store.corrections_by_slo(conn)
    changes, its = store.versions(conn, subject.definition.name), view.terms
    edges = rules.hours(bound.start, bound.end)
    cum = view.cum(edges)
    spends = _spends(view, edges, cum, status)
    lately = np.arange(bound.end - LATEST_MINUTES, bound.end + 1, dtype=np.int64)
    names = {subject.name, subject.definition.name}
    return SloDetail(
        status,
        rules.burn_down(edges, cum, its.scale),
        rules.series(edges, cum, HOUR_MINUTES),
        rules.series(lately, view.cum(lately), 1),
        spends,
        status.budget.consumed - sum(s.bad for s in spends),
        [c for n in sorted(names) for c in excluded.get(n, ())],
        sorted(changes.get(subject.definition.name, ()), key=lambda v: v.since),
        _unseen(conn, subject, bound, view, now),
        ledger.revision(conn),
    )


def recent(
    conn: Connection, specs: Specs, names: Sequence[str], minutes: int, now: Seconds
) -> dict[str, Events]:
    """The events of these SLOs in their last so many minutes, as the burn rates count them.

    Names that are not known are left out. SLOs without corrections are read all in one go.
    """
    end = window_end(now)
    found = _between(conn, specs, names, np.asarray([end - minutes, end], dtype=np.int64))
    return {n: Events(row[0], row[1], int(row[2])) for n, (row,) in found.items()}


def minutes_of(
    conn: Connection, specs: Specs, names: Sequence[str], start: Minute, end: Minute
) -> dict[str, FloatArray]:
    """(good, total, seen) of each minute of [start, end): float64 [minutes, 3] by SLO.

    Corrections are excluded, as everywhere. Names that are not known are left out; that of a
    grouped SLO's definition stands for all its instances.
    """
    edges = np.arange(start, max(start, end) + 1, dtype=np.int64)
    found = _between(conn, specs, names, edges)
    return {name: np.asarray(rows, dtype=np.float64).reshape(-1, 3) for name, rows in found.items()}


def stretches(
    conn: Connection, specs: Specs, edges: Sequence[Minute], names: Sequence[str] | None = None
) -> dict[str, list[Stretch]]:
    """What was counted between each two edges, by SLO or instance; of all, or of those named.

    Corrections are excluded. Minutes before the first data of an SLO are not unseen.
    """
    asked = np.asarray(edges, dtype=np.int64)
    views = list(_views(conn, specs, names, asked))
    known = [s.sli_id for s, _ in views if s.sli_id >= 0]
    spans = ledger.spans(conn, np.asarray(known, dtype=np.int64))[:, 0].tolist() if known else []
    first = dict(zip(known, spans, strict=True))
    return {s.name: _stretches(s, v, asked, first.get(s.sli_id, -1)) for s, v in views}


def _stretches(subject: Subject, view: View, edges: IntArray, first: Minute) -> list[Stretch]:
    found = []
    rows = np.diff(view.cum(edges)[:, :MAY], axis=0).tolist()
    for start, end, (good, total, seen) in zip(edges[:-1], edges[1:], rows, strict=True):
        since = max(int(start), first)
        counted = length(without((since, int(end)), view.terms.holes)) if 0 <= first < end else 0
        minutes = round(seen * subject.slice_minutes)
        found.append(Stretch(Events(good, total, minutes), max(0, counted - minutes), counted))
    return found


def _between(
    conn: Connection, specs: Specs, names: Sequence[str], edges: IntArray
) -> dict[str, list[list[float]]]:
    """Good, total and seen between each two edges, by SLO."""
    return {
        subject.name: np.diff(view.cum(edges)[:, :MAY], axis=0).tolist()
        for subject, view in _views(conn, specs, names, edges)
    }


def _views(
    conn: Connection, specs: Specs, names: Sequence[str] | None, edges: IntArray
) -> Iterator[tuple[Subject, View]]:
    """Views that have these edges at hand, of the SLOs named."""
    asked = set(names or ())
    bases = {base_name(n) for n in asked} | asked
    few = len(asked) <= FEW and names is not None
    some = [d for n, d in specs.slos.items() if n in bases] if few else None
    every = _every_subject(conn, specs) if some is None else _subjects(conn, specs, some)
    chosen = [s for s in every if names is None or s.name in asked or s.definition.name in asked]
    excluded = store.corrections_by_slo(conn)
    first, last = int(edges[0]), int(edges[-1])
    for subject, read in gather.read_together(conn, chosen, edges):
        bound = Bounds(first, last, last, rolling=True)
        yield subject, View(read, gather.terms_of(subject, bound, {}, excluded))


def view_of(conn: Connection, subject: Subject, bound: Bounds) -> View:
    """The counts of one SLO as its budget sees them: corrected, under the targets of the time."""
    changes = store.versions(conn, subject.definition.name)
    its = gather.terms_of(subject, bound, changes, store.corrections_by_slo(conn))
    return View(gather.reader(conn, subject.sli_id), its)


def subject_of(conn: Connection, specs: Specs, name: str) -> Subject:
    """The SLO or instance of this name. Raises NotFound."""
    chosen = _subjects(conn, specs, wanted(specs, [name]))
    found = next((s for s in chosen if s.name == name), None)
    if found is not None:
        return found
    if name in specs.slos:
        raise NotFound(
            f"SLO {name!r} has one instance per label set",
            f"ask for one of them, e.g. {chosen[0].name!r}",
        )
    raise unknown(name, [s.name for s in chosen])


def _spends(view: View, edges: IntArray, cum: FloatArray, status: SloStatus) -> list[Spend]:
    """Episodes that cost more than an even spend, to the minute, the largest first."""
    steps = np.diff(cum, axis=0)
    bad = steps[:, TOTAL] - steps[:, GOOD]
    consumed = status.budget.consumed
    spends: list[Spend] = []
    for i, j in rules.episodes(bad * view.terms.scale, steps[:, MAY]):
        cost = float(bad[i:j].sum())
        spends.append(Spend(int(edges[i]), int(edges[j]), cost, cost / consumed, j == len(bad)))
    return [_to_the_minute(view, s) for s in rules.largest(spends)]


def _to_the_minute(view: View, spend: Spend) -> Spend:
    """Cut the quiet minutes off both ends; the events stay the same."""
    minutes = np.arange(spend.start, spend.end + 1, dtype=np.int64)
    ends = minutes if len(minutes) <= 2 * HOUR_MINUTES else minutes[_outer(len(minutes))]
    steps = np.diff(view.cum(ends), axis=0)
    start, end = rules.trim(ends, steps[:, TOTAL] - steps[:, GOOD])
    return Spend(start, end, spend.bad, spend.share, spend.ongoing)


def _outer(n: int) -> IntArray:
    """The first and the last hour's edges of a long episode: only there can minutes be cut off."""
    return np.concatenate((np.arange(HOUR_MINUTES + 1), np.arange(n - HOUR_MINUTES - 1, n)))


def _unseen(conn: Connection, subject: Subject, bound: Bounds, view: View, now: Seconds) -> int:
    """Whole minutes of the window, since the first data and without corrections, with no data."""
    if subject.sli_id < 0:
        return 0
    first = int(ledger.spans(conn, np.asarray([subject.sli_id], dtype=np.int64))[0, 0])
    step = subject.slice_minutes
    start, end = max(bound.start, first), minute_of(now) // step * step
    if first < 0 or start >= end:
        return 0
    seen = np.diff(view.cum([start, end])[:, SEEN])[0] * step
    return max(0, length(without((start, end), view.terms.holes)) - round(float(seen)))


def sparklines(
    conn: Connection, specs: Specs, names: Sequence[str], now: Seconds, points: int = 28
) -> Mapping[str, list[float | None]]:
    """Share of good events in ``points`` equal parts of each SLO's window, by name.

    None where a part has no evidence. Corrected intervals do not count.
    """
    chosen = [s for s in _subjects(conn, specs, wanted(specs, names)) if s.name in set(names)]
    changes, excluded = store.changed_versions(conn), store.corrections_by_slo(conn)
    alike: dict[Bounds, list[Subject]] = {}
    for subject in chosen:
        alike.setdefault(bounds(subject.definition.window, now), []).append(subject)
    drawn: dict[str, list[float | None]] = {}
    for bound, members in alike.items():
        edges = np.round(np.linspace(bound.start, bound.end, points + 1)).astype(np.int64)
        inner = edges[1:-1] - edges[1:-1] % HOUR_MINUTES  # whole hours are the cheapest to read
        edges[1:-1] = np.maximum(inner, bound.start) if bound.length > DAY_MINUTES else edges[1:-1]
        for subject, read in gather.read_together(conn, members, edges):
            its = gather.terms_of(subject, bound, changes, excluded)
            steps = np.diff(View(read, its).cum(edges), axis=0)
            pairs = zip(steps[:, GOOD].tolist(), steps[:, TOTAL].tolist(), strict=True)
            drawn[subject.name] = [good / total if total > 0 else None for good, total in pairs]
    return drawn


def counters(conn: Connection, specs: Specs, now: Seconds) -> Mapping[str, tuple[float, float]]:
    """(good, total) ever counted of each SLO's evidence up to ``now``, by SLO or instance name."""
    chosen = [s for s in _every_subject(conn, specs) if s.sli_id >= 0]
    ids = np.asarray([s.sli_id for s in chosen], dtype=np.int64)
    rows = ledger.edges(conn, ids, [window_end(now)])[0].tolist()
    return {s.name: (good, total) for s, (good, total, _) in zip(chosen, rows, strict=True)}


# ---------------------------------------------------------------- corrections


def correct(conn: Connection, correction: Correction) -> None:
    """Exclude an interval from an SLO's arithmetic. Raises UserError when it is empty or unsaid."""
    if correction.start >= correction.end:
        raise UserError("the correction ends before it starts", "give an end after the start")
    if not correction.reason.strip() or not correction.author.strip():
        raise UserError("a correction needs a reason and an author", "say why, and who says so")
    store.add_correction(conn, correction)


def uncorrect(conn: Connection, correction_id: str) -> None:
    """Take a correction back: its interval counts again. Raises NotFound."""
    store.remove_correction(conn, correction_id)


def corrections(conn: Connection, slo: str) -> list[Correction]:
    """The corrections of this SLO, the oldest first."""
    return list(store.corrections_by_slo(conn).get(slo, ()))
