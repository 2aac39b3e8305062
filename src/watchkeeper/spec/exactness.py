"""Which PromQL can be counted to the event, and which only estimated. Pure.

Sums of counters are counted: the Prometheus room reads their samples. All else is evaluated by
Prometheus once a minute. This says beforehand which it will be; a test holds the two together.
"""

from __future__ import annotations

import re
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

WINDOW = re.compile(
    r"\{\{-?\s*\.?window\s*-?\}\}|\$\{?__?(?:rate_interval|interval|range)\}?|\$\{?window\}?"
)
"""What stands for a window in a query: Sloth's template, and the variables of dashboards."""
_COUNTERS = ("rate", "irate", "increase")


class _EstimatedError(Exception):
    pass


@dataclass(frozen=True, slots=True)
class _Shape:
    """What two sides of a sum must have in common."""

    grouping: tuple[str, ...] | None = None  # None: not aggregated
    range_seconds: float = 0.0
    per_second: bool = False


def parse(promql: str) -> Expr:
    """The parsed query, with 5m for ``{{.window}}`` and its like. Raises ValueError."""
    return promql_parser.parse(WINDOW.sub("5m", promql))


def estimated(promql: str) -> str:
    """Why this query cannot be counted exactly; '' when it can. Raises ValueError for no PromQL."""
    tree = parse(promql)
    try:
        _shape(tree)
    except _EstimatedError as why:
        return str(why)
    return ""


def _shape(tree: Expr) -> _Shape:
    match tree:
        case ParenExpr() | UnaryExpr():
            return _shape(tree.expr)
        case VectorSelector():
            return _plain(tree)
        case Call():
            return _call(tree)
        case AggregateExpr():
            return _aggregate(tree)
        case BinaryExpr():
            return _binary(tree)
    raise _EstimatedError("it is not made of counters")


def _plain(tree: VectorSelector) -> _Shape:
    if tree.offset is not None or tree.at is not None or tree.matchers.or_matchers:
        raise _EstimatedError("offset, @ and 'or' look at other times or series")
    return _Shape()


def _call(tree: Call) -> _Shape:
    name = tree.func.name
    if name not in _COUNTERS or not isinstance(tree.args[0], MatrixSelector):
        raise _EstimatedError(f"{name}() is not a sum of counters")
    _plain(tree.args[0].vector_selector)
    per_second = name != "increase"
    # Per second, the range only smooths; an increase over twice the range is twice as much.
    return _Shape(None, 0.0 if per_second else tree.args[0].range.total_seconds(), per_second)


def _aggregate(tree: AggregateExpr) -> _Shape:
    if str(tree.op) != "sum":
        raise _EstimatedError(f"{tree.op}() does not add events up")
    grouping: tuple[str, ...] = ()
    if tree.modifier is not None:
        without = tree.modifier.type == AggModifierType.Without
        grouping = (("-",) if without else ()) + tuple(sorted(tree.modifier.labels))
    return replace(_shape(tree.expr), grouping=grouping)


def _binary(tree: BinaryExpr) -> _Shape:
    op = str(tree.op)
    if op == "*" and _number(tree.lhs) is not None:
        return _shape(tree.rhs)
    if (op == "*" and _number(tree.rhs) is not None) or (op == "/" and _number(tree.rhs)):
        return _shape(tree.lhs)
    if op in ("or", "+", "-") and _is_zero(tree.rhs):
        return _shape(tree.lhs)
    if op not in ("+", "-"):
        raise _EstimatedError(f"the operator {op} is not a sum of counters")
    left, right = _shape(tree.lhs), _shape(tree.rhs)
    if left.grouping is None or left != right:
        raise _EstimatedError("both sides must be sum() over the same labels, function and range")
    return left


def _number(tree: Expr) -> float | None:
    if isinstance(tree, ParenExpr):
        return _number(tree.expr)
    return float(tree.val) if isinstance(tree, NumberLiteral) else None


def _is_zero(tree: Expr) -> bool:
    if isinstance(tree, ParenExpr):
        return _is_zero(tree.expr)
    if isinstance(tree, Call) and tree.func.name == "vector":
        return _number(tree.args[0]) == 0.0
    return _number(tree) == 0.0
