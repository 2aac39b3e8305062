"""What faces stand on: the board, the database and the work functions, in one object.

The API and the pages are handed the same `Services`, so that they cannot say different things.
"""

from __future__ import annotations

import logging
import math
import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from watchkeeper.causes import work as causes_work
from watchkeeper.causes.model import Account
from watchkeeper.changes import work as changes
from watchkeeper.changes.marks import Marked
from watchkeeper.engine.board import Board, Posting
from watchkeeper.incidents import store as incident_store
from watchkeeper.kernel.clock import Clock, Seconds, minute_of, window_end
from watchkeeper.kernel.errors import NotFound, StoreError, UserError
from watchkeeper.measure import store as measure_store
from watchkeeper.measure.model import SourceHealth
from watchkeeper.notify import figures as delivery_figures
from watchkeeper.oncall import figures as page_figures
from watchkeeper.oncall import store as duty_store
from watchkeeper.slo import work as slo_work
from watchkeeper.slo.model import Correction, Fleet, SloDetail
from watchkeeper.spec.model import Finding, Specs
from watchkeeper.store import Database, timeline

log = logging.getLogger("watchkeeper.faces")

PROBE_EVERY = 5.0
"""Seconds for which the answer to "can the database be written?" holds: whoever asks often must
not make us write often."""
STALE_AFTER = 120.0
"""Seconds without a tick after which `/readyz` says no."""


@dataclass
class Services:
    """Everything a page or an API route may call."""

    db: Database
    board: Board
    clock: Clock
    demo: str = ""
    _sparks: dict[str, list[float | None]] = field(default_factory=dict)
    _sparks_hour: int = -1
    _sparks_specs: int = -1
    _probing: threading.Lock = field(default_factory=threading.Lock)
    _probed_at: Seconds = -math.inf
    _can_write: bool = False

    # -- reading the board
    def posting(self) -> Posting:
        """The latest posting."""
        return self.board.posting

    def fleet(self) -> Fleet:
        """All statuses at one instant and one revision."""
        return self.board.posting.fleet

    def specs(self) -> Specs:
        """The definitions that the fleet was evaluated with."""
        return self.board.posting.specs

    def reload_problem(self) -> Sequence[Finding]:
        """What is wrong with a changed directory whose last good form is still in use."""
        return self.board.posting.reload_problem

    def trouble(self) -> str:
        """What hinders the engine now, or ''."""
        return self.board.posting.trouble

    def alone(self) -> int:
        """How many pages are open that nobody has."""
        with self.db.read() as conn:
            return duty_store.count_open(conn)

    def responding(self) -> int:
        """How many incidents are open."""
        with self.db.read() as conn:
            return incident_store.count_open(conn)

    def demo_note(self) -> str:
        """What to say over every page of a demonstration."""
        return self.demo

    def wait_for_change(self, seen: int, timeout: float) -> int:
        """Block until the board's number differs from ``seen``; the number then."""
        return self.board.wait(seen, timeout).number

    def unready(self) -> str:
        """Why we are not ready, in words that anybody may read; '' when we are."""
        posting = self.board.posting
        if self.clock.now() - posting.ticked_at >= STALE_AFTER:
            return "the engine has not evaluated of late"
        if posting.trouble:
            return "the engine is in trouble"
        if posting.broken:
            return "the engine's audit found broken promises"
        return "" if self._writable() else "the database cannot be written"

    def _writable(self) -> bool:
        """True when a write succeeded within the last seconds: reading alone proves too little."""
        now = self.clock.now()
        with self._probing:
            if not 0 <= now - self._probed_at < PROBE_EVERY:
                self._probed_at, self._can_write = now, self._write(now)
            return self._can_write

    def _write(self, now: Seconds) -> bool:
        try:
            with self.db.write() as conn:
                duty_store.put_setting(conn, "written_at", repr(now))
        except StoreError as error:
            log.error("not ready: %s", error)
            return False
        return True

    # -- reading the ledger
    def detail(self, name: str) -> SloDetail:
        """One SLO in depth, at one revision. Raises NotFound."""
        self._must_exist(name)
        with self.db.read() as conn:
            return slo_work.detail(conn, self.specs(), name, self.clock.now())

    def in_depth(self, name: str) -> tuple[SloDetail, Account]:
        """As `detail`, with where the budget went; both at the same revision. Raises NotFound."""
        self._must_exist(name)
        specs, now = self.specs(), self.clock.now()
        with self.db.read() as conn:
            found = slo_work.detail(conn, specs, name, now)
            return found, causes_work.account(conn, specs, name, now)

    def marks(self, service: str, start: Seconds, end: Seconds) -> Marked:
        """The changes of [start, end) that may show in a chart of this service's figures."""
        specs = self.board.posting.specs
        with self.db.read() as conn:
            return changes.marks(conn, specs, changes.concerning(specs, service), start, end)

    def sparklines(self, names: Sequence[str]) -> Mapping[str, list[float | None]]:
        """Budget left at even steps over each SLO's window; kept for the hour."""
        hour, specs = int(self.clock.now() // 3600), id(self.board.posting.specs)
        if (hour, specs) != (self._sparks_hour, self._sparks_specs):
            self._sparks, self._sparks_hour, self._sparks_specs = {}, hour, specs
        missing = [name for name in names if name not in self._sparks]
        if missing:
            with self.db.read() as conn:
                found = slo_work.sparklines(
                    conn, self.board.posting.specs, missing, self.clock.now()
                )
            self._sparks.update(found)
        return {name: self._sparks.get(name, []) for name in names}

    def source_health(self) -> Sequence[SourceHealth]:
        """How each source is doing."""
        with self.db.read() as conn:
            return measure_store.health(
                conn, list(self.board.posting.specs.sources.values()), self.clock.now()
            )

    def counters(self) -> Mapping[str, tuple[float, float]]:
        """(good, total) ever counted of each SLO's SLI, by SLO name; for `/metrics`."""
        with self.db.read() as conn:
            return slo_work.counters(conn, self.board.posting.specs, self.clock.now())

    def pager_figures(self) -> tuple[page_figures.Figures, delivery_figures.Figures]:
        """How paging and delivery are doing; for `/metrics`."""
        now = self.clock.now()
        with self.db.read() as conn:
            return page_figures.figures(conn, now), delivery_figures.figures(conn, now)

    # -- corrections
    def corrections(self, name: str) -> Sequence[Correction]:
        """The corrections of an SLO."""
        self._must_exist(name)
        with self.db.read() as conn:
            return slo_work.corrections(conn, name)

    def add_correction(
        self, name: str, start: Seconds, end: Seconds, reason: str, author: str
    ) -> Correction:
        """Exclude [start, end) (widened to whole minutes) from an SLO. Raises UserError."""
        self._must_exist(name)
        if end <= start:
            raise UserError("A correction must end after it starts.", "Check 'from' and 'to'.")
        if not reason.strip():
            raise UserError("A correction needs a reason.", "Say why these minutes do not count.")
        now = self.clock.now()
        correction = Correction(
            id=secrets.token_hex(6),
            slo=name,
            start=minute_of(start),
            end=window_end(end),
            reason=reason.strip(),
            author=author,
            created_at=now,
        )
        with self.db.write() as conn:
            slo_work.correct(conn, correction)
            self._log(conn, "correction.added", name, author, {"id": correction.id})
        self.refresh()
        return correction

    def remove_correction(self, name: str, correction_id: str, author: str) -> None:
        """Count a corrected interval again. Raises NotFound."""
        self._must_exist(name)
        with self.db.write() as conn:
            slo_work.uncorrect(conn, correction_id)
            self._log(conn, "correction.removed", name, author, {"id": correction_id})
        self.refresh()

    def refresh(self) -> None:
        """Evaluate again now, so that a change is seen at once."""
        with self.board.evaluating:
            posting, now = self.board.posting, self.clock.now()
            with self.db.read() as conn:
                fleet = slo_work.evaluate_fleet(conn, posting.specs, now)
            self.board.post(fleet=fleet)

    def _must_exist(self, name: str) -> None:
        if self.fleet().get(name) is None and name not in self.specs().slos:
            raise NotFound(f"There is no SLO named {name!r}.", "GET /api/v1/slos lists them all.")

    def _log(self, conn: Connection, kind: str, slo: str, actor: str, data: dict[str, Any]) -> None:
        timeline.append(conn, self.clock.now(), kind, f"slo/{slo}", actor, data)
