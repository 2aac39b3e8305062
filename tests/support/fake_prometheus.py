"""A Prometheus in memory: it answers the queries that our source asks, and no others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import promql_parser
from promql_parser import AggregateExpr, BinaryExpr, Call, Expr, MatrixSelector

from watchkeeper.measure.http import FetchError
from watchkeeper.measure.prometheus.api import Api
from watchkeeper.measure.selectors import NAME, from_tree

Samples = list[tuple[float, Any]]


@dataclass
class FakePrometheus(Api):
    """``series``: (labels with __name__, [(seconds, value)…]). ``down`` makes every query fail.

    A value is a number, or a native histogram as the API shows it.
    """

    series: list[tuple[dict[str, str], Samples]] = field(default_factory=list)
    clock: float = 0.0
    down: bool = False
    asked: list[str] = field(default_factory=list)
    ranges: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, name: str, samples: Sequence[tuple[float, Any]], **labels: str) -> None:
        """Add one series."""
        self.series.append(({NAME: name, **labels}, sorted(samples, key=lambda s: s[0])))

    def now(self) -> float:
        self._check("time()")
        return self.clock

    def instant(self, query: str, at: float) -> list[dict[str, Any]]:
        self._check(query)
        return self._evaluate(promql_parser.parse(query), at)

    def range(self, query: str, start: float, end: float, step: int) -> list[dict[str, Any]]:
        self._check(query)
        return [
            {**s, "values": [v for v in s["values"] if start <= v[0] <= end]}
            for s in self.ranges.get(query, [])
        ]

    def label_values(self, label: str, match: str, start: float, end: float) -> list[str]:
        self._check(match)
        tree = promql_parser.parse(match)
        assert isinstance(tree, promql_parser.VectorSelector)
        found = from_tree(tree)
        assert found is not None
        return sorted({s[label] for s, _ in self.series if found.accepts(s) and label in s})

    def close(self) -> None:
        pass

    def _check(self, query: str) -> None:
        self.asked.append(query)
        if self.down:
            raise FetchError("the fake is down")

    def _evaluate(self, tree: Expr, at: float) -> list[dict[str, Any]]:
        if isinstance(tree, MatrixSelector):
            return [
                {"metric": labels, _field(samples): [[t, _shown(v)] for t, v in samples]}
                for labels, samples in self._matrix(tree, at)
            ]
        if isinstance(tree, Call) and tree.func.name == "last_over_time":
            assert isinstance(tree.args[0], MatrixSelector)
            return [
                {"metric": labels, _field(samples)[:-1]: [at, _shown(samples[-1][1])]}
                for labels, samples in self._matrix(tree.args[0], at)
            ]
        if isinstance(tree, BinaryExpr) and str(tree.op) == "or":
            left, right = self._evaluate(tree.lhs, at), self._evaluate(tree.rhs, at)
            have = [s["metric"] for s in left]
            return left + [s for s in right if s["metric"] not in have]
        if isinstance(tree, AggregateExpr) and str(tree.op) == "count":
            inner = self._evaluate(tree.expr, at)
            return [{"metric": {}, "value": [at, str(len(inner))]}] if inner else []
        raise AssertionError(f"not a query that we should ask: {tree.prettify()}")

    def _matrix(self, tree: MatrixSelector, at: float) -> list[tuple[dict[str, str], Samples]]:
        selector = from_tree(tree.vector_selector)
        assert selector is not None
        start = at - tree.range.total_seconds()
        found = []
        for labels, samples in self.series:
            if selector.accepts(labels):
                inside = [s for s in samples if start <= s[0] <= at]
                if inside:
                    found.append((labels, inside))
        return found


def _field(samples: Samples) -> str:
    return "histograms" if isinstance(samples[0][1], dict) else "values"


def _shown(value: object) -> object:
    return value if isinstance(value, dict) else repr(value)
