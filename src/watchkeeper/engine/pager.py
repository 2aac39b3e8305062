"""The pager: the quick part of the flow, from an alert to a message that was sent.

alerts due → pages → escalation steps → deliveries. All of it is rows with a due time, so any
replica does whatever is due; this one object is a replica's hands.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from watchkeeper.alerting import store as alerts
from watchkeeper.incidents.status import store as notices
from watchkeeper.incidents.status import telling
from watchkeeper.kernel.clock import Clock, Seconds
from watchkeeper.kernel.errors import StoreError
from watchkeeper.notify import outbox
from watchkeeper.notify.replicas import BEAT_EVERY
from watchkeeper.notify.sending import Sender
from watchkeeper.oncall import store as pages
from watchkeeper.oncall import work
from watchkeeper.oncall.model import Site
from watchkeeper.spec.model import Specs
from watchkeeper.store import Database, asking

log = logging.getLogger("watchkeeper.engine")

BATCH = 500
"""Alerts routed, and pages escalated, in one transaction."""
MOST_ROUNDS = 40
"""Transactions of each kind in one step, so that a storm cannot keep deliveries waiting."""
LEAST_PAUSE = 0.1
"""Seconds between two steps that both had something to do."""
_DUE = asking.ask(alerts.WAITING, pages.WAITING, notices.WAITING, outbox.WAITING)


class Due(NamedTuple):
    """Of what something is due. Asked at once: it is all that most steps do."""

    alerts: bool
    pages: bool
    notices: bool
    messages: bool


@dataclass
class Pager:
    """One replica's hands: ``step`` does all that is due now."""

    db: Database
    specs: Callable[[], Specs]
    site: Site
    sender: Sender

    def step(self, now: Seconds) -> int:
        """Route, escalate, tell subscribers, send what is due. Returns how much was done."""
        done = 0
        due = self._due(now)
        if due.alerts:
            done += self.route(now)
            due = self._due(now)  # it opens pages
        if due.pages:
            done += self.escalate(now)
        if due.notices:
            done += self.tell(now)
        if due.messages or done or self.sender.owing:
            done += self.sender.pump()
        return done

    def _due(self, now: Seconds) -> Due:
        with self.db.read() as conn:
            return Due(*asking.answers(conn, _DUE, now=now))

    def route(self, now: Seconds) -> int:
        """Put new alerts on pages."""
        return self._rounds(self._route_once, now)

    def escalate(self, now: Seconds) -> int:
        """Take the steps that are due."""
        return self._rounds(self._escalate_once, now)

    def tell(self, now: Seconds) -> int:
        """Put the next batch of messages to subscribers of status pages into the outbox."""
        with self.db.read() as conn:
            if not telling.anything_to_tell(conn):
                return 0
        with self.db.write() as conn:
            return telling.tell(conn, self.specs(), self.site, now)

    def _rounds(self, once: Callable[[Seconds], int], now: Seconds) -> int:
        done = 0
        for _ in range(MOST_ROUNDS):
            found = once(now)
            done += found
            if found < BATCH:
                break
            self.sender.pump()
        return done

    def _route_once(self, now: Seconds) -> int:
        with self.db.write() as conn:
            return work.route(conn, self.specs(), self.site, now, BATCH)

    def _escalate_once(self, now: Seconds) -> int:
        with self.db.write() as conn:
            return work.escalate(conn, self.specs(), self.site, now, BATCH)


@dataclass
class PagerLoop:
    """Runs a pager in threads of its own: one beats, one works. ``wake`` shortens the wait."""

    pager: Pager
    clock: Clock
    every: float = 0.25
    _stop: threading.Event = field(default_factory=threading.Event)
    _awake: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Begin."""
        for name, body in (("pager", self._work), ("beat", self._beat)):
            thread = threading.Thread(target=body, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def wake(self) -> None:
        """Something is due now."""
        self._awake.set()

    def stop(self, timeout: float = 10.0) -> None:
        """Finish the step under way."""
        self._stop.set()
        self._awake.set()
        for thread in self._threads:
            thread.join(timeout)

    def _work(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            done = self._guarded(lambda: self.pager.step(self.clock.now()))
            if done:
                # In a storm, whoever accepts alerts needs the database as well.
                self._stop.wait(min(self.every, max(LEAST_PAUSE, time.monotonic() - began)))
            else:
                self._awake.wait(self.every)
                self._awake.clear()

    def _beat(self) -> None:
        while not self._stop.wait(BEAT_EVERY):
            if self._guarded(lambda: len(self.pager.sender.beat())):
                self.wake()  # what the dead had claimed is due now

    def _guarded(self, work: Callable[[], int]) -> int:
        try:
            return work()
        except StoreError as error:
            log.error("pager: %s", error)
        except Exception:  # a defect must not end the pager
            log.exception("pager failed; it goes on")
        return 0
