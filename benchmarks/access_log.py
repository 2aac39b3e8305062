"""Importing an access log: ours beside GoAccess and `wc -l`, in lines a second on one core.

`python -m benchmarks.access_log [--quick]` prints a table. The log is made here, of the shape of a
real one: many clients, paths with ids, referrers and agents of usual length. Ours counts two
journeys (one by path) to ledger-ready counts; GoAccess makes its usual report as JSON.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from watchkeeper.measure.accesslog import import_files
from watchkeeper.spec.model import (
    CountsSli,
    LogQuery,
    Place,
    SliDefinition,
    SourceDefinition,
    SourceType,
)

GOAL = 1_000_000
SLIS = (
    SliDefinition("site", "log", CountsSli(LogQuery(), bad=LogQuery(status=("5xx",)))),
    SliDefinition(
        "shop", "log", CountsSli(LogQuery(paths=("/shop/**",)), bad=LogQuery(status=("5xx", "429")))
    ),
)
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    "curl/8.5.0",
)


def write_log(path: Path, lines: int) -> None:
    """A combined log of so many lines over some hours, from a fixed seed."""
    rng = random.Random(7)
    begin = 1_760_000_000
    paths = [f"/shop/item/{n}?ref={n % 7}" for n in range(400)] + [f"/blog/{n}" for n in range(200)]
    clients = [f"{n % 223 + 1}.{n // 223 % 256}.{n % 256}.7" for n in range(20_000)]
    part = []
    with path.open("w") as out:
        for n in range(lines):
            at = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(begin + n // 400))
            status = rng.choices((200, 304, 404, 503), (90, 6, 3, 1))[0]
            part.append(
                f"{rng.choice(clients)} - - [{at}] "
                f'"GET {rng.choice(paths)} HTTP/1.1" {status} {rng.randrange(90_000)} '
                f'"https://shop.example/page/{n % 90}" "{rng.choice(AGENTS)}"\n'
            )
            if len(part) == 50_000:
                out.write("".join(part))
                part.clear()
        out.write("".join(part))


def ours(log: Path, lines: int) -> None:
    """Count the log; fails when a line is not counted."""
    definition = SourceDefinition("log", SourceType.ACCESS_LOG, {"path": str(log)}, Place("bench"))
    counted = 0.0
    for batch in import_files([log], SLIS, definition):
        counted += sum(c.total for c in batch.counts if c.sli == "site")
    assert counted == lines, (counted, lines)


def timed(work: Callable[[], object], rounds: int) -> float:
    """The median processor seconds of this process and its children."""
    spent = []
    for _ in range(rounds):
        began = _processor()
        work()
        spent.append(_processor() - began)
    return statistics.median(spent)


def _processor() -> float:
    import resource

    total = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        total += usage.ru_utime + usage.ru_stime
    return total


def version(command: Sequence[str]) -> str:
    """The first line of what a program says of itself."""
    said = subprocess.run(command, capture_output=True, text=True)
    return (said.stdout + said.stderr).splitlines()[0].strip()


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; exit status 1 when ours misses the goal."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.access_log")
    parser.add_argument("--quick", action="store_true", help="200,000 lines, one round")
    quick = parser.parse_args(argv).quick
    lines, rounds = (200_000, 1) if quick else (2_000_000, 5)
    goaccess = shutil.which("goaccess")
    assert goaccess, "GoAccess is not installed: apt-get install goaccess"
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "access.log"
        write_log(log, lines)
        size = log.stat().st_size
        report = [goaccess, str(log), "--log-format=COMBINED", "--no-progress", "-o"]
        report += [str(Path(directory) / "report.json")]
        mine = timed(lambda: ours(log, lines), rounds)
        peer = timed(lambda: subprocess.run(report, check=True, capture_output=True), 1)
        words = timed(
            lambda: subprocess.run(["wc", "-l", str(log)], check=True, capture_output=True), rounds
        )
    print(f"{lines:,} lines, {size / 1e6:.0f} MB, processor time, median of {rounds}.\n")
    print("| program | lines a second | ours is |")
    print("|---|---:|---:|")
    print(f"| Watchkeeper, two journeys | {lines / mine:,.0f} | |")
    print(
        f"| {version([goaccess, '--version'])} | {lines / peer:,.0f} | {peer / mine:.1f}× as fast |"
    )
    print(
        f"| {version(['wc', '--version'])}, `wc -l` | {lines / words:,.0f} | {words / mine:.3f}× |"
    )
    print(f"\nGoal: {GOAL:,} lines a second on one core.")
    return 0 if quick or lines / mine >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
