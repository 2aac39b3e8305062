"""Prometheus' side of the fleet benchmark: the usual rules, and what our queries cost it.

Thirty days of counters are backfilled with ``promtool tsdb create-blocks-from openmetrics``; then a
real Prometheus evaluates 17 rules per SLO (the form that Sloth generates: eight recorded error
ratios from 5 m to 30 d, seven of bookkeeping, two multi-window alerts), and its CPU time is read
from /proc. The recorded 5-minute ratio is backfilled too, as the 30-day rule averages it.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.processes import answers, free_port, running, wait_until
from watchkeeper.measure.prometheus.source import PrometheusSource
from watchkeeper.spec.model import (
    CountsSli,
    Place,
    PrometheusQuery,
    SliDefinition,
    SourceDefinition,
    SourceType,
)

STEP = 60
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
TARGET = Decimal("0.999")
RULES_PER_SLO = 17
CYCLE_SECONDS = 15
_TICKS = os.sysconf("SC_CLK_TCK")
HERE = Place("benchmark.yaml")


@dataclass(frozen=True, slots=True)
class RuleCost:
    """CPU seconds of Prometheus per SLO and evaluation of its rules."""

    slos: int
    cycles: int
    cpu_per_slo: float
    wall_per_cycle: float
    version: str


@dataclass(frozen=True, slots=True)
class CollectionCost:
    """CPU seconds per SLO and collection of one new minute, on both sides."""

    slos: int
    collections: int
    prometheus_per_slo: float
    ours_per_slo: float


def rules_of(name: str) -> list[dict[str, Any]]:
    """The 17 rules of one SLO."""
    objective = float(TARGET)
    labels = {"sloth_id": name, "sloth_service": "shop", "sloth_slo": name}
    by = f'{{sloth_id="{name}", sloth_service="shop", sloth_slo="{name}"}}'
    errors, total = f'errors_total{{slo="{name}"}}', f'requests_total{{slo="{name}"}}'
    found: list[dict[str, Any]] = [
        _record(
            f"slo:sli_error:ratio_rate{w}",
            f"(sum(rate({errors}[{w}]))) / (sum(rate({total}[{w}])))",
            {**labels, "sloth_window": w},
        )
        for w in WINDOWS
    ]
    five = f"slo:sli_error:ratio_rate5m{by}"
    found.append(
        _record(
            "slo:sli_error:ratio_rate30d",
            f"sum_over_time({five}[30d]) / ignoring (sloth_window) count_over_time({five}[30d])",
            {**labels, "sloth_window": "30d"},
        )
    )
    join = "on(sloth_id, sloth_slo, sloth_service) group_left"
    budget = f"slo:error_budget:ratio{by}"
    found += [
        _record("slo:objective:ratio", f"vector({objective})", labels),
        _record("slo:error_budget:ratio", f"vector(1-{objective})", labels),
        _record("slo:time_period:days", "vector(30)", labels),
        _record("slo:current_burn_rate:ratio", f"{five} / {join} {budget}", labels),
        _record(
            "slo:period_burn_rate:ratio",
            f"slo:sli_error:ratio_rate30d{by} / {join} {budget}",
            labels,
        ),
        _record(
            "slo:period_error_budget_remaining:ratio",
            f"1 - slo:period_burn_rate:ratio{by}",
            labels,
        ),
        _record("sloth_slo_info", "vector(1)", {**labels, "sloth_objective": "99.9"}),
    ]
    return found + _alerts(name, by)


def _record(name: str, expr: str, labels: Mapping[str, str]) -> dict[str, Any]:
    return {"record": name, "expr": expr, "labels": dict(labels)}


def _alerts(name: str, by: str) -> list[dict[str, Any]]:
    def both(pairs: tuple[tuple[str, str, float], ...]) -> str:
        def over(window: str, factor: float) -> str:
            rate = f"slo:sli_error:ratio_rate{window}{by}"
            return f"max({rate} > ({factor} * 0.001)) without (sloth_window)"

        return " or ".join(f"({over(s, f)} and {over(w, f)})" for s, w, f in pairs)

    page, ticket = (("5m", "1h", 14.4), ("30m", "6h", 6)), (("2h", "1d", 3), ("6h", "3d", 1))
    return [
        {"alert": f"{name}-page", "expr": both(page), "labels": {"severity": "page"}},
        {"alert": f"{name}-ticket", "expr": both(ticket), "labels": {"severity": "ticket"}},
    ]


# ---------------------------------------------------------------- history


def write_history(path: Path, slos: int, days: int, end: int, seed: int) -> None:
    """OpenMetrics with counters of ``slos`` SLOs and the recorded ratio, a sample a minute."""
    stamps = np.arange(end - days * 86_400, end + 1, STEP)
    rng = np.random.default_rng(seed)
    day = 1 + 0.8 * np.sin(stamps / 86_400 * 2 * np.pi)
    total = rng.poisson(day * 60, (slos, len(stamps)))
    errors = rng.binomial(total, 0.0004)
    counters = {"requests": total.cumsum(axis=1), "errors": errors.cumsum(axis=1)}
    with path.open("w", encoding="ascii") as out:
        for metric, values in counters.items():
            out.write(f"# TYPE {metric} counter\n")
            for i, row in enumerate(values.tolist()):
                head = f'{metric}_total{{slo="slo-{i}"}} '
                out.writelines(
                    f"{head}{v} {t}\n" for v, t in zip(row, stamps.tolist(), strict=True)
                )
        out.write("# TYPE slo:sli_error:ratio_rate5m gauge\n")
        ratio = errors / np.maximum(total, 1)
        for i, row in enumerate(ratio.tolist()):
            labels = f'sloth_id="slo-{i}",sloth_service="shop",sloth_slo="slo-{i}"'
            head = f'slo:sli_error:ratio_rate5m{{{labels},sloth_window="5m"}} '
            out.writelines(
                f"{head}{v:.6g} {t}\n" for v, t in zip(row, stamps.tolist(), strict=True)
            )
        out.write("# EOF\n")


def backfill(folder: Path, slos: int, days: int, end: int, seed: int) -> Path:
    """A data directory for Prometheus with that history, up to ``end``."""
    data, text = folder / "data", folder / "history.om"
    write_history(text, slos, days, end, seed)
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=744h"]
    subprocess.run([*command, str(text), str(data)], check=True, stdout=subprocess.DEVNULL)
    text.unlink()
    return data


@contextlib.contextmanager
def prometheus(folder: Path, data: Path, rules: list[Path]) -> Iterator[tuple[int, str]]:
    """A running Prometheus: (process id, address). It scrapes nothing."""
    config = folder / "prometheus.yml"
    settings = {
        "global": {"evaluation_interval": f"{CYCLE_SECONDS}s"},
        "rule_files": [str(r) for r in rules],
    }
    config.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
    port = free_port()
    command = [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=365d",
        f"--web.listen-address=127.0.0.1:{port}",
        "--query.max-samples=500000000",
    ]
    with running(command, folder / "prometheus.log") as process:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(f"{url}/-/ready"), 120, "Prometheus to be ready")
        yield process.pid, url


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def metrics(url: str) -> dict[str, float]:
    """Sums of Prometheus' own metrics by name."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=30) as response:
        lines = response.read().decode().splitlines()
    found: dict[str, float] = {}
    for line in lines:
        if line and not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            found[name.split("{")[0]] = found.get(name.split("{")[0], 0.0) + float(value)
    return found


# ---------------------------------------------------------------- measurements


def rule_cost(folder: Path, slos: int, days: int, cycles: int) -> RuleCost:
    """Let Prometheus evaluate the rules of ``slos`` SLOs over ``days`` of history."""
    folder.mkdir(parents=True, exist_ok=True)
    end = int(time.time() + 5 + slos * days / 12) // STEP * STEP
    data = backfill(folder, slos, days, end, seed=1)
    names = [f"slo-{i}" for i in range(slos)]
    groups = [{"name": n, "rules": rules_of(n)} for n in names]
    rules = folder / "rules.json"
    rules.write_text(json.dumps({"groups": groups}), encoding="utf-8")
    subprocess.run(
        ["promtool", "check", "rules", str(rules)], check=True, stdout=subprocess.DEVNULL
    )
    time.sleep(max(0.0, end + 1 - time.time()))  # rules look at now: history must reach it
    with prometheus(folder, data, [rules]) as (pid, url):
        count = "prometheus_rule_group_iterations_total"
        wait_until(lambda: metrics(url).get(count, 0) >= 2 * slos, 120, "the first evaluations")
        before, cpu, began = metrics(url), cpu_seconds(pid), time.monotonic()
        time.sleep(cycles * CYCLE_SECONDS)
        after, used = metrics(url), cpu_seconds(pid) - cpu
        wall = time.monotonic() - began
    done = after[count] - before[count]
    failed = after.get("prometheus_rule_evaluation_failures_total", 0.0)
    if failed or done < slos:
        raise SystemExit(f"Prometheus evaluated {done} groups, {failed} failed: see {folder}")
    return RuleCost(slos, round(done / slos), used / done, wall / max(1, done / slos), version())


def version() -> str:
    """Prometheus' version."""
    shown = subprocess.run(["prometheus", "--version"], capture_output=True, text=True)
    return (shown.stdout + shown.stderr).split("(")[0].strip()


def collection_cost(folder: Path, slos: int, days: int, collections: int) -> CollectionCost:
    """Collect one minute after another from a real Prometheus; CPU of both sides.

    The first collections read the backlog and are not counted: a running system pays for it once.
    """
    folder.mkdir(parents=True, exist_ok=True)
    end = int(time.time()) // STEP * STEP
    data = backfill(folder, slos, days, end, seed=2)
    with prometheus(folder, data, []) as (pid, url):
        definition = SourceDefinition("prom", SourceType.PROMETHEUS, {"url": url}, HERE)
        source = PrometheusSource(definition, backfill_minutes=60)
        slis = [_sli(f"slo-{i}") for i in range(slos)]
        now = float(end - (collections + 5) * STEP)
        cursor, counted = _catch_up(source, slis, now)
        cpu, ours = cpu_seconds(pid), time.process_time()
        for _ in range(collections):
            now += STEP
            batch = source.collect(slis, cursor, now)
            cursor, counted = batch.cursor, counted + len(batch.counts)
        theirs, mine = cpu_seconds(pid) - cpu, time.process_time() - ours
    if counted < slos * collections:
        raise SystemExit(f"only {counted} counts came from Prometheus: see {folder}")
    each = slos * collections
    return CollectionCost(slos, collections, theirs / each, mine / each)


def _catch_up(
    source: PrometheusSource, slis: list[SliDefinition], now: float
) -> tuple[Mapping[str, Any] | None, int]:
    cursor: Mapping[str, Any] | None = None
    while True:
        batch = source.collect(slis, cursor, now)
        errors = [note.message for note in batch.notes if note.kind == "error"]
        if errors:
            raise SystemExit(f"Prometheus could not be read: {errors[0]}")
        cursor = batch.cursor
        if not batch.more:
            return cursor, 0


def _sli(name: str) -> SliDefinition:
    def query(metric: str) -> PrometheusQuery:
        return PrometheusQuery(f'sum(rate({metric}{{slo="{name}"}}[{{{{.window}}}}]))')

    measurement = CountsSli(total=query("requests_total"), bad=query("errors_total"))
    return SliDefinition(f"{name}-sli", "prom", measurement)
