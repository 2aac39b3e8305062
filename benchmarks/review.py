"""The weekly review of 500 services, whose budgets, incidents, pages and changes it gathers.

`python -m benchmarks.review [--quick]` prints a table. The database is a file, the week is full:
three objectives a service, two weeks of hourly counts, incidents with action items, changes. Each
figure is of making the review anew and writing it as a page.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.support.duty import SITE
from watchkeeper.changes import work as changes_work
from watchkeeper.changes.model import ChangeKind, Told
from watchkeeper.incidents import work as incidents_work
from watchkeeper.incidents.keeping import By
from watchkeeper.measure.model import Batch, Count
from watchkeeper.postmortems import items_work
from watchkeeper.reviews import paper, render, work
from watchkeeper.reviews.model import EVERYONE
from watchkeeper.reviews.weeks import named
from watchkeeper.slo import work as slo_work
from watchkeeper.spec import load_text
from watchkeeper.spec.model import Specs
from watchkeeper.store import Database

GOAL_SECONDS = 3.0
WEEK = named("2026-W47", "UTC")
ASPECTS = ("availability", "latency", "correctness")
INCIDENTS, CHANGES, ROUNDS = 20, 300, 5
SPIKES = 10
"""Every so many-th objective burns for two hours."""


def definitions(services: int) -> Specs:
    """So many services, each with a journey of three objectives."""
    parts = ["apiVersion: openslo/v1\nkind: DataSource\nmetadata: {name: p}\nspec: {type: push}\n"]
    for i in range(services):
        objectives = ", ".join(f"{a}: {{target: 99.9%, total: s{i}-{a}}}" for a in ASPECTS)
        parts.append(
            f"apiVersion: watchkeeper/v1\nkind: Service\nmetadata: {{name: s{i}}}\nspec: {{}}\n"
            "---\n"
            f"apiVersion: watchkeeper/v1\nkind: Journey\nmetadata: {{name: j{i}}}\n"
            f"spec: {{service: s{i}, source: p, window: 28d, {objectives}}}\n"
        )
    loaded = load_text("---\n".join(parts))
    assert loaded.specs is not None, loaded.findings[:3]
    return loaded.specs


def fill(db: Database, specs: Specs) -> None:
    """Two weeks of counts, and what happened."""
    first, last = int(WEEK.before.start // 60), int(WEEK.end // 60)
    counts = []
    for n, slo in enumerate(specs.slos.values()):
        assert slo.sli is not None
        for minute in range(first, last, 60):
            burns = n % SPIKES == 0 and minute % 10_080 == n % 7 * 1440
            bad = 60 if burns else int(minute % 300 == 0)
            counts.append(Count(slo.sli.key, minute, 1000 - bad, 1000))
    with db.write() as conn:
        slo_work.apply_specs(conn, specs, WEEK.before.start)
        slo_work.record_batch(conn, specs, Batch(counts), WEEK.end)
    with db.write() as conn:
        for i in range(INCIDENTS):
            at, service = WEEK.start + i * 20_000, f"s{i}"
            made = incidents_work.declare(conn, specs, SITE, f"Trouble {i}", "SEV2",
                                          By("x", "api"), at, services=[service])  # fmt: skip
            items_work.add(conn, specs, f"Mend {i}", "x", at, incident_id=made.id,
                           due_at=at + 86_400)  # fmt: skip
        for i in range(CHANGES):
            told = Told(f"Release {i}", ChangeKind.DEPLOYMENT, services=(f"s{i % 50}",),
                        started_at=WEEK.start + i * 1_900)  # fmt: skip
            changes_work.record(conn, told, changes_work.OURS, "ci", specs, WEEK.end)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; exit status 1 when the goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.review")
    parser.add_argument("--quick", action="store_true", help="50 services")
    services = 50 if parser.parse_args(argv).quick else 500
    specs = definitions(services)
    with tempfile.TemporaryDirectory() as folder:
        db = Database.open(str(Path(folder) / "wk.db"))
        try:
            fill(db, specs)
            took, size = measure(db, specs)
        finally:
            db.close()
    print(f"{services} services, {len(specs.slos):,} objectives, {INCIDENTS} incidents, ", end="")
    print(f"{CHANGES} changes, {ROUNDS} rounds.\n")
    print("| | seconds |\n|---|---:|")
    print(f"| median | {statistics.median(took):.2f} |\n| slowest | {max(took):.2f} |")
    print(f"\n{size / 1000:.0f} kB of Markdown and HTML. Goal: at most {GOAL_SECONDS:.0f} s.")
    return 1 if max(took) > GOAL_SECONDS else 0


def measure(db: Database, specs: Specs) -> tuple[list[float], int]:
    """Seconds of each round, and how much was written."""
    took, size = [], 0
    for _ in range(ROUNDS):
        began = time.perf_counter()
        with db.read() as conn:
            made = work.make(conn, specs, EVERYONE, WEEK, WEEK.end)
        size = len(render.markdown(made, [])) + len(paper.html(made, []))
        took.append(time.perf_counter() - began)
    return took, size


if __name__ == "__main__":
    sys.exit(main())
