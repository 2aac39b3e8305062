"""A receiver of webhooks that can be made to fail in each of the ways that receivers fail.

It counts what arrived: every request that it read to its end, when, from which process, and what it
answered. It is not told what anybody sent, so it is the judge of what was lost.
"""

from __future__ import annotations

import json
import re
import select
import socket
import struct
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NUMBER = re.compile(r"#n(\d+)#")
"""How a summary carries the number of its alert."""


class Mood(StrEnum):
    """What the receiver does with a request that it has read."""

    TAKES = "takes"  # 200
    REFUSES = "refuses"  # 500
    HANGS = "hangs"  # no answer until it is told to take again, or for a minute
    CUTS = "cuts"  # resets the connection


@dataclass(slots=True)
class Arrival:
    """A request that was read to its end. ``at``: monotonic seconds.

    ``answered``: it was taken, and who sent it was still there to be told.
    """

    at: float
    path: str
    key: str
    document: dict[str, Any]
    peer: int
    mood: Mood
    answered: bool = False

    @property
    def counts(self) -> bool:
        """False when the sender was told that it was not taken."""
        return self.mood is not Mood.REFUSES

    @property
    def marked(self) -> bool:
        """True when the message says of itself that it may be a duplicate."""
        return self.document.get("maybe_duplicate") is True

    def numbers(self) -> set[int]:
        """The alerts that the message is about."""
        return {int(n) for n in NUMBER.findall(json.dumps(self.document))}


class Receiver:
    """Listens on a free loopback port until closed."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.mood = Mood.TAKES
        self.take_again = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.receiver = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self.turn(Mood.TAKES)
        self._server.shutdown()
        self._server.server_close()

    def turn(self, mood: Mood) -> None:
        """From now on do this; whoever hangs is answered when it is taken again."""
        self.mood = mood
        if mood is Mood.HANGS:
            self.take_again.clear()
        else:
            self.take_again.set()

    def counted(self) -> list[Arrival]:
        """All that arrived and was not refused, in order."""
        return [a for a in list(self.arrivals) if a.counts]

    def reached(self, path: str = "") -> set[int]:
        """The alerts that arrived at least once and were answered, at paths that begin so."""
        taken = [a for a in list(self.arrivals) if a.answered and a.path.startswith(path)]
        return {n for arrival in taken for n in arrival.numbers()}

    def since(self, at: float) -> list[Arrival]:
        """What arrived after this monotonic time and was not refused."""
        return [a for a in self.counted() if a.at >= at]

    def repeats(self) -> tuple[int, int]:
        """(unmarked, marked) messages beyond the first of each. See ``repeats``."""
        return repeats(self.counted())


def repeats(arrivals: Iterable[Arrival]) -> tuple[int, int]:
    """(unmarked, marked) repeats of messages.

    Of the k arrivals of one message, one was wanted and k - 1 are repeats; as many of these as say
    of themselves that they may be duplicates are marked. A message is known by its idempotency key,
    and without one by its address and the alerts that it is about.
    """
    times: defaultdict[object, list[bool]] = defaultdict(list)
    for arrival in arrivals:
        name: object = (arrival.path, arrival.key or frozenset(arrival.numbers()))
        times[name].append(arrival.marked)
    unmarked = sum(max(0, marks.count(False) - 1) for marks in times.values())
    return unmarked, sum(len(marks) - 1 for marks in times.values()) - unmarked


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512
    receiver: Receiver

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever hung up on us is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        """Read it, note it, and do as the mood is."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        receiver, mood = self.server.receiver, self.server.receiver.mood
        key = self.headers.get("idempotency-key") or ""
        peer = self.client_address[1]
        document = json.loads(body)
        arrival = Arrival(time.monotonic(), self.path, key, document, peer, mood)
        receiver.arrivals.append(arrival)
        if mood is Mood.HANGS:
            receiver.take_again.wait(60)
        if mood is Mood.CUTS:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
            self.connection.close()
            return
        arrival.answered = mood is not Mood.REFUSES and not self._gone()
        self.send_response(500 if mood is Mood.REFUSES else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _gone(self) -> bool:
        """True when nobody waits for the answer any more."""
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""
