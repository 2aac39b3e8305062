"""slo-generator (PyPI) and Watchkeeper compute the same SLOs from the same real Prometheus.

slo-generator is installed into an environment of its own in the temporary folder, never into ours.
Both are asked at the present minute, as slo-generator can be asked about no other.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import yaml

from benchmarks.cases.ours import collect_and_evaluate
from benchmarks.cases.server import prometheus
from watchkeeper.kernel.duration import parse_duration
from watchkeeper.slo.model import BURN_WINDOWS
from watchkeeper.spec.model import (
    CountsSli,
    Place,
    PrometheusQuery,
    RollingWindow,
    SliDefinition,
    SloDefinition,
    SourceDefinition,
    SourceType,
    Specs,
)

VERSION = "2.6.0"
PACKAGES = (f"slo-generator[prometheus]=={VERSION}", "setuptools<81")  # it needs pkg_resources
METRIC = "bench_requests_total"
STEPS = ((3600, 14.4), (21600, 6.0), (86400, 3.0), (604800, 1.0))


def installed() -> Path:
    """The `slo-generator` command, in an environment made at first use and kept for later runs."""
    home = Path(tempfile.gettempdir()) / f"watchkeeper-bench-slo-generator-{VERSION}-{os.getuid()}"
    command = home / "bin" / "slo-generator"
    if not (home / "complete").exists():
        venv.create(home, with_pip=True, clear=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "-q", *PACKAGES]
        subprocess.run(pip, check=True, capture_output=True, text=True)
        (home / "complete").touch()
    return command


def samples(slos: int, days: int, end: int) -> Iterator[str]:
    """Steady traffic of many services: 100 requests a minute each, 1 to 5 of 2,000 fail."""
    yield f"# TYPE {METRIC} unknown\n"
    minutes = days * 1440 + 10
    for number in range(slos):
        bad_every = 20 // (number % 5 + 1)
        good = bad = 0
        lines: tuple[list[str], list[str]] = ([], [])
        for minute in range(minutes):
            failed = 1 if minute % bad_every == 0 else 0
            good, bad = good + 100 - failed, bad + failed
            at = end - (minutes - 1 - minute) * 60
            for into, code, value in ((lines[0], "200", good), (lines[1], "500", bad)):
                into.append(f'{METRIC}{{service="s{number:02}",code="{code}"}} {value} {at}\n')
        yield from lines[0]
        yield from lines[1]
    yield "# EOF\n"


def write_configs(folder: Path, url: str, slos: int) -> tuple[Path, Path]:
    """slo-generator's files: a folder of SLOs, and the shared configuration."""
    configs = folder / "slos"
    configs.mkdir()
    for number in range(slos):
        where = f'{METRIC}{{service="s{number:02}"'
        indicator = {
            "filter_bad": f'{where},code=~"5.."}}',
            "filter_good": f'{where},code!~"5.."}}',
        }
        write_slo(configs / f"s{number:02}.yaml", f"s{number:02}", indicator)
    return configs, write_shared(folder / "config.yaml", url, STEPS)


def write_slo(path: Path, name: str, indicator: dict[str, str]) -> None:
    """One SLO at 99.9 % in slo-generator's form."""
    labels = {"service_name": name, "feature_name": name, "slo_name": name}
    spec = {
        "description": name,
        "backend": "prometheus",
        "method": "good_bad_ratio",
        "exporters": [],
        "goal": 0.999,
        "service_level_indicator": indicator,
    }
    body = {
        "apiVersion": "sre.google.com/v2",
        "kind": "ServiceLevelObjective",
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
    }
    path.write_text(yaml.safe_dump(body))


def write_shared(path: Path, url: str, steps: Sequence[tuple[int, float]]) -> Path:
    """slo-generator's shared configuration: the backend, and windows with burn thresholds."""
    policy = [
        {
            "name": f"{window}s",
            "burn_rate_threshold": threshold,
            "alert": True,
            "message_alert": "alert",
            "message_ok": "ok",
            "window": window,
        }
        for window, threshold in steps
    ]
    body = {
        "backends": {"prometheus": {"url": url}},
        "error_budget_policies": {"default": {"steps": policy}},
        "exporters": {},
    }
    path.write_text(yaml.safe_dump(body))
    return path


@dataclass(frozen=True, slots=True)
class Report:
    """What slo-generator printed of one SLO and window."""

    slo: str
    window: int
    burn_rate: float
    alert: bool


_LINE = re.compile(r"(\S+)\s+\| (\d+)s\s+\|.*\| BR: (-?[\d.]+) / \S+ \| Alert: (\d)")


def compute(configs: Path, shared: Path, at: float | None = None) -> list[Report]:
    """Run slo-generator once over a folder (or file) of SLOs, asked about the time ``at``."""
    command = [str(installed()), "compute", "-f", str(configs), "-c", str(shared)]
    command += [] if at is None else ["-t", str(at)]
    result = subprocess.run(command, capture_output=True, text=True)
    text = result.stdout + result.stderr
    found = [Report(m[1], int(m[2]), float(m[3]), m[4] == "1") for m in _LINE.finditer(text)]
    if result.returncode or not found:
        raise RuntimeError(f"slo-generator failed:\n{text[-2000:]}")
    return found


def our_specs(url: str, slos: int) -> Specs:
    """The same SLOs for Watchkeeper."""
    where = Place("bench.yaml")
    source = SourceDefinition("prometheus", SourceType.PROMETHEUS, {"url": url}, where)
    made = {}
    for number in range(slos):
        name = f"s{number:02}"
        total = PrometheusQuery(f'sum({METRIC}{{service="{name}"}})')
        bad = PrometheusQuery(f'sum({METRIC}{{service="{name}",code=~"5.."}})')
        sli = SliDefinition(name, source.name, CountsSli(total=total, bad=bad))
        window = RollingWindow(parse_duration("7d"))
        made[name] = SloDefinition(name, name, name, Decimal("0.999"), window, where, sli=sli)
    return Specs({source.name: source}, made, {}, {}, {}, {})


def watchkeeper(url: str, slos: int, database: str, now: float) -> dict[str, float | None]:
    """One cycle of ours: collect what is new up to ``now``, evaluate; burn over an hour by SLO."""
    statuses = collect_and_evaluate(our_specs(url, slos), database, now)
    return {status.name: status.burn_rate["1h"] for status in statuses}


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds that a thing took: on the clock, of CPU, and of Prometheus' CPU to answer it."""

    wall: float
    cpu: float
    prometheus: float

    def __str__(self) -> str:
        return f"{self.wall:.2f} | {self.cpu:.2f} | {self.prometheus:.2f} | {self.all:.2f}"

    @property
    def all(self) -> float:
        """CPU of the asker and of the asked."""
        return self.cpu + self.prometheus


def measured(url: str, work: Callable[[], object]) -> Cost:
    """Run ``work``, which starts processes and waits for them."""
    before, theirs, began = _children(), _prometheus_cpu(url), time.perf_counter()
    work()
    wall = time.perf_counter() - began
    return Cost(wall, _children() - before, _prometheus_cpu(url) - theirs)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _prometheus_cpu(url: str) -> float:
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as response:
        text = response.read().decode()
    (value,) = re.findall(r"^process_cpu_seconds_total (\S+)$", text, re.M)
    return float(value)


def our_cycle(url: str, slos: int, database: Path, now: float) -> None:
    """One cycle of ours in a process of its own, as slo-generator has one."""
    arguments = ["--cycle", url, str(slos), str(database), str(now)]
    subprocess.run([sys.executable, "-m", "benchmarks.slo_generator", *arguments], check=True)


def table(slos: int, days: int) -> str:
    """The measurement as a Markdown table."""
    end = int(time.time()) // 60 * 60
    with prometheus(samples(slos, days, end)) as url, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        configs, shared = write_configs(folder, url, slos)
        installed()
        compute(configs, shared)  # once for nothing: files and pages are warm for both
        theirs = measured(url, lambda: compute(configs, shared))
        database = folder / "bench.db"
        first = measured(url, lambda: our_cycle(url, slos, database, end - 60))
        ours = measured(url, lambda: our_cycle(url, slos, database, end))
    lines = (
        (f"slo-generator {VERSION}, {len(STEPS)} windows", theirs),
        (f"Watchkeeper, each cycle, {len(BURN_WINDOWS)} windows", ours),
        (f"Watchkeeper, first sight: all {days} days of history", first),
    )
    rows = [f"| {what} | {cost} | {_times(theirs, cost)} |" for what, cost in lines]
    return "\n".join(
        [
            f"{slos} SLOs from one Prometheus (one process started for each line):",
            "",
            "| what | wall s | CPU s | CPU s of Prometheus | CPU s together | less CPU by |",
            "|---|---:|---:|---:|---:|---:|",
            *rows,
        ]
    )


def _times(theirs: Cost, ours: Cost) -> str:
    return f"{theirs.all / ours.all:.1f}x" if ours.all else "-"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table. ``--quick``: ten SLOs and one day."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--cycle", nargs=4, metavar=("URL", "SLOS", "DB", "NOW"))
    given = parser.parse_args(argv)
    if given.cycle:
        url, slos, database, now = given.cycle
        watchkeeper(url, int(slos), database, float(now))
    else:
        print(table(10, 1) if given.quick else table(50, 7))
    return 0


if __name__ == "__main__":
    sys.exit(main())
