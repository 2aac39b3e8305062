"""10,000 SLOs evaluated over nine windows, beside Prometheus evaluating the usual rules.

Prints Markdown: CPU time of one full evaluation (attainment, budget, nine burn rates, exact time to
exhaustion with roll-off), memory, and the same per SLO for a real Prometheus with 17 rules per SLO;
then end to end, with what answering our queries costs Prometheus counted on our side.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np

from benchmarks.fleet_prometheus import (
    CYCLE_SECONDS,
    RULES_PER_SLO,
    CollectionCost,
    RuleCost,
    collection_cost,
    rule_cost,
)
from watchkeeper.kernel.duration import parse_duration
from watchkeeper.slo import ledger, work
from watchkeeper.spec.model import (
    CountsSli,
    Place,
    PushStream,
    RollingWindow,
    ServiceDefinition,
    SliDefinition,
    SloDefinition,
    Specs,
)
from watchkeeper.store import Database

ROOT = Path(__file__).resolve().parents[1]
HERE = Place("benchmark.yaml")
TARGETS = (Decimal("0.999"), Decimal("0.99"), Decimal("0.995"))
END = 29_666_417  # a minute within an hour, in 2026
NOW = END * 60.0 - 20
CHUNK = 64
EVALUATIONS = 5
WINDOWS = 9


@dataclass(frozen=True, slots=True)
class Ours:
    """One process that evaluates: CPU seconds of each evaluation, the largest memory it used."""

    slos: int
    first: float
    cpu: float
    rss_mb: float
    projected: int
    database_mb: float


def specs(slos: int) -> Specs:
    """SLOs with their own SLI each, over 30 rolling days."""
    window = RollingWindow(parse_duration("30d"))

    def one(i: int) -> SloDefinition:
        stream = f"sli-{i}"
        sli = SliDefinition(stream, "pushed", CountsSli(PushStream(stream)))
        target = TARGETS[i % len(TARGETS)]
        return SloDefinition(f"slo-{i}", f"SLO {i}", "shop", target, window, HERE, sli=sli)

    service = ServiceDefinition("shop", "Shop", HERE, owner="payments")
    defined = {slo.name: slo for slo in map(one, range(slos))}
    return Specs({}, defined, {"shop": service}, {}, {}, {})


def load(path: Path, slos: int, days: int) -> None:
    """A database with ``days`` of minutes of every SLI: Poisson traffic of very different sizes,
    a daily rhythm, and error rates of which half lie below a quarter of what the target allows and
    6 % above all of it: those exhaust, and are projected minute by minute."""
    rng = np.random.default_rng(7)
    minutes = np.arange(END - days * 1440, END, dtype=np.int64)
    rhythm = 1 + 0.8 * np.sin(minutes / 1440 * 2 * np.pi)
    size = rng.lognormal(3, 1.5, slos)
    allowed = np.asarray([float(1 - TARGETS[i % len(TARGETS)]) for i in range(slos)])
    errors = allowed * np.minimum(rng.lognormal(np.log(0.25), 0.9, slos), 20)
    db = Database.open(str(path))
    with db.write() as conn:
        work.apply_specs(conn, specs(slos), NOW)
        names = [(f"sli-{i}", ()) for i in range(slos)]
        ids = np.asarray(ledger.register(conn, names, NOW), dtype=np.int64)
    for start in range(0, slos, CHUNK):
        part = slice(start, min(start + CHUNK, slos))
        total = rng.poisson(np.outer(rhythm, size[part]))
        bad = rng.binomial(total, errors[part])
        width = total.shape[1]
        with db.write() as conn:
            ledger.record_arrays(
                conn,
                np.tile(ids[part], len(minutes)),
                np.repeat(minutes, width),
                (total - bad).ravel().astype(np.float64),
                total.ravel().astype(np.float64),
                np.ones(total.size),
            )
    with db.write() as conn:
        ledger.pack(conn, NOW)
    db.close()


def evaluate(path: Path, slos: int) -> Ours:
    """Evaluate all SLOs several times in this process."""
    defined = specs(slos)
    db = Database.open(str(path))
    taken: list[float] = []
    for i in range(EVALUATIONS + 1):
        with db.read() as conn:
            began = time.process_time()
            fleet = work.evaluate_fleet(conn, defined, NOW + i * CYCLE_SECONDS)
            taken.append(time.process_time() - began)
    if sum(s.attainment is not None for s in fleet.statuses) != slos:
        raise SystemExit("some SLOs were not evaluated")
    projected = sum(
        s.time_to_exhaustion_seconds is not None or s.recovers_in_seconds is not None
        for s in fleet.statuses
    )
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size = path.stat().st_size / 1e6
    return Ours(slos, taken[0], float(np.median(taken[1:])), largest, projected, size)


def _in_own_process(step: str, path: Path, slos: int, days: int) -> str:
    """So that memory is that of the step alone."""
    command = [sys.executable, "-m", "benchmarks.fleet", "--step", step, "--database", str(path)]
    command += ["--slos", str(slos), "--days", str(days)]
    result = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if result.returncode:
        raise SystemExit(f"{step} failed")
    return result.stdout


def report(ours: Ours, days: int, rules: RuleCost, collection: CollectionCost) -> str:
    """The tables."""
    each = ours.cpu / ours.slos
    end_to_end = each + collection.prometheus_per_slo + collection.ours_per_slo
    rows = [
        ("evaluation, ours", each, rules.cpu_per_slo / each),
        (f"evaluation, Prometheus, {RULES_PER_SLO} rules", rules.cpu_per_slo, 1.0),
        ("collecting, on Prometheus' side", collection.prometheus_per_slo, None),
        ("collecting, on our side", collection.ours_per_slo, None),
        ("end to end, ours", end_to_end, rules.cpu_per_slo / end_to_end),
    ]
    lines = [
        f"{ours.slos:,} SLOs over {WINDOWS} windows, {days} days of history "
        f"({ours.database_mb:,.0f} MB in SQLite), {ours.projected:,} of them with a time to "
        "exhaustion or recovery:",
        "",
        f"* CPU of a full evaluation: **{ours.cpu:.2f} s** (the first, on a cold start: "
        f"{ours.first:.2f} s); goal 0.5 s",
        f"* memory of the process: **{ours.rss_mb:.0f} MB**; goal 400 MB",
        "",
        f"{rules.version}: {rules.slos} SLOs, {days} days of minute samples, "
        f"{rules.cycles} evaluations of all rules. Collecting: {collection.slos} SLOs, "
        f"{collection.collections} collections of a minute each.",
        "",
        "| CPU per SLO and cycle | µs | times less |",
        "|---|---:|---:|",
        *(
            f"| {name} | {seconds * 1e6:,.1f} | {'' if ratio is None else f'{ratio:,.0f}'} |"
            for name, seconds, ratio in rows
        ),
        "",
        "Goals: 300 times less for the evaluation, 20 times end to end.",
    ]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; ``--quick`` with a tenth of the SLOs and fewer rules."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--step", choices=("load", "evaluate"), help=argparse.SUPPRESS)
    parser.add_argument("--database", type=Path, help="a database made before, to use again")
    parser.add_argument("--slos", type=int)
    parser.add_argument("--days", type=int)
    given = parser.parse_args(argv)
    slos = given.slos or (1_000 if given.quick else 10_000)
    days = given.days or 31
    if given.step == "load":
        load(given.database, slos, days)
        return 0
    if given.step == "evaluate":
        print(json.dumps(asdict(evaluate(given.database, slos))))
        return 0
    with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
        path = given.database or Path(folder) / "fleet.db"
        if not path.exists():
            _in_own_process("load", path, slos, days)
        ours = Ours(**json.loads(_in_own_process("evaluate", path, slos, days)))
        small = (10, 3, 20) if given.quick else (50, 6, 60)
        rules = rule_cost(Path(folder) / "rules", small[0], days, small[1])
        collection = collection_cost(Path(folder) / "collection", 4 * small[0], 1, small[2])
        print(report(ours, days, rules, collection))
    return 0


if __name__ == "__main__":
    sys.exit(main())
