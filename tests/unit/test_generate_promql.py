"""Which counters a query is made of, and how their increments are asked for."""

from __future__ import annotations

import promql_parser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.kernel.errors import UserError
from watchkeeper.measure.prometheus.promql import AsIs
from watchkeeper.measure.selectors import quote
from watchkeeper.slo.generate import promql
from watchkeeper.slo.generate.promql import Sampling, Term


@pytest.mark.parametrize(
    ("query", "counters"),
    [
        ("http_total", [(1, "http_total")]),
        ('sum(rate(a{x="1"}[{{.window}}]))', [(1, 'a{x="1"}')]),
        ("sum by (pod) (increase(a[5m])) - sum by (pod) (increase(b[5m]))", [(1, "a"), (-1, "b")]),
        ("sum(rate(a[5m])) or vector(0)", [(1, "a")]),
        ("sum(rate(a[5m])) OR on() vector(0)", [(1, "a")]),
        ("(sum(a) + sum(b)) - sum(c)", [(1, "a"), (1, "b"), (-1, "c")]),
        ("sum(rate(a[5m])) * 300", [(1, "a")]),
        ("-a", [(-1, "a")]),
        ("2 * a / 4", [(0.5, "a")]),
        ('a{b=~"x|y",c!="q\\"d\\\\"}', [(1, 'a{b=~"x|y",c!="q\\"d\\\\"}')]),
    ],
)
def test_a_query_is_taken_apart_into_the_counters_it_adds_up(
    query: str, counters: list[tuple[float, str]]
) -> None:
    assert promql.counters(query) == tuple(Term(c, s) for c, s in counters)


@pytest.mark.parametrize(
    "query",
    [
        "avg(a)",
        "max(rate(a[5m]))",
        "sum(rate(a[5m])) / sum(rate(b[5m]))",
        "sum(a offset 1h)",
        "a * b",
        "sum_over_time((count(up < 1))[{{.window}}:])",
        "histogram_quantile(0.9, a)",
        "a or b",
    ],
)
def test_a_query_that_is_no_sum_of_counters_is_not_taken_for_one(query: str) -> None:
    assert isinstance(promql.counters(query), AsIs)


def test_a_query_that_does_not_parse_is_named_in_the_error() -> None:
    with pytest.raises(UserError, match=r"not PromQL: .*sum\(rate\(x\["):
        promql.counters("sum(rate(x[5m])")


@settings(deadline=None, max_examples=100)
@given(st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=12))
def test_any_label_value_survives_being_written(value: str) -> None:
    written = f"a{{b={quote(value)}}}"
    assert promql.counters(written) == (Term(1, written),)


def test_increments_are_summed_by_the_groups_labels() -> None:
    made = promql.increments("a", "b", ("tenant", "zone"), Sampling())
    node = promql_parser.parse(made)
    assert made.startswith("sum by (tenant, zone) (")
    assert isinstance(node, promql_parser.AggregateExpr)
