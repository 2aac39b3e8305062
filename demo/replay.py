"""Write the replayed history into the ledger, through the same door as measured counts."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from demo import past
from demo.changes import month
from demo.history import history_counts
from watchkeeper.access.model import Scope
from watchkeeper.access.work import create_token
from watchkeeper.app import site_of
from watchkeeper.changes import work as changes
from watchkeeper.kernel.clock import Seconds
from watchkeeper.measure.model import Batch
from watchkeeper.slo import ledger
from watchkeeper.slo.work import apply_specs, record_batch
from watchkeeper.spec import load
from watchkeeper.store import Database, timeline


def token_for(database: Path, name: str, now: Seconds) -> str:
    """A token by which somebody of this name may do what a pipeline and a responder do."""
    db = Database.open(str(database))
    try:
        with db.write() as conn:
            return create_token(conn, name, [Scope.READ, Scope.WRITE, Scope.PUSH], now, "demo")
    finally:
        db.close()


def replay(database: Path, specs_directory: Path, now: Seconds, base_url: str = "") -> int:
    """Record thirty days before ``now`` for every SLI of the specs, what was changed in them, and
    their incident; returns the minutes recorded. ``base_url``: where the pages will be.

    The timeline says that these counts were replayed. Ends the demo when the specs have errors.
    """
    loaded = load([specs_directory])
    if loaded.specs is None:
        raise SystemExit("\n".join(str(finding) for finding in loaded.errors))
    db = Database.open(str(database))
    recorded = 0
    try:
        with db.write() as conn:
            apply_specs(conn, loaded.specs, now)
        for sli, counts in groupby(history_counts(loaded.specs, now), key=lambda c: c.sli):
            batch = Batch(counts=list(counts))
            with db.write() as conn:
                record_batch(conn, loaded.specs, batch, now)
                data = {"minutes": len(batch.counts)}
                timeline.append(conn, now, "history.replayed", f"sli/{sli}", "demo", data)
            recorded += len(batch.counts)
        with db.write() as conn:
            for told in month(now):
                changes.record(conn, told, changes.OURS, "demo", loaded.specs, now)
            ledger.pack(conn, now)
        site = site_of(db, base_url)
        with db.write() as conn:
            past.record(conn, loaded.specs, site, now)
    finally:
        db.close()
    return recorded
