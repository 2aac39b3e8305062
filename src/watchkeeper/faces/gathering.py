"""Alerts of many messages in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from sqlalchemy import Connection

from watchkeeper.alerting.accepting import Accepted, Hints, accept_many
from watchkeeper.alerting.intake.model import Understood
from watchkeeper.alerting.model import AlertState, Signal
from watchkeeper.changes import work as changes
from watchkeeper.changes.model import Told
from watchkeeper.faces.grouped import Grouped
from watchkeeper.kernel.clock import Clock, Seconds
from watchkeeper.kernel.errors import StoreError
from watchkeeper.spec.model import Specs
from watchkeeper.store import Database

MOST_TOGETHER = 200
"""Messages in one transaction."""
MOST_WAITING = 20_000
"""Signals that may wait; beyond that senders are asked to come again."""


@dataclass(frozen=True, slots=True)
class _Message:
    integration: str
    understood: Sequence[Understood]
    specs: Specs
    now: Seconds


class FullError(StoreError):
    """More waits to be written than we hold: HTTP 503."""


class Gathering:
    """Used from one event loop."""

    def __init__(self, db: Database, clock: Clock, wake: Callable[[], None]) -> None:
        self._db, self._clock, self._wake = db, clock, wake
        self._signals = 0
        self._hints = Hints()  # used by the one transaction that is under way
        self._grouped: Grouped[_Message, list[Accepted]] = Grouped(self._submit, MOST_TOGETHER)

    async def keep(
        self, integration: str, understood: Sequence[Understood], specs: Specs
    ) -> list[Accepted]:
        """On disk when this returns: what became of the signals, in order. Raises StoreError."""
        if self._signals > MOST_WAITING:
            raise FullError("Too many alerts wait to be written.", "Send it again in a moment.")
        self._signals += len(understood)
        try:
            message = _Message(integration, understood, specs, self._clock.now())
            kept = await self._grouped.do(message)
        finally:
            self._signals -= len(understood)
        if any(a.created or a.state is not AlertState.OPEN for a in kept):
            self._wake()
        return kept

    def _submit(self, batch: Sequence[_Message]) -> Future[list[list[Accepted]]]:
        return self._db.submit(lambda conn: _together(conn, batch, self._hints))


def _together(conn: Connection, batch: Sequence[_Message], hints: Hints) -> list[list[Accepted]]:
    last = batch[-1]
    doors = [(m.integration, u) for m in batch for u in m.understood if isinstance(u, Signal)]
    accepted = iter(accept_many(conn, doors, last.now, last.specs, hints))
    for one in batch:
        for told in (u for u in one.understood if isinstance(u, Told)):
            door = changes.door_of(one.integration, last.specs)
            changes.record(conn, told, door, one.integration, last.specs, last.now)
    return [[next(accepted) for u in one.understood if isinstance(u, Signal)] for one in batch]
