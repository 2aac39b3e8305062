"""slo-generator (PyPI) and Watchkeeper compute the same SLOs from the same real Prometheus.

slo-generator is installed into an environment of its own in the temporary folder, never into ours.
Both are asked at the present minute, as slo-generator can be asked about no other.
"""

from __future__ import annotations

import argparse
import json
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

from benchmarks.cases.ours import Watch
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


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds that a thing took: on the clock, of CPU, and of Prometheus' CPU to answer it."""

    wall: float
    cpu: float
    prometheus: float

    def __str__(self) -> str:
        return f"{self.wall:.3f} | {self.cpu:.3f} | {self.prometheus:.3f} | {self.all:.3f}"

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


_RESIDENT = """
import json, logging, sys, time, urllib.request, re, pathlib, yaml
from slo_generator.compute import compute
logging.disable(logging.CRITICAL)
folder, shared, url = sys.argv[1:]
config = yaml.safe_load(open(shared))
slos = [yaml.safe_load(open(p)) for p in sorted(pathlib.Path(folder).iterdir())]
def theirs():
    text = urllib.request.urlopen(url + "/metrics").read().decode()
    return float(re.search(r"^process_cpu_seconds_total (\\S+)$", text, re.M)[1])
def cycle():
    return sum(len(compute(slo, config)) for slo in slos)
cycle()
p, w, c = theirs(), time.perf_counter(), time.process_time()
done = sum(cycle() for _ in range(5))
assert done == 5 * len(slos) * len(config["error_budget_policies"]["default"]["steps"]), done
w, c = time.perf_counter() - w, time.process_time() - c
print(json.dumps([w / 5, c / 5, (theirs() - p) / 5]))
"""


def their_resident(configs: Path, shared: Path, url: str) -> Cost:
    """A cycle of slo-generator in a process that stays: the mean of five after a first."""
    command = [str(installed().parent / "python"), "-c", _RESIDENT]
    command += [str(configs), str(shared), url]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"slo-generator failed:\n{result.stderr[-2000:]}")
    return Cost(*json.loads(result.stdout.splitlines()[-1]))


def our_resident(url: str, slos: int, database: str, end: float) -> tuple[Cost, Cost]:
    """Ours in a process that stays: first sight of all history, and the mean of five cycles.

    Each cycle has one new minute of every SLO to collect, as once a minute in `serve`.
    """
    cycles = 5
    watch = Watch(our_specs(url, slos), database, end)
    try:
        first = _timed(url, lambda: watch.cycle(end - cycles * 60), 1)
        moments = iter(range(cycles - 1, -1, -1))
        each = _timed(url, lambda: watch.cycle(end - next(moments) * 60), cycles)
        statuses = watch.cycle(end)
    finally:
        watch.close()
    assert all(status.events.total > 0 for status in statuses)
    return first, each


def _timed(url: str, work: Callable[[], object], times: int) -> Cost:
    theirs, began, cpu = _prometheus_cpu(url), time.perf_counter(), time.process_time()
    for _ in range(times):
        work()
    wall, used = time.perf_counter() - began, time.process_time() - cpu
    return Cost(wall / times, used / times, (_prometheus_cpu(url) - theirs) / times)


def table(slos: int, days: int) -> str:
    """The measurement as a Markdown table."""
    end = int(time.time()) // 60 * 60
    with prometheus(samples(slos, days, end)) as url, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        configs, shared = write_configs(folder, url, slos)
        compute(configs, shared)  # once for nothing: files and pages are warm for both
        started = measured(url, lambda: compute(configs, shared))
        theirs = their_resident(configs, shared, url)
        first, ours = our_resident(url, slos, str(folder / "bench.db"), end)
    lines = (
        (f"slo-generator {VERSION}, {len(STEPS)} windows, process stays", theirs),
        (f"slo-generator {VERSION}, as a command for each cycle", started),
        (f"Watchkeeper, {len(BURN_WINDOWS)} windows, process stays", ours),
        (f"Watchkeeper, once, at first sight: all {days} days into the ledger", first),
    )
    rows = [f"| {what} | {cost} | {_times(theirs, cost)} |" for what, cost in lines]
    return "\n".join(
        [
            f"A cycle of {slos} SLOs from one Prometheus:",
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
    given = parser.parse_args(argv)
    print(table(10, 1) if given.quick else table(50, 7))
    return 0


if __name__ == "__main__":
    sys.exit(main())
