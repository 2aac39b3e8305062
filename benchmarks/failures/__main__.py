"""What becomes of accepted alerts when things fail: ours beside Alertmanager.

`python -m benchmarks.failures [--quick] [--only CASE …] [--systems NAME …] [--json FILE]`

Everything is a real process: the servers, PostgreSQL with fsync, a receiver of webhooks that fails
as it is told. Each alert is of a service of its own that calls a person of its own, so each makes
one message. "Lost" was accepted (2xx) and never taken by the receiver.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.failures.counting import Row
from benchmarks.failures.running import CASES, SYSTEMS, Ground, run

HEAD = """\
| case | system | accepted | reached | lost | repeated, unmarked | repeated, marked | s | |
|---|---|---:|---:|---:|---:|---:|---:|---|"""
FOOT = """
"s" is: for a kill or a pause in sending, until another process (or the restarted one, from when
it is ready) has sent again; for a receiver in trouble, from its end until all had arrived; for
the database, until an alert that came in afterwards had arrived; for a set clock, how far the
worst call was from its time; for the storm, from the first alert to the first page.

Alertmanager keeps alerts in memory and expects whoever sends them to repeat them: Prometheus does
so each minute while an alert fires, and all is sent to every member of a cluster. What is lost
above is lost with senders that send once, and for as long as a repeating one waits. It runs with
a group_wait of 1 s and a group_interval of 10 s here; the usual 30 s and 5 min are less kind to
it. Its clock cannot be set by libfaketime (Go asks the kernel itself), and it has no database, so
those cases are ours alone. Its messages carry no mark, so each repeat is an unmarked one, also
where the outcome of the first was unknown.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; 1 when ours lost an alert or repeated one without saying so."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few alerts, short trouble")
    parser.add_argument("--only", nargs="*", default=[], metavar="CASE", choices=[*CASES])
    parser.add_argument("--systems", nargs="*", default=[], metavar="NAME", choices=[*SYSTEMS])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    given = parser.parse_args(argv)
    rows: list[Row] = []
    print(HEAD, flush=True)
    with Ground(given.quick) as ground:
        for case in given.only or CASES:
            for system in given.systems or SYSTEMS:
                row = run(ground, case, system)
                if row is not None:
                    rows.append(row)
                    print(line(row), flush=True)
    print(FOOT)
    if given.json:
        written = [{**asdict(r), "lost": r.lost, "seconds": _finite(r.seconds)} for r in rows]
        given.json.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    bad = [r for r in rows if r.system.startswith("Watchkeeper") and (r.lost or r.unmarked)]
    print(f"Ours: {len(bad)} cases with an alert lost or repeated unmarked.")
    return int(bool(bad))


def line(row: Row) -> str:
    """A row of the table."""
    seconds = "" if row.seconds is None else f"{row.seconds:.1f}"
    seconds = "never" if seconds == "inf" else seconds
    figures = (row.accepted, row.reached, row.lost, row.unmarked, row.marked)
    told = " | ".join(f"{n:,}" for n in figures)
    return f"| {row.case} | {row.system} | {told} | {seconds} | {'; '.join(row.notes)} |"


def _finite(seconds: float | None) -> float | None:
    return None if seconds is None or math.isinf(seconds) else round(seconds, 3)


if __name__ == "__main__":
    sys.exit(main())
