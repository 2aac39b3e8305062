"""Generated rules, run by Prometheus' rule tester: alerts fire and reset at the right minute."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.definitions import slo, specs
from tests.support.promtool import At, run_rules
from watchkeeper.slo.generate import generate_prometheus

RULES = generate_prometheus(specs([slo()]))["watchkeeper.rules.yaml"]
GROUPED = generate_prometheus(specs([slo(group_by=("tenant",))]))["watchkeeper.rules.yaml"]
HOUR_PAGE = 'count(ALERTS{alertstate="firing",severity="page",window="1h"})'
SIX_HOURS_PAGE = 'count(ALERTS{alertstate="firing",severity="page",window="6h"})'
BURN_HOUR = 'sum(slo:burn_rate:ratio{window="1h"})'
BURN_FIVE = 'sum(slo:burn_rate:ratio{window="5m"})'
EVENTS, BAD = "sum(slo:events:count)", "sum(slo:bad:count)"
GOOD_SERIES = 'http_requests_total{code="200",pod="a"}'
BAD_SERIES = 'http_requests_total{code="500",pod="a"}'


def test_a_page_fires_at_the_first_minute_that_earns_it_and_resets_with_its_short_window(
    tmp_path: Path,
) -> None:
    # 100 requests a minute. From minute 120 to 150, 10 of them fail. The hour's 6,000 requests
    # must hold 86.4 bad ones: after nine minutes. The 5-minute window is clean again at 155.
    series = {
        GOOD_SERIES: "0+100x120 12090+90x29 14800+100x300",
        BAD_SERIES: "0x120 10+10x29 300x300",
    }
    expected = [
        At(120, BAD, 0),
        At(121, BAD, 10),
        At(128, HOUR_PAGE, None),
        At(129, HOUR_PAGE, 1),
        At(150, HOUR_PAGE, 1),
        At(154, HOUR_PAGE, 1),
        At(155, HOUR_PAGE, None),
        At(155, BURN_FIVE, 0),
        At(155, BURN_HOUR, 50),  # 300 of 6,000
        At(180, BURN_HOUR, 50),
        At(181, BURN_HOUR, 290 / 6),
        At(210, BURN_HOUR, 0),
        At(178, SIX_HOURS_PAGE, 1),  # 20 of the last half hour's 3,000: a burn of 6.7
        At(179, SIX_HOURS_PAGE, None),  # 10 of them: 3.3
    ]
    assert run_rules(tmp_path, RULES, series, expected) == ""


@pytest.mark.parametrize(("bad", "fires"), [(360, True), (359, False)])
def test_a_burn_rate_of_exactly_the_threshold_fires_and_one_event_less_does_not(
    tmp_path: Path, bad: int, fires: bool
) -> None:
    series = {GOOD_SERIES: f"0+{25_000 - bad}x130", BAD_SERIES: f"0+{bad}x130"}
    expected = [At(120, HOUR_PAGE, 1 if fires else None), At(120, BURN_HOUR, bad / 25)]
    assert run_rules(tmp_path, RULES, series, expected) == ""


def test_a_wrong_expectation_is_noticed(tmp_path: Path) -> None:
    assert "FAILED" in run_rules(tmp_path, RULES, {GOOD_SERIES: "0+1x10"}, [At(5, EVENTS, 2)])


def test_a_counter_that_restarts_counts_what_it_says_after_it(tmp_path: Path) -> None:
    series = {GOOD_SERIES: "1000+100x10 30+100x10", BAD_SERIES: "5x21"}
    expected = [At(10, EVENTS, 100), At(11, EVENTS, 30), At(12, EVENTS, 100)]
    assert run_rules(tmp_path, RULES, series, expected) == ""


def test_the_first_value_of_a_new_series_counts(tmp_path: Path) -> None:
    series = {
        GOOD_SERIES: "1000+10x20",
        BAD_SERIES: "_x10 100x10",
        'http_requests_total{code="200",pod="b"}': "_x10 7+1x10",
    }
    expected = [At(9, BAD, 0), At(10, BAD, 100), At(10, EVENTS, 117), At(11, BAD, 0)]
    assert run_rules(tmp_path, RULES, series, expected) == ""


def test_what_a_counter_says_when_we_first_see_it_is_history_and_does_not_count(
    tmp_path: Path,
) -> None:
    series = {GOOD_SERIES: "_x5 90000+10x20", BAD_SERIES: "_x5 500x20"}
    expected = [At(5, EVENTS, None), At(6, EVENTS, 10), At(6, BAD, 0), At(6, BURN_FIVE, 0)]
    assert run_rules(tmp_path, RULES, series, expected) == ""


def test_a_gap_in_the_scrapes_loses_no_event_and_counts_none_twice(tmp_path: Path) -> None:
    series = {GOOD_SERIES: "0+10x10 _x20 310+10x20", BAD_SERIES: "0x10 _x20 40x20"}
    whole = "sum(sum_over_time(slo:events:count[1h]))"
    expected = [
        At(25, EVENTS, None),
        At(45, whole, 490),
        At(45, "sum(sum_over_time(slo:bad:count[1h]))", 40),
    ]
    assert run_rules(tmp_path, RULES, series, expected) == ""


def test_no_traffic_is_no_evidence_and_does_not_poison_what_follows(tmp_path: Path) -> None:
    series = {GOOD_SERIES: "0+10x10 100x59 110+10x20", BAD_SERIES: "0x90"}
    expected = [
        At(40, EVENTS, 0),
        At(40, BURN_FIVE, None),
        At(75, BURN_FIVE, 0),
        At(75, 'sum(slo:burn_rate:ratio{window="30d"})', 0),
    ]
    assert run_rules(tmp_path, RULES, series, expected) == ""


def test_errors_that_were_never_seen_are_none_and_not_unknown(tmp_path: Path) -> None:
    series = {GOOD_SERIES: "0+10x20"}
    expected = [At(10, BAD, 0), At(10, "sum(slo:error_budget_remaining:ratio)", 1)]
    assert run_rules(tmp_path, RULES, series, expected) == ""


def test_a_budget_that_is_overspent_is_negative(tmp_path: Path) -> None:
    series = {GOOD_SERIES: "0+90x20", BAD_SERIES: "0+10x20"}
    expected = [
        At(20, "sum(slo:error_budget_remaining:ratio)", -99),
        At(20, "sum(slo:attainment:ratio)", 0.9),
        At(20, "sum(slo:time_to_exhaustion:seconds)", 0),
    ]
    assert run_rules(tmp_path, RULES, series, expected) == ""


def test_each_group_has_its_own_burn_and_alerts_by_itself(tmp_path: Path) -> None:
    series = {
        'http_requests_total{code="200",tenant="a"}': "0+100x130",
        'http_requests_total{code="500",tenant="a"}': "0+10x130",
        'http_requests_total{code="200",tenant="b"}': "0+100x130",
    }
    firing = 'count(ALERTS{alertstate="firing",window="1h",tenant="%s"})'
    expected = [
        At(120, firing % "a", 1),
        At(120, firing % "b", None),
        At(120, 'sum(slo:burn_rate:ratio{window="1h",tenant="b"})', 0),
    ]
    assert run_rules(tmp_path, GROUPED, series, expected) == ""
