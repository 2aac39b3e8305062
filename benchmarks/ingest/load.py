"""Sixteen clients in one thread: each sends its next request when the last one is answered.

Plain sockets with kept connections, because on two cores a costlier client would measure itself.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Outcome:
    """What was answered: seconds from the first byte sent to the last one read, by request."""

    took: float = 0.0
    accepted: int = 0
    reopened: int = 0  # connections that the server closed: the request was sent again
    refused: dict[int, int] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    def rate(self) -> float:
        """Requests accepted a second."""
        return self.accepted / self.took if self.took else 0.0

    def quantile(self, share: float) -> float:
        """The latency that this share of all requests did not exceed, in milliseconds."""
        ordered = sorted(self.seconds)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class _Client:
    def __init__(self, port: int) -> None:
        self.port = port
        self.began = 0.0
        self.buffer = self.request = b""
        self.open()

    def open(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", self.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, request: bytes) -> None:
        self.buffer, self.began, self.request = b"", time.perf_counter(), request
        self.socket.sendall(request)

    def send_again(self) -> None:
        """On a new connection, as every HTTP client does; the time goes on."""
        self.socket.close()
        self.open()
        self.buffer = b""
        self.socket.sendall(self.request)

    def answered(self) -> int:
        """The status once the whole answer is here, else 0."""
        part = self.socket.recv(65536)
        if not part:
            raise ConnectionError("the server closed the connection")
        self.buffer += part
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return 0
        low = head.lower()
        at = low.find(b"content-length:")
        if at >= 0:
            length = int(low[at + 15 :].split(b"\r\n", 1)[0])
            return int(head[9:12]) if len(body) >= length else 0
        if b"transfer-encoding: chunked" in low:
            return int(head[9:12]) if body.endswith(b"0\r\n\r\n") else 0
        return int(head[9:12])


def run(
    port: int, requests: Iterator[bytes], clients: int, seconds: float, warm_up: float = 1.0
) -> Outcome:
    """Send for ``seconds`` after ``warm_up``, which is not counted."""
    selector = selectors.DefaultSelector()
    everyone = [_Client(port) for _ in range(clients)]
    client: _Client
    for client in everyone:
        selector.register(client.socket, selectors.EVENT_READ, client)
        client.send(next(requests))
    outcome, start = Outcome(), time.perf_counter() + warm_up
    end = start + seconds
    now = time.perf_counter()
    while now < end:
        for key, _ in selector.select(1.0):
            client = key.data
            try:
                status = client.answered()
            except ConnectionError:
                selector.unregister(client.socket)
                client.send_again()
                selector.register(client.socket, selectors.EVENT_READ, client)
                outcome.reopened += 1
                continue
            if not status:
                continue
            now = time.perf_counter()
            if now >= start:
                outcome.seconds.append(now - client.began)
                if 200 <= status < 300:
                    outcome.accepted += 1
                else:
                    outcome.refused[status] = outcome.refused.get(status, 0) + 1
            client.send(next(requests))
        now = time.perf_counter()
    outcome.took = now - start
    for client in everyone:
        client.socket.close()
    return outcome


def post(path: str, body: bytes, more: str = "") -> bytes:
    """One HTTP request."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{more}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
