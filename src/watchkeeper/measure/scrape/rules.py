"""From one reading of a target to the events since the reading before. Pure.

A target's state is ``{"at": seconds, "start": process start or None, "last": {series: value}}``; it
holds the series that some SLI uses and nothing else. ``unmet`` are SLIs that came while the target
could not be read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from watchkeeper.kernel.clock import Seconds, minute_of
from watchkeeper.measure.counters import YOUNG, Tally
from watchkeeper.measure.prometheus.plan import Use
from watchkeeper.measure.scrape.exposition import identity
from watchkeeper.measure.selectors import NAME

PROCESS_START = "process_start_time_seconds"
Sample = tuple[dict[str, str], float]


@dataclass(frozen=True, slots=True)
class Reading:
    """One successful reading of a target: each sample that is used, with its uses."""

    at: Seconds
    samples: Sequence[tuple[dict[str, str], float, tuple[Use, ...]]]
    process_start: Seconds | None


@dataclass(slots=True)
class Outcome:
    """The target's next state and what happened on the way."""

    state: dict[str, Any]
    resets: int = 0
    baselines: int = 0
    gap: float = 0.0


@dataclass(slots=True)
class _Before:
    """The state before, read."""

    at: Seconds | None
    last: Mapping[str, float]
    restarted: bool
    young: bool
    unmet: frozenset[str] = frozenset()


def process_start(samples: Sequence[Sample]) -> Seconds | None:
    """When the target says its process started."""
    return next((v for labels, v in samples if labels[NAME] == PROCESS_START), None)


def advance(
    state: Mapping[str, Any] | None,
    reading: Reading,
    known: frozenset[str],
    siblings: bool,
    interval: float,
    tally: Tally,
) -> Outcome:
    """Add the events since ``state`` to ``tally`` and give the next state.

    ``known`` are the SLIs that were measured at the reading before: to a new one an old counter is
    a baseline. ``siblings``: other targets of this source were read before, so a target that is new
    started while we watched (unless its process says that it is older).
    """
    before = _before(state, reading, siblings)
    outcome = Outcome({"at": reading.at, "start": reading.process_start, "last": {}})
    last = outcome.state["last"]
    was_reset = False
    for labels, value, uses in reading.samples:
        if value != value:  # NaN is no sample
            continue
        key = identity(labels)
        old = before.last.get(key)
        was_reset = was_reset or (old is not None and (before.restarted or value < old))
        last[key] = value
        _add(before, known, reading.at, labels, value, uses, old, tally, outcome)
    for key, value in before.last.items():
        if not before.restarted:
            last.setdefault(key, value)  # a series that is missing once may come back
    outcome.resets = int(was_reset or before.restarted)
    _bridge(before, reading, interval, tally)
    if before.at is not None and reading.at - before.at > 2 * interval + 60:
        outcome.gap = reading.at - before.at
    return outcome


def _before(state: Mapping[str, Any] | None, reading: Reading, siblings: bool) -> _Before:
    start = reading.process_start
    young = start is not None and reading.at - start <= YOUNG
    if state is None:
        return _Before(None, {}, False, young or (siblings and start is None))
    old_start = state.get("start")
    restarted = start is not None and old_start is not None and start > old_start + 0.5
    unmet = frozenset(state.get("unmet", ()))
    return _Before(float(state["at"]), state["last"], restarted, young, unmet)


def _add(
    before: _Before,
    known: frozenset[str],
    at: Seconds,
    labels: Mapping[str, str],
    value: float,
    uses: Sequence[Use],
    old: float | None,
    tally: Tally,
    outcome: Outcome,
) -> None:
    baseline = False
    for use in uses:
        if old is not None:
            events = value if before.restarted or value < old else value - old
        elif before.young or before.restarted or _was_measured(before, use.sli, known):
            events = value
        else:
            events, baseline = 0.0, value > 0
        if use.seen or events:
            group = tuple((name, labels.get(name, "")) for name in sorted(use.group_by))
            tally.add(
                use.sli, group, minute_of(at), use.good * events, use.total * events, use.seen
            )
    outcome.baselines += baseline


def _was_measured(before: _Before, sli: str, known: frozenset[str]) -> bool:
    return before.at is not None and sli in known and sli not in before.unmet


def _bridge(before: _Before, reading: Reading, interval: float, tally: Tally) -> None:
    """With readings over a minute apart, the minutes between two of them were observed too."""
    if before.at is None or interval <= 60 or reading.at - before.at > 2 * interval:
        return
    for minute in range(minute_of(before.at) + 1, minute_of(reading.at)):
        for labels, _, uses in reading.samples:
            for use in uses:
                if use.seen:
                    group = tuple((name, labels.get(name, "")) for name in sorted(use.group_by))
                    tally.add(use.sli, group, minute, 0.0, 0.0, True)
