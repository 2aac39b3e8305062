"""What an SLI counts each minute, as PromQL: all events, and the bad among them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from watchkeeper.kernel.errors import UserError
from watchkeeper.measure.prometheus.promql import AsIs, as_is, with_window
from watchkeeper.slo.generate import promql
from watchkeeper.slo.generate.promql import Sampling
from watchkeeper.spec.model import (
    CountsSli,
    HistogramSli,
    PrometheusQuery,
    Query,
    RawSli,
    SliDefinition,
    ThresholdSli,
)

_RAW_WINDOW = "1m"
"""The range of a ratio that a user's query computes itself; the same as when it is measured."""
_OPERATORS = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


@dataclass(frozen=True, slots=True)
class CountRules:
    """Expressions of one minute's events. ``bad`` refers to the recorded events as ``recorded``."""

    events: str
    bad: str


def count_rules(sli: SliDefinition, recorded: str, sampling: Sampling) -> CountRules:
    """Expressions for an SLI of Prometheus; ``recorded`` selects what ``events`` was recorded as.

    ``bad`` exists whenever ``events`` does: an absent error series beside a present total is 0.
    """
    group = sli.group_by
    match sli.measurement:
        case CountsSli() as counts:
            return _counts(counts, group, recorded, sampling)
        case HistogramSli() as histogram:
            return _histogram(histogram, group, recorded, sampling)
        case RawSli() as raw:
            return _raw(raw, group, recorded)
        case ThresholdSli() as threshold:
            return _threshold(threshold, group, recorded)


def _text(query: Query | None) -> str:
    if not isinstance(query, PrometheusQuery):
        raise UserError("this SLI is not measured by PromQL", "give it a Prometheus source")
    return query.promql


def _counts(
    sli: CountsSli, group: tuple[str, ...], recorded: str, sampling: Sampling
) -> CountRules:
    part = _text(sli.good if sli.good is not None else sli.bad)
    total, found = promql.counters(_text(sli.total)), promql.counters(part)
    zero = f"{promql.by(group)} ({recorded}) * 0"
    if isinstance(total, AsIs) or isinstance(found, AsIs):  # both are estimates when one must be
        events = _estimate(_text(sli.total), group)
        other = f"({_estimate(part, group)}\nor\n{zero})"
    else:
        watched = total[0].selector
        events = promql.combined(total, watched, group, sampling, "")
        other = promql.combined(found, watched, group, sampling, zero)
    return CountRules(events, _bad(other, sli.good is not None, group, recorded))


def _bad(other: str, other_is_good: bool, group: tuple[str, ...], recorded: str) -> str:
    return f"{promql.by(group)} ({recorded})\n-\n({other})" if other_is_good else other


def _estimate(query: str, group: tuple[str, ...]) -> str:
    """What the query itself says of a minute (rates are extrapolated, as Prometheus does)."""
    minute = as_is(query)
    times = "" if minute.scale == 1 else f" * {minute.scale:g}"
    return f"{promql.by(group)} ({minute.promql.strip()}){times}"


def _histogram(
    sli: HistogramSli, group: tuple[str, ...], recorded: str, sampling: Sampling
) -> CountRules:
    if sli.native:
        return _native_histogram(sli, group, recorded)
    total = promql.Term(1, _with_suffix(sli.selector, "_count"))
    bound = f"{sli.threshold:g}"
    written = f'le=~"{bound}|{bound}.0"' if "." not in bound else f'le="{bound}"'
    fast = promql.Term(1, _with_suffix(sli.selector, "_bucket", written))
    zero = f"{promql.by(group)} ({recorded}) * 0"
    events = promql.combined((total,), total.selector, group, sampling, "")
    good = promql.combined((fast,), total.selector, group, sampling, zero)
    return CountRules(events, _bad(good, True, group, recorded))


def _native_histogram(sli: HistogramSli, group: tuple[str, ...], recorded: str) -> CountRules:
    """Samples of native histograms cannot be told apart from their resets by >=: rate() it is."""
    rate = f"{promql.by(group)} (rate({sli.selector}[2m]))"
    events = f"histogram_count({rate}) * 60"
    good = f"histogram_fraction(-Inf, {sli.threshold:g}, {rate})"
    return CountRules(events, f"(1 - ({good})) * {promql.by(group)} ({recorded})")


def _with_suffix(selector: str, suffix: str, matcher: str = "") -> str:
    name, brace, rest = selector.partition("{")
    inner = rest.strip().removesuffix("}").strip().rstrip(",") if brace else ""
    matchers = ",".join(part for part in (inner, matcher) if part)
    return f"{name.strip()}{suffix}" + (f"{{{matchers}}}" if matchers else "")


def _raw(sli: RawSli, group: tuple[str, ...], recorded: str) -> CountRules:
    """A minute is one event, good to the degree that the ratio says; NaN (no traffic) is none."""
    value = f"avg by ({', '.join(group)}) ({with_window(_text(sli.query), _RAW_WINDOW).strip()})"
    ratio = f"clamp({value}, 0, 1)"
    bad = ratio if sli.is_failure else f"1 - {ratio}"
    return CountRules(f"({value} > -Inf) * 0 + 1", f"({bad}) and on ({_on(group)}) {recorded}")


def _threshold(sli: ThresholdSli, group: tuple[str, ...], recorded: str) -> CountRules:
    query = with_window(_text(sli.query), _RAW_WINDOW).strip()
    value = f"avg by ({', '.join(group)}) ({query})"
    holds = f"({query}) {_OPERATORS[sli.op]} bool {sli.value:g}"
    bad = f"1 - min by ({', '.join(group)}) ({holds})"
    return CountRules(f"({value} > -Inf) * 0 + 1", f"({bad}) and on ({_on(group)}) {recorded}")


def _on(group: tuple[str, ...]) -> str:
    return ", ".join(group)
