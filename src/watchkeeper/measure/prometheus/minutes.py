"""Queries that Prometheus evaluates for each minute: gauges, ratios, what is not a sum."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from watchkeeper.kernel.clock import Minute, Seconds
from watchkeeper.measure.counters import Tally
from watchkeeper.measure.model import GroupKey
from watchkeeper.measure.prometheus.api import Api, BadQueryError, Result
from watchkeeper.measure.prometheus.plan import Evaluation
from watchkeeper.spec.model import RawSli, ThresholdSli

Cells = dict[tuple[GroupKey, Minute], list[float]]

COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
}


def boundaries(start: Seconds, end: Seconds) -> tuple[int, int] | None:
    """The first and last end of a minute in (start, end], in seconds; None when there is none."""
    first = (math.floor(start / 60) + 1) * 60
    last = math.floor(end / 60) * 60
    return (first, last) if first <= last else None


def evaluate(
    api: Api, evaluations: Sequence[Evaluation], start: Seconds, end: Seconds, tally: Tally
) -> list[tuple[str, str]]:
    """Add the minutes that ended in (start, end]; returns (sli, message) of refused queries."""
    edges = boundaries(start, end)
    if edges is None:
        return []
    answers: dict[str, Result | BadQueryError] = {}
    problems: list[tuple[str, str]] = []
    for one in evaluations:
        try:
            _add(
                one, {r: _ask(api, q.promql, edges, answers) for r, q in one.queries.items()}, tally
            )
        except BadQueryError as error:
            problems.append((one.sli.key, error.message))
    return problems


def _ask(
    api: Api, promql: str, edges: tuple[int, int], answers: dict[str, Result | BadQueryError]
) -> Result:
    if promql not in answers:
        try:
            answers[promql] = api.range(promql, edges[0], edges[1], 60)
        except BadQueryError as error:
            answers[promql] = error
    answer = answers[promql]
    if isinstance(answer, BadQueryError):
        raise answer
    return answer


def _add(one: Evaluation, results: Mapping[str, Result], tally: Tally) -> None:
    cells = {role: _cells(one, result) for role, result in results.items()}
    measurement = one.sli.measurement
    if isinstance(measurement, RawSli):
        _add_raw(one.sli.key, cells["raw"], measurement.is_failure, tally)
    elif isinstance(measurement, ThresholdSli):
        holds = COMPARE[measurement.op]
        for (group, minute), values in cells["threshold"].items():
            good = all(holds(v, measurement.value) for v in values)
            tally.add(one.sli.key, group, minute, float(good), 1.0, True)
    else:
        _add_counts(one, cells, tally)


def _add_raw(sli: str, cells: Cells, is_failure: bool, tally: Tally) -> None:
    """Each minute is one event; several series are averaged, and a ratio is kept within 0 and 1."""
    for (group, minute), values in cells.items():
        ratio = min(1.0, max(0.0, sum(values) / len(values)))
        tally.add(sli, group, minute, 1.0 - ratio if is_failure else ratio, 1.0, True)


def _add_counts(one: Evaluation, cells: Mapping[str, Cells], tally: Tally) -> None:
    role = "good" if "good" in cells else "bad"
    for key, values in cells["total"].items():
        total = sum(values) * one.queries["total"].scale
        part = sum(cells[role].get(key, ())) * one.queries[role].scale
        good = part if role == "good" else total - part
        tally.add(one.sli.key, key[0], key[1], good, total, True)


def _cells(one: Evaluation, result: Result) -> Cells:
    cells: Cells = defaultdict(list)
    for series in result:
        labels = series["metric"]
        group = tuple((name, str(labels.get(name, ""))) for name in sorted(one.sli.group_by))
        for at, text in series.get("values", ()):
            value = float(text)
            if math.isfinite(value):
                cells[group, int(at // 60) - 1].append(value)
    return cells
