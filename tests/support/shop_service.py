"""A small real service with counters, a histogram, and its own log for an independent recount.

    python -m tests.support.shop_service --port 8000 --log shop.log

``GET /buy?code=200&seconds=0.1`` counts one request with that status; it takes no real time, the
histogram observes ``seconds``. ``GET /metrics`` is the exposition. The log has a line per request
(``request CODE SECONDS``), per page served (``scrape``) and per start (``start``), in the very
order in which the counters moved: both happen under one lock.
"""

from __future__ import annotations

import argparse
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TextIO
from urllib.parse import parse_qs, urlsplit

from prometheus_client import REGISTRY, Counter, Histogram, generate_latest

REQUESTS = Counter("shop_requests_total", "Requests", ["code"])
DURATION = Histogram("shop_duration_seconds", "Duration", buckets=(0.1, 0.3, 1.0))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    lock = threading.Lock()
    log: TextIO

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        with self.lock:
            body = self._metrics() if url.path == "/metrics" else self._buy(parse_qs(url.query))
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _metrics(self) -> bytes:
        page = generate_latest(REGISTRY)
        self._note(f"scrape {self.headers.get('User-Agent', '-').split('/')[0]}")
        return page

    def _buy(self, query: dict[str, list[str]]) -> bytes:
        code, seconds = query.get("code", ["200"])[0], float(query.get("seconds", ["0.05"])[0])
        REQUESTS.labels(code).inc()
        DURATION.observe(seconds)
        self._note(f"request {code} {seconds}")
        return b"ok\n"

    def _note(self, line: str) -> None:
        self.log.write(line + "\n")
        self.log.flush()

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


@dataclass
class Recount:
    """Requests as (status, seconds): those that a sample shows, and those that none can."""

    visible: list[tuple[str, float]] = field(default_factory=list)
    unseen: list[tuple[str, float]] = field(default_factory=list)
    starts: int = 0
    between: list[int] = field(default_factory=list)  # requests from one sample to the next
    lost: list[int] = field(default_factory=list)  # requests after a process's last sample

    def count(self, code: str = "", at_most: float = 9e9) -> int:
        """Visible requests whose status starts with ``code`` and which took at most so long."""
        return sum(1 for c, s in self.visible if c.startswith(code) and s <= at_most)


def recount(log: Path, scraper: str) -> Recount:
    """Counts anew: a request is visible when ``scraper`` read a page after it from its process."""
    result = Recount()
    waiting: list[tuple[str, float]] = []
    for line in _lines(log):
        word, *rest = line
        if word == "start":
            result.starts += 1
            result.unseen += waiting
            result.lost.append(len(waiting))
            waiting = []
        elif word == "request":
            waiting.append((rest[0], float(rest[1])))
        elif rest[0].lower().startswith(scraper):
            result.visible += waiting
            result.between.append(len(waiting))
            waiting = []
    result.unseen += waiting
    result.lost.append(len(waiting))
    return result


def _lines(log: Path) -> Iterator[list[str]]:
    for line in log.read_text().splitlines():
        yield line.split()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log", type=Path, required=True)
    options = parser.parse_args()
    with options.log.open("a") as log:
        _Handler.log = log
        log.write("start\n")
        log.flush()
        _Server(("127.0.0.1", options.port), _Handler).serve_forever()


if __name__ == "__main__":
    main()
