"""Group commit: what comes while one transaction is under way shares the next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

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
    items share it; ``rest`` gives the seconds to wait for them, see `REST`. What is refused
    together, but by the database, is tried one by one: one of them is the cause, and the others
    must not suffer for it.
    """

    submit: Callable[[Sequence[T]], Awaitable[list[R]]]
    most: int
    rest: Callable[[], float] = lambda: REST
    _waiting: list[_One[T, R]] = field(default_factory=list)
    _busy: bool = False
    _rest: asyncio.TimerHandle | None = None
    _expected: int = 0
    _under_way: set[asyncio.Task[None]] = field(default_factory=set)

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
        self._begin(loop, self._together(loop, batch))

    def _begin(self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, None]) -> None:
        task = loop.create_task(work)
        self._under_way.add(task)  # the loop itself would let it be collected
        task.add_done_callback(self._under_way.discard)

    async def _together(self, loop: asyncio.AbstractEventLoop, batch: list[_One[T, R]]) -> None:
        results: list[R] = []
        error: BaseException | None = None
        try:
            results = await self.submit([one.item for one in batch])
        except BaseException as e:
            error = e
        self._expected = min(len(batch) + len(self._waiting), self.most)
        self._rest = loop.call_later(self.rest(), self._flush, loop)
        if error is None:
            for one, result in zip(batch, results, strict=True):
                if not one.done.done():
                    one.done.set_result(result)
        elif len(batch) > 1 and isinstance(error, Exception) and not isinstance(error, StoreError):
            for one in batch:
                self._begin(loop, self._alone(one))
        else:
            for one in batch:
                if not one.done.done():
                    one.done.set_exception(error)

    async def _alone(self, one: _One[T, R]) -> None:
        try:
            (result,) = await self.submit([one.item])
        except Exception as error:
            if not one.done.done():
                one.done.set_exception(error)
        else:
            if not one.done.done():
                one.done.set_result(result)
