"""What faces stand on for alerts themselves: the use cases, each one transaction."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection

from watchkeeper.alerting import (
    beating,
    heartbeats,
    keys,
    silencing,
    store_doors,
    store_intake,
    store_lists,
    work,
)
from watchkeeper.alerting.accepting import Accepted
from watchkeeper.alerting.heartbeats import Beat
from watchkeeper.alerting.model import Alert, Signal, SignalAction, Urgency
from watchkeeper.alerting.quiet import Silence
from watchkeeper.alerting.store_doors import Key
from watchkeeper.alerting.store_intake import Received, Tally
from watchkeeper.alerting.store_lists import Wanted
from watchkeeper.engine.board import Board
from watchkeeper.faces.duty import Duty
from watchkeeper.kernel.clock import Clock, Seconds
from watchkeeper.kernel.errors import NotFound
from watchkeeper.spec.duty import Matcher
from watchkeeper.store import Database, timeline
from watchkeeper.store.timeline import Event

T = TypeVar("T")
API = "api"
"""The integration of alerts that people and scripts send with a token."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which alerts; '' and () are all."""

    states: Sequence[str] = ()
    service: str = ""
    urgency: str = ""
    integration: str = ""
    text: str = ""
    severity: str = ""


@dataclass(frozen=True, slots=True)
class HeartbeatView:
    """A heartbeat as it is now."""

    name: str
    state: str
    beat: Beat
    due_at: Seconds | None


@dataclass
class Alerts:
    """Find, send and close alerts; silences; integrations with their keys; heartbeats."""

    db: Database
    board: Board
    clock: Clock
    wake: Callable[[], None] = lambda: None

    # -- alerts
    def find(self, asked: Filter, before: int | None, limit: int) -> Sequence[Alert]:
        """Alerts, newest first; ``before`` is the id to go on after."""
        wanted = Wanted(
            asked.states,
            asked.severity,
            asked.urgency,
            asked.service,
            asked.integration,
            asked.text,
        )
        with self.db.read() as conn:
            return store_lists.find(conn, wanted, before, limit)

    def story(self, alert_id: int) -> tuple[Alert, Sequence[Event]]:
        """One alert and what happened to it. Raises NotFound."""
        with self.db.read() as conn:
            found = work.get(conn, alert_id)
            if found is None:
                raise _no_alert(alert_id)
            return found, timeline.read(conn, subject=f"alert/{alert_id}", limit=500)

    def received(self, alert_id: int) -> Received | None:
        """The message that opened an alert, as it came; None when it was not kept."""
        with self.db.read() as conn:
            return store_intake.message_of(conn, alert_id)

    def tallies(self) -> Mapping[str, Tally]:
        """What came in by each integration."""
        with self.db.read() as conn:
            return store_intake.counts(conn)

    def send(self, signal: Signal) -> Accepted:
        """Open, change or close an alert of the integration ``api``."""
        specs = self.board.posting.specs
        return self._do(lambda conn, now: work.accept(conn, API, [signal], now, specs)[0])

    def test(self, integration: str, actor: str, calls: bool) -> Accepted:
        """An alert through an integration's door, as if it had come in by it: ``calls`` whoever it
        would call, or, as information, nobody. Raises NotFound."""
        specs = self.board.posting.specs
        if integration not in specs.duty.integrations:
            there = ", ".join(specs.duty.integrations) or "none"
            raise NotFound(f"There is no integration {integration!r}.", f"There are: {there}.")
        signal = Signal(
            key=f"test/{fresh_key()}",
            action=SignalAction.TRIGGER,
            summary=f"Test alert through {integration}, sent by {actor}",
            severity="critical" if calls else "info",
            source="watchkeeper",
            labels={"test": "true"},
            urgency=None if calls else Urgency.INFO,
        )
        return self._do(lambda conn, now: work.accept(conn, integration, [signal], now, specs)[0])

    def close(self, alert_id: int, actor: str, reason: str) -> Alert:
        """It is over. Raises NotFound."""

        def close(conn: Connection, now: Seconds) -> Alert:
            if work.get(conn, alert_id) is None:
                raise _no_alert(alert_id)
            work.close(conn, [alert_id], actor, now, reason)
            found = work.get(conn, alert_id)
            assert found is not None
            return found

        return self._do(close)

    # -- silences
    def silences(self, over_too: bool = False) -> Sequence[Silence]:
        """Silences that are not over, or all."""
        with self.db.read() as conn:
            return store_doors.silences(conn, self.clock.now(), all_of_them=over_too)

    def silence(
        self,
        matchers: Sequence[Matcher],
        start: Seconds | None,
        end: Seconds,
        author: str,
        reason: str,
    ) -> Silence:
        """Keep people from being called. Raises UserError."""

        def make(conn: Connection, now: Seconds) -> Silence:
            begin = now if start is None else start
            return silencing.create_silence(conn, matchers, begin, end, author, reason, now)

        return self._do(make)

    def end_silence(self, silence_id: str, actor: str) -> None:
        """End one now. Raises NotFound."""

        def end(conn: Connection, now: Seconds) -> None:
            silencing.expire_silence(conn, silence_id, actor, now)
            silencing.end_quiet(conn, self.board.posting.specs, now)

        self._do(end)

    # -- integrations, heartbeats
    def keys(self) -> Mapping[str, Sequence[Key]]:
        """The keys of every integration and ``heartbeat/<name>`` that is defined."""
        duty = self.board.posting.specs.duty
        names = [*duty.integrations, *(keys.HEARTBEAT + n for n in duty.heartbeats)]
        with self.db.read() as conn:
            found = store_doors.keys(conn)
        return {n: [k for k in found if k.integration == n] for n in names}

    def make_key(self, integration: str, name: str, actor: str) -> str:
        """A new key, shown once. Raises NotFound, UserError."""
        specs = self.board.posting.specs
        return self._do(
            lambda conn, now: keys.create_key(conn, integration, name, specs, now, actor)
        )

    def revoke_key(self, integration: str, name: str, actor: str) -> None:
        """Close a key. Raises NotFound."""
        revoke = partial(keys.revoke_key, integration=integration, name=name, actor=actor)
        self._do(lambda conn, now: revoke(conn, now=now))

    def heartbeats(self) -> Sequence[HeartbeatView]:
        """Every heartbeat that is defined."""
        specs, now = self.board.posting.specs, self.clock.now()
        with self.db.read() as conn:
            known = beating.beats(conn, specs)
        found = specs.duty.heartbeats
        return [
            HeartbeatView(n, heartbeats.state(found[n], b, now), b, heartbeats.due_at(found[n], b))
            for n, b in known.items()
        ]

    def _do(self, act: Callable[[Connection, Seconds], T]) -> T:
        now = self.clock.now()
        with self.db.write() as conn:
            done = act(conn, now)
        self.wake()
        self.board.post()
        return done


def alerts_of(duty: Duty) -> Alerts:
    """Over the same database, board and clock."""
    return Alerts(duty.db, duty.board, duty.clock, duty.wake)


def fresh_key() -> str:
    """A dedup key for an alert that is sent without one."""
    return secrets.token_hex(8)


def _no_alert(alert_id: int) -> NotFound:
    return NotFound(f"There is no alert {alert_id}.", "GET /api/v1/alerts lists them.")
