"""One tick: the whole flow as an ordered list."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from watchkeeper.alerting import beating, silencing
from watchkeeper.alerting import work as alerts_work
from watchkeeper.changes import work as changes
from watchkeeper.engine.board import Board
from watchkeeper.engine.collect import Collector, Work, work_of
from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import StoreError, WatchkeeperError
from watchkeeper.measure import store as measure_store
from watchkeeper.measure.model import Batch
from watchkeeper.oncall import audit, drilling
from watchkeeper.oncall import work as duty_work
from watchkeeper.oncall.audit import Fault
from watchkeeper.oncall.model import Site
from watchkeeper.policy import rules as policy_rules
from watchkeeper.policy import work as policy_work
from watchkeeper.slo import ledger
from watchkeeper.slo import work as slo_work
from watchkeeper.spec import fingerprint, load
from watchkeeper.spec.model import Specs
from watchkeeper.store import Database, timeline

log = logging.getLogger("watchkeeper.engine")

CATCH_UP_SECONDS = 5.0
"""How long one tick may go on asking sources that have more to give."""
AUDIT_EVERY = 60.0
"""Seconds between two audits."""
AUDIT_AGAIN = 4.0
"""Seconds after an audit that found something: a server that starts after an outage finds all that
was due meanwhile, and is held to be unready until it has been seen to be done."""
PACK_EVERY = 300.0
"""Seconds between two packings of closed hours."""
NOWHERE = Site("", b"")
"""For engines whose messages need no links."""
PACK_CHUNKS = 16
"""How many chunks of 64 SLIs are packed in one transaction."""


@dataclass
class Engine:
    """The parts of a tick and what it remembers between two; losing that memory loses nothing."""

    db: Database
    paths: Sequence[Path]
    collector: Collector
    board: Board
    patience: float = 5.0
    wall: Callable[[], float] = time.monotonic
    wake: Callable[[], None] = lambda: None
    site: Site = NOWHERE
    proof_of_life: Callable[[Sequence[Fault]], None] = lambda _broken: None
    follow_up: Callable[[Specs, Seconds], None] = lambda _specs, _now: None
    _fingerprint: object = None
    _packed_at: Seconds = 0.0
    _audited_at: Seconds = 0.0
    _steps: list[tuple[str, Callable[[Seconds], None]]] = field(init=False)

    def __post_init__(self) -> None:
        self._steps = [
            ("reload", self.reload),
            ("measure and record", self.measure),
            ("evaluate and publish", self.publish),
            ("oblige", self.oblige),
            ("alert", self.alert),
            ("drill", self.drill),
            ("follow", lambda now: self.follow_up(self.board.posting.specs, now)),
            ("audit", self.audit),
            ("tidy", self.tidy),
        ]

    def tick(self, now: Seconds) -> None:
        """Walk the list once. Trouble with the database is shown on the board and logged."""
        for name, step in self._steps:
            try:
                step(now)
            except StoreError as error:
                log.error("tick step %s: %s", name, error)
                self.board.post(trouble=f"{error.message} {error.hint}".strip(), ticked_at=now)
                return
        if self.board.posting.trouble:
            self.board.post(trouble="")

    def start(self, now: Seconds) -> None:
        """Read the specs for the first time. Raises BrokenSpecsError when they have errors."""
        self._fingerprint = fingerprint(self.paths)
        loaded = load(self.paths)
        if loaded.specs is None:
            raise BrokenSpecsError(loaded.findings)
        self._use(loaded.specs, now)
        self.board.post(specs=loaded.specs, findings=loaded.findings)

    def reload(self, now: Seconds) -> None:
        """Take over a changed directory; a broken change keeps the last good one and says so."""
        seen = fingerprint(self.paths)
        if seen == self._fingerprint:
            return
        self._fingerprint = seen
        loaded = load(self.paths)
        if loaded.specs is None:
            log.warning(
                "specs changed but have %d errors; keeping the last good ones", len(loaded.errors)
            )
            self.board.post(reload_problem=loaded.findings)
            return
        self._use(loaded.specs, now)
        self.board.post(specs=loaded.specs, findings=loaded.findings, reload_problem=())
        log.info("specs reloaded: %d objectives", len(loaded.specs.slos))

    def measure(self, now: Seconds) -> None:
        """Collect from every source and record what came, each source in one transaction."""
        works = work_of(self.board.posting.specs)
        deadline = self.wall() + CATCH_UP_SECONDS
        while works:
            with self.db.read() as conn:
                cursors = measure_store.cursors(conn, [w.definition.name for w in works])
            results = self.collector.collect(works, cursors, now, self.patience)
            works = [w for w, cursor, batch in results if self._record(w, cursor, batch, now)]
            if self.wall() > deadline:
                return

    def publish(self, now: Seconds) -> None:
        """Evaluate the fleet at one ledger revision and put it on the board."""
        specs = self.board.posting.specs
        with self.board.evaluating:
            with self.db.read() as conn:
                fleet = slo_work.evaluate_fleet(conn, specs, now)
            self.board.post(fleet=fleet, ticked_at=now)

    def oblige(self, now: Seconds) -> None:
        """Note which budget policies changed their state, and announce it."""
        specs = self.board.posting.specs
        if not specs.budgets:
            return
        by_slo = policy_rules.by_definition(self.board.posting.fleet.statuses)
        with self.db.read() as conn:
            changed = policy_work.looked(conn, specs, by_slo, now)
        if not changed:
            return
        with self.db.write() as conn:
            policy_work.step(conn, specs, self.site, changed, now)
        self.wake()

    def alert(self, now: Seconds) -> None:
        """Let the policies decide; close alerts of which nothing is heard, call for those whose
        silence is over."""
        specs, fleet = self.board.posting.specs, self.board.posting.fleet
        with self.db.read() as conn:
            if not alerts_work.anything_to_watch(conn, specs, fleet, now):
                fleet = replace(fleet, statuses=())
            late = (
                alerts_work.late(conn, now)
                or silencing.anything_quiet(conn, specs, now)
                or beating.anything_late(conn, specs, now)
            )
        if not fleet.statuses and not late:
            return
        with self.db.write() as conn:
            if fleet.statuses:
                alerts_work.watch(conn, specs, fleet, now)
            alerts_work.auto_close(conn, now)
            silencing.end_quiet(conn, specs, now)
            beating.step(conn, specs, now)
        self.wake()

    def drill(self, now: Seconds) -> None:
        """Raise the fire drills whose time has come; end those that are over."""
        specs = self.board.posting.specs
        with self.db.read() as conn:
            if not drilling.anything_to_drill(conn, specs, now):
                return
        with self.db.write() as conn:
            raised = drilling.step(conn, specs, self.site, now)
        if raised:
            log.info("%d scheduled drills raised", raised)
        self.wake()

    def audit(self, now: Seconds) -> None:
        """Ask once a minute what must never be true, and tell the board."""
        wait = AUDIT_AGAIN if self.board.posting.broken else AUDIT_EVERY
        if now - self._audited_at < wait:
            return
        self._audited_at = now
        specs = self.board.posting.specs
        with self.db.read() as conn:
            broken = audit.invariants(conn, now)
            weak = audit.readiness(conn, specs, now)
        for fault in broken:
            log.error("audit: %s", fault.text)
        self.board.post(broken=tuple(broken), weak=tuple(weak))
        with self.db.read() as conn:
            same = duty_work.readiness_known(conn, weak)
        if not same:
            with self.db.write() as conn:
                duty_work.raise_readiness(conn, weak, specs, now)
        self.proof_of_life(broken)

    def tidy(self, now: Seconds) -> None:
        """Forget very old changes, pack closed hours of the ledger, now and then."""
        if now - self._packed_at < PACK_EVERY:
            return
        self._packed_at = now
        with self.db.write() as conn:
            changes.tidy(conn, now)
        packed = 1
        while packed:  # in short transactions, so that nobody who writes waits long
            with self.db.write() as conn:
                packed = ledger.pack(conn, now, most_chunks=PACK_CHUNKS)

    def _use(self, specs: Specs, now: Seconds) -> None:
        with self.db.write() as conn:
            slo_work.apply_specs(conn, specs, now)
            timeline.append(conn, now, "specs.loaded", "specs", "engine", {"slos": len(specs.slos)})

    def _record(
        self, work: Work, cursor: Mapping[str, Any] | None, batch: Batch, now: Seconds
    ) -> bool:
        """Save one batch; True when its source has more waiting."""
        specs = self.board.posting.specs
        with self.db.write() as conn:
            saved = measure_store.save(conn, work.definition, batch, now, expected_cursor=cursor)
            if saved and batch.counts:
                slo_work.record_batch(conn, specs, batch, now)
        return saved and batch.more


class BrokenSpecsError(WatchkeeperError):
    """The specs have errors, so there is nothing to run: exit status 2."""

    exit_status = 2
    http_status = 400

    def __init__(self, findings: Sequence[object]) -> None:
        super().__init__(
            "The specs have errors:\n" + "\n".join(f"  {f}" for f in findings),
            "Mend them and try again; `wk lint DIR` shows the same list.",
        )
