"""Runs every benchmark and writes what they print into docs/reference/benchmarks.md.

`python -m benchmarks` runs all, `python -m benchmarks fleet cases` some, `--quick` smaller ones.
A benchmark is a module here with `main(argv) -> int` that prints Markdown.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference" / "benchmarks.md"
BENCHMARKS = {
    "cases": "Cases that others get wrong",
    "fleet": "Evaluating 10,000 SLOs",
    "slo_generator": "Beside slo-generator",
    "access_log": "Importing access logs",
    "overview_page": "The overview page of 5,000 SLOs",
    "backtest": "Backtesting six policies on 1,000 SLOs",
    "intake": "Taking alerts",
    "review": "A weekly review of 500 services",
    "gate": "Asking the release gate",
    "incidents": "Pages of 5,000 incidents and 200,000 timeline entries",
    "attribution": "Causes of budget spent, on incidents whose cause is known",
    "failures": "What is lost and what comes twice when things fail",
}
INTRO = """\
# Benchmarks

What `make bench` printed on the machine named below. Each table is made by a module of the same
name in `benchmarks/`; run it yourself: figures of another machine are worth more to you than these.
"""


def machine() -> str:
    """What it ran on, and when: processors, Python, Prometheus."""
    prometheus = subprocess.run(["prometheus", "--version"], capture_output=True, text=True)
    version = (prometheus.stdout + prometheus.stderr).split("(")[0].strip()
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    cores = os.cpu_count()
    python = f"Python {platform.python_version()}"
    return f"{today}, {cores} cores, {platform.machine()}, {python}, {version}."


def run(name: str, quick: bool) -> tuple[str, bool]:
    """One benchmark's Markdown, and whether it succeeded."""
    command = [sys.executable, "-m", f"benchmarks.{name}", *(["--quick"] if quick else [])]
    began = time.perf_counter()
    result = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    took = time.perf_counter() - began
    if result.returncode:
        return f"Failed with exit status {result.returncode} after {took:.0f} s.", False
    return f"{result.stdout.strip()}\n\nTook {took:.0f} s.", True


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmarks named (all), print each as it ends; exit status 1 when one failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="small ones; the page is not written")
    given = parser.parse_args(argv)
    unknown = [name for name in given.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    sections, failed = [INTRO, machine()], False
    for name in given.names or BENCHMARKS:
        text, succeeded = run(name, given.quick)
        failed = failed or not succeeded
        section = f"## {BENCHMARKS[name]}\n\n{text}"
        print(f"\n{section}", flush=True)
        sections.append(section)
    if not given.quick and not given.names:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text("\n\n".join(sections).replace("\n\n\n", "\n\n") + "\n", encoding="utf-8")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
