"""What the backtest says fires and resets, Prometheus' rule tester says, sample by sample."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tests.support.definitions import slo, specs
from tests.support.promtool import At, run_rules
from tests.support.slo import rolling
from watchkeeper.alerting.backtest.alarms import alarms
from watchkeeper.alerting.backtest.grid import burn
from watchkeeper.alerting.backtest.model import Alarm, History, Plan, PlanRule, RatioRule
from watchkeeper.alerting.backtest.windows import Counts
from watchkeeper.kernel.duration import parse_duration
from watchkeeper.slo.generate import generate_prometheus

THEIRS = Path(__file__).parents[3] / "shared" / "data" / "slo" / "promtool"
RULES = THEIRS / "aro-access-cluster-slo-prometheusRule.yaml"
TESTS = THEIRS / "aro-access-cluster-slo-prometheusRule_test.yaml"
RATE = "errors:backend_credential_operation:error_rate"
Array = np.ndarray[Any, np.dtype[np.float64]]


def their_rules() -> dict[str, RatioRule]:
    """The team's rules on the error rate, as they are written in their file, by name."""
    found: dict[str, RatioRule] = {}
    for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]:
        for rule in group["rules"]:
            above = re.fullmatch(rf"{RATE} > ([\d.]+)\s*", rule["expr"])
            if above:
                lasting = parse_duration(rule["for"]).seconds
                limit = Decimal(above.group(1))
                minute = parse_duration("1m")
                found[rule["alert"]] = RatioRule(minute, limit, lasting, "page")
    return found


def firing(rule: PlanRule, bad: Array, total: Array, target: str = "0.95") -> list[bool]:
    """Minute by minute, whether the backtest has this rule's alarm open."""
    counts = Counts(History.of(total - bad, total), Decimal(target), rolling("30d"))
    found = alarms(Plan("one", (rule,)), counts)
    return [any(_open(a, (i + 1) * 60.0) for a in found) for i in range(len(total))]


def _open(alarm: Alarm, at: float) -> bool:
    return alarm.opened <= at and (alarm.closed is None or at < alarm.closed)


def stretches(seed: int, minutes: int) -> Array:
    """Percent of bad events a minute: stretches around and exactly on the team's thresholds."""
    rng = np.random.default_rng(seed)
    levels = [0, 4, 5, 6, 15, 16, 29, 30, 31, 71, 72, 73, 100]
    lengths = [1, 2, 4, 5, 6, 7, 29, 30, 31, 32, 400]
    found: list[int] = []
    while len(found) < minutes:
        found += [int(rng.choice(levels))] * int(rng.choice(lengths))
    return np.asarray(found[:minutes], dtype=np.float64)


def test_the_teams_rules_are_read() -> None:
    assert {n: (r.above, r.lasting) for n, r in their_rules().items()} == {
        "userJourneyAccessClusterErrors1h5m": (Decimal("0.72"), 300),
        "userJourneyAccessClusterErrors6h30m": (Decimal("0.30"), 1800),
        "userJourneyAccessClusterErrors3d": (Decimal("0.05"), 21_600),
        "userJourneyAccessClusterErrorsDegradation": (Decimal("0.15"), 1800),
    }


def test_a_teams_rules_fire_and_reset_in_promtool_when_the_backtest_says(tmp_path: Path) -> None:
    rules, fires = their_rules(), 0
    for seed in (1, 2):
        bad = stretches(seed, 1500)
        total = np.full(len(bad), 100.0)
        values = " ".join(f"{b / 100:g}" for b in bad)
        expected = []
        for name, rule in rules.items():
            expr = f'count(ALERTS{{alertname="{name}",alertstate="firing"}})'
            found = firing(rule, bad, total)
            fires += sum(b and not a for a, b in zip([False, *found], found, strict=False))
            expected += [At(i, expr, 1 if on else None) for i, on in enumerate(found)]
        series = {f'{RATE}{{cluster="mgmt-1"}}': values}
        (tmp_path / str(seed)).mkdir()
        text = RULES.read_text(encoding="utf-8")
        assert run_rules(tmp_path / str(seed), text, series, expected) == ""
    assert fires >= 15


def test_one_minute_off_is_noticed(tmp_path: Path) -> None:
    expr = 'count(ALERTS{alertname="userJourneyAccessClusterErrors1h5m",alertstate="firing"})'
    series = {f'{RATE}{{cluster="mgmt-1"}}': "0.8x20"}
    text = RULES.read_text(encoding="utf-8")
    rule = their_rules()["userJourneyAccessClusterErrors1h5m"]
    found = firing(rule, np.full(20, 80.0), np.full(20, 100.0))
    assert found.index(True) == 5
    assert run_rules(tmp_path, text, series, [At(4, expr, None), At(5, expr, 1)]) == ""
    assert "FAILED" in run_rules(tmp_path, text, series, [At(4, expr, 1)])


def test_the_teams_own_test_cases_come_out_as_they_expect() -> None:
    rules, checked = their_rules(), 0
    for case in yaml.safe_load(TESTS.read_text(encoding="utf-8"))["tests"]:
        phases = re.findall(r'phase="(\w+)"', " ".join(s["series"] for s in case["input_series"]))
        failed, done = phases.count("failed"), phases.count("succeeded")
        if not failed + done or len(phases) != failed + done:
            continue  # about stuck operations or queues, not about an error rate
        minutes = 1 + int(case["input_series"][0]["values"].rsplit("x", 1)[1])
        bad, total = np.full(minutes, float(failed)), np.full(minutes, float(failed + done))
        for expected in case["alert_rule_test"]:
            at = int(parse_duration(expected["eval_time"]).minutes)
            found = firing(rules[expected["alertname"]], bad, total)
            assert found[at] == bool(expected.get("exp_alerts")), expected
            checked += 1
    assert checked >= 11


WINDOWS = {"1h": burn("1h", "5m", 14.4, "page"), "6h": burn("6h", "30m", 6.0, "page")}


def test_rules_over_two_windows_fire_and_reset_in_prometheus_when_the_backtest_says(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(7)
    minutes = 900
    total, bad = np.full(minutes, 100.0), np.zeros(minutes)
    for _ in range(9):
        at, length = int(rng.integers(0, minutes)), int(rng.integers(1, 60))
        bad[at : at + length] = rng.choice([1, 2, 5, 20, 100])
    bad[0] = 0.0  # what a counter says when it is first seen is history
    total[0] = 0.0
    rules = generate_prometheus(specs([slo()]))["watchkeeper.rules.yaml"]
    good = np.cumsum(total - bad)
    series = {
        'http_requests_total{code="200",pod="a"}': " ".join(f"{v:g}" for v in good),
        'http_requests_total{code="500",pod="a"}': " ".join(f"{v:g}" for v in np.cumsum(bad)),
    }
    expected, fires = [], 0
    for name, rule in WINDOWS.items():
        found = firing(rule, bad, total, "0.999")
        fires += sum(b and not a for a, b in zip([False, *found], found, strict=False))
        expr = f'count(ALERTS{{alertstate="firing",severity="page",window="{name}"}})'
        expected += [At(i, expr, 1 if on else None) for i, on in enumerate(found)]
    assert fires >= 6
    assert run_rules(tmp_path, rules, series, expected) == ""
