"""Backtesting: six policies over 30 days of minutes of 1,000 SLOs, beside promtool for one SLO.

Ours runs on one core over counts in memory: for every SLO all alarms of six policies, scores and
a recommendation. promtool (Debian) evaluates the paging rules that Watchkeeper generates for one
SLO over 30 days; that both fire and reset in the same minutes is checked for that SLO.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from watchkeeper.alerting.backtest.alarms import alarms
from watchkeeper.alerting.backtest.grid import burn, usual, workbook
from watchkeeper.alerting.backtest.model import History, Plan
from watchkeeper.alerting.backtest.run import run
from watchkeeper.alerting.backtest.windows import Counts
from watchkeeper.kernel.duration import parse_duration
from watchkeeper.slo.generate import generate_prometheus
from watchkeeper.spec.model import (
    CountsSli,
    Place,
    PrometheusQuery,
    RollingWindow,
    ServiceDefinition,
    SliDefinition,
    SloDefinition,
    SourceDefinition,
    SourceType,
    Specs,
)

TARGET = Decimal("0.999")
MONTH = RollingWindow(parse_duration("30d"))
MINUTES = 43_200
PLACE = Place("")
PAGES = {"1h": burn("1h", "5m", 14.4, "page"), "6h": burn("6h", "30m", 6.0, "page")}
METRIC = "http_requests_total"


def history(seed: int, minutes: int = MINUTES) -> History:
    """About 100 requests a minute, 0.03 % of them bad, and up to five incidents of any strength."""
    rng = np.random.default_rng(seed)
    total = rng.poisson(100, minutes).astype(np.float64)
    bad = (rng.random(minutes) < 0.03).astype(np.float64)
    for _ in range(rng.integers(0, 6)):
        at, length = int(rng.integers(0, minutes)), int(rng.integers(2, 400))
        share = float(rng.choice([0.002, 0.01, 0.05, 0.3, 1.0]))
        part = total[at : at + length].astype(np.int64)
        bad[at : at + length] = rng.binomial(part, share)
    bad = np.minimum(bad, total)
    bad[0] = total[0] = 0.0  # for Prometheus, what a counter says first is history
    return History.of(total - bad, total)


def ours(slos: int, plans: Sequence[Plan]) -> tuple[float, float, int]:
    """(CPU seconds, wall seconds, alarms) of backtesting so many SLOs; making them up is not in."""
    cpu = wall = 0.0
    found = 0
    for seed in range(slos):
        counts = history(seed)
        began, began_wall = time.process_time(), time.perf_counter()
        report = run(counts, TARGET, MONTH, plans)
        cpu += time.process_time() - began
        wall += time.perf_counter() - began_wall
        found += sum(len(score.alarms) for score in report.scores)
    return cpu, wall, found


def one_slo() -> Specs:
    """A request SLO measured by Prometheus."""
    queries = (PrometheusQuery(METRIC), PrometheusQuery(f'{METRIC}{{code="500"}}'))
    sli = SliDefinition("checkout", "prometheus", CountsSli(queries[0], bad=queries[1]))
    slo = SloDefinition("checkout", "Checkout", "shop", TARGET, MONTH, PLACE, sli)
    source = SourceDefinition("prometheus", SourceType.PROMETHEUS, {"url": "http://x"}, PLACE)
    service = ServiceDefinition("shop", "Shop", PLACE)
    return Specs({"prometheus": source}, {"checkout": slo}, {"shop": service}, {}, {}, {})


def paging_rules() -> str:
    """Of the rules that we generate, those that the pages need: counts, four windows, two alerts.

    The others look back 30 days, which promtool refuses ("too many samples") after some days.
    """
    body = yaml.safe_load(generate_prometheus(one_slo())["watchkeeper.rules.yaml"])
    for group in body["groups"]:
        group["rules"] = [rule for rule in group["rules"] if _pages(rule)]
    body["groups"] = [group for group in body["groups"] if group["rules"]]
    return yaml.safe_dump(body)


def _pages(rule: dict[str, Any]) -> bool:
    labels = rule.get("labels", {})
    if "alert" in rule:
        return str(labels.get("severity")) == "page"
    if rule["record"] == "slo:burn_rate:ratio":
        return str(labels.get("window")) in {"5m", "30m", "1h", "6h"}
    return str(rule["record"]) in {"slo:events:count", "slo:bad:count"}


def promtool(folder: Path, counts: History, rules: str) -> tuple[float, float, str]:
    """(CPU seconds, wall seconds, complaints) of promtool over one SLO, firing minutes checked."""
    (folder / "rules.yaml").write_text(rules, encoding="utf-8")
    bad = counts.total - counts.good
    series = [
        {"series": f'{METRIC}{{code="{code}"}}', "values": " ".join(f"{v:g}" for v in values)}
        for code, values in (("200", _exact(counts.good)), ("500", _exact(bad)))
    ]
    test = {"interval": "1m", "input_series": series, "promql_expr_test": _expected(counts)}
    body = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]}
    (folder / "test.yaml").write_text(yaml.dump(body, Dumper=yaml.CSafeDumper), encoding="utf-8")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    command = ["promtool", "test", "rules", str(folder / "test.yaml")]
    result = subprocess.run(command, capture_output=True, text=True)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, wall, "" if result.returncode == 0 else result.stdout + result.stderr


def _exact(values: np.ndarray[Any, np.dtype[np.float64]]) -> list[int]:
    return [int(v) for v in np.cumsum(values)]


def _expected(counts: History) -> list[dict[str, Any]]:
    """Each minute around each opening and closing of our alarms, as ALERTS must say it."""
    expected = []
    n = len(counts.total)
    for window, rule in PAGES.items():
        found = alarms(Plan("one", (rule,)), Counts(counts, TARGET, MONTH))
        on = np.zeros(n, dtype=bool)
        for alarm in found:
            on[int(alarm.opened // 60) - 1 : int(alarm.until((n + 1) * 60.0) // 60) - 1] = True
        changes = np.flatnonzero(on[1:] != on[:-1]).tolist()
        for i in sorted({j for c in changes for j in (c, c + 1)}):
            expr = f'count(ALERTS{{alertstate="firing",severity="page",window="{window}"}})'
            samples = [{"labels": "{}", "value": 1}] if on[i] else []
            expected.append({"expr": expr, "eval_time": f"{i}m", "exp_samples": samples})
    return expected


def eventful(minutes: int) -> History:
    """The first made-up history with several pages."""
    for seed in range(1000):
        counts = history(seed, minutes)
        if len(_expected(counts)) >= 8:
            return counts
    raise AssertionError("no history with pages")


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; exit status 1 when promtool disagrees with us."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="50 SLOs, promtool over three days")
    quick = parser.parse_args(argv).quick
    slos, minutes = (50, 3 * 1440) if quick else (1000, MINUTES)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # one core, and none beside
    days = minutes // 1440
    print("| what | SLOs | CPU | wall | alarms |")
    print("|---|---|---|---|---|")
    grids: dict[str, Callable[[], list[Plan]]] = {
        f"six usual policies ({sum(len(p.rules) for p in usual())} rules with guards)": usual,
        "the workbook's six approaches": lambda: workbook(TARGET),
    }
    for name, plans in grids.items():
        cpu, wall, found = ours(slos, plans())
        print(f"| ours, {name}, 30 days | {slos} | {cpu:.1f} s | {wall:.1f} s | {found} |")
    counts = eventful(minutes)
    began = time.process_time()
    run(counts, TARGET, MONTH, usual())
    alone = time.process_time() - began
    print(f"| ours, six usual policies, {days} days | 1 | {alone * 1000:.0f} ms | | |")
    with tempfile.TemporaryDirectory() as folder:
        cpu, wall, complaints = promtool(Path(folder), counts, paging_rules())
    print(f"| promtool, one policy (two pages), {days} days | 1 | {cpu:.1f} s | {wall:.1f} s | |")
    checked = len(_expected(counts))
    print(f"\npromtool agrees at all {checked} minutes around each firing and reset."
          if not complaints else f"\npromtool disagrees:\n\n{complaints[:2000]}")  # fmt: skip
    return int(bool(complaints))


if __name__ == "__main__":
    sys.exit(main())
