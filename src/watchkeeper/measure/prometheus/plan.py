"""Which queries serve a set of SLIs: one fetch feeds every SLI that its series belong to. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from watchkeeper.measure.prometheus.promql import (
    AsIs,
    Linear,
    as_is,
    is_selector,
    reduce,
    with_window,
)
from watchkeeper.measure.selectors import (
    NAME,
    Matcher,
    Selector,
    bound_matcher,
    parse_selector,
    regex_literal,
    selector,
)
from watchkeeper.spec.model import (
    CountsSli,
    HistogramSli,
    PrometheusQuery,
    Query,
    RawSli,
    SliDefinition,
    ThresholdSli,
)

MERGE_FROM = 4  # this many narrow selectors of one metric are fetched as one wide one
MOST_ALTERNATIVES = 500  # longer lists of values cost Prometheus more than they save
NAMES_PER_FETCH = 40


@dataclass(frozen=True, slots=True)
class Use:
    """What one event of a series means for one SLI: this much good, this much total.

    ``seen``: a sample of it shows that the SLI was observed. ``native``: the series is a native
    histogram, and good are its observations up to this bound.
    """

    sli: str
    group_by: tuple[str, ...]
    good: float
    total: float
    seen: bool
    native: float | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Series that some SLIs use."""

    selector: Selector
    uses: tuple[Use, ...]


@dataclass(frozen=True, eq=False)
class Fetch:
    """One query of raw samples and whom its series serve."""

    query: Selector
    wanted: tuple[Wanted, ...]
    _index: dict[tuple[str, str], list[Wanted]] = field(default_factory=dict)
    _by: list[str] = field(default_factory=list)

    def uses(self, labels: Mapping[str, str]) -> tuple[Use, ...]:
        """The uses of a series with these labels."""
        return tuple(
            use for w in self._candidates(labels) if w.selector.accepts(labels) for use in w.uses
        )

    def selectors(self, labels: Mapping[str, str]) -> list[Selector]:
        """The wanted selectors that select a series with these labels."""
        return [w.selector for w in self._candidates(labels) if w.selector.accepts(labels)]

    def _candidates(self, labels: Mapping[str, str]) -> list[Wanted]:
        if not self._index:
            self._build()
        key = (labels.get(NAME, ""), labels.get(self._by[0], ""))
        return [*self._index.get(key, ()), *self._index.get(("", ""), ())]

    def _build(self) -> None:
        """Index by metric and the most telling label, so that thousands of SLIs share a fetch."""
        equal = [
            {m.label: m.value for m in w.selector.matchers if m.op == "="} for w in self.wanted
        ]
        shared = set.intersection(*(set(e) for e in equal)) - {NAME}
        self._by.append(max(sorted(shared), key=lambda n: len({e[n] for e in equal}), default=NAME))
        for wanted, labels in zip(self.wanted, equal, strict=True):
            name = labels.get(NAME, "")
            key = (name, labels.get(self._by[0], "")) if name else ("", "")
            self._index.setdefault(key, []).append(wanted)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An SLI whose queries Prometheus evaluates at the end of each minute.

    ``queries`` by role: good, bad, total, raw or threshold.
    """

    sli: SliDefinition
    queries: Mapping[str, AsIs]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything to ask for a set of SLIs; ``problems`` are (sli, message) that cannot be asked."""

    fetches: tuple[Fetch, ...]
    evaluations: tuple[Evaluation, ...]
    problems: tuple[tuple[str, str], ...]
    estimated: tuple[tuple[str, str], ...]


def make_plan(slis: Iterable[SliDefinition], gauge_window: str = "1m") -> Plan:
    """Reduce every SLI to counters where possible and merge what selects from the same metric."""
    uses: dict[Selector, list[Use]] = defaultdict(list)
    evaluations: list[Evaluation] = []
    problems: list[tuple[str, str]] = []
    estimated: list[tuple[str, str]] = []
    for sli in slis:
        try:
            for found in _of_sli(sli, gauge_window):
                if isinstance(found, Evaluation):
                    evaluations.append(found)
                    estimated += [(sli.key, q.reason) for q in found.queries.values() if q.reason]
                else:
                    uses[found[0]].append(found[1])
        except ValueError as error:
            problems.append((sli.key, str(error)))
    wanted = [Wanted(s, tuple(u)) for s, u in uses.items()]
    return Plan(_fetches(wanted), tuple(evaluations), tuple(problems), tuple(estimated))


Found = tuple[Selector, Use] | Evaluation


def _of_sli(sli: SliDefinition, gauge_window: str) -> list[Found]:
    match sli.measurement:
        case CountsSli():
            return _of_counts(sli, sli.measurement)
        case HistogramSli():
            return _of_histogram(sli, sli.measurement)
        case RawSli():
            return [Evaluation(sli, {"raw": _gauge(sli.measurement.query, gauge_window)})]
        case ThresholdSli():
            return [Evaluation(sli, {"threshold": _gauge(sli.measurement.query, gauge_window)})]


def _promql(query: Query) -> str:
    if not isinstance(query, PrometheusQuery):
        raise ValueError(f"a prometheus source needs PromQL, not {type(query).__name__}")
    return query.promql


def _gauge(query: Query, window: str) -> AsIs:
    text = _promql(query)
    reduce(text)  # says what is wrong with it
    if is_selector(text):
        return AsIs(f"last_over_time({text}[{window}])", 1.0, "")
    return AsIs(with_window(text, window), 1.0, "")


def _of_counts(sli: SliDefinition, counts: CountsSli) -> list[Found]:
    role, part = ("good", counts.good) if counts.good is not None else ("bad", counts.bad)
    if part is None:
        raise ValueError("needs good or bad beside total")
    one, total = reduce(_promql(part)), reduce(_promql(counts.total))
    if not isinstance(one, Linear) or not isinstance(total, Linear):
        return [_estimate(sli, role, (_promql(part), one), (_promql(counts.total), total))]
    sign = 1.0 if role == "good" else -1.0
    share = 0.0 if role == "good" else 1.0
    parts: list[Found] = [
        (_bounds(t.selector), _use(sli, share * t.coefficient, t.coefficient, True))
        for t in total.terms
    ]
    parts += [(_bounds(t.selector), _use(sli, sign * t.coefficient, 0.0, False)) for t in one.terms]
    return parts


def _use(
    sli: SliDefinition, good: float, total: float, seen: bool, native: float | None = None
) -> Use:
    return Use(sli.key, sli.group_by, good, total, seen, native)


def _estimate(
    sli: SliDefinition, role: str, one: tuple[str, Linear | AsIs], total: tuple[str, Linear | AsIs]
) -> Evaluation:
    """Both by PromQL when one has to be: an exact total beside an estimated good would disagree."""
    queries = {}
    for name, (text, reduced) in ((role, one), ("total", total)):
        if isinstance(reduced, Linear):
            queries[name] = _counted_by_promql(sli, text)
        else:
            queries[name] = reduced
    return Evaluation(sli, queries)


def _counted_by_promql(sli: SliDefinition, text: str) -> AsIs:
    if is_selector(text):
        by = f" by ({','.join(sli.group_by)})" if sli.group_by else ""
        return as_is(f"sum{by}(increase({text}[1m]))")
    return as_is(text)


def _of_histogram(sli: SliDefinition, histogram: HistogramSli) -> list[Found]:
    base = parse_selector(histogram.selector)
    if not base.name:
        raise ValueError(
            f"{histogram.selector!r} names no metric; write e.g. http_request_duration_seconds"
        )
    found: list[Found] = []
    if histogram.native is not True:
        bucket = base.named(f"{base.name}_bucket", bound_matcher(histogram.threshold))
        found.append((bucket, _use(sli, 1.0, 0.0, False)))
        found.append((base.named(f"{base.name}_count"), _use(sli, 0.0, 1.0, True)))
    if histogram.native is not False:
        found.append((base, _use(sli, 1.0, 1.0, True, native=histogram.threshold)))
    return found


def _bounds(wanted: Selector) -> Selector:
    """``le="0.3"`` in a query means the bound 0.3, however the client wrote it."""
    if not wanted.name.endswith("_bucket"):
        return wanted
    return selector(*(_bound(m) for m in wanted.matchers))


def _bound(matcher: Matcher) -> Matcher:
    if matcher.label != "le" or matcher.op != "=":
        return matcher
    try:
        value = float(matcher.value)
    except ValueError:
        return matcher
    return bound_matcher(value) if abs(value) != float("inf") else matcher


# ---------------------------------------------------------------- merging


def _fetches(wanted: Sequence[Wanted]) -> tuple[Fetch, ...]:
    by_name: dict[str, list[Wanted]] = defaultdict(list)
    for one in wanted:
        by_name[one.selector.name].append(one)
    merged: list[tuple[Selector, list[Wanted]]] = []
    for name, group in sorted(by_name.items()):
        if not name or len(group) == 1:
            merged += [(w.selector, [w]) for w in group]
        else:
            merged += _of_metric(name, group)
    return tuple(Fetch(query, tuple(group)) for query, group in _across_names(merged))


def _of_metric(name: str, group: Sequence[Wanted]) -> list[tuple[Selector, list[Wanted]]]:
    narrow_last = sorted(group, key=lambda w: (len(w.selector.matchers), str(w.selector)))
    if len(group) > 200:
        return [(_union(name, narrow_last), list(narrow_last))]
    roots: list[tuple[Selector, list[Wanted]]] = []
    for one in narrow_last:
        mine = set(one.selector.matchers)
        home = next((r for r in roots if set(r[0].matchers) <= mine), None)
        if home is not None:
            home[1].append(one)
        else:
            roots.append((one.selector, [one]))
    if len(roots) < MERGE_FROM:
        return roots
    return [(_union(name, [r[1][0] for r in roots]), [w for r in roots for w in r[1]])]


def _union(name: str, group: Sequence[Wanted]) -> Selector:
    """The narrowest single selector that selects all of them."""
    values: dict[str, dict[str, None]] = defaultdict(dict)
    times: dict[str, int] = defaultdict(int)
    for one in group:
        seen = set()
        for m in one.selector.matchers:
            if m.label != NAME and m.op in ("=", "=~") and m.label not in seen:
                seen.add(m.label)
                values[m.label][regex_literal(m.value) if m.op == "=" else f"(?:{m.value})"] = None
                times[m.label] += 1
    common = set.intersection(*(set(w.selector.matchers) for w in group))
    matchers = {Matcher(NAME, "=", name), *common}
    for label, options in values.items():
        everywhere = times[label] == len(group)
        if (
            everywhere
            and not any(m.label == label for m in common)
            and len(options) <= MOST_ALTERNATIVES
        ):
            matchers.add(Matcher(label, "=~", "|".join(options)))
    return selector(*matchers)


def _across_names(
    merged: Sequence[tuple[Selector, list[Wanted]]],
) -> list[tuple[Selector, list[Wanted]]]:
    """Metrics with the same other conditions are fetched by one query."""
    alike: dict[tuple[Matcher, ...], list[tuple[Selector, list[Wanted]]]] = defaultdict(list)
    result: list[tuple[Selector, list[Wanted]]] = []
    for query, group in merged:
        if query.name:
            rest = tuple(m for m in query.matchers if m.label != NAME)
            alike[rest].append((query, group))
        else:
            result.append((query, group))
    for rest, same in alike.items():
        for start in range(0, len(same), NAMES_PER_FETCH):
            part = same[start : start + NAMES_PER_FETCH]
            if len(part) == 1:
                result.append(part[0])
                continue
            names = "|".join(dict.fromkeys(q.name for q, _ in part))
            query = selector(Matcher(NAME, "=~", names), *rest)
            result.append((query, [w for _, group in part for w in group]))
    return result
