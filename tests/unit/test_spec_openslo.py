"""OpenSLO v1: all seven kinds are read, and written back without loss."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.spec import load, load_text
from watchkeeper.spec.convert import import_file, to_openslo, write_documents
from watchkeeper.spec.document import read_documents
from watchkeeper.spec.model import (
    CalendarWindow,
    CountsSli,
    HistogramSli,
    LogQuery,
    Occurrences,
    OpaqueQuery,
    ProbeCheck,
    PrometheusQuery,
    PushStream,
    Query,
    RatioTimeSlices,
    RawSli,
    RollingWindow,
    ScrapeQuery,
    SloDefinition,
    SourceType,
    Specs,
    SqlQuery,
    ThresholdSli,
    TimeSlices,
)

PUBLISHED = sorted(
    (Path(__file__).resolve().parents[2].parent / "shared/data/slo/openslo").rglob("*.yaml")
)

SEVEN_KINDS = """
apiVersion: openslo/v1
kind: DataSource
metadata: {name: prom, displayName: Our Prometheus}
spec:
  description: In the cluster.
  type: Prometheus
  connectionDetails: {url: "http://127.0.0.1:9090", token: {env: PROM_TOKEN}, retention: 60d}
---
apiVersion: openslo/v1
kind: Service
metadata: {name: shop, displayName: Shop, labels: {team: [identity, rbac], cost: "12"}}
spec: {description: Sells lamps.}
---
apiVersion: openslo/v1
kind: SLI
metadata: {name: checkout-errors}
spec:
  description: Requests that failed.
  ratioMetric:
    counter: true
    bad:
      metricSource: {metricSourceRef: prom, spec: {query: 'errors_total{job="shop"}'}}
    total:
      metricSource: {metricSourceRef: prom, type: Prometheus, spec: {query: requests_total}}
---
apiVersion: openslo/v1
kind: AlertNotificationTarget
metadata: {name: on-call}
spec: {target: email, description: Whoever is on call.}
---
apiVersion: openslo/v1
kind: AlertCondition
metadata: {name: slow-burn}
spec:
  severity: ticket
  condition: {kind: burnrate, op: gte, threshold: 6, lookbackWindow: 6h, alertAfter: 30m}
---
apiVersion: openslo/v1
kind: AlertPolicy
metadata: {name: burn}
spec:
  description: Two speeds.
  alertWhenNoData: false
  alertWhenResolved: true
  alertWhenBreaching: true
  conditions:
    - kind: AlertCondition
      metadata: {name: fast-burn}
      spec:
        severity: page
        condition: {kind: burnrate, threshold: 14.4, lookbackWindow: 1h, alertAfter: 5m}
    - conditionRef: slow-burn
  notificationTargets: [{targetRef: on-call}]
---
apiVersion: openslo/v1
kind: SLO
metadata:
  name: checkout
  displayName: Check out
  annotations: {wiki.example/page: "https://wiki.example/checkout"}
  labels: {tier: "1"}
spec:
  description: People can pay.
  service: shop
  indicatorRef: checkout-errors
  timeWindow: [{duration: 4w, isRolling: true}]
  budgetingMethod: Occurrences
  objectives:
    - {displayName: Internal, target: 0.9995}
    - {displayName: The contract, targetPercent: 99.9}
  alertPolicies:
    - alertPolicyRef: burn
    - kind: AlertPolicy
      metadata: {name: inline}
      spec:
        conditions: [{conditionRef: slow-burn}]
        notificationTargets: [{targetRef: on-call}]
"""

ONE_SLO = """
apiVersion: openslo/v1
kind: SLO
metadata: {name: one}
spec:
  service: shop
  indicator:
    metadata: {name: one}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: Prometheus, spec: {query: good_total}}}
        total: {metricSource: {type: Prometheus, spec: {query: all_total}}}
  timeWindow: [{duration: 28d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.99}]
"""


def usable(text: str) -> Specs:
    loaded = load_text(text)
    assert loaded.specs is not None, [str(f) for f in loaded.errors]
    return loaded.specs


def changed(old: str, new: str) -> SloDefinition:
    """The one SLO, with this part of its text replaced."""
    assert old in ONE_SLO
    return usable(ONE_SLO.replace(old, new)).slos["one"]


# ---------------------------------------------------------------- the seven kinds


def test_all_seven_kinds_are_read_without_a_finding() -> None:
    loaded = load_text(SEVEN_KINDS)
    assert [str(f) for f in loaded.findings] == []
    assert loaded.specs is not None
    assert loaded.specs.sources["prom"].type is SourceType.PROMETHEUS
    assert loaded.specs.sources["prom"].settings["token"] == {"env": "PROM_TOKEN"}
    service = loaded.specs.services["shop"]
    assert (service.display_name, service.description) == ("Shop", "Sells lamps.")
    assert dict(service.labels) == {"team": "identity, rbac", "cost": "12"}


def test_several_objectives_are_one_slo_each_over_the_same_events() -> None:
    specs = usable(SEVEN_KINDS)
    internal, contract = specs.slos["checkout.internal"], specs.slos["checkout.the-contract"]
    assert (internal.target, contract.target) == (Decimal("0.9995"), Decimal("0.999"))
    assert internal.display_name == "Check out: Internal"
    assert internal.sli is not None
    assert internal.sli == contract.sli
    assert internal.sli.measurement == CountsSli(
        PrometheusQuery("requests_total"), bad=PrometheusQuery('errors_total{job="shop"}')
    )
    assert dict(internal.annotations) == {"wiki.example/page": "https://wiki.example/checkout"}


def test_objectives_without_names_are_numbered() -> None:
    text = ONE_SLO.replace("[{target: 0.99}]", "[{target: 0.99}, {target: 0.9}]")
    assert list(usable(text).slos) == ["one.1", "one.2"]


def test_alert_policies_are_followed_inline_and_by_reference() -> None:
    specs = usable(SEVEN_KINDS)
    assert specs.slos["checkout.internal"].alert_policies == ("burn", "inline")
    burn = specs.alert_policies["burn"]
    found = [(c.threshold, c.long.text, c.short.text, c.severity) for c in burn.conditions]
    assert found == [
        (Decimal("14.4"), "1h", "5m", "page"),
        (Decimal(6), "6h", "30m", "ticket"),
    ]
    assert [c.threshold for c in specs.alert_policies["inline"].conditions] == [Decimal(6)]


def test_a_policy_may_come_in_any_file_and_any_order(tmp_path: Path) -> None:
    for i, document in enumerate(reversed(SEVEN_KINDS.split("---\n"))):
        (tmp_path / f"{i}.yaml").write_text(document, encoding="utf-8")
    loaded = load(tmp_path)
    assert [str(f) for f in loaded.findings] == []
    assert loaded.specs is not None
    assert (
        loaded.specs.slos["checkout.internal"].sli
        == usable(SEVEN_KINDS).slos["checkout.internal"].sli
    )


# ---------------------------------------------------------------- windows, methods, targets


def test_without_a_window_it_is_28_rolling_days() -> None:
    slo = changed("  timeWindow: [{duration: 28d, isRolling: true}]\n", "")
    assert isinstance(slo.window, RollingWindow)
    assert slo.window.duration.text == "28d"


def test_a_window_with_a_calendar_is_not_rolling_unless_it_says_so() -> None:
    calendar = "calendar: {startTime: 2026-01-01 00:00:00, timeZone: Europe/Berlin}"
    slo = changed("isRolling: true", calendar)
    assert isinstance(slo.window, CalendarWindow)
    assert slo.window.start == "2026-01-01 00:00:00"
    assert slo.window.time_zone == "Europe/Berlin"


@pytest.mark.parametrize(
    ("written", "expected"),
    [("0.999", "0.999"), ("99.9%", "0.999"), ('"99.95 %"', "0.9995"), ("1", "1"), ('"0.5"', "0.5")],
)
def test_a_target_is_read_as_written_without_rounding(written: str, expected: str) -> None:
    assert changed("target: 0.99", f"target: {written}").target == Decimal(expected)


@pytest.mark.parametrize(("written", "expected"), [("99.99", "0.9999"), ("50", "0.5")])
def test_a_target_in_percent_is_a_hundredth(written: str, expected: str) -> None:
    assert changed("target: 0.99", f"targetPercent: {written}").target == Decimal(expected)


@pytest.mark.parametrize(("written", "minutes"), [("5m", 5), ("1h", 60), ("5", 5)])
def test_slices_are_durations_or_plain_minutes(written: str, minutes: int) -> None:
    slices = f"budgetingMethod: Timeslices\n  objectives:\n    - timeSliceWindow: {written}\n"
    text = ONE_SLO.replace(
        "budgetingMethod: Occurrences\n  objectives: [{target: 0.99}]",
        f"{slices}      timeSliceTarget: 0.95\n      target: 0.99",
    )
    assert usable(text).slos["one"].method == TimeSlices(minutes, Decimal("0.95"))


def test_ratio_time_slices_need_no_slice_target() -> None:
    text = ONE_SLO.replace("Occurrences", "RatioTimeslices").replace(
        "target: 0.99", "target: 0.99, timeSliceWindow: 1m"
    )
    assert usable(text).slos["one"].method == RatioTimeSlices(1)


def test_occurrences_is_the_method_when_none_is_given() -> None:
    assert changed("  budgetingMethod: Occurrences\n", "").method == Occurrences()


# ---------------------------------------------------------------- indicators


def measured(indicator: str, objective: str = "target: 0.99") -> object:
    head, _, rest = ONE_SLO.partition("      ratioMetric:")
    tail = rest[rest.index("  timeWindow") :].replace("target: 0.99", objective)
    slo = usable(f"{head}      {indicator}\n{tail}").slos["one"]
    assert slo.sli is not None
    return slo.sli.measurement


@pytest.mark.parametrize(("kind", "is_failure"), [("success", False), ("failure", True)])
def test_a_raw_ratio_says_what_it_is_a_ratio_of(kind: str, is_failure: bool) -> None:
    found = measured(
        f"ratioMetric: {{rawType: {kind}, "
        "raw: {metricSource: {type: Prometheus, spec: {query: a_ratio}}}}"
    )
    assert found == RawSli(PrometheusQuery("a_ratio"), is_failure)


@pytest.mark.parametrize("op", ["lt", "lte", "gt", "gte"])
def test_a_threshold_metric_takes_operator_and_value_from_the_objective(op: str) -> None:
    found = measured(
        "thresholdMetric: {metricSource: {type: Prometheus, spec: {query: queue}}}",
        f"target: 0.99, op: {op}, value: 12.5",
    )
    assert found == ThresholdSli(PrometheusQuery("queue"), op, 12.5)


def test_objectives_with_different_thresholds_count_different_events() -> None:
    head, _, rest = ONE_SLO.partition("      ratioMetric:")
    tail = rest[rest.index("  timeWindow") :].replace(
        "[{target: 0.99}]",
        "[{target: 0.99, op: lt, value: 1}, {target: 0.9, op: lt, value: 2}]",
    )
    metric = "thresholdMetric: {metricSource: {type: Prometheus, spec: {query: queue}}}"
    slis = [s.sli for s in usable(f"{head}      {metric}\n{tail}").slos.values()]
    assert len({s.key for s in slis if s is not None}) == 2


def test_latency_from_a_histogram_is_our_extension_of_the_metric_source() -> None:
    found = measured(
        "ratioMetric: {total: {metricSource: {type: Prometheus, spec: "
        "{histogram: 'request_seconds{job=\"shop\"}', threshold: 300ms}}}}"
    )
    assert found == HistogramSli('request_seconds{job="shop"}', 0.3)


def test_group_by_makes_one_slo_of_each_label_set() -> None:
    grouped = "      groupBy: [region, route]\n      ratioMetric"
    slo = changed("      ratioMetric", grouped)
    assert slo.sli is not None
    assert slo.sli.group_by == ("region", "route")


def test_an_objective_may_have_an_indicator_of_its_own() -> None:
    own = (
        "[{displayName: a, target: 0.99, indicator: {metadata: {name: a}, spec: {ratioMetric: "
        "{rawType: success, raw: {metricSource: {type: Prometheus, spec: {query: a}}}}}}},"
        " {displayName: b, target: 0.9, indicator: {metadata: {name: b}, spec: {ratioMetric: "
        "{rawType: success, raw: {metricSource: {type: Prometheus, spec: {query: b}}}}}}}]"
    )
    start, end = ONE_SLO.index("  indicator:"), ONE_SLO.index("  timeWindow")
    text = (ONE_SLO[:start] + ONE_SLO[end:]).replace("[{target: 0.99}]", own)
    slos = usable(text).slos
    slis = [slos[n].sli for n in ("one.a", "one.b")]
    assert [s.measurement for s in slis if s] == [
        RawSli(PrometheusQuery("a")),
        RawSli(PrometheusQuery("b")),
    ]
    assert len({s.key for s in slis if s}) == 2


@pytest.mark.parametrize(
    ("kind", "details", "spec", "expected"),
    [
        ("Scrape", "{url: 'http://h/metrics'}", "{selector: 'x_total{a=\"b\"}'}",
         ScrapeQuery('x_total{a="b"}')),
        ("AccessLog", "{path: /var/log/a.log}",
         "{paths: [/a, '/b/*'], methods: [get], status: [5xx], host: h, slower_than: 1s}",
         LogQuery(("/a", "/b/*"), ("GET",), ("5xx",), (), "h", None, 1.0)),
        ("probe", "{interval: 15s}",
         "{target: 'https://h/x', expect_status: 200, expect_within: 500ms,"
         " min_certificate_days: 7}",
         ProbeCheck("https://h/x", expect_status=("200",), expect_within=0.5,
                    min_certificate_days=7.0)),
        ("PUSH", "{}", "{stream: orders, attributes: {region: eu}}",
         PushStream("orders", {"region": "eu"})),
        ("sql", "{url: 'duckdb:///x.db'}", "{query: SELECT 1}", SqlQuery("SELECT 1")),
        ("Datadog", "{site: eu}", "{query: 'sum:x'}", OpaqueQuery({"query": "sum:x"})),
    ],
)  # fmt: skip
def test_each_type_of_source_has_its_own_words(
    kind: str, details: str, spec: str, expected: Query
) -> None:
    source = (
        "apiVersion: openslo/v1\nkind: DataSource\nmetadata: {name: src}\n"
        f"spec: {{type: {kind}, connectionDetails: {details}}}\n---\n"
    )
    other = spec.replace("[5xx]", "[4xx]").replace("x_total", "y_total")
    good = f"        good: {{metricSource: {{metricSourceRef: src, spec: {other}}}}}\n"
    total = f"        total: {{metricSource: {{metricSourceRef: src, spec: {spec}}}}}\n"
    both = "" if isinstance(expected, ProbeCheck | PushStream | SqlQuery) else good
    start, end = ONE_SLO.index("        good:"), ONE_SLO.index("  timeWindow")
    slo = usable(source + ONE_SLO[:start] + both + total + ONE_SLO[end:]).slos["one"]
    assert slo.sli is not None
    assert isinstance(slo.sli.measurement, CountsSli)
    assert slo.sli.measurement.total == expected
    assert slo.sli.source == "src"


# ---------------------------------------------------------------- written back


def data_of(text: str) -> list[Any]:
    documents, findings = read_documents(text, "x.yaml")
    assert findings == []
    return [d.data for d in documents]


def test_all_seven_kinds_are_written_back_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(SEVEN_KINDS, encoding="utf-8")
    assert data_of(to_openslo(tmp_path)) == data_of(SEVEN_KINDS)


@pytest.mark.parametrize("file", PUBLISHED, ids=lambda f: f"{f.parent.name}-{f.stem}")
def test_published_examples_are_read_and_written_back_as_they_were(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    written = import_file("openslo", text, str(file)).text
    assert written is not None
    assert data_of(written) == data_of(text)
    assert write_documents(data_of(written)) == written
    first, second = usable(text), usable(written)
    assert [meaning(s) for s in first.slos.values()] == [meaning(s) for s in second.slos.values()]


def test_the_published_examples_are_there() -> None:
    assert len(PUBLISHED) == 4


def test_published_examples_mean_what_their_text_says() -> None:
    found = {
        (f.parent.name, f.stem): list(usable(f.read_text(encoding="utf-8")).slos.values())
        for f in PUBLISHED
    }
    (search,) = found["budgeting-method", "occurences-slo"]
    assert (search.target, search.method, window(search)) == (Decimal("0.99"), Occurrences(), "2w")
    assert search.sli is not None
    assert search.sli.measurement == ThresholdSli(OpaqueQuery({"query": "Any"}), "lt", 500.0)
    (page,) = found["budgeting-method", "ratio-timeslices"]
    assert (page.target, page.method, window(page)) == (Decimal("0.99"), RatioTimeSlices(1), "2w")
    internal, sla = found["budgeting-method", "timeslices-slo"]
    # "1m" in the example is a month: its comment says so.
    assert [(s.target, window(s)) for s in (internal, sla)] == [
        (Decimal("0.995"), "1M"),
        (Decimal("0.99"), "1M"),
    ]
    assert internal.method == TimeSlices(1, Decimal("0.99"))
    (weekly,) = found["treat-low-traffic-as-equally-important", "timeslices-slo"]
    assert weekly.target == Decimal("0.9995")
    assert isinstance(weekly.window, CalendarWindow)
    assert (window(weekly), weekly.window.time_zone) == ("1w", "America/New_York")
    assert weekly.method == TimeSlices(1, Decimal("0.95"))


def window(slo: SloDefinition) -> str:
    return slo.window.duration.text


def meaning(slo: SloDefinition) -> tuple[object, ...]:
    return (
        slo.name, slo.display_name, slo.service, slo.target, slo.window, slo.method, slo.sli,
        slo.description, slo.alert_policies, slo.labels, slo.annotations,
    )  # fmt: skip


# Texts that YAML would take for something else, and texts of any kind.
TEXTS = st.sampled_from(
    ["1", "0123", "1e3", "1_000", "yes", "null", "~", "2026-01-01", "12:30:00", "{{.window}}",
     " x ", "a: b", "# c", "- d", "", "é", "line\nbreak", "tab\tin", "'", '"', "=", "<<", "0o17",
     "line\n", "trailing \nspace", "\u2028", "🛒"]
) | st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=20)  # fmt: skip
NUMBERS = (
    st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False, width=64)
    | st.booleans()
    | st.none()
)
VALUES = st.recursive(
    TEXTS | NUMBERS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4), min_size=1, max_size=3))
def test_whatever_a_document_holds_is_written_back_unchanged(documents: list[Any]) -> None:
    assert data_of(write_documents(documents)) == documents


@settings(deadline=None, max_examples=60)
@given(
    labels=st.dictionaries(TEXTS, TEXTS | st.lists(TEXTS, max_size=2), max_size=3),
    annotations=st.dictionaries(TEXTS, TEXTS, max_size=3),
    extension=VALUES,
    target=st.decimals("0.001", "1", places=6),
    days=st.integers(1, 90),
    description=TEXTS,
)
def test_reading_what_was_written_gives_the_same_definitions(
    labels: dict[str, Any],
    annotations: dict[str, str],
    extension: object,
    target: Decimal,
    days: int,
    description: str,
) -> None:
    document = yaml.safe_load(ONE_SLO)
    document["metadata"] |= {"labels": labels, "annotations": annotations}
    document["spec"] |= {"x-ours": extension, "description": description}
    document["spec"]["timeWindow"][0]["duration"] = f"{days}d"
    document["spec"]["objectives"][0]["target"] = float(target)
    first = usable(write_documents([document]))
    written = import_file("openslo", write_documents([document]), "spec.yaml").text
    assert written is not None
    assert data_of(written) == [document]
    second = usable(written)
    assert [meaning(s) for s in first.slos.values()] == [meaning(s) for s in second.slos.values()]
    assert first.slos["one"].target == Decimal(str(float(target)))
