"""What an objective measures and where it is written, in words. Pure.

Settings of sources may hold secrets, so only their name and type are ever shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from watchkeeper.faces.web import words
from watchkeeper.kernel import text
from watchkeeper.spec.model import (
    Aspect,
    CountsSli,
    HistogramSli,
    LogQuery,
    Measurement,
    Method,
    Occurrences,
    OpaqueQuery,
    ProbeCheck,
    PrometheusQuery,
    PushStream,
    Query,
    RatioTimeSlices,
    RawSli,
    ScrapeQuery,
    SloDefinition,
    SqlQuery,
    ThresholdSli,
    TimeSlices,
)

_OPS = {"lt": "<", "lte": "≤", "gt": ">", "gte": "≥"}


@dataclass(frozen=True, slots=True)
class QueryText:
    """A query: what it is for (good, bad, total, …) and its text."""

    role: str
    text: str


def sentence(definition: SloDefinition, target: str) -> str:
    """The promise in one sentence: ``99.9 % of requests succeed, over 28 days, rolling.``"""
    return f"{target} {_of_what(definition)}, over {words.window_words(definition.window)}."


def _of_what(definition: SloDefinition) -> str:
    if isinstance(definition.method, TimeSlices):
        size = words.plural(definition.method.minutes, "minute")
        return f"of slices of {size} are good"
    match definition.aspect:
        case Aspect.AVAILABILITY:
            return "of requests succeed"
        case Aspect.LATENCY:
            within = _threshold(definition)
            return f"of requests take at most {within}" if within else "of requests are fast enough"
        case Aspect.CORRECTNESS:
            return "of responses are valid"
    return "of events are good"


def _threshold(definition: SloDefinition) -> str:
    measurement = definition.sli.measurement if definition.sli else None
    if isinstance(measurement, HistogramSli):
        return seconds(measurement.threshold)
    if isinstance(measurement, CountsSli) and isinstance(measurement.good, LogQuery):
        limit = measurement.good.faster_than
        return seconds(limit) if limit is not None else ""
    return ""


def seconds(value: float) -> str:
    """``300 ms`` or ``2.5 s``."""
    return f"{text.number(value * 1000, 3)} ms" if value < 1 else f"{text.number(value, 3)} s"


def method_words(method: Method) -> str:
    """How events become a ratio."""
    match method:
        case Occurrences():
            return "every event counts once"
        case TimeSlices(minutes, slice_target):
            share = text.percent(slice_target)
            return f"a slice of {words.plural(minutes, 'minute')} is good from {share} good events"
        case RatioTimeSlices(minutes):
            return (
                f"each slice of {words.plural(minutes, 'minute')} counts once, with its own ratio"
            )


def queries(measurement: Measurement) -> Sequence[QueryText]:
    """What is asked of the source."""
    match measurement:
        case CountsSli(total, good, bad):
            pairs = (("good", good), ("bad", bad), ("total", total))
            if good is None and bad is None:
                return [QueryText("good and total", query_text(total))]
            return [QueryText(role, query_text(q)) for role, q in pairs if q is not None]
        case RawSli(query, is_failure):
            return [QueryText("failure ratio" if is_failure else "ratio", query_text(query))]
        case ThresholdSli(query, op, value):
            rule = f"{query_text(query)} {_OPS.get(op, op)} {text.number(value, 6)}"
            return [QueryText("good when", rule)]
        case HistogramSli(selector, threshold, _):
            return [
                QueryText("histogram", selector),
                QueryText("good", f"observations ≤ {seconds(threshold)}"),
            ]


def query_text(query: Query) -> str:
    """One query as its author would know it again."""
    match query:
        case PrometheusQuery(promql):
            return promql.strip()
        case ScrapeQuery(selector):
            return selector
        case SqlQuery(sql):
            return sql.strip()
        case PushStream(stream, attributes):
            wanted = ",".join(f'{k}="{v}"' for k, v in attributes.items())
            return f"{stream}{{{wanted}}}" if wanted else stream
        case LogQuery():
            return _log_text(query)
        case ProbeCheck():
            return _probe_text(query)
        case OpaqueQuery():
            return "(a vendor's query, kept but not measured)"


def _log_text(query: LogQuery) -> str:
    parts = [
        " ".join(query.methods) or "any method",
        " ".join(query.paths) or "any path",
        f"status {' '.join(query.status)}" if query.status else "",
        f"status not {' '.join(query.not_status)}" if query.not_status else "",
        f"host {query.host}" if query.host else "",
        f"within {seconds(query.faster_than)}" if query.faster_than is not None else "",
        f"slower than {seconds(query.slower_than)}" if query.slower_than is not None else "",
    ]
    return ", ".join(p for p in parts if p)


def _probe_text(check: ProbeCheck) -> str:
    parts = [
        f"{check.method} {check.target}" if check.target.startswith("http") else check.target,
        f"status {' '.join(check.expect_status)}" if check.target.startswith("http") else "",
        f"body holds {check.expect_body!r}" if check.expect_body else "",
        f"within {seconds(check.expect_within)}" if check.expect_within is not None else "",
        f"certificate good for {text.number(check.min_certificate_days, 1)} days"
        if check.min_certificate_days is not None
        else "",
    ]
    return ", ".join(p for p in parts if p)
