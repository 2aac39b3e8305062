"""The Prometheus source: backfill, then what is new, exact to the sample."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import WatchkeeperError
from watchkeeper.measure.http import seconds
from watchkeeper.measure.model import Batch, Count, Note
from watchkeeper.measure.prometheus import cursor as positions
from watchkeeper.measure.prometheus.api import Api, TooMuchError
from watchkeeper.measure.prometheus.minutes import evaluate
from watchkeeper.measure.prometheus.plan import Plan, make_plan
from watchkeeper.measure.prometheus.series import Reader, Span
from watchkeeper.spec.model import HistogramSli, SliDefinition, SourceDefinition

DAY_MINUTES = 1440
DEFAULT_BACKFILL = 30 * DAY_MINUTES
CHUNK_SAMPLES = 400_000
FIRST_CHUNK = 3600.0
LARGEST_CHUNK = 86_400.0
MOST_EMPTY_CHUNKS = 48
LIVE = 3600.0  # a stream no further behind than this is read before any backfill


@dataclass(slots=True)
class _Stream:
    """SLIs that have been read up to the same time, with the reader that goes on from there."""

    slis: tuple[SliDefinition, ...]
    plan: Plan
    reader: Reader
    chunk: float = FIRST_CHUNK


@dataclass(slots=True)
class _Collected:
    """What one collection gathers."""

    counts: list[Count] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    more: bool = False


class PrometheusSource:
    """Counts events in a Prometheus (Thanos, Mimir, VictoriaMetrics), from raw samples.

    ``backfill_minutes`` is how far back the first collection of an SLI starts (``backfill_by_sli``
    by key); the caller sets it from the longest window. Settings beyond the common ones: ``settle``
    ("10s"): how long a sample may take to become visible; ``interval``: the scrape interval when it
    is longer than a minute; ``max_queries`` (1000): the budget of one collection.
    """

    def __init__(
        self,
        definition: SourceDefinition,
        backfill_minutes: int = DEFAULT_BACKFILL,
        api: Api | None = None,
    ) -> None:
        settings = definition.settings
        self.name = definition.name
        self.backfill_minutes = backfill_minutes
        self.backfill_by_sli: Mapping[str, int] = {}
        self.settle = seconds(settings.get("settle"), 10.0)
        self._interval = seconds(settings.get("interval"), 0.0)
        self._retention = seconds(settings.get("retention"), math.inf)
        self._max_queries = int(settings.get("max_queries", 1000))
        self._api = api or Api(settings)
        self._streams: list[_Stream] = []
        self._said: set[tuple[str, str]] = set()

    def collect(
        self, slis: Sequence[SliDefinition], cursor: Mapping[str, Any] | None, now: Seconds
    ) -> Batch:
        """Count what is new since ``cursor`` up to ``now``; see ``measure.model.Source``."""
        at = positions.decode(cursor)
        marks = {positions.mark(sli.key): sli for sli in slis}
        gathered = _Collected()
        try:
            horizon = round(min(now, self._api.now() - self.settle), 3)
            for mark, sli in marks.items():
                at.setdefault(mark, self._beginning(sli, horizon))
            self._advance_all(marks, at, horizon, gathered)
        except WatchkeeperError as error:
            self._streams.clear()
            return Batch((), cursor, (Note("error", str(error), now),))
        notes = [replace(n, at=now) for n in gathered.notes]
        return Batch(gathered.counts, positions.encode(at), notes, gathered.more)

    def close(self) -> None:
        """Close the connection to the server."""
        self._api.close()

    def _beginning(self, sli: SliDefinition, horizon: Seconds) -> Seconds:
        minutes = self.backfill_by_sli.get(sli.key, self.backfill_minutes)
        back = min(minutes * 60.0, self._retention)
        return math.floor((horizon - back) / 60) * 60.0

    def _advance_all(
        self,
        marks: Mapping[bytes, SliDefinition],
        at: dict[bytes, Seconds],
        horizon: Seconds,
        gathered: _Collected,
    ) -> None:
        """Bring what is live up to date, then one stream that is catching up a chunk further."""
        groups: dict[Seconds, list[bytes]] = {}
        for mark in marks:
            if at[mark] < horizon:
                groups.setdefault(at[mark], []).append(mark)
        kept: list[_Stream] = []
        budget = self._max_queries
        times = sorted(groups, key=lambda t: (t < horizon - LIVE, t))
        for time in times:
            behind = time < horizon - LIVE
            if budget <= 0 or (behind and gathered.more):
                gathered.more = gathered.more or behind
                continue
            stream = self._stream([marks[m] for m in groups[time]], budget, gathered)
            kept.append(stream)
            budget -= len(stream.plan.fetches)
            reached = self._advance(stream, time, horizon, gathered)
            at.update((positions.mark(s.key), reached) for s in stream.slis)
            gathered.more = gathered.more or reached < horizon
        self._streams = kept

    def _stream(self, slis: Sequence[SliDefinition], budget: int, gathered: _Collected) -> _Stream:
        wanted = tuple(slis)
        known = next((s for s in self._streams if s.slis == wanted), None)
        if known is not None:
            return known
        plan = make_plan(wanted, f"{max(60, round(2 * self._interval))}s")
        if len(plan.fetches) > budget:
            wanted = _within(wanted, plan, budget)
            gathered.notes.append(
                Note(
                    "limit",
                    f"{len(slis)} SLIs need {len(plan.fetches)} queries, more than max_queries "
                    f"({self._max_queries}); they are read in turn and lag behind. Raise "
                    "max_queries or use fewer metrics and common labels",
                    0.0,
                )
            )
            known = next((s for s in self._streams if s.slis == wanted), None)
            if known is not None:
                return known
            plan = make_plan(wanted)
        return _Stream(wanted, plan, Reader(plan.fetches, self._interval))

    def _advance(
        self, stream: _Stream, start: Seconds, horizon: Seconds, gathered: _Collected
    ) -> Seconds:
        """Read one chunk (empty ones are passed over); returns the time that was reached."""
        self._say_once("error", stream.plan.problems, gathered)
        self._say_once("estimated", stream.plan.estimated, gathered)
        for _ in range(MOST_EMPTY_CHUNKS):
            end, counts = self._read_chunk(stream, start, horizon, gathered)
            gathered.counts += counts
            start = end
            if counts or end >= horizon:
                break
        return start

    def _read_chunk(
        self, stream: _Stream, start: Seconds, horizon: Seconds, gathered: _Collected
    ) -> tuple[Seconds, list[Count]]:
        while True:
            end = horizon
            if horizon - start > stream.chunk:
                end = math.floor((start + stream.chunk) / 60) * 60.0
            try:
                span = stream.reader.read(self._api, start, end, self._lookback())
                break
            except TooMuchError:
                if stream.chunk <= 120:
                    raise
                stream.chunk = min(stream.chunk, horizon - start) / 4 + 60
        problems = evaluate(self._api, stream.plan.evaluations, start, end, span.tally)
        self._say_once("error", problems, gathered)
        _note_span(span, gathered)
        if end < horizon:
            stream.chunk = _next_chunk(stream.chunk, span.samples)
        return end, self._without_buckets(stream, span.tally.counts(), start, end, gathered)

    def _lookback(self) -> float:
        return min(self._retention, max(86_400.0, self.backfill_minutes * 60.0))

    def _without_buckets(
        self,
        stream: _Stream,
        counts: list[Count],
        start: Seconds,
        end: Seconds,
        gathered: _Collected,
    ) -> list[Count]:
        """Leave out latency SLIs whose bucket is missing: no bucket is not "all too slow"."""
        served = stream.reader.served
        for sli in stream.slis:
            lost = isinstance(sli.measurement, HistogramSli) and (
                (sli.key, False) in served and (sli.key, True) not in served
            )
            if not lost or not isinstance(sli.measurement, HistogramSli):
                continue
            counts = [c for c in counts if c.sli != sli.key]
            if (sli.key, "bucket") in self._said:
                continue
            self._said.add((sli.key, "bucket"))
            metric, _, rest = sli.measurement.selector.partition("{")
            match = f"{metric.strip()}_bucket" + (f"{{{rest}" if rest else "")
            bounds = sorted(self._api.label_values("le", match, start - 300, end), key=float)
            message = (
                f"no bucket for the threshold {sli.measurement.threshold:g}; "
                f"{metric.strip()} has le = {', '.join(bounds) or 'none'}; use one of these"
            )
            gathered.notes.append(Note("error", message, 0.0, sli=sli.key))
        return counts

    def _say_once(
        self, kind: str, findings: Sequence[tuple[str, str]], gathered: _Collected
    ) -> None:
        for sli, message in findings:
            if (sli, message) not in self._said:
                self._said.add((sli, message))
                gathered.notes.append(Note(kind, message, 0.0, sli=sli))


def _next_chunk(chunk: float, samples: int) -> float:
    factor = 4.0 if samples == 0 else min(4.0, CHUNK_SAMPLES / samples)
    return max(120.0, min(LARGEST_CHUNK, chunk * factor))


def _note_span(span: Span, gathered: _Collected) -> None:
    if span.resets:
        text = "counter resets: events between the last sample and a restart are in no sample"
        gathered.notes.append(Note("reset", text, 0.0, span.resets))
    if span.baselines:
        text = "counters older than their measurement: their first value is not counted"
        gathered.notes.append(Note("baseline", text, 0.0, span.baselines))
    if span.approximate:
        text = "a threshold lies inside a native histogram's bucket: good is interpolated there"
        gathered.notes.append(Note("estimated", text, 0.0))


def _within(slis: tuple[SliDefinition, ...], plan: Plan, budget: int) -> tuple[SliDefinition, ...]:
    """The SLIs that the first ``budget`` fetches serve in full."""
    beyond = {use.sli for f in plan.fetches[budget:] for wanted in f.wanted for use in wanted.uses}
    return tuple(s for s in slis if s.key not in beyond)
