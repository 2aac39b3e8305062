"""Group commit for alerts: what comes while one transaction is under way shares the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from sqlalchemy import Connection

from watchkeeper.alerting.accepting import Accepted, Hints, accept_many
from watchkeeper.alerting.intake.model import Understood
from watchkeeper.alerting.model import AlertState, Signal
from watchkeeper.changes import work as changes
from watchkeeper.changes.model import Told
from watchkeeper.kernel.clock import Clock, Seconds
from watchkeeper.kernel.errors import StoreError
from watchkeeper.spec.model import Specs
from watchkeeper.store import Database

MOST_TOGETHER = 500
"""Signals in one transaction, unless one message alone has more."""
MOST_WAITING = 20_000
"""Signals that may wait; beyond that senders are asked to come again."""


@dataclass(slots=True)
class _Waiting:
    integration: str
    understood: Sequence[Understood]
    specs: Specs
    now: Seconds
    done: asyncio.Future[list[Accepted]]


class FullError(StoreError):
    """More waits to be written than we hold: HTTP 503."""


class Gathering:
    """Used from one event loop. One transaction is under way at a time."""

    def __init__(self, db: Database, clock: Clock, wake: Callable[[], None]) -> None:
        self._db, self._clock, self._wake = db, clock, wake
        self._waiting: list[_Waiting] = []
        self._signals = 0
        self._busy = False
        self._hints = Hints()  # used by the one transaction that is under way

    async def keep(
        self, integration: str, understood: Sequence[Understood], specs: Specs
    ) -> list[Accepted]:
        """On disk when this returns: what became of the signals, in order. Raises StoreError."""
        if self._signals > MOST_WAITING:
            raise FullError("Too many alerts wait to be written.", "Send it again in a moment.")
        loop = asyncio.get_running_loop()
        one = _Waiting(integration, understood, specs, self._clock.now(), loop.create_future())
        self._waiting.append(one)
        self._signals += len(understood)
        if not self._busy:
            self._busy = True
            # At the end of this turn of the loop, so that what has already arrived comes along.
            loop.call_soon(self._flush, loop)
        return await one.done

    def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._waiting:
            self._busy = False
            return
        size, taken = 0, 0
        for one in self._waiting:
            if taken and size + len(one.understood) > MOST_TOGETHER:
                break
            size, taken = size + len(one.understood), taken + 1
        batch, self._waiting = self._waiting[:taken], self._waiting[taken:]
        self._signals -= size
        future = self._db.submit(lambda conn: _together(conn, batch, self._hints))
        future.add_done_callback(lambda f: loop.call_soon_threadsafe(self._ended, loop, batch, f))

    def _ended(
        self,
        loop: asyncio.AbstractEventLoop,
        batch: list[_Waiting],
        future: Future[list[list[Accepted]]],
    ) -> None:
        self._flush(loop)
        error = future.exception()
        if error is None:
            results = future.result()
            flat = [a for result in results for a in result]
            for one, result in zip(batch, results, strict=True):
                if not one.done.done():
                    one.done.set_result(result)
            if any(a.created or a.state is not AlertState.OPEN for a in flat):
                self._wake()
        elif len(batch) > 1 and not isinstance(error, StoreError):
            for one in batch:  # one of them is the cause; the others must not suffer for it
                alone = self._db.submit(lambda conn, one=one: _together(conn, [one]))  # type: ignore[misc]
                alone.add_done_callback(
                    lambda f, one=one: loop.call_soon_threadsafe(_give, one, f)  # type: ignore[misc]
                )
        else:
            for one in batch:
                if not one.done.done():
                    one.done.set_exception(error)


def _give(one: _Waiting, future: Future[list[list[Accepted]]]) -> None:
    if one.done.done():
        return
    error = future.exception()
    if error is None:
        one.done.set_result(future.result()[0])
    else:
        one.done.set_exception(error)


def _together(
    conn: Connection, batch: Sequence[_Waiting], hints: Hints | None = None
) -> list[list[Accepted]]:
    last = batch[-1]
    doors = [(w.integration, u) for w in batch for u in w.understood if isinstance(u, Signal)]
    accepted = iter(accept_many(conn, doors, last.now, last.specs, hints))
    for one in batch:
        for told in (u for u in one.understood if isinstance(u, Told)):
            door = changes.door_of(one.integration, last.specs)
            changes.record(conn, told, door, one.integration, last.specs, last.now)
    return [[next(accepted) for u in one.understood if isinstance(u, Signal)] for one in batch]
