"""What lint says of a query beforehand is what the Prometheus source then does with it."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from watchkeeper.measure.prometheus.plan import make_plan
from watchkeeper.measure.prometheus.promql import AsIs, reduce
from watchkeeper.spec import load_text
from watchkeeper.spec.exactness import estimated

SELECTORS = [
    "a", 'a{x="1"}', '{__name__="a"}', 'a{x=~"1|2",y!="3"}', 'a{x="1" or y="2"}', "a offset 5m",
    "a @ 0", "a offset -1h",
]  # fmt: skip
RANGES = ["5m", "1h", "300s", "{{.window}}", "$__rate_interval", "${window}", "5m:1m"]
CALLS = ["rate", "increase", "irate", "delta", "sum_over_time", "last_over_time", "count_over_time"]
OPERATORS = ["+", "-", "*", "/", "or", "unless", "and", ">", "== bool", "^", "%"]
NUMBERS = ["0", "1", "2", "60", "300", "0.5", "(3)", "1 + 1", "-2", "Inf", "NaN", "1e3"]
AGGREGATES = ["sum", "sum by (x)", "sum by (y, x)", "sum by (x, y)", "sum without (x)", "max",
              "avg", "count by (x)", "topk"]  # fmt: skip


def wrapped(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        inner.map("({})".format),
        inner.map("-{}".format),
        st.tuples(st.sampled_from(AGGREGATES), inner).map(
            lambda p: f"{p[0]}({'2, ' if p[0] == 'topk' else ''}{p[1]})"
        ),
        st.tuples(inner, st.sampled_from(OPERATORS), inner).map(" ".join),
        st.tuples(inner, st.sampled_from(OPERATORS), st.sampled_from(NUMBERS)).map(" ".join),
        st.tuples(st.sampled_from(NUMBERS), st.sampled_from(OPERATORS), inner).map(" ".join),
        st.tuples(inner, st.sampled_from(["+", "or", "-"]), st.just("vector(0)")).map(" ".join),
        st.tuples(st.sampled_from(["abs", "clamp_min", "scalar", "time", "vector"]), inner).map(
            lambda p: {"clamp_min": f"clamp_min({p[1]}, 0)", "time": "time()"}.get(
                p[0], f"{p[0]}({p[1]})"
            )
        ),
    )


COUNTED = st.tuples(
    st.sampled_from(CALLS), st.sampled_from(SELECTORS), st.sampled_from(RANGES)
).map(lambda p: f"{p[0]}({p[1].partition(' ')[0]}[{p[2]}]{' '.join(['', *p[1].split(' ')[1:]])})")
QUERIES = st.recursive(
    st.one_of(st.sampled_from(SELECTORS), COUNTED, COUNTED.map("sum({})".format)),
    wrapped,
    max_leaves=4,
)


def done(promql: str) -> str:
    """What the source does: ``counted``, ``estimated`` or ``refused``."""
    try:
        return "estimated" if isinstance(reduce(promql), AsIs) else "counted"
    except ValueError:
        return "refused"


def said(promql: str) -> str:
    """What lint says that it will do."""
    try:
        return "estimated" if estimated(promql) else "counted"
    except ValueError:
        return "refused"


@settings(deadline=None, max_examples=1500)
@example("sum(rate(a[5m])) - sum(rate(a[1h]))")
@example("sum(increase(a[5m])) - sum(increase(a[1h]))")
@example("sum by (x, y)(a) + sum by (y, x)(a)")
@example("2 * 3")
@example("0 * sum(a)")
@example("sum(a) / 0")
@example("sum(rate(a[5m])) * 300")
@example("vector(0) + sum(a)")
@given(QUERIES)
def test_what_is_said_beforehand_is_what_is_done(promql: str) -> None:
    assert said(promql) == done(promql)


def test_the_examples_are_of_all_three_kinds() -> None:
    seen: dict[str, int] = {"counted": 0, "estimated": 0, "refused": 0}

    @settings(deadline=None, max_examples=400, database=None, derandomize=True)
    @given(QUERIES)
    def look(promql: str) -> None:
        seen[done(promql)] += 1

    look()
    assert min(seen["counted"], seen["estimated"]) >= 40, seen


SPEC = """
apiVersion: openslo/v1
kind: DataSource
metadata: {{name: p}}
spec: {{type: prometheus, connectionDetails: {{url: "http://127.0.0.1:9", retention: 90d}}}}
---
apiVersion: watchkeeper/v1
kind: Service
metadata: {{name: s}}
spec: {{description: One.}}
---
apiVersion: watchkeeper/v1
kind: Journey
metadata: {{name: j}}
spec:
  service: s
  source: p
  availability:
    target: 99%
    total: '{total}'
    bad: '{bad}'
"""


@pytest.mark.parametrize(
    ("total", "bad", "warned"),
    [
        ("sum(rate(a[5m]))", "sum(rate(b[5m]))", []),
        ("sum(rate(a[5m]))", "max(rate(b[5m]))", ["bad"]),
        ("count(a)", "sum(rate(b[5m]))", ["total"]),
        ("count(a)", "count(b)", ["bad", "total"]),
    ],
)
def test_lint_warns_of_an_sli_exactly_when_the_source_will_estimate_it(
    total: str, bad: str, warned: list[str]
) -> None:
    loaded = load_text(SPEC.format(total=total, bad=bad))
    assert loaded.specs is not None
    found = [f for f in loaded.findings if f.code == "estimated"]
    assert sorted(f.message.split("'")[1] for f in found) == warned
    sli = loaded.specs.slos["j-availability"].sli
    assert sli is not None
    plan = make_plan([sli])
    assert bool(plan.estimated) == bool(warned)
    assert (plan.fetches == ()) == bool(warned)
