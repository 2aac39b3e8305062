"""Rule files: what Prometheus accepts, which file a rule is in, what is recorded and how."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.definitions import HERE, slo, specs
from tests.support.promtool import check_rules
from watchkeeper.kernel.duration import parse_duration
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.slo.generate import generate_prometheus
from watchkeeper.slo.generate.prometheus import shard_of
from watchkeeper.slo.generate.rules import RECORDED, within
from watchkeeper.spec.model import (
    AlertPolicyDefinition,
    BurnCondition,
    CalendarWindow,
    Composite,
    CompositePart,
    CountsSli,
    HistogramSli,
    LogQuery,
    PrometheusQuery,
    RatioTimeSlices,
    RawSli,
    RollingWindow,
    SloDefinition,
    ThresholdSli,
    TimeSlices,
)

Q = PrometheusQuery
ODD = 'a "quoted" \\ name'
SUBQUERIES = CountsSli(
    total=Q("sum_over_time((count(up))[{{.window}}:])"),
    bad=Q("sum_over_time((count(up < 1))[{{.window}}:]) OR on() vector(0)"),
)
COMPOSITE = SloDefinition(
    "whole",
    "Whole",
    "shop",
    Decimal("0.99"),
    RollingWindow(parse_duration("28d")),
    HERE,
    composite=Composite((CompositePart("counts"), CompositePart("log"))),
)
ALL_KINDS = [
    slo("counts"),
    slo("good", CountsSli(total=Q("a"), good=Q('a{code!~"5.."} - a{code="404"}'))),
    slo("grouped", group_by=("tenant", "zone")),
    slo("latency", HistogramSli('lat_seconds{job="x"}', 0.3)),
    slo("latency-1", HistogramSli("lat_seconds", 1)),
    slo("latency-native", HistogramSli("lat_seconds", 0.3, native=True)),
    slo("raw", RawSli(Q("avg(avg_over_time(up[{{.window}}]))"))),
    slo("raw-failure", RawSli(Q("1 - avg(up)"), is_failure=True), group_by=("job",)),
    slo("gauge", ThresholdSli(Q("queue_length"), "lte", 100), group_by=("queue",)),
    slo("slices", method=TimeSlices(5, Decimal("0.95"))),
    slo("ratio-slices", method=RatioTimeSlices(10)),
    slo("subqueries", SUBQUERIES),
    slo("months", window=RollingWindow(parse_duration("1M"))),
    slo("calendar", window=CalendarWindow(parse_duration("1M"), "2026-01-01 00:00:00", "UTC")),
    slo("log", CountsSli(total=LogQuery()), source="log"),
    slo("short", window=RollingWindow(parse_duration("1h"))),
    slo("flawless", target="1"),
    slo(ODD, service=ODD, annotations={"runbook-url": "https://example.org/{{ $value }}"}),
    COMPOSITE,
]


def rules_of(text: str) -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


def only(slo_definition: SloDefinition, *policies: AlertPolicyDefinition) -> list[dict[str, Any]]:
    (text,) = generate_prometheus(specs([slo_definition], *policies)).values()
    return rules_of(text)


def test_promtool_accepts_the_rules_of_every_kind_of_slo(tmp_path: Path) -> None:
    for options in ({}, {"per_group": True}, {"shards": 3}):
        files = generate_prometheus(specs(ALL_KINDS), **options)
        assert check_rules(tmp_path / str(len(files)), files) == ""


def test_promtool_would_notice_a_rule_that_is_wrong(tmp_path: Path) -> None:
    (text,) = generate_prometheus(specs([slo()])).values()
    assert "parse error" in check_rules(tmp_path, {"a.yaml": text.replace(">= 0", ">>= 0", 1)})


@pytest.mark.parametrize("kind", ALL_KINDS, ids=lambda s: s.name)
def test_every_slo_records_the_names_that_dashboards_show(kind: SloDefinition) -> None:
    recorded = {rule["record"] for rule in only(kind) if "record" in rule}
    assert recorded <= set(RECORDED)
    assert recorded >= {"slo:sli_error:ratio", "slo:objective:ratio", "slo:attainment:ratio"}


def test_the_same_definitions_give_the_same_text() -> None:
    assert generate_prometheus(specs(ALL_KINDS)) == generate_prometheus(specs(ALL_KINDS))


def test_windows_of_burn_are_the_usual_ones_and_the_period() -> None:
    windows = [
        r["labels"]["window"] for r in only(slo()) if r.get("record") == "slo:burn_rate:ratio"
    ]
    assert windows == ["5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d"]


def test_alerts_are_those_of_the_workbook_when_the_slo_names_no_policy() -> None:
    found = [
        (r["labels"]["severity"], r["labels"]["window"], r["labels"]["short_window"])
        for r in only(slo())
        if "alert" in r
    ]
    assert found == [
        ("page", "1h", "5m"),
        ("page", "6h", "30m"),
        ("ticket", "1d", "2h"),
        ("ticket", "3d", "6h"),
    ]


def test_an_alert_policy_of_the_slo_replaces_the_usual_alerts_and_its_windows_are_recorded() -> (
    None
):
    condition = BurnCondition(
        parse_duration("12h"), parse_duration("45m"), Decimal("4.25"), "ticket"
    )
    rules = only(slo(policies=("own",)), AlertPolicyDefinition("own", HERE, (condition,)))
    (alert,) = [rule for rule in rules if "alert" in rule]
    assert alert["labels"]["severity"] == "ticket"
    assert alert["expr"].count(">= 4.25") == 2
    windows = {r["labels"].get("window") for r in rules if "record" in r}
    assert {"12h", "45m"} <= windows


def test_rules_carry_service_slo_and_team() -> None:
    for rule in only(slo()):
        assert (
            rule["labels"].items() >= {"slo": "api", "service": "shop", "team": "platform"}.items()
        )


def test_an_slo_that_promql_cannot_measure_is_read_from_what_we_export() -> None:
    rules = only(slo("log", CountsSli(total=LogQuery()), source="log"))
    exprs = {rule.get("record"): rule["expr"] for rule in rules}
    assert 'watchkeeper_slo_burn_rate{slo="log"}' in exprs["slo:burn_rate:ratio"]
    assert "slo:events:count" not in exprs


def test_an_alert_on_a_window_that_is_not_exported_says_which_are() -> None:
    condition = BurnCondition(parse_duration("12h"), parse_duration("5m"), Decimal(2), "page")
    policy = AlertPolicyDefinition("own", HERE, (condition,))
    log = slo("log", CountsSli(total=LogQuery()), source="log", policies=("own",))
    with pytest.raises(UserError, match=r"SLO log: its alerts look at 12h[\s\S]*5m, 30m, 1h"):
        generate_prometheus(specs([log], policy))


def test_a_target_of_100_percent_has_no_burn_rate_but_alerts_on_any_bad_event() -> None:
    rules = only(slo(target="1"))
    assert "slo:burn_rate:ratio" not in {r.get("record") for r in rules}
    assert [r["labels"]["severity"] for r in rules if "alert" in r] == ["page"]


def test_naming_an_slo_that_is_not_there_is_an_error_that_names_it() -> None:
    with pytest.raises(NotFound, match="no SLO nowhere"):
        generate_prometheus(specs([slo()]), names=["api", "nowhere"])


def test_only_the_slos_named_are_written() -> None:
    (text,) = generate_prometheus(specs([slo("a"), slo("b")]), names=["b"]).values()
    assert {rule["labels"]["slo"] for rule in rules_of(text)} == {"b"}


def test_no_servers_at_all_is_an_error() -> None:
    with pytest.raises(UserError, match="0 shards"):
        generate_prometheus(specs([slo()]), shards=0)


def test_each_slo_is_in_one_shard_with_all_of_its_rules() -> None:
    slos = [slo(f"s{i}", method=TimeSlices(5, Decimal("0.9"))) for i in range(40)]
    files = generate_prometheus(specs(slos), shards=4)
    assert sorted(files) == [f"shard-{i}-of-4.watchkeeper.rules.yaml" for i in range(4)]
    homes: dict[str, set[str]] = {}
    for name, text in files.items():
        for rule in rules_of(text):
            homes.setdefault(rule["labels"]["slo"], set()).add(name)
    assert len(homes) == 40
    assert {len(where) for where in homes.values()} == {1}


def test_one_more_server_moves_only_its_own_share_of_slos() -> None:
    names = [f"slo-{i}" for i in range(2000)]
    moved = [n for n in names if shard_of(n, 4) != shard_of(n, 5)]
    assert {shard_of(n, 5) for n in moved} == {4}
    assert 300 < len(moved) < 500  # a fifth is 400


def test_a_file_for_each_slo_has_a_name_without_surprises() -> None:
    files = generate_prometheus(specs([slo("../../etc/x"), slo("ok")]), per_group=True)
    assert len(files) == 2
    assert all("/" not in name and not name.startswith(".") for name in files)
    assert "ok.rules.yaml" in files


@settings(deadline=None, max_examples=100)
@given(st.integers(min_value=1, max_value=60 * 24 * 90))
def test_a_range_is_one_second_short_of_its_window(minutes: int) -> None:
    seconds = parse_duration(within(minutes * 60)).seconds
    assert seconds == minutes * 60 - 1
    promql_parser.parse(f"a[{within(minutes * 60)}]")


def test_a_braces_template_in_a_name_is_shown_and_not_run(tmp_path: Path) -> None:
    files = generate_prometheus(specs([slo("x{{ $labels.nope.y }}")]))
    assert check_rules(tmp_path, files) == ""
