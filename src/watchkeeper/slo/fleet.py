"""Many SLOs at one instant: counts over every window in, verdicts out. Pure and vectorised.

Arrays are [windows, SLOs]; row 0 is each SLO's own window, then ``BURN_WINDOWS`` in order. Allowed
bad events are kept as ``may`` = allowed × ``scale``, whole numbers for whole counts, so every
comparison below is exact while products stay under 2**53; beyond, close calls are decided again
with fractions (see budget.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache

import numpy as np

from watchkeeper.kernel.clock import MINUTE, Seconds
from watchkeeper.slo import budget as rules
from watchkeeper.slo import burn as burning
from watchkeeper.slo.model import (
    BURN_WINDOWS,
    BoolArray,
    Budget,
    Events,
    FloatArray,
    IntArray,
    Look,
    SloStatus,
    State,
)
from watchkeeper.slo.windows import Bounds, label
from watchkeeper.spec.model import SloDefinition

OWN = 0
WINDOW_ROW: Mapping[str, int] = {name: i + 1 for i, (name, _) in enumerate(BURN_WINDOWS)}
WINDOWS = len(BURN_WINDOWS) + 1
HOUR_ROW = WINDOW_ROW["1h"]
STALE_MINUTES = 15
SILENT_MINUTES = 60

_STATES = (State.OK, State.AT_RISK, State.DEPLETED, State.NO_DATA)
_OK, _AT_RISK, _DEPLETED, _NO_DATA = range(4)
_EXACT_UP_TO = 2.0**53
_CLOSE = 1e-9


@dataclass(frozen=True, slots=True)
class Subject:
    """One SLO to be judged: a definition, or one label set of a grouped one."""

    name: str
    definition: SloDefinition
    sli_id: int  # −1: the ledger has never heard of it
    team: str | None
    labels: Mapping[str, str]
    slice_minutes: int = 1  # minutes that one piece of evidence stands for


@dataclass(slots=True)
class Readings:
    """What the ledger holds for N subjects: [WINDOWS, N] each, ``scale`` and the rest [N]."""

    good: FloatArray
    total: FloatArray
    seen: FloatArray
    may: FloatArray
    scale: FloatArray
    counted_minutes: FloatArray  # of the own window: elapsed without corrections
    share: FloatArray  # 1 − the target in force now

    @classmethod
    def empty(cls, n: int) -> Readings:
        """Nothing seen by anyone."""
        shape = (WINDOWS, n)
        good, total, seen, may = (np.zeros(shape) for _ in range(4))
        return cls(good, total, seen, may, np.ones(n), np.zeros(n), np.zeros(n))


@dataclass(slots=True)
class Outlook:
    """When budgets run out and come back, in minutes after the window's end; by subject."""

    exhausts: dict[int, int] = field(default_factory=dict)
    recovers: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class Verdicts:
    """States and figures of N subjects."""

    state: IntArray  # [N] index into _STATES
    paging: BoolArray  # [N] bool: a page condition holds
    allowed: FloatArray  # [N]
    bad: FloatArray  # [N]
    remaining: FloatArray  # [N]
    ratio: FloatArray  # [N], NaN: no evidence
    attainment: FloatArray  # [N], NaN
    burn: FloatArray  # [WINDOWS, N], NaN: no evidence


def judge(readings: Readings) -> Verdicts:
    """Every figure and state of every subject."""
    total, may = readings.total, readings.may
    bad_scaled = (total - readings.good) * readings.scale
    seen_any = total > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        burn = np.where(seen_any, bad_scaled / may, np.nan)
        burn[(may == 0) & seen_any & (bad_scaled <= 0)] = 0.0
        burn[np.isinf(burn)] = np.nan
        own_may, own_bad, own = may[OWN], bad_scaled[OWN], seen_any[OWN]
        ratio = np.where(own, (own_may - own_bad) / own_may, np.nan)
        ratio = np.where(own & (own_may == 0), np.where(own_bad > 0, 0.0, 1.0), ratio)
        attainment = np.where(own, readings.good[OWN] / total[OWN], np.nan)
    verdicts = Verdicts(
        _states(own_may, own_bad, own),
        _paging(may, bad_scaled, seen_any),
        own_may / readings.scale,
        total[OWN] - readings.good[OWN],
        (own_may - own_bad) / readings.scale,
        ratio,
        attainment,
        burn,
    )
    for j in _close_calls(readings, bad_scaled).tolist():
        _again_exactly(readings, verdicts, j)
    return verdicts


def _states(may: FloatArray, bad: FloatArray, seen_any: BoolArray) -> IntArray:
    state = np.where((bad * 2 < may) | (bad <= 0), _OK, _AT_RISK)
    state[(bad > 0) & (bad >= may)] = _DEPLETED
    state[~seen_any] = _NO_DATA
    return state


def _paging(may: FloatArray, bad: FloatArray, seen_any: BoolArray) -> BoolArray:
    paging = np.zeros(may.shape[1], dtype=bool)
    for condition in burning.PAGE_CONDITIONS:
        up, down = condition.threshold.numerator, condition.threshold.denominator
        rows = [WINDOW_ROW[condition.long], WINDOW_ROW[condition.short]]
        over = (bad[rows] * down >= may[rows] * up) & (bad[rows] > 0) & seen_any[rows]
        paging |= over.all(axis=0)
    return paging


def _close_calls(readings: Readings, bad_scaled: FloatArray) -> IntArray:
    """Subjects near a boundary whose arithmetic may have been rounded."""
    may = readings.may
    largest = np.maximum(may, bad_scaled).max(axis=0) * 144
    rounded = (largest >= _EXACT_UP_TO) | np.any(readings.good != np.floor(readings.good), axis=0)
    if not rounded.any():
        return np.zeros(0, dtype=np.int64)
    near = np.zeros(may.shape[1], dtype=bool)
    for row, factor in ((OWN, 1.0), (OWN, 0.5), *((WINDOW_ROW[n], t) for n, t in _THRESHOLDS)):
        near |= np.abs(bad_scaled[row] - may[row] * factor) <= _CLOSE * may[row] * factor
    return np.flatnonzero(rounded & near)


_THRESHOLDS = tuple(
    (name, float(c.threshold)) for c in burning.PAGE_CONDITIONS for name in (c.long, c.short)
)


def _again_exactly(readings: Readings, verdicts: Verdicts, j: int) -> None:
    """Decide one subject with fractions."""
    measured: dict[str, tuple[Fraction, Fraction, float]] = {}
    scale = rules.exact(readings.scale[j])
    for name, row in (("", OWN), *WINDOW_ROW.items()):
        events = float(readings.total[row, j])
        bad = rules.exact(events) - rules.exact(readings.good[row, j])
        measured[name] = (rules.exact(readings.may[row, j]) / scale, bad, events)
    verdicts.state[j] = _STATES.index(rules.state(*measured[""]))
    verdicts.paging[j] = burning.pages(measured)


@lru_cache(maxsize=1000)
def rate_row(slice_minutes: int) -> int:
    """The window that the present rate is read from: 1 h, or longer where slices are longer.

    It holds at least two slices, so that there is a slice to read.
    """
    for name, minutes in BURN_WINDOWS:
        if minutes >= max(SILENT_MINUTES, 2 * slice_minutes):
            return WINDOW_ROW[name]
    return WINDOWS - 1


def silent(readings: Readings, rate_rows: IntArray) -> BoolArray:
    """[N] whether nothing was seen for an hour although there is evidence in the window."""
    lately = readings.seen[rate_rows, np.arange(len(rate_rows))]
    quiet: BoolArray = (lately <= 0) & (readings.seen[OWN] > 0)
    return quiet


def look(state: State, paging: bool, is_silent: bool) -> Look:
    """What pages show. Burning now comes before spent; no data for an hour shows as no data."""
    if state is State.NO_DATA or is_silent:
        return Look.NONE
    if paging:
        return Look.BURN
    if state is State.DEPLETED:
        return Look.SPENT
    return Look.WATCH if state is State.AT_RISK else Look.OK


def plain_exhaustion(ratio: FloatArray, burn_1h: FloatArray, length: FloatArray) -> FloatArray:
    """Seconds by the figure others show: remaining ratio × window / burn over the last hour.

    It knows no roll-off. 0 when spent, NaN (never) when nothing burns or nothing is known.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        seconds = np.where(burn_1h > 0, ratio * length * MINUTE / burn_1h, np.nan)
    return np.where(ratio <= 0, 0.0, seconds)


def statuses(
    subjects: Sequence[Subject],
    windows: Sequence[Bounds],
    readings: Readings,
    verdicts: Verdicts,
    outlook: Outlook,
    warnings: Mapping[int, Sequence[str]],
    now: Seconds,
) -> list[SloStatus]:
    """The published form of everything, in the order of the subjects."""
    lengths = np.asarray([b.length for b in windows], dtype=np.float64)
    plain = _listed(plain_exhaustion(verdicts.ratio, verdicts.burn[HOUR_ROW], lengths))
    burn_rows = [_listed(row) for row in verdicts.burn]
    budgets = _budgets(readings, verdicts)
    events = _events(readings)
    rows = np.asarray([rate_row(s.slice_minutes) for s in subjects], dtype=np.int64)
    quiet = silent(readings, rows).tolist()
    states = [_STATES[i] for i in verdicts.state.tolist()]
    paging = verdicts.paging.tolist()
    attained = _listed(verdicts.attainment)
    names = [name for name, _ in BURN_WINDOWS]
    short_rates = list(zip(*burn_rows[1:], strict=True))
    built: list[SloStatus] = []
    for j, (subject, bound) in enumerate(zip(subjects, windows, strict=True)):
        definition, state = subject.definition, states[j]
        window = label(definition.window)
        rates = dict(zip(names, short_rates[j], strict=True))
        rates[window] = burn_rows[OWN][j]
        built.append(
            SloStatus(
                subject.name,
                definition.display_name,
                definition.service,
                definition.journey,
                subject.team,
                definition.aspect,
                definition.target,
                window,
                bound.start,
                bound.end,
                bound.period_end,
                attained[j],
                events[j],
                budgets[j],
                rates,
                _time_left(state, outlook.exhausts.get(j), bound, now),
                plain[j],
                _after(outlook.recovers.get(j), bound, now),
                None,
                state,
                look(state, paging[j], quiet[j]),
                now,
                None,
                definition.place.file,
                definition.place.line,
                subject.labels,
                warnings.get(j, ()),
            )
        )
    return built


def _time_left(state: State, minutes: int | None, bound: Bounds, now: Seconds) -> float | None:
    return 0.0 if state is State.DEPLETED else _after(minutes, bound, now)


def _after(minutes: int | None, bound: Bounds, now: Seconds) -> float | None:
    return None if minutes is None else (bound.end + minutes) * MINUTE - now


def _listed(values: FloatArray) -> list[float | None]:
    listed: list[float | None] = values.tolist()
    return [None if v != v else v for v in listed]


def _events(readings: Readings) -> list[Events]:
    seen = readings.seen[OWN].astype(np.int64).tolist()
    rows = zip(readings.good[OWN].tolist(), readings.total[OWN].tolist(), seen, strict=True)
    return [Events(*row) for row in rows]


def _budgets(readings: Readings, verdicts: Verdicts) -> list[Budget]:
    total, window = readings.total[OWN], readings.counted_minutes
    with np.errstate(divide="ignore", invalid="ignore"):
        per_event = np.where(total > 0, window / total, 0.0)
        all_minutes = np.where(
            total > 0, verdicts.allowed * window / total, readings.share * window
        )
    used = verdicts.bad * per_event
    columns = (
        verdicts.allowed.tolist(),
        verdicts.bad.tolist(),
        verdicts.remaining.tolist(),
        _listed(verdicts.ratio),
        all_minutes.tolist(),
        used.tolist(),
        (all_minutes - used).tolist(),
    )
    return [Budget(*row) for row in zip(*columns, strict=True)]
