"""The shop: pages to browse, a cart, and a checkout that charges through the payments service.

It counts whether each order's totals add up (``order_checks_total``) and writes an access log in
the combined format with the request's duration at the end.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter

from demo.service import Answer, Request, Service, serve

PRICES = {"lamp": 3990, "rope": 1250, "lens": 8900, "bell": 2475, "oil": 690}
"""Prices in cents."""
SHIPPING = 490
USUAL_FAILURES = 0.0002
PAYMENT_TIMEOUT = 2.0
ROTATE_AT_BYTES = 50_000_000

Pay = Callable[[int], Mapping[str, Any] | None]
"""Charge this many cents: the receipt, or None when payments fails or is too slow."""


def order_total(items: Mapping[str, int]) -> int:
    """Cents for these items and their shipping. Raises KeyError for an unknown item."""
    return sum(PRICES[name] * quantity for name, quantity in items.items()) + SHIPPING


def over_http(host: str, port: int) -> Pay:
    """A ``Pay`` that calls the payments service, with one connection kept for each thread."""
    local = threading.local()

    def pay(cents: int) -> Mapping[str, Any] | None:
        connection = getattr(local, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection(host, port, timeout=PAYMENT_TIMEOUT)
            local.connection = connection
        try:
            connection.request("POST", "/charge", json.dumps({"amount": cents}))
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            return None
        receipt: Mapping[str, Any] | None = json.loads(body) if response.status == 200 else None
        return receipt

    return pay


class AccessLog:
    """Writes one line a request, and starts a new file when this one is large."""

    def __init__(self, path: Path, rotate_at: int = ROTATE_AT_BYTES) -> None:
        self._path = path
        self._rotate_at = rotate_at
        self._lock = threading.Lock()
        self._file = path.open("a", encoding="utf-8", buffering=1)

    def write(self, request: Request, status: int, size: int, elapsed: float) -> None:
        """Append a line in the combined format, with the duration in seconds at its end."""
        when = datetime.now(UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
        line = (
            f'{request.client} - - [{when}] "{request.method} {request.path} HTTP/1.1" '
            f'{status} {size} "-" "{request.agent}" {elapsed:.3f}\n'
        )
        with self._lock:
            self._file.write(line)
            if self._file.tell() >= self._rotate_at:
                self._file.close()
                self._path.rename(self._path.with_name(self._path.name + ".1"))
                self._file = self._path.open("a", encoding="utf-8", buffering=1)


class Shop:
    """The shop's handlers."""

    def __init__(
        self,
        pay: Pay,
        registry: CollectorRegistry,
        rng: random.Random,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._pay = pay
        self._rng = rng
        self._sleep = sleep
        self._lock = threading.Lock()
        self.checks = Counter(
            "order_checks", "Orders whose totals were checked.", ("result",), registry=registry
        )

    def browse(self, request: Request) -> Answer:
        """Any page that only shows something."""
        with self._lock:
            chance = self._rng.random()
            duration = self._rng.lognormvariate(-4.2, 0.9)
        if chance < USUAL_FAILURES:
            return Answer(500, {"error": "the catalogue does not answer"})
        self._sleep(min(duration, 1.5))
        return Answer(200, {"products": PRICES})

    def cart(self, request: Request) -> Answer:
        """What these items will cost."""
        return Answer(200, {"total": order_total(request.body["items"])})

    def checkout(self, request: Request) -> Answer:
        """Charge the order and check that the receipt says what was ordered."""
        total = order_total(request.body["items"])
        receipt = self._pay(total)
        if receipt is None:
            return Answer(502, {"error": "payments failed; nothing was charged"})
        valid = receipt.get("charged") == total
        self.checks.labels("valid" if valid else "invalid").inc()
        return Answer(200, {"total": total, "charged": receipt.get("charged")})


def build(
    pay: Pay,
    log: AccessLog | None,
    rng: random.Random,
    sleep: Callable[[float], None] = time.sleep,
) -> Service:
    """The shop, ready to be served."""
    registry = CollectorRegistry()
    shop = Shop(pay, registry, rng, sleep)
    handlers = {
        ("GET", "/"): shop.browse,
        ("GET", "/products"): shop.browse,
        ("GET", "/products/*"): shop.browse,
        ("POST", "/cart"): shop.cart,
        ("POST", "/checkout"): shop.checkout,
    }
    return Service(handlers, registry, log.write if log else None)


def main() -> None:
    """Run it: ``python -m demo.shop --port N --payments-port M --log FILE``."""
    parser = argparse.ArgumentParser(prog="demo.shop")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--payments-port", type=int, required=True)
    parser.add_argument("--log", type=Path, required=True)
    options = parser.parse_args()
    pay = over_http("127.0.0.1", options.payments_port)
    serve(build(pay, AccessLog(options.log), random.Random()), options.port)


if __name__ == "__main__":
    main()
