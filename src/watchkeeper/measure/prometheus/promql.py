"""Reduces PromQL to sums of counters, so that events can be counted instead of estimated. Pure.

``sum(rate(x[5m])) - sum(rate(y[5m]))`` says which counters make up the events, and how; the window
and the extrapolation of ``rate`` are Prometheus' way to make a number of them. We take the counters
and count the events ourselves. What cannot be reduced is evaluated by Prometheus, minute by minute.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import promql_parser
from promql_parser import (
    AggModifierType,
    AggregateExpr,
    BinaryExpr,
    Call,
    Expr,
    MatrixSelector,
    NumberLiteral,
    ParenExpr,
    UnaryExpr,
    VectorSelector,
)

from watchkeeper.measure.selectors import Selector, from_tree
from watchkeeper.spec.exactness import WINDOW

_PER_SECOND = ("rate", "irate")
_COUNTERS = (*_PER_SECOND, "increase")


@dataclass(frozen=True, slots=True)
class Term:
    """``coefficient`` times the events of the counters that ``selector`` selects."""

    coefficient: float
    selector: Selector


@dataclass(frozen=True, slots=True)
class Linear:
    """A sum of counters: its events can be counted exactly."""

    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class AsIs:
    """PromQL evaluated at the end of each minute; ``value * scale`` is that minute's events."""

    promql: str
    scale: float
    reason: str


class _NotLinearError(Exception):
    pass


@dataclass(frozen=True, slots=True)
class _Part:
    terms: tuple[Term, ...]
    grouping: tuple[str, ...] | None = None  # None: not aggregated
    range_seconds: float = 0.0
    per_second: bool = False


def with_window(promql: str, window: str) -> str:
    """The query with ``{{.window}}`` replaced by ``window``."""
    return WINDOW.sub(window, promql)


def reduce(promql: str) -> Linear | AsIs:
    """The query as a sum of counters where it is one, else as a query per minute.

    Raises ValueError when it is not PromQL.
    """
    try:
        tree = promql_parser.parse(with_window(promql, "5m"))
    except ValueError as error:
        raise ValueError(f"not PromQL: {error}: {promql}") from None
    try:
        return Linear(_merged(_walk(tree).terms))
    except _NotLinearError as why:
        return as_is(promql, str(why))


def as_is(promql: str, reason: str = "") -> AsIs:
    """The query as Prometheus is to evaluate it at the end of each minute."""
    minute = with_window(promql, "1m")
    return AsIs(minute, _scale(promql_parser.parse(minute)), reason)


def is_selector(promql: str) -> bool:
    """True when the query is a bare instant selector (a gauge's latest value)."""
    try:
        return isinstance(promql_parser.parse(with_window(promql, "1m")), VectorSelector)
    except ValueError:
        return False


def _walk(tree: Expr) -> _Part:
    match tree:
        case ParenExpr():
            return _walk(tree.expr)
        case UnaryExpr():
            return _times(_walk(tree.expr), -1.0)
        case VectorSelector():
            return _Part((Term(1.0, _plain(tree)),))
        case Call():
            return _call(tree)
        case AggregateExpr():
            return _aggregate(tree)
        case BinaryExpr():
            return _binary(tree)
    raise _NotLinearError(f"{type(tree).__name__} is not a sum of counters")


def _plain(tree: VectorSelector) -> Selector:
    found = from_tree(tree)
    if found is None:
        raise _NotLinearError("offset, @ and 'or' of matchers look at other times or series")
    return found


def _call(tree: Call) -> _Part:
    name = tree.func.name
    if name not in _COUNTERS or not isinstance(tree.args[0], MatrixSelector):
        raise _NotLinearError(f"{name}() is not a sum of counters")
    matrix = tree.args[0]
    return _Part(
        (Term(1.0, _plain(matrix.vector_selector)),),
        range_seconds=matrix.range.total_seconds(),
        per_second=name in _PER_SECOND,
    )


def _aggregate(tree: AggregateExpr) -> _Part:
    if str(tree.op) != "sum":
        raise _NotLinearError(f"{tree.op}() does not add events up")
    grouping: tuple[str, ...] = ()
    if tree.modifier is not None:
        without = tree.modifier.type == AggModifierType.Without
        grouping = (("-",) if without else ()) + tuple(sorted(tree.modifier.labels))
    return replace(_walk(tree.expr), grouping=grouping)


def _binary(tree: BinaryExpr) -> _Part:
    op = str(tree.op)
    left, right = _number(tree.lhs), _number(tree.rhs)
    if op == "*" and (left is not None or right is not None):
        factor, other = (left, tree.rhs) if left is not None else (right, tree.lhs)
        assert factor is not None
        return _times(_walk(other), factor)
    if op == "/" and right:
        return _times(_walk(tree.lhs), 1.0 / right)
    if op == "or" and _is_zero(tree.rhs):
        return _walk(tree.lhs)
    if op not in ("+", "-"):
        raise _NotLinearError(f"the operator {op} is not a sum of counters")
    if _is_zero(tree.rhs):
        return _walk(tree.lhs)
    a, b = _walk(tree.lhs), _walk(tree.rhs)
    if a.grouping is None or a.grouping != b.grouping:
        raise _NotLinearError("both sides must be sum() over the same labels")
    if (a.per_second, a.range_seconds * (not a.per_second)) != (
        b.per_second,
        b.range_seconds * (not b.per_second),
    ):
        raise _NotLinearError("both sides must use the same function and range")
    return replace(a, terms=a.terms + (b.terms if op == "+" else _times(b, -1.0).terms))


def _times(part: _Part, factor: float) -> _Part:
    # rate(x[5m]) * 300 is increase(x[5m]) written by hand: its events are those of x.
    if part.per_second and factor == part.range_seconds:
        factor = 1.0
    return replace(part, terms=tuple(Term(t.coefficient * factor, t.selector) for t in part.terms))


def _number(tree: Expr) -> float | None:
    if isinstance(tree, ParenExpr):
        return _number(tree.expr)
    if isinstance(tree, NumberLiteral):
        return float(tree.val)
    return None


def _is_zero(tree: Expr) -> bool:
    if isinstance(tree, ParenExpr):
        return _is_zero(tree.expr)
    if isinstance(tree, Call) and tree.func.name == "vector":
        return _number(tree.args[0]) == 0.0
    return _number(tree) == 0.0


def _merged(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    sums: dict[Selector, float] = {}
    for term in terms:
        sums[term.selector] = sums.get(term.selector, 0.0) + term.coefficient
    return tuple(Term(c, s) for s, c in sums.items() if c)


def _scale(tree: Expr) -> float:
    """Events per minute in one unit of the query's value."""
    calls: list[Call] = []
    _calls(tree, calls)
    if any(c.func.name in _PER_SECOND for c in calls):
        return 60.0
    ranges = [
        c.args[0].range.total_seconds()
        for c in calls
        if c.func.name == "increase" and isinstance(c.args[0], MatrixSelector)
    ]
    return 60.0 / max(ranges) if ranges else 1.0


def _calls(tree: Expr, into: list[Call]) -> None:
    if isinstance(tree, Call):
        into.append(tree)
        for arg in tree.args:
            _calls(arg, into)
    for name in ("expr", "lhs", "rhs"):
        child = getattr(tree, name, None)
        if isinstance(child, Expr):
            _calls(child, into)
