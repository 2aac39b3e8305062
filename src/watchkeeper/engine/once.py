"""Measure and evaluate once, in memory: the same sources, ledger and arithmetic, no server."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from watchkeeper.engine.collect import Collector, OpenSource, work_of
from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import NotFound
from watchkeeper.measure import store as measure_store
from watchkeeper.slo import work as slo_work
from watchkeeper.slo.model import Fleet
from watchkeeper.spec.model import Specs
from watchkeeper.store import Database

Progress = Callable[[str, int], None]
"""Called with a source's name and how many minute counts it has given so far."""


def evaluate_once(
    specs: Specs,
    open_source: OpenSource,
    now: Seconds,
    timeout: float,
    names: Sequence[str] = (),
    progress: Progress | None = None,
) -> tuple[Fleet, list[str]]:
    """Read every source for its whole window up to ``now`` and evaluate.

    Returns the fleet and the problems met while reading (empty: all was read). Raises NotFound
    for a name that no SLO has.
    """
    for name in names:
        if name not in specs.slos:
            raise NotFound(f"There is no SLO named {name!r}.", "Names are those in the specs.")
    db = Database.open(":memory:")
    collector = Collector(open_source)
    try:
        with db.write() as conn:
            slo_work.apply_specs(conn, specs, now)
        problems = _read_all(db, specs, collector, now, timeout, progress or (lambda *_: None))
        with db.read() as conn:
            return slo_work.evaluate_fleet(conn, specs, now, list(names) or None), problems
    finally:
        collector.close()
        db.close()


def _read_all(
    db: Database,
    specs: Specs,
    collector: Collector,
    now: Seconds,
    timeout: float,
    progress: Progress,
) -> list[str]:
    deadline = time.monotonic() + timeout
    waiting = {w.definition.name: w for w in work_of(specs)}
    counted: dict[str, int] = {}
    problems: list[str] = []
    while waiting:
        if time.monotonic() > deadline:
            return [*problems, f"not read within {timeout:g} s: {', '.join(sorted(waiting))}"]
        with db.read() as conn:
            cursors = measure_store.cursors(conn, list(waiting))
        for work, cursor, batch in collector.collect(list(waiting.values()), cursors, now, 1.0):
            name = work.definition.name
            with db.write() as conn:
                measure_store.save(conn, work.definition, batch, now, expected_cursor=cursor)
                if batch.counts:
                    slo_work.record_batch(conn, specs, batch, now)
            counted[name] = counted.get(name, 0) + len(batch.counts)
            progress(name, counted[name])
            problems += [f"{name}: {n.message}" for n in batch.notes if n.kind == "error"]
            if not batch.more:
                waiting.pop(name, None)
    return problems
