"""Alerts of many messages in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from watchkeeper.alerting.accepting import Acceptance, Accepted, Hints
from watchkeeper.alerting.intake.model import Understood
from watchkeeper.alerting.model import AlertState, Signal
from watchkeeper.changes import work as changes
from watchkeeper.changes.model import Told
from watchkeeper.faces.grouped import REST, Grouped
from watchkeeper.kernel.clock import Clock, Seconds
from watchkeeper.kernel.errors import StoreError
from watchkeeper.spec.model import Specs
from watchkeeper.store import Database
from watchkeeper.store.direct import Direct

MOST_TOGETHER = 200
"""Messages in one transaction."""
MOST_DIRECT = 200
"""Signals that the event loop itself prepares: more would keep others waiting for an answer."""
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
        self._direct = db.direct()
        self._grouped: Grouped[_Message, list[Accepted]] = Grouped(
            self._submit, MOST_TOGETHER, self._rest
        )

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

    def close(self) -> None:
        """Nothing more is kept."""
        if self._direct is not None:
            self._direct.close()

    def _rest(self) -> float:
        """A statement of the loop itself costs too little to wait for company."""
        return REST if self._direct is None or not self._hints.mostly_new else 0.0

    async def _submit(self, batch: Sequence[_Message]) -> list[list[Accepted]]:
        together = _Together(batch, self._hints)
        done = None if self._direct is None else await together.begin(self._direct)
        if done is not None:
            return done
        return await asyncio.wrap_future(self._db.submit(together.finish))


class _Together:
    """The messages of one transaction."""

    def __init__(self, batch: Sequence[_Message], hints: Hints) -> None:
        self._batch, self._last, self._hints = batch, batch[-1], hints
        self._told = [(m, u) for m in batch for u in m.understood if isinstance(u, Told)]
        self._acceptance: Acceptance | None = None

    async def begin(self, direct: Direct) -> list[list[Accepted]] | None:
        """One statement does when every signal opens an alert. None: it did not."""
        if not self._hints.mostly_new or sum(len(m.understood) for m in self._batch) > MOST_DIRECT:
            return None
        accepted = await self._accepting().begin(direct)
        return None if accepted is None or self._told else self._by_message(accepted)

    def finish(self, conn: Connection) -> list[list[Accepted]]:
        """All of it, or what `begin` has left."""
        accepted = self._accepting().finish(conn)
        last = self._last
        for message, told in self._told:
            door = changes.door_of(message.integration, last.specs)
            changes.record(conn, told, door, message.integration, last.specs, last.now)
        return self._by_message(accepted)

    def _accepting(self) -> Acceptance:
        """Made by whoever asks first: the thread that writes, if it can be."""
        if self._acceptance is None:
            doors = [
                (m.integration, u)
                for m in self._batch
                for u in m.understood
                if isinstance(u, Signal)
            ]
            self._acceptance = Acceptance(doors, self._last.now, self._last.specs, self._hints)
        return self._acceptance

    def _by_message(self, accepted: Sequence[Accepted]) -> list[list[Accepted]]:
        each = iter(accepted)
        return [[next(each) for u in m.understood if isinstance(u, Signal)] for m in self._batch]
