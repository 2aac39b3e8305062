"""Which PromQL is a sum of counters, and how SLIs share queries."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.measure.prometheus.plan import make_plan
from watchkeeper.measure.prometheus.promql import AsIs, Linear, reduce, with_window
from watchkeeper.measure.selectors import Matcher, bound_matcher, parse_selector
from watchkeeper.spec.model import (
    CountsSli,
    PrometheusQuery,
    RawSli,
    SliDefinition,
    ThresholdSli,
)


@pytest.mark.parametrize(
    ("promql", "terms"),
    [
        ('sum(rate(a{code=~"5.."}[{{.window}}]))', {'{__name__="a",code=~"5.."}': 1}),
        ("sum by (x) (increase(a[1h]))", {'{__name__="a"}': 1}),
        ("sum(irate(a[5m])) or vector(0)", {'{__name__="a"}': 1}),
        (
            "(sum(rate(a[5m])) or vector(0)) - sum(rate(b[5m]))",
            {'{__name__="a"}': 1, '{__name__="b"}': -1},
        ),
        ("sum(rate(a[5m])) * 300", {'{__name__="a"}': 1}),
        ("2 * sum(increase(a[5m]))", {'{__name__="a"}': 2}),
        ("sum(a_total) / 4", {'{__name__="a_total"}': 0.25}),
        ("a_total", {'{__name__="a_total"}': 1}),
        ("-sum(rate(a[5m]))", {'{__name__="a"}': -1}),
        ("sum(rate(a[5m])) + sum(rate(a[5m]))", {'{__name__="a"}': 2}),
    ],
)
def test_sums_of_counters_are_reduced_to_their_counters(
    promql: str, terms: dict[str, float]
) -> None:
    reduced = reduce(promql)
    assert isinstance(reduced, Linear)
    assert {str(t.selector): t.coefficient for t in reduced.terms} == terms


@pytest.mark.parametrize(
    ("promql", "scale"),
    [
        ("sum(rate(a[5m])) / sum(rate(b[5m]))", 60),
        ("sum(increase(a[{{.window}}]) unless b)", 1),
        ("sum(increase(a[5m]) unless b)", 0.2),
        ("sum(rate(a[5m] offset 1h))", 60),
        ("sum(rate(a[5m]) - rate(b[5m]))", 60),
        ("sum by (x)(rate(a[5m])) - sum(rate(b[5m]))", 60),
        ("count(up == 1)", 1),
        ("max(rate(a[5m]))", 60),
    ],
)
def test_anything_else_is_evaluated_by_prometheus(promql: str, scale: float) -> None:
    reduced = reduce(promql)
    assert isinstance(reduced, AsIs)
    assert reduced.scale == scale
    assert reduced.reason


def test_what_is_not_promql_is_said() -> None:
    with pytest.raises(ValueError, match="not PromQL"):
        reduce("sum(rate(a[5m])")


def test_the_window_is_replaced_in_the_form_of_sloth() -> None:
    assert (
        with_window("rate(a[{{.window}}]) + rate(b[{{ .window }}])", "1m")
        == "rate(a[1m]) + rate(b[1m])"
    )


NUMBERS = st.decimals(min_value="0.0001", max_value="10000", places=4).map(float)


@settings(deadline=None, max_examples=200)
@given(NUMBERS, NUMBERS)
def test_a_bound_matches_every_way_to_write_it_and_no_other(value: float, other: float) -> None:
    pattern = re.compile(bound_matcher(value).value)
    for text in (repr(value), f"{value:.4f}", f"{value:.6f}", f"{value:e}", f"{value:g}"):
        if float(text) == value:
            assert pattern.fullmatch(text), text
    if other != value:
        assert not pattern.fullmatch(repr(other))
        assert not pattern.fullmatch("+Inf")


def test_a_missing_label_is_an_empty_one_and_regular_expressions_are_anchored() -> None:
    chosen = parse_selector('a{code=~"5..",env!="test",zone=""}')
    assert chosen.accepts({"__name__": "a", "code": "503"})
    assert not chosen.accepts({"__name__": "a", "code": "1503"})
    assert not chosen.accepts({"__name__": "a", "code": "503", "env": "test"})
    assert not chosen.accepts({"__name__": "a", "code": "503", "zone": "b"})
    assert not chosen.accepts({"__name__": "ab", "code": "503"})


@pytest.mark.parametrize("text", ["sum(a)", "a[5m]", "a offset 5m", 'a{b="1" or c="2"}', "a{"])
def test_what_is_not_a_plain_selector_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"selector|offset"):
        parse_selector(text)


def counts(key: str, total: str, bad: str) -> SliDefinition:
    return SliDefinition(key, "p", CountsSli(PrometheusQuery(total), bad=PrometheusQuery(bad)))


def test_a_narrow_selector_is_served_by_the_wide_one_of_its_metric() -> None:
    plan = make_plan(
        [counts("a", 'sum(rate(r{job="x"}[5m]))', 'sum(rate(r{job="x",code="500"}[5m]))')]
    )
    assert [str(f.query) for f in plan.fetches] == ['{__name__="r",job="x"}']
    error = {"__name__": "r", "job": "x", "code": "500"}
    assert [(u.good, u.total) for u in plan.fetches[0].uses(error)] == [(1, 1), (-1, 0)]
    assert [(u.good, u.total) for u in plan.fetches[0].uses({**error, "code": "200"})] == [(1, 1)]
    assert plan.fetches[0].uses({**error, "job": "y"}) == ()


def test_a_thousand_services_of_one_metric_share_a_fetch_and_are_told_apart() -> None:
    many = [
        counts(
            f"s{i}", f'sum(rate(r{{svc="s{i}"}}[5m]))', f'sum(rate(r{{svc="s{i}",code="500"}}[5m]))'
        )
        for i in range(1000)
    ]
    plan = make_plan(many)
    assert len(plan.fetches) == 1
    uses = plan.fetches[0].uses({"__name__": "r", "svc": "s77", "code": "200"})
    assert [u.sli for u in uses] == ["s77"]


def test_metrics_with_the_same_conditions_share_a_fetch() -> None:
    plan = make_plan([counts("a", 'sum(rate(t{job="x"}[5m]))', 'sum(rate(e{job="x"}[5m]))')])
    assert [str(f.query) for f in plan.fetches] == ['{__name__=~"e|t",job="x"}']


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_merged_fetches_select_all_that_each_selector_selects(data: st.DataObject) -> None:
    values = st.sampled_from(["", "a", "b.c", "d"])
    ops = st.sampled_from(["=", "!=", "=~", "!~"])
    matcher = st.builds(Matcher, st.sampled_from(["l", "m"]), ops, values)
    texts = data.draw(st.lists(st.lists(matcher, max_size=3), min_size=1, max_size=8))
    many = [
        counts(str(i), "sum(rate(r{" + ",".join(map(str, t)) + "}[5m]))", "sum(rate(never[5m]))")
        for i, t in enumerate(texts)
    ]
    labels = {"__name__": "r", "l": data.draw(values), "m": data.draw(values)}
    plan = make_plan(many)
    served = [u.sli for f in plan.fetches if f.query.accepts(labels) for u in f.uses(labels)]
    expected = [str(i) for i, t in enumerate(texts) if all(m.accepts(labels) for m in t)]
    assert sorted(served) == sorted(expected)


def test_an_estimated_good_takes_its_total_along() -> None:
    plan = make_plan(
        [counts("a", "sum(rate(t[{{.window}}]))", "sum(rate(e[{{.window}}]) unless x)")]
    )
    assert not plan.fetches
    queries = plan.evaluations[0].queries
    assert queries["total"].promql == "sum(rate(t[1m]))"
    assert queries["total"].scale == queries["bad"].scale == 60
    assert plan.estimated


def test_gauges_are_read_at_the_end_of_each_minute() -> None:
    raw = SliDefinition("r", "p", RawSli(PrometheusQuery("ratio")))
    threshold = SliDefinition("t", "p", ThresholdSli(PrometheusQuery("max(q)"), "lt", 5))
    plan = make_plan([raw, threshold])
    assert [e.queries for e in plan.evaluations] == [
        {"raw": AsIs("last_over_time(ratio[1m])", 1.0, "")},
        {"threshold": AsIs("max(q)", 1.0, "")},
    ]


def test_a_query_that_cannot_be_read_is_a_problem_of_its_own_sli_only() -> None:
    plan = make_plan([counts("bad", "sum(", "e"), counts("fine", "t", "e")])
    assert [p[0] for p in plan.problems] == ["bad"]
    assert plan.fetches
