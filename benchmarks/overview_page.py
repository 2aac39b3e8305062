"""The overview page of 5,000 SLOs: what the server spends on each request, sent and rendered.

`python -m benchmarks.overview_page [--quick]` prints a table. Requests go through the whole stack
of the pages (routing, view, template) in this process; sparklines are answered from memory, as a
running server keeps them for the hour. The clock is the processor's, so a busy machine does not
change the figures.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.support.fleet import services
from watchkeeper.faces.web.app import build_web

GOAL_MILLISECONDS = 100.0
PAGES = (
    ("the page, worst first", "/"),
    ("refresh of the upper half", "/parts/now"),
    ("refresh of the list", "/parts/list"),
    ("a search", "/?q=payments+latency"),
    ("filtered and sorted by burn", "/?team=payments&state=ok&sort=burn"),
    ("the last page by name", "/?sort=name&page=100"),
    ("services", "/services"),
    ("all of it as CSV", "/export.csv"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; exit status 1 when a page misses the goal."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overview_page")
    parser.add_argument("--quick", action="store_true", help="500 SLOs, five requests each")
    quick = parser.parse_args(argv).quick
    size, rounds = (500, 5) if quick else (5000, 30)
    client = TestClient(Starlette(routes=build_web(services(size))))
    print(f"{size:,} SLOs, {rounds} requests each, processor time of the server.\n")
    print("| request | median | slowest | sent |")
    print("|---|---:|---:|---:|")
    missed = False
    for name, path in PAGES:
        middle, slowest, sent = measure(client, path, rounds)
        missed |= path in ("/", "/parts/now", "/parts/list") and middle > GOAL_MILLISECONDS
        print(f"| {name} (`{path}`) | {middle:.1f} ms | {slowest:.1f} ms | {sent / 1000:.0f} kB |")
    print(f"\nGoal: the page and its refreshes within {GOAL_MILLISECONDS:.0f} ms.")
    return 1 if missed else 0


def measure(client: TestClient, path: str, rounds: int) -> tuple[float, float, int]:
    """Median and slowest processor milliseconds of a request, and the bytes sent."""
    sent = len(client.get(path).raise_for_status().content)  # the first one compiles the template
    spent = []
    for _ in range(rounds):
        began = time.process_time()
        client.get(path).raise_for_status()
        spent.append(1000 * (time.process_time() - began))
    return statistics.median(spent), max(spent), sent


if __name__ == "__main__":
    sys.exit(main())
