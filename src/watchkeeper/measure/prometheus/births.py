"""What Prometheus knows about series that we meet for the first time.

Did it hold them before a gap? Was their target read before and had not got them? When did their
process start? These decide whether a first value is new events or a baseline
(``counters.first_value_counts``).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from watchkeeper.kernel.clock import Seconds
from watchkeeper.measure.counters import YOUNG, Birth
from watchkeeper.measure.prometheus.api import Api, TooMuchError
from watchkeeper.measure.prometheus.plan import Fetch
from watchkeeper.measure.selectors import NAME, Matcher, Selector, quote, regex_literal, selector

Target = tuple[str, str]
Labels = Mapping[str, str]

_STAGES = (3600, 86_400)
_BATCH = 100
_DAY = 86_400
_SETTLED = 120.0
_EVIDENCE_BACK = 600.0


@dataclass(frozen=True, slots=True)
class Sibling:
    """Series that show that an SLI was observed, and the wider fetch that reads them."""

    selector: Selector
    fetch: Fetch


@dataclass(frozen=True, slots=True)
class Newborn:
    """A series without a past: its labels, its first sample, and its SLIs' totals."""

    labels: Labels
    first: Seconds
    siblings: tuple[Sibling, ...]


def target_of(labels: Labels) -> Target:
    """What is scraped as one: job and instance."""
    return labels.get("job", ""), labels.get("instance", "")


def last_values(
    api: Api, series: Sequence[Labels], at: Seconds, lookback: float
) -> list[Mapping[str, Any] | None]:
    """Each series' last sample before ``at``, at most ``lookback`` seconds old, else None.

    A result has ``value`` or ``histogram``. Looks back an hour first, a day, then all the way:
    series that came back after a gap are found cheaply, new ones cost only look-ups in the index.
    """
    found: list[Mapping[str, Any] | None] = [None] * len(series)
    stages = [s for s in _STAGES if s < lookback] + [lookback]
    for stage in stages:
        by_name: dict[str, list[int]] = defaultdict(list)
        for index, labels in enumerate(series):
            if found[index] is None:
                by_name[labels.get(NAME, "")].append(index)
        for indexes in by_name.values():
            for start in range(0, len(indexes), _BATCH):
                _look(api, series, indexes[start : start + _BATCH], at, stage, found)
    return found


def _look(
    api: Api,
    series: Sequence[Labels],
    indexes: Sequence[int],
    at: Seconds,
    seconds: float,
    found: list[Mapping[str, Any] | None],
) -> None:
    query = " or ".join(
        f"last_over_time({_exact(series[i])}[{math.ceil(seconds)}s])" for i in indexes
    )
    try:
        results = api.instant(query, at)
    except TooMuchError:
        if len(indexes) == 1:
            raise
        half = len(indexes) // 2
        _look(api, series, indexes[:half], at, seconds, found)
        _look(api, series, indexes[half:], at, seconds, found)
        return
    wanted = {_unnamed(series[i]): i for i in indexes}
    for result in results:
        index = wanted.get(_unnamed(result["metric"]))
        if index is not None:
            found[index] = result


def _exact(labels: Labels) -> str:
    return str(selector(*(Matcher(k, "=", v) for k, v in labels.items())))


def _unnamed(labels: Labels) -> frozenset[tuple[str, str]]:
    return frozenset((k, v) for k, v in labels.items() if k != NAME)


def births(
    api: Api,
    newborns: Sequence[Newborn],
    met: Mapping[Target, Seconds],
    start: Seconds,
    end: Seconds,
) -> list[Birth]:
    """The evidence for each; ``met`` says when each target was first met while reading."""
    open_targets = {
        target_of(n.labels)
        for n in newborns
        if met.get(target_of(n.labels), math.inf) >= n.first and n.labels.get("instance")
    }
    read, started = _target_facts(api, sorted(open_targets), start - _EVIDENCE_BACK, end)
    observed = _Observed(api)
    return [_birth(n, met, read, started, observed) for n in newborns]


def _birth(
    newborn: Newborn,
    met: Mapping[Target, Seconds],
    read: Mapping[Target, Seconds],
    started: Mapping[Target, list[tuple[Seconds, Seconds]]],
    observed: _Observed,
) -> Birth:
    target, first = target_of(newborn.labels), newborn.first
    if met.get(target, math.inf) < first or read.get(target, math.inf) < first:
        return Birth(first, target_read_before=True)
    process = next((p for at, p in started.get(target, ()) if at >= first), None)
    if process is None:
        before = observed.any(newborn.siblings, first - _SETTLED)
        return Birth(first, siblings_before=before)
    young = first - process <= YOUNG  # then no sibling need be asked for
    return Birth(
        first,
        process_start=process,
        siblings_at_start=not young and observed.any(newborn.siblings, process),
    )


def _target_facts(
    api: Api, targets: Sequence[Target], start: Seconds, end: Seconds
) -> tuple[dict[Target, Seconds], dict[Target, list[tuple[Seconds, Seconds]]]]:
    """When each target was first read well in this span, and its process' start at each sample."""
    read: dict[Target, Seconds] = {}
    started: dict[Target, list[tuple[Seconds, Seconds]]] = defaultdict(list)
    for begin in range(0, len(targets), _BATCH):
        part = targets[begin : begin + _BATCH]
        instances = quote("|".join(dict.fromkeys(regex_literal(i) for _, i in part)))
        query = f'{{__name__=~"up|process_start_time_seconds",instance=~{instances}}}'
        for series in api.instant(f"{query}[{math.ceil(end - start)}s]", end):
            target = target_of(series["metric"])
            up = series["metric"].get(NAME) == "up"
            for at, text in series.get("values", ()):
                if up and float(text) != 1:
                    continue
                if at < read.get(target, math.inf):
                    read[target] = at
                if not up:
                    started[target].append((at, float(text)))
    return read, started


class _Observed:
    """Which siblings Prometheus had seen by a minute; asked once for all that share a fetch."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._live: dict[tuple[Fetch, float], set[Selector]] = {}
        self._nothing: dict[tuple[Fetch, float], bool] = {}
        self._alone: dict[tuple[Selector, float], bool] = {}

    def any(self, siblings: Sequence[Sibling], at: Seconds) -> bool:
        """True when one of them had a sample in the day before ``at``."""
        minute = math.floor(at / 60) * 60.0
        return any(self._one(sibling, minute) for sibling in siblings)

    def _one(self, sibling: Sibling, at: Seconds) -> bool:
        key = (sibling.selector, at)
        if key not in self._alone:
            self._alone[key] = sibling.selector in self._live_in(sibling.fetch, at) or (
                not self._has_nothing(sibling.fetch, at) and self._ask(sibling.selector, at)
            )
        return self._alone[key]

    def _live_in(self, fetch: Fetch, at: Seconds) -> set[Selector]:
        if (fetch, at) not in self._live:
            found = self._api.instant(f"last_over_time({fetch.query}[300s])", at)
            self._live[fetch, at] = {s for r in found for s in fetch.selectors(r["metric"])}
        return self._live[fetch, at]

    def _has_nothing(self, fetch: Fetch, at: Seconds) -> bool:
        """True when nothing at all was observed: the beginning of history, asked in one query."""
        if self._live_in(fetch, at):
            return False
        if (fetch, at) not in self._nothing:
            try:
                self._nothing[fetch, at] = not self._ask(fetch.query, at)
            except TooMuchError:
                self._nothing[fetch, at] = False
        return self._nothing[fetch, at]

    def _ask(self, selector: Selector, at: Seconds) -> bool:
        return bool(self._api.instant(f"count(last_over_time({selector}[{_DAY}s]))", at))
