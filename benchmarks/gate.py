"""Asking the release gate: sixteen pipelines at once, each decision signed and on disk.

    python -m benchmarks.gate [--quick] [--seconds 10]

The server watches 1,000 objectives of 100 services. Client, server and database share the machine.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx2

from benchmarks.ingest.load import Outcome, post, run
from tests.support.postgres import Cluster
from tests.support.serving import Serve
from watchkeeper.access.model import Scope
from watchkeeper.access.work import create_token
from watchkeeper.measure.model import Batch, Count
from watchkeeper.slo import work as slo_work
from watchkeeper.spec import load
from watchkeeper.store import Database

CLIENTS = 16
SERVICES, EACH = 100, 10
GOAL_RATE, GOAL_P99 = 1000.0, 20.0


def specs_of() -> str:
    """A hundred services with ten journeys each, and a policy for every one."""
    parts = [
        "apiVersion: openslo/v1\nkind: DataSource\nmetadata: {name: pushed}\nspec: {type: push}\n"
    ]
    for s in range(SERVICES):
        parts.append(
            f"apiVersion: watchkeeper/v1\nkind: Service\nmetadata: {{name: s{s}}}\nspec: {{}}\n"
        )
        parts.append(
            f"apiVersion: watchkeeper/v1\nkind: BudgetPolicy\nmetadata: {{name: p{s}}}\n"
            f"spec: {{services: [s{s}]}}\n"
        )
        parts += [
            f"apiVersion: watchkeeper/v1\nkind: Journey\nmetadata: {{name: j{s}-{j}}}\n"
            f"spec: {{service: s{s}, source: pushed, window: 7d, "
            f"availability: {{target: 99%, total: j{s}-{j}}}}}\n"
            for j in range(EACH)
        ]
    return "---\n".join(parts)


def filled(url: str, folder: Path) -> str:
    """A day of events for every objective, a tenth of the services with their budget spent."""
    specs = load(folder).specs
    assert specs is not None
    now = time.time()
    minute = int(now // 60)
    db = Database.open(url)
    try:
        with db.write() as conn:
            slo_work.apply_specs(conn, specs, now - 86_400)
            counts = [
                Count(slo.sli.key, minute - m, 900 if slo.service.endswith("7") else 999, 1000)
                for slo in specs.slos.values() if slo.sli is not None
                for m in range(1, 1440, 60)
            ]  # fmt: skip
            slo_work.record_batch(conn, specs, Batch(counts), now)
            return create_token(conn, "ci", [Scope.PUSH, Scope.READ], now, "bench", None)
    finally:
        db.close()


def requests(token: str) -> Iterator[bytes]:
    """Questions about one service after the other."""
    more = f"Authorization: Bearer {token}\r\n"
    for i in itertools.count():
        kind = ("feature", "reliability", "security")[i % 3]
        body = {"service": f"s{i % SERVICES}", "change_kind": kind, "change": f"v{i}"}
        yield post("/api/v1/gate/check", json.dumps(body).encode(), more)


def measured(url: str, where: Path, seconds: float) -> tuple[Outcome, int, int]:
    """What the clients saw; how many decisions replay, and how many of those are not the same."""
    folder = where / "specs"
    folder.mkdir(parents=True)
    (folder / "specs.yaml").write_text(specs_of())
    token = filled(url, folder)
    server = Serve(where, folder, url, interval=10)
    server.as_command = True
    server.start()
    try:
        outcome = run(server.port, requests(token), CLIENTS, seconds)
        span = {"since": 0, "until": time.time() + 60}
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx2.get(
            f"{server.url}/api/v1/gate/replay", params=span, headers=headers, timeout=300
        )
        found = answer.json()
    finally:
        server.stop()
    return outcome, int(found["decisions"]), len(found["broken"])


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; 1 when a decision was refused or does not replay."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two seconds each")
    parser.add_argument("--seconds", type=float, default=10.0)
    given = parser.parse_args(argv)
    seconds = 2.0 if given.quick else given.seconds
    directory = Path(tempfile.mkdtemp(prefix="gate-"))
    directory.chmod(0o755)
    (directory / "postgres").mkdir()
    cluster = Cluster(directory / "postgres", durable=True)
    cluster.start()
    wrong = 0
    try:
        print(f"{CLIENTS} clients, {seconds:g} s each, {SERVICES * EACH:,} objectives.\n")
        print(
            "| database | a second | p50 ms | p99 ms | slowest | refused | replayed | otherwise |"
        )
        print("|---|---:|---:|---:|---:|---:|---:|---:|")
        places = {"SQLite": str(directory / "wk.db"), "PostgreSQL": cluster.new_database()}
        for name, url in places.items():
            got, count, broken = measured(url, directory / name, seconds)
            refused = sum(got.refused.values()) + got.reopened
            times = " | ".join(f"{got.quantile(q):.1f}" for q in (0.5, 0.99, 1.0))
            print(f"| {name} | {got.rate():,.0f} | {times} | {refused} | {count:,} | {broken} |",
                  flush=True)  # fmt: skip
            wrong += refused + broken
    finally:
        cluster.stop()
        shutil.rmtree(directory, ignore_errors=True)
    print(f"\nGoal: at least {GOAL_RATE:,.0f} a second with a p99 of at most {GOAL_P99:g} ms.")
    return int(wrong > 0)


if __name__ == "__main__":
    raise SystemExit(main())
