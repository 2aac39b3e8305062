"""Group commit: what comes while one transaction is under way shares the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from watchkeeper.kernel.courtesy import answering
from watchkeeper.kernel.errors import StoreError

T = TypeVar("T")
R = TypeVar("R")

REST = 0.003
"""Seconds at most that a transaction waits for those who were answered by the one before it: most
of them come back at once, and a transaction costs nearly the same for one as for all of them."""


@dataclass(slots=True)
class _One(Generic[T, R]):
    item: T
    done: asyncio.Future[R]


@dataclass
class Grouped(Generic[T, R]):
    """Used from one event loop; one transaction is under way at a time.

    ``submit`` has items done in one transaction, and gives a result for each in order. ``most``
    items share it. What is refused together, but by the database, is tried one by one: one of them
    is the cause, and the others must not suffer for it.
    """

    submit: Callable[[Sequence[T]], Future[list[R]]]
    most: int
    _waiting: list[_One[T, R]] = field(default_factory=list)
    _busy: bool = False
    _rest: asyncio.TimerHandle | None = None
    _expected: int = 0

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    async def do(self, item: T) -> R:
        """The result, on disk when this returns. Raises what ``submit`` raised."""
        loop = asyncio.get_running_loop()
        one: _One[T, R] = _One(item, loop.create_future())
        self._waiting.append(one)
        if not self._busy:
            self._busy = True
            # At the end of this turn of the loop, so that what has already arrived comes along.
            loop.call_soon(self._flush, loop)
        elif self._rest is not None and len(self._waiting) >= self._expected:
            self._rest.cancel()
            self._rest = None
            loop.call_soon(self._flush, loop)
        with answering:
            return await one.done

    def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        self._rest = None
        if not self._waiting:
            self._busy = False
            return
        batch, self._waiting = self._waiting[: self.most], self._waiting[self.most :]
        future = self.submit([one.item for one in batch])
        future.add_done_callback(lambda f: loop.call_soon_threadsafe(self._ended, loop, batch, f))

    def _ended(
        self, loop: asyncio.AbstractEventLoop, batch: list[_One[T, R]], future: Future[list[R]]
    ) -> None:
        self._expected = min(len(batch) + len(self._waiting), self.most)
        self._rest = loop.call_later(REST, self._flush, loop)
        error = future.exception()
        if error is None:
            for one, result in zip(batch, future.result(), strict=True):
                if not one.done.done():
                    one.done.set_result(result)
        elif len(batch) > 1 and not isinstance(error, StoreError):
            for one in batch:
                alone = self.submit([one.item])
                alone.add_done_callback(
                    lambda f, one=one: loop.call_soon_threadsafe(_give, one, f)  # type: ignore[misc]
                )
        else:
            for one in batch:
                if not one.done.done():
                    one.done.set_exception(error)


def _give(one: _One[T, R], future: Future[list[R]]) -> None:
    if one.done.done():
        return
    error = future.exception()
    if error is None:
        one.done.set_result(future.result()[0])
    else:
        one.done.set_exception(error)
