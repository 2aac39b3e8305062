"""The scrape source: reads exposition pages at an interval, for those who have no Prometheus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from watchkeeper.kernel.clock import Seconds, minute_of
from watchkeeper.kernel.errors import UserError, WatchkeeperError
from watchkeeper.measure.counters import Tally
from watchkeeper.measure.http import Http, seconds
from watchkeeper.measure.model import Batch, Note
from watchkeeper.measure.prometheus.minutes import COMPARE
from watchkeeper.measure.prometheus.plan import Plan, Use, make_plan
from watchkeeper.measure.scrape.exposition import Exposition, parse
from watchkeeper.measure.scrape.rules import (
    PROCESS_START,
    Reading,
    Sample,
    advance,
    process_start,
)
from watchkeeper.measure.selectors import Selector, parse_selector
from watchkeeper.spec.model import (
    CountsSli,
    PrometheusQuery,
    Query,
    RawSli,
    ScrapeQuery,
    SliDefinition,
    SourceDefinition,
    ThresholdSli,
)

MOST_THREADS = 8
ACCEPT = (
    "text/plain;version=0.0.4,application/openmetrics-text;version=1.0.0;q=0.8,text/plain;q=0.5"
)


class ScrapeSource:
    """Counts events in counters that services expose over HTTP.

    Cursor: ``{"v": 1, "at": seconds, "slis": [keys], "targets": {url: state}}`` (``scrape.rules``).
    """

    def __init__(self, definition: SourceDefinition) -> None:
        settings = definition.settings
        self.name = definition.name
        urls = settings.get("urls") or [settings["url"]]
        self._urls = tuple(dict.fromkeys(str(u) for u in urls))
        self._interval = seconds(settings.get("interval"), 15.0)
        self._http = Http(settings, timeout=5.0)
        self._planned: tuple[tuple[SliDefinition, ...], Plan, tuple[_Gauge, ...]] | None = None
        self._uses: dict[frozenset[tuple[str, str]], tuple[Use, ...]] = {}

    def collect(
        self, slis: Sequence[SliDefinition], cursor: Mapping[str, Any] | None, now: Seconds
    ) -> Batch:
        """Read every URL once when the interval is over; see ``measure.model.Source``."""
        old = dict(cursor or {})
        # A tick that comes a moment early must not cost a whole interval.
        if cursor is not None and now - float(old["at"]) < self._interval * 0.9:
            return Batch((), cursor)
        plan, gauges, notes = self._plan(slis, now)
        pages = self._read_all()
        tally = Tally()
        known = frozenset(old.get("slis", ()))
        targets = dict(old.get("targets", {}))
        siblings = bool(targets)
        samples: list[Sample] = []
        for url, page in pages.items():
            if isinstance(page, WatchkeeperError):
                notes.append(Note("error", str(page), now))
                _remember_unmet(targets, url, {s.key for s in slis} - known)
                continue
            notes += self._take(url, page, plan, targets, known, siblings, now, tally)
            samples += page.samples
        if minute_of(now) > minute_of(float(old.get("at", 0.0))):
            _add_gauges(gauges, samples, now, tally)
        measured = sorted({s.key for s in slis}) if targets else []
        gone = [url for url in targets if url not in self._urls]
        for url in gone:
            del targets[url]
        if pages and all(isinstance(p, WatchkeeperError) for p in pages.values()):
            return Batch((), cursor, notes)
        after = {"v": 1, "at": now, "slis": measured, "targets": targets}
        return Batch(tally.counts(), after, notes)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _plan(
        self, slis: Sequence[SliDefinition], now: Seconds
    ) -> tuple[Plan, tuple[_Gauge, ...], list[Note]]:
        """The plan for these SLIs; what is wrong with them is said only when it is made."""
        wanted = tuple(slis)
        if self._planned is not None and self._planned[0] == wanted:
            return self._planned[1], self._planned[2], []
        plan = make_plan([_as_prometheus(s) for s in wanted if not _is_gauge(s)])
        gauges = tuple(_Gauge(s) for s in wanted if _is_gauge(s))
        self._planned = (wanted, plan, gauges)
        self._uses.clear()
        not_a_sum = "not a sum of counters, which a scrape cannot compute; use a selector"
        problems = [
            *plan.problems,
            *((e.sli.key, not_a_sum) for e in plan.evaluations),
            *((g.sli.key, g.problem) for g in gauges if g.problem),
        ]
        return plan, gauges, [Note("error", text, now, sli=key) for key, text in problems]

    def _read_all(self) -> dict[str, Exposition | WatchkeeperError]:
        if len(self._urls) == 1:
            return {self._urls[0]: self._read(self._urls[0])}
        with ThreadPoolExecutor(min(MOST_THREADS, len(self._urls))) as pool:
            return dict(zip(self._urls, pool.map(self._read, self._urls), strict=True))

    def _read(self, url: str) -> Exposition | WatchkeeperError:
        assert self._planned is not None
        names = _names(self._planned[1], self._planned[2])
        try:
            text = self._http.get(url, ACCEPT).text
        except WatchkeeperError as error:
            return error
        return parse(text, lambda name: names is None or name in names)

    def _take(
        self,
        url: str,
        page: Exposition,
        plan: Plan,
        targets: dict[str, Any],
        known: frozenset[str],
        siblings: bool,
        now: Seconds,
        tally: Tally,
    ) -> list[Note]:
        used = []
        for labels, value in page.samples:
            labels.setdefault("instance", urlsplit(url).netloc.rpartition("@")[2])
            uses = self._uses_of(plan, labels)
            if uses:
                used.append((labels, value, uses))
        reading = Reading(now, used, process_start(page.samples))
        outcome = advance(targets.get(url), reading, known, siblings, self._interval, tally)
        targets[url] = outcome.state
        where = urlsplit(url).netloc.rpartition("@")[2]
        return _notes(where, outcome.resets, outcome.baselines, outcome.gap, page, now)

    def _uses_of(self, plan: Plan, labels: dict[str, str]) -> tuple[Use, ...]:
        key = frozenset(labels.items())
        uses = self._uses.get(key)
        if uses is None:
            found = (use for fetch in plan.fetches for use in fetch.uses(labels))
            uses = self._uses[key] = tuple(u for u in found if u.native is None)
        return uses


def _remember_unmet(targets: dict[str, Any], url: str, new: set[str]) -> None:
    """SLIs that came while a target is down must not take its old counters for new events."""
    if new and url in targets:
        targets[url] = {**targets[url], "unmet": sorted(new | set(targets[url].get("unmet", ())))}


class _Gauge:
    """A raw or threshold SLI over one selector."""

    def __init__(self, sli: SliDefinition) -> None:
        self.sli = sli
        self.problem = ""
        self.selector: Selector | None = None
        measurement = sli.measurement
        assert isinstance(measurement, RawSli | ThresholdSli)
        try:
            self.selector = parse_selector(_text(measurement.query))
        except ValueError as error:
            self.problem = str(error)


def _is_gauge(sli: SliDefinition) -> bool:
    return isinstance(sli.measurement, RawSli | ThresholdSli)


def _text(query: Query) -> str:
    if isinstance(query, ScrapeQuery):
        return query.selector
    if isinstance(query, PrometheusQuery):
        return query.promql
    raise UserError(f"a scrape source needs a selector, not {type(query).__name__}")


def _as_prometheus(sli: SliDefinition) -> SliDefinition:
    """The same SLI with its selectors as PromQL, which a bare selector is."""
    counts = sli.measurement
    if not isinstance(counts, CountsSli):
        return sli

    def turned(query: Query | None) -> Query | None:
        return PrometheusQuery(query.selector) if isinstance(query, ScrapeQuery) else query

    total = turned(counts.total)
    assert total is not None
    return replace(sli, measurement=CountsSli(total, turned(counts.good), turned(counts.bad)))


def _names(plan: Plan, gauges: Sequence[_Gauge]) -> frozenset[str] | None:
    """The metrics to read; None when a selector names none, so that all are."""
    selectors = [w.selector for fetch in plan.fetches for w in fetch.wanted]
    selectors += [g.selector for g in gauges if g.selector is not None]
    found = {s.name for s in selectors}
    return None if "" in found else frozenset(found | {PROCESS_START})


def _add_gauges(
    gauges: Sequence[_Gauge], samples: Sequence[Sample], now: Seconds, tally: Tally
) -> None:
    """The first reading in a minute stands for it; all series must hold, ratios are averaged."""
    for gauge in gauges:
        if gauge.selector is None:
            continue
        values: dict[tuple[tuple[str, str], ...], list[float]] = {}
        for labels, value in samples:
            if value == value and gauge.selector.accepts(labels):
                by = sorted(gauge.sli.group_by)
                values.setdefault(tuple((n, labels.get(n, "")) for n in by), []).append(value)
        for group, found in values.items():
            tally.add(gauge.sli.key, group, minute_of(now), _goodness(gauge.sli, found), 1.0, True)


def _goodness(sli: SliDefinition, values: Sequence[float]) -> float:
    measurement = sli.measurement
    if isinstance(measurement, ThresholdSli):
        return float(all(COMPARE[measurement.op](v, measurement.value) for v in values))
    assert isinstance(measurement, RawSli)
    ratio = min(1.0, max(0.0, sum(values) / len(values)))
    return 1.0 - ratio if measurement.is_failure else ratio


def _notes(
    where: str, resets: int, baselines: int, gap: float, page: Exposition, now: Seconds
) -> list[Note]:
    notes = []
    if resets:
        text = (
            f"{where} restarted: events between the last reading and the restart are in no reading"
        )
        notes.append(Note("reset", text, now, resets))
    if baselines:
        text = f"{where}: counters older than their measurement; their first value is not counted"
        notes.append(Note("baseline", text, now, baselines))
    if gap:
        text = f"{where} was not read for {gap:.0f} s; the events of that time stand in this minute"
        notes.append(Note("gap", text, now))
    if page.unparsable:
        text = f"{where}: lines that could not be read, the first: {page.first_unparsable!r}"
        notes.append(Note("unparsable", text, now, page.unparsable))
    return notes
