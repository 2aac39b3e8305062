"""Reads raw samples of counters and turns them into events, one span of time after another.

What is remembered between spans (each series' last value) is only a cache of what Prometheus itself
holds: with a cold cache the same values are looked up there, so the events that are counted do not
depend on how time was cut into spans nor on whether we were restarted in between.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from watchkeeper.kernel.clock import Seconds
from watchkeeper.measure.counters import (
    Tally,
    first_value_counts,
    guided_increments,
    increments,
    newest,
)
from watchkeeper.measure.model import GroupKey
from watchkeeper.measure.prometheus import native
from watchkeeper.measure.prometheus.api import Api
from watchkeeper.measure.prometheus.births import Newborn, Sibling, births, last_values, target_of
from watchkeeper.measure.prometheus.plan import Fetch, Use

COLD_LOOKBACK = 300.0
FORGET_AFTER = 7200.0
_MOST_SIBLINGS = 5


@dataclass(slots=True)
class Track:
    """One counter: its last value and time, and the events of it that SLIs want."""

    uses: tuple[tuple[Use, GroupKey], ...]
    last: float | None = None
    at: Seconds = -math.inf
    bound: float | None = None  # of a native histogram: counts observations up to here
    guide: float = 0.0  # the last count of all its observations


@dataclass(slots=True)
class Span:
    """What was read between two times."""

    tally: Tally = field(default_factory=Tally)
    resets: int = 0
    baselines: int = 0
    samples: int = 0
    series: int = 0
    approximate: bool = False


@dataclass(slots=True)
class _Run:
    """New samples of one counter; ``guide`` are the counts beside a native histogram's good."""

    track: Track
    labels: dict[str, str]
    times: list[float]
    values: list[float]
    guide: list[float] | None = None


class Reader:
    """Counts events for a fixed set of fetches, from ``at`` on."""

    def __init__(self, fetches: Sequence[Fetch], interval: float = 0.0) -> None:
        self._fetches = fetches
        self._interval = interval
        self._tracks: list[dict[Any, tuple[Track, ...]]] = [{} for _ in fetches]
        self._targets: dict[tuple[str, str], Seconds] = {}
        self._totals = _totals(fetches)  # by SLI
        self.served: set[tuple[str, bool]] = set()  # (SLI, True: its good; False: its total)
        self._at: Seconds | None = None
        self._swept: Seconds = -math.inf

    def read(self, api: Api, start: Seconds, end: Seconds, lookback: float) -> Span:
        """Events of the samples in (start, end]. Raises FetchError, and then forgets the cache."""
        cold = self._at != start
        if cold:
            self._forget()
        self._at = None  # until all went well
        span = Span()
        runs = list(self._runs(api, start, end, cold, span))
        span.baselines = self._settle_births(api, runs, start, end, lookback)
        for run in runs:
            self._count(run, span)
        if end - self._swept > FORGET_AFTER:
            self._sweep(end)
        self._at = end
        return span

    def _forget(self) -> None:
        for tracks in self._tracks:
            tracks.clear()
        self._targets.clear()

    def _sweep(self, now: Seconds) -> None:
        """Drop what was not seen for long; should it come back, it is looked up."""
        for index, tracks in enumerate(self._tracks):
            self._tracks[index] = {
                k: ts for k, ts in tracks.items() if any(t.at > now - FORGET_AFTER for t in ts)
            }
        self._swept = now

    def _runs(
        self, api: Api, start: Seconds, end: Seconds, cold: bool, span: Span
    ) -> Iterator[_Run]:
        back = max(COLD_LOOKBACK, 3 * self._interval) if cold else 0.0
        width = math.ceil((end - start + back) * 1000)
        for fetch, tracks in zip(self._fetches, self._tracks, strict=True):
            for series in api.instant(f"{fetch.query}[{width}ms]", end):
                span.series += 1
                for run in self._counters(fetch, tracks, series, span):
                    if self._new_part(run, start):
                        span.samples += len(run.times)
                        yield run

    def _counters(
        self, fetch: Fetch, tracks: dict[Any, tuple[Track, ...]], series: dict[str, Any], span: Span
    ) -> Iterator[_Run]:
        """The counters of a series: itself, or those that make up a native histogram."""
        labels = series["metric"]
        identity = frozenset(labels.items())
        found = tracks.get(identity)
        histograms = series.get("histograms")
        if found is None:
            found = tracks[identity] = tuple(_tracks(fetch, labels, native_series=bool(histograms)))
            self.served.update((u.sli, u.total == 0) for t in found for u, _ in t.uses)
        if not found:
            return
        if not histograms:
            samples = series.get("values", ())
            times, values = [s[0] for s in samples], [float(s[1]) for s in samples]
            for track in found:
                if track.bound is None:
                    yield _Run(track, labels, times, values)
            return
        times = [s[0] for s in histograms]
        counts = [native.count(h) for _, h in histograms]
        for track in found:
            if track.bound is None:
                yield _Run(track, labels, times, counts)
                continue
            span.approximate = span.approximate or native.cuts(histograms[-1][1], track.bound)
            values = [native.until(h, track.bound) for _, h in histograms]
            yield _Run(track, labels, times, values, counts)

    def _new_part(self, run: _Run, start: Seconds) -> bool:
        """Leave only the samples after ``start`` in the run; the one before is its last value."""
        old = bisect.bisect_right(run.times, start)
        track = run.track
        if track.last is None and run.times:
            self._met(run.labels, run.times[0])
        if old:
            if track.last is None:
                track.last, track.at = newest(run.values[:old], None), run.times[old - 1]
                track.guide = run.guide[old - 1] if run.guide else 0.0
            run.times, run.values = run.times[old:], run.values[old:]
            run.guide = run.guide[old:] if run.guide is not None else None
        return bool(run.times)

    def _met(self, labels: dict[str, str], at: Seconds) -> None:
        target = target_of(labels)
        if at < self._targets.get(target, math.inf):
            self._targets[target] = at

    def _settle_births(
        self, api: Api, runs: Sequence[_Run], start: Seconds, end: Seconds, lookback: float
    ) -> int:
        """Give series without a known last value the one from before, or decide their first value.

        Returns how many first values were taken as baselines, that is, not counted.
        """
        fresh = [r for r in runs if r.track.last is None]
        if not fresh:
            return 0
        for run, sample in zip(
            fresh, last_values(api, [r.labels for r in fresh], start, lookback), strict=True
        ):
            if sample is not None:
                _recall(run.track, sample)
        fresh = [r for r in fresh if r.track.last is None]
        new = [Newborn(r.labels, r.times[0], self._siblings(r.track)) for r in fresh]
        baselines = 0
        for run, birth in zip(fresh, births(api, new, self._targets, start, end), strict=True):
            if first_value_counts(birth):
                run.track.last = 0.0
            elif run.values[0] > 0:
                baselines += 1
        return baselines

    def _siblings(self, track: Track) -> tuple[Sibling, ...]:
        """The totals of the SLIs that a series serves; a few are evidence enough."""
        found = dict.fromkeys(s for use, _ in track.uses for s in self._totals.get(use.sli, ()))
        return tuple(found)[:_MOST_SIBLINGS]

    def _count(self, run: _Run, span: Span) -> None:
        track = run.track
        before = track.at
        if run.guide is None:
            deltas, resets = increments(run.values, track.last)
            span.resets += resets
        else:
            deltas = guided_increments(run.values, track.last, run.guide, track.guide)
            track.guide = run.guide[-1]
        track.last = newest(run.values, track.last)
        track.at = run.times[-1]
        for use, group in track.uses:
            good, total, seen, add = use.good, use.total, use.seen, span.tally.add
            for at, events in zip(run.times, deltas, strict=True):
                if seen or events:
                    add(use.sli, group, int(at // 60), good * events, total * events, seen)
            if seen and self._interval > 60:
                self._bridge(use, group, before, run.times, span)

    def _bridge(
        self, use: Use, group: GroupKey, before: Seconds, times: Sequence[float], span: Span
    ) -> None:
        """With scrapes over a minute apart, the minutes between two of them were observed too."""
        for at in times:
            if at - before <= 2 * self._interval:
                for minute in range(int(before // 60) + 1, int(at // 60)):
                    span.tally.add(use.sli, group, minute, 0.0, 0.0, True)
            before = at


def _totals(fetches: Sequence[Fetch]) -> dict[str, list[Sibling]]:
    totals: dict[str, list[Sibling]] = {}
    for fetch in fetches:
        for wanted in fetch.wanted:
            for use in wanted.uses:
                if use.seen:
                    totals.setdefault(use.sli, []).append(Sibling(wanted.selector, fetch))
    return totals


def _recall(track: Track, sample: Mapping[str, Any]) -> None:
    if "histogram" not in sample:
        track.last = float(sample["value"][1])
        return
    histogram = sample["histogram"][1]
    track.guide = native.count(histogram)
    track.last = track.guide if track.bound is None else native.until(histogram, track.bound)


def _tracks(fetch: Fetch, labels: dict[str, str], *, native_series: bool) -> Iterator[Track]:
    uses = [
        (use, tuple((name, labels.get(name, "")) for name in sorted(use.group_by)))
        for use in fetch.uses(labels)
        if (use.native is not None) is native_series
    ]
    if not uses:
        return
    if not native_series:
        yield Track(tuple(uses))
        return
    yield Track(tuple((replace(use, good=0.0), group) for use, group in uses))
    for bound in dict.fromkeys(use.native for use, _ in uses):
        yield Track(
            tuple((replace(u, total=0.0, seen=False), g) for u, g in uses if u.native == bound),
            bound=bound,
        )
