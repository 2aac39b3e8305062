"""OpenSLO indicators: which source, which queries, counted how. Pure."""

from __future__ import annotations

from typing import Any

from watchkeeper.spec.exactness import estimated
from watchkeeper.spec.model import (
    CountsSli,
    HistogramSli,
    Measurement,
    ProbeCheck,
    PrometheusQuery,
    PushStream,
    Query,
    RawSli,
    SourceDefinition,
    SourceType,
    SqlQuery,
    ThresholdSli,
)
from watchkeeper.spec.openslo import OPS, RawIndicator, RawObjective
from watchkeeper.spec.queries import check_selector, likely_type, read_query, source_type
from watchkeeper.spec.reader import Reader, dangling


def read_indicator(
    indicator: RawIndicator, objective: RawObjective, sources: dict[str, SourceDefinition]
) -> tuple[str, Measurement, tuple[str, ...]] | None:
    """(source's name, how it measures, groupBy) of an indicator for an objective."""
    spec = indicator.spec
    if spec is None:
        return None
    spec.only("description", "thresholdMetric", "ratioMetric", "groupBy")
    ratio, threshold = spec.child("ratioMetric"), spec.child("thresholdMetric")
    if (ratio is None) == (threshold is None):
        spec.fault(
            "one-metric",
            "both 'ratioMetric' and 'thresholdMetric'" if ratio else "no metric",
            "exactly one of ratioMetric and thresholdMetric",
        )
        return None
    found = (
        _ratio(ratio, sources) if ratio is not None else _threshold(threshold, objective, sources)
    )
    return None if found is None else (found[0], found[1], spec.texts("groupBy"))


def _threshold(
    reader: Reader | None, objective: RawObjective, sources: dict[str, SourceDefinition]
) -> tuple[str, Measurement] | None:
    if reader is None:
        return None
    reader.only("metricSource")
    found = _metric(reader, sources)
    if not objective.op or objective.value is None:
        objective.reader.fault(
            "missing",
            "a threshold metric needs 'op' and 'value' in the objective",
            f"op (one of {', '.join(OPS)}) and value",
        )
        return None
    if found is None or not isinstance(found[1], Query):
        return None
    return found[0], ThresholdSli(found[1], objective.op, float(objective.value))


def _ratio(reader: Reader, sources: dict[str, SourceDefinition]) -> tuple[str, Measurement] | None:
    reader.only("counter", "good", "bad", "total", "raw", "rawType")
    reader.flag("counter")
    if reader.has("raw"):
        return _raw(reader, sources)
    parts: dict[str, tuple[str, Any]] = {}
    for key in ("good", "bad", "total"):
        child = reader.child(key)
        if child is not None:
            child.only("metricSource")
            found = _metric(child, sources)
            if found is None:
                return None
            parts[key] = found
    if len(parts) == 1 and isinstance(next(iter(parts.values()))[1], HistogramSli):
        source, histogram = next(iter(parts.values()))
        return source, histogram
    return _counts(reader, parts)


def _counts(reader: Reader, parts: dict[str, tuple[str, Any]]) -> tuple[str, Measurement] | None:
    names = sorted({source for source, _ in parts.values()})
    if len(names) > 1:
        reader.fault(
            "two-sources", f"good and total come from {' and '.join(names)}", "one source for both"
        )
        return None
    if "total" not in parts:
        reader.fault("missing", "'total' is missing", "the query that counts all events", "add it")
        return None
    kind_alone = parts["total"][1]
    good, bad = parts.get("good"), parts.get("bad")
    both_at_once = isinstance(kind_alone, ProbeCheck | PushStream | SqlQuery)
    if (good is None) == (bad is None) and not (good is None and both_at_once):
        reader.fault(
            "good-or-bad",
            "both 'good' and 'bad'" if good else "neither 'good' nor 'bad'",
            "exactly one of them beside 'total'",
        )
        return None
    other = good or bad
    if other is not None and other[1] == kind_alone:
        reader.warn(
            "same-query",
            f"'{'good' if good else 'bad'}' and 'total' are the same query",
            "two different counts",
            "every event would be " + ("good" if good else "bad"),
        )
    _say_estimated(reader, parts)
    return names[0], CountsSli(
        kind_alone, good=good[1] if good else None, bad=bad[1] if bad else None
    )


def _say_estimated(reader: Reader, parts: dict[str, tuple[str, Any]]) -> None:
    """Warn of PromQL that cannot be counted to the event, and of gauges read as counters."""
    queries = {k: q.promql for k, (_, q) in parts.items() if isinstance(q, PrometheusQuery)}
    reasons = {key: estimated(promql) for key, promql in queries.items()}
    for key, why in reasons.items():
        if why:
            reader.at(key, "metricSource", "spec", "query").warn(
                "estimated",
                f"'{key}' is evaluated once a minute, not counted: {why}",
                "sums of counters, which are exact to the event",
                "write sum(rate(counter[{{.window}}])), or live with an estimate",
            )
    if reader.data.get("counter") is False and queries and not any(reasons.values()):
        reader.warn(
            "read-as-counter",
            "counter: false, but the queries are read as counters",
            "counters; or queries whose value is the events of a minute",
            "e.g. sum_over_time(x[1m]) for a gauge of events",
            key="counter",
        )


def _raw(reader: Reader, sources: dict[str, SourceDefinition]) -> tuple[str, Measurement] | None:
    child = reader.child("raw")
    kind = reader.choice("rawType", ("success", "failure"), required=True)
    if child is None:
        return None
    child.only("metricSource")
    found = _metric(child, sources)
    if found is None or not isinstance(found[1], Query):
        return None
    return found[0], RawSli(found[1], is_failure=kind == "failure")


def _metric(
    reader: Reader, sources: dict[str, SourceDefinition]
) -> tuple[str, Query | HistogramSli] | None:
    metric = reader.child("metricSource", required=True)
    if metric is None:
        return None
    metric.only("metricSourceRef", "type", "spec")
    named = _source_of(metric, sources)
    spec = metric.child("spec", required=True)
    if named is None or spec is None:
        return None
    name, kind = named
    if spec.has("histogram"):
        histogram = _histogram(spec, kind)
        return None if histogram is None else (name, histogram)
    query = read_query(spec, kind)
    return None if query is None else (name, query)


def _histogram(spec: Reader, kind: SourceType) -> HistogramSli | None:
    spec.only("histogram", "threshold", "native")
    selector, under = (
        spec.text("histogram", required=True),
        spec.duration("threshold", required=True),
    )
    native = spec.flag("native") if spec.has("native") else None
    if kind is not SourceType.PUSH and not check_selector(spec, selector, "histogram"):
        return None
    return None if under is None else HistogramSli(selector, under.seconds, native)


def _source_of(
    metric: Reader, sources: dict[str, SourceDefinition]
) -> tuple[str, SourceType] | None:
    """The data source of a metric: the one referred to, or the only one of its type."""
    ref, written = metric.text("metricSourceRef"), metric.text("type")
    kind = source_type(written)
    if ref:
        if ref not in sources:
            dangling(metric, "metricSourceRef", "DataSource", ref, sources)
            return None
        if written and kind is not sources[ref].type:
            metric.fault(
                "source-type",
                f"'type' is '{written}' but '{ref}' is of type {sources[ref].type}",
                f"{sources[ref].type}",
                "remove 'type', or refer to another DataSource",
                key="type",
            )
            return None
        return ref, sources[ref].type
    if not written:
        metric.fault(
            "missing", "no source", "'metricSourceRef' or 'type'", "say where it is measured"
        )
        return None
    return _only_one(metric, written, kind, sources)


def _only_one(
    metric: Reader, written: str, kind: SourceType, sources: dict[str, SourceDefinition]
) -> tuple[str, SourceType] | None:
    if kind is SourceType.OTHER:
        metric.warn(
            "unmeasured-source",
            f"nothing here measures a source of type '{written}'",
            "prometheus, scrape, accesslog, probe, push or sql",
            likely_type(written) or "the SLO is kept and written back, but has no data",
            key="type",
        )
        return written, kind
    same = [name for name, s in sources.items() if s.type is kind]
    if len(same) == 1:
        return same[0], kind
    if kind in (SourceType.PUSH, SourceType.PROBE) and not same:
        return str(kind), kind
    if same:
        metric.fault(
            "ambiguous-source",
            f"there are {len(same)} sources of type {kind}",
            f"metricSourceRef: one of {', '.join(sorted(same))}",
            key="type",
        )
        return None
    metric.warn(
        "no-source",
        f"no DataSource of type {kind} is defined",
        "a DataSource that says where it is",
        f"add one of type {kind}; until then there is no data",
        key="type",
    )
    return str(kind), kind
