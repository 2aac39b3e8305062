"""Counts from PromQL: events that a counter saw in the last minute, without extrapolation. Pure.

``rate()`` and ``increase()`` extrapolate to the edges of their range, need two samples, and so
never see the first value of a series. The difference of two samples does neither, and adds up:
the sum of the differences over any stretch is the difference of its ends.
"""

from __future__ import annotations

from dataclasses import dataclass

from watchkeeper.kernel.errors import UserError
from watchkeeper.measure.prometheus.promql import AsIs, reduce
from watchkeeper.measure.selectors import NAME, Selector


@dataclass(frozen=True, slots=True)
class Term:
    """A counter of a linear combination: ``coefficient`` x the sum over ``selector``."""

    coefficient: float
    selector: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How increments are read. ``fresh``: how old a sample may be to count as present;
    ``lookback``: how far back the sample before is looked for; ``step``: the rules' interval.
    """

    fresh: str = "5m"
    lookback: str = "1h"
    step: str = "1m"


def counters(query: str) -> tuple[Term, ...] | AsIs:
    """The counters whose sum or difference the query is, or the query for each minute as it is.

    The same reading of a query as when Watchkeeper measures it. UserError when it is not PromQL.
    """
    try:
        found = reduce(query)
    except ValueError as error:
        raise UserError(f"{error}", "check the query in Prometheus' own page first") from error
    if isinstance(found, AsIs):
        return found
    return tuple(Term(t.coefficient, written(t.selector)) for t in found.terms)


def written(selector: Selector) -> str:
    """A selector as people write it, the metric's name before the braces."""
    name = selector.name
    rest = [str(m) for m in selector.matchers if not (m.label == NAME and m.op == "=")]
    return f"{name}{{{','.join(rest)}}}" if rest or not name else name


def by(labels: tuple[str, ...]) -> str:
    """``sum``, or ``sum by (a, b)``."""
    return f"sum by ({', '.join(labels)})" if labels else "sum"


def increments(selector: str, watched: str, group: tuple[str, ...], sampling: Sampling) -> str:
    """Events that the counters of ``selector`` gained in the last step, summed by ``group``.

    A counter that fell was restarted: its new value counts. A series with no sample in the
    lookback is new: its first value counts too, but only when ``watched`` (the SLI's total) had
    samples before; else it is we who are new, and what a counter says at first sight is history.
    """
    now = f"last_over_time({selector}[{sampling.fresh}])"
    before = f"last_over_time({selector}[{sampling.lookback}] offset {sampling.step})"
    seen = f"group(last_over_time({watched}[{sampling.lookback}] offset {sampling.step}))"
    return f"{by(group)} (\n  {now} - {before} >= 0\n  or\n  {now} and on () {seen}\n)"


def combined(
    found: tuple[Term, ...], watched: str, group: tuple[str, ...], sampling: Sampling, zero: str
) -> str:
    """The linear combination of increments; ``zero`` stands in for a counter that is absent.

    With an empty ``zero`` the first counter must be there, and the others default to 0 of it.
    """
    parts = [(t.coefficient, increments(t.selector, watched, group, sampling)) for t in found]
    if not zero and len(parts) > 1:
        zero = f"({parts[0][1]}) * 0"
        head, rest = [parts[0]], parts[1:]
    else:
        head, rest = ([], parts) if zero else (parts, [])
    pieces = [_weighted(c, text) for c, text in head]
    pieces += [_weighted(c, f"{text}\nor\n{zero}") for c, text in rest]
    return "\n+\n".join(pieces)


def _weighted(coefficient: float, text: str) -> str:
    inner = f"({text})"
    return inner if coefficient == 1 else f"{coefficient:g} * {inner}"
