"""Taking alerts: sixteen clients, one alert a request, on this machine with client and database.

    python -m benchmarks.intake [--quick] [--seconds 10] [--only sqlite postgresql]

"new" alerts each have a key of their own: each is opened, told in the timeline, routed and bundled
on a page. "repeated" ones share 100 keys. Ours and Alerta answer when the alert is on disk;
Alertmanager keeps alerts in memory.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from benchmarks.ingest.load import Outcome, run
from benchmarks.ingest.servers import Target, alerta, alertmanager, watchkeeper
from tests.support.postgres import Cluster

CLIENTS = 16
NEW, REPEATED = 10**9, 100
GOAL_RATE, GOAL_P99 = 3000.0, 50.0

Opened = Callable[[int], AbstractContextManager[Target]]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; 1 when a server refused alerts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two seconds each, without Alerta")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME")
    given = parser.parse_args(argv)
    seconds = 2.0 if given.quick else given.seconds
    refused = 0
    closed: list[str] = []
    with _ground() as (directory, cluster):
        everyone = _everyone(directory, cluster)
        names = given.only or [n for n in everyone if not (given.quick and n == "alerta")]
        print(f"{CLIENTS} clients, {seconds:g} s each, one alert a request.\n")
        print("| server | alerts | accepted/s | p50 ms | p99 ms | slowest ms | refused |")
        print("|---|---|---:|---:|---:|---:|---:|")
        for name in names:
            for kind, distinct in (("new", NEW), ("repeated", REPEATED)):
                with everyone[name](distinct) as target:
                    outcome = run(target.port, target.requests, CLIENTS, seconds)
                print(_row(target.name, kind, outcome), flush=True)
                if outcome.reopened:
                    closed.append(f"{target.name} closed {outcome.reopened:,} connections")
                refused += sum(outcome.refused.values())
    if closed:
        print(f"\nRequests sent again on new connections: {'; '.join(closed)}.")
    print(f"\nGoal: at least {GOAL_RATE:,.0f} a second with a p99 of at most {GOAL_P99:g} ms.")
    return int(refused > 0)


def _row(name: str, kind: str, got: Outcome) -> str:
    lost = ", ".join(f"{n:,} × {status}" for status, n in sorted(got.refused.items())) or "0"
    times = " | ".join(f"{got.quantile(q):.1f}" for q in (0.5, 0.99, 1.0))
    return f"| {name} | {kind} | {got.rate():,.0f} | {times} | {lost} |"


def _everyone(directory: Path, cluster: Cluster) -> dict[str, Opened]:
    counter = iter(range(1000))

    def place() -> Path:
        return directory / f"run{next(counter)}"

    def sqlite(distinct: int) -> AbstractContextManager[Target]:
        where = place()
        return watchkeeper("Watchkeeper, SQLite", f"{where}.db", where, distinct)

    def postgresql(distinct: int) -> AbstractContextManager[Target]:
        url = cluster.new_database()
        return watchkeeper("Watchkeeper, PostgreSQL", url, place(), distinct)

    def of_alerta(distinct: int) -> AbstractContextManager[Target]:
        url = cluster.new_database()
        return alerta(place(), url, distinct)

    return {
        "sqlite": sqlite,
        "postgresql": postgresql,
        "alertmanager": lambda distinct: alertmanager(place(), distinct),
        "alerta": of_alerta,
    }


@contextmanager
def _ground() -> Iterator[tuple[Path, Cluster]]:
    """A directory, and a PostgreSQL that syncs to disk."""
    directory = Path(tempfile.mkdtemp(prefix="intake-"))
    directory.chmod(0o755)
    (directory / "postgres").mkdir()
    cluster = Cluster(directory / "postgres", durable=True)
    cluster.start()
    try:
        yield directory, cluster
    finally:
        cluster.stop()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    raise SystemExit(main())
