"""A uvicorn that ends open event streams when it stops, instead of waiting for them in vain."""

from __future__ import annotations

import contextlib
import gc
import socket
import sys

import uvicorn
from starlette.types import ASGIApp

from watchkeeper.faces.web.events import end_streams
from watchkeeper.faces.web.joined import Protocol

SWITCH_SECONDS = 0.0005
"""How long one thread may keep the interpreter from another. A transaction has several round trips,
after each of which its thread waits for this at a busy server; Python's own 5 ms would add up."""
GRACE_SECONDS = 3
"""How long a stopping server waits for the requests that it still answers."""


class Server(uvicorn.Server):
    """``uvicorn.Server``; on Ctrl-C or SIGTERM pages with an open stream do not hold it up."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then shut down as ever."""
        end_streams()
        await super().shutdown(sockets)


def settle() -> None:
    """Let the garbage collector leave alone what is there by now: modules, routes, templates.

    They stay as long as the server does, and to look through them takes a tenth of a second, which
    a page that makes thousands of objects would wait for each time.
    """
    gc.freeze()
    gc.enable()


def run(app: ASGIApp, host: str, port: int) -> None:
    """Serve until Ctrl-C or SIGTERM. Quiet, but for warnings."""
    sys.setswitchinterval(SWITCH_SECONDS)
    settle()
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        http=Protocol,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    with contextlib.suppress(KeyboardInterrupt):
        Server(config).run()
