"""A uvicorn that ends open event streams when it stops, instead of waiting for them in vain."""

from __future__ import annotations

import socket

import uvicorn

from watchkeeper.faces.web.events import end_streams


class Server(uvicorn.Server):
    """``uvicorn.Server``; on Ctrl-C or SIGTERM pages with an open stream do not hold it up."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then shut down as ever."""
        end_streams()
        await super().shutdown(sockets)
