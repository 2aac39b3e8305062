"""Counts from PromQL: events that a counter saw in the last minute, without extrapolation. Pure.

``rate()`` and ``increase()`` extrapolate to the edges of their range, need two samples, and so
never see the first value of a series. The difference of two samples does neither, and adds up:
the sum of the differences over any stretch is the difference of its ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import promql_parser as parser

from watchkeeper.kernel.errors import UserError

WINDOW = "{{.window}}"
Node = Any
"""A node of the parser's tree; its classes share no typed base."""
_OPS = {
    "MatchOp.Equal": "=",
    "MatchOp.NotEqual": "!=",
    "MatchOp.Re": "=~",
    "MatchOp.NotRe": "!~",
}
_COUNTING = frozenset({"rate", "irate", "increase", "delta", "idelta"})


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


def parse(promql: str) -> Node:
    """The expression, with ``{{.window}}`` taken as a minute; UserError if it is wrong."""
    text = with_window(promql, "1m")
    try:
        return parser.parse(text)
    except ValueError as error:
        raise UserError(f"not PromQL: {text}", str(error)) from error


def with_window(promql: str, window: str) -> str:
    """The query with this range in the place of ``{{.window}}``."""
    return promql.replace(WINDOW, window).replace("{{ .window }}", window).strip()


def terms(promql: str) -> tuple[Term, ...] | None:
    """The counters whose sum or difference the query is; None when it is something else.

    ``sum(rate(a[5m])) - sum(rate(b[5m]))`` is (1, a), (-1, b). Rates, increases and bare counters
    all stand for the counter's increments; ``or vector(0)`` adds nothing.
    """
    return _terms(parse(promql))


def _terms(node: Node) -> tuple[Term, ...] | None:
    match node:
        case parser.ParenExpr():
            return _terms(node.expr)
        case parser.UnaryExpr():
            return _scaled(_terms(node.expr), -1)
        case parser.AggregateExpr() if str(node.op) == "sum":
            return _terms(node.expr)
        case parser.Call() if node.func.name in _COUNTING:
            return _terms(node.args[0])
        case parser.MatrixSelector():
            return _terms(node.vector_selector)
        case parser.VectorSelector() if node.offset is None and node.at is None and node.name:
            return (Term(1, selector(node)),)
        case parser.BinaryExpr():
            return _binary(node)
    return None


def quote(value: str) -> str:
    """A PromQL string literal."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def selector(node: Node) -> str:
    """An instant selector as text (the parser's own text does not escape quotes)."""
    found = [f"{m.name}{_OPS[str(m.op)]}{quote(m.value)}" for m in node.matchers.matchers]
    return f"{node.name}{{{','.join(found)}}}" if found else str(node.name)


def _binary(node: Node) -> tuple[Term, ...] | None:
    left, right, op = node.lhs, node.rhs, str(node.op)
    if op == "or" and _is_zero(right):
        return _terms(left)
    if op in {"*", "/"} and isinstance(right, parser.NumberLiteral):
        return _scaled(_terms(left), right.val if op == "*" else 1 / right.val)
    if op == "*" and isinstance(left, parser.NumberLiteral):
        return _scaled(_terms(right), left.val)
    if op in {"+", "-"}:
        one, other = _terms(left), _scaled(_terms(right), 1 if op == "+" else -1)
        return None if one is None or other is None else one + other
    return None


def _is_zero(node: Node) -> bool:
    if isinstance(node, parser.ParenExpr):
        return _is_zero(node.expr)
    if isinstance(node, parser.Call) and node.func.name == "vector":
        return _is_zero(node.args[0])
    return isinstance(node, parser.NumberLiteral) and node.val == 0


def _scaled(found: tuple[Term, ...] | None, factor: float) -> tuple[Term, ...] | None:
    return None if found is None else tuple(Term(t.coefficient * factor, t.selector) for t in found)


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
