"""People who use the shop: real HTTP requests on loopback, at the rate of ``shape``.

Open loop: requests are sent when they are due, whether or not earlier ones have been answered,
as real users do. So a slow shop does not lower the demand.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import FrameType

from demo.shape import SHARES, requests_per_second
from demo.shop import PRICES

WORKERS = 48
AGENTS = ("Mozilla/5.0 (X11; Linux x86_64)", "Mozilla/5.0 (iPhone)", "ShopApp/4.2")


def arrivals(start: float, rng: random.Random, scale: float = 1.0) -> Iterator[float]:
    """Times at which requests are due: a Poisson process with the rate of the shape."""
    at = start
    while True:
        at += rng.expovariate(requests_per_second(at) * scale)
        yield at


def next_request(rng: random.Random) -> tuple[str, str, str | None]:
    """Draw what the next user asks for: method, path, body."""
    page = rng.choices(tuple(SHARES), tuple(SHARES.values()))[0]
    names = sorted(PRICES)
    if page == "home":
        return "GET", "/", None
    if page == "list":
        return "GET", "/products?page=" + str(rng.randint(1, 5)), None
    if page == "product":
        return "GET", "/products/" + rng.choice(names), None
    items = {name: rng.randint(1, 3) for name in rng.sample(names, rng.randint(1, 3))}
    return "POST", f"/{page}", json.dumps({"items": items})


class Users:
    """Sends requests to the shop; each worker keeps its connection open."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._local = threading.local()

    def send(self, method: str, path: str, body: str | None, agent: str) -> int:
        """Send one request; its status, or 0 when the shop does not answer."""
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
            self._local.connection = connection
        try:
            connection.request(method, path, body, {"User-Agent": agent})
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            return 0
        return int(response.status)


def main() -> None:
    """Run it: ``python -m demo.traffic --port N [--scale 1.0]`` until SIGTERM."""
    parser = argparse.ArgumentParser(prog="demo.traffic")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--scale", type=float, default=1.0)
    options = parser.parse_args()

    def stop(number: int, frame: FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    rng = random.Random()
    users = Users(options.port)
    pool = ThreadPoolExecutor(WORKERS)
    try:
        for due in arrivals(time.time(), rng, options.scale):
            time.sleep(max(0.0, due - time.time()))
            pool.submit(users.send, *next_request(rng), rng.choice(AGENTS))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


if __name__ == "__main__":
    main()
