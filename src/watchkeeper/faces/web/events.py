"""Live pages: one watcher of the board wakes every open event stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from weakref import WeakSet

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from watchkeeper.faces.web import words
from watchkeeper.faces.web.contract import WebServices

BEAT_SECONDS = 15
"""A stream says so often that it is alive, so that readers and proxies know."""


_PULSES: WeakSet[Pulse] = WeakSet()


def end_streams() -> None:
    """Let every open stream of this process end; readers connect again by themselves.

    A server that stops waits for its connections, and these never end of their own. To be called
    in the loop that the server runs in.
    """
    for pulse in list(_PULSES):
        pulse.end()


class Pulse:
    """Waits for the board in one thread, however many streams are open.

    A thread per stream would take the threads that render pages.
    """

    def __init__(self, services: WebServices) -> None:
        self._services = services
        self._limiter: CapacityLimiter | None = None
        self._waiting: asyncio.Task[int] | None = None
        self._ended = False
        _PULSES.add(self)

    def end(self) -> None:
        """No more news: wake and end all streams."""
        self._ended = True
        if self._waiting is not None:
            self._waiting.cancel()

    async def changed(self, seen: int) -> int | None:
        """The board's number as soon as it differs from ``seen``, or after BEAT_SECONDS; None: it
        is over."""
        if self._over():
            return None
        now = self._services.wait_for_change(-1, 0.0)
        if now != seen:
            return now
        if self._waiting is None or self._waiting.done():
            self._waiting = asyncio.create_task(self._wait(seen))
        # A stream that ends must not end the watcher that the others wait for.
        try:
            return await asyncio.shield(self._waiting)
        except asyncio.CancelledError:
            if self._over():
                return None
            raise

    def _over(self) -> bool:
        return self._ended

    async def _wait(self, seen: int) -> int:
        if self._limiter is None:
            self._limiter = CapacityLimiter(1)
        wait, number = self._services.wait_for_change, seen
        # In short steps: a process cannot end before the thread that waits here.
        for _ in range(BEAT_SECONDS):
            number = await to_thread.run_sync(
                wait, seen, 1.0, limiter=self._limiter, abandon_on_cancel=True
            )
            if number != seen:
                break
        return number


def stream(request: Request, services: WebServices, pulse: Pulse) -> Response:
    """``event: revision`` when the board changed since what the reader saw, else ``event: beat``.

    The reader says what it saw as ``?seen=`` or, connecting again, ``Last-Event-ID``.
    """
    seen = _seen(request)

    async def lines() -> AsyncIterator[str]:
        last = seen
        yield _message("beat", last, services)
        while (number := await pulse.changed(last)) is not None:
            kind = "beat" if number == last else "revision"
            last = number
            yield _message(kind, number, services)

    return StreamingResponse(
        lines(),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _seen(request: Request) -> int:
    for written in (request.headers.get("last-event-id", ""), request.query_params.get("seen", "")):
        if written.isascii() and written.isdigit() and len(written) < 19:
            return int(written)
    return -1


def _message(kind: str, number: int, services: WebServices) -> str:
    data = json.dumps({"number": number, "as_of": words.clock(services.fleet().as_of)})
    return f"event: {kind}\nid: {max(0, number)}\ndata: {data}\n\n"
