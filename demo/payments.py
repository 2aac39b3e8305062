"""The payments service: charges an amount. Has releases, one of them bad: the demo's fault.

``POST /admin/release`` with ``{"version": "1.6.1"}`` puts a release out, ``"previous"`` the one
before back; ``GET`` says which one runs. Whatever runs, ``POST /admin/fault`` with
``{"fail": 0.75, "delay": 0.4}`` makes three quarters of the charges fail and the others take 0.4 s
longer; ``{}`` heals it. It listens on loopback only.
"""

from __future__ import annotations

import argparse
import random
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from demo.service import Answer, Request, Service, serve

USUAL_FAILURES = 0.0002
USUAL_WRONG_AMOUNTS = 0.0001


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong now: the share of charges that fail, and by how much the others are slower."""

    fail: float = 0.0
    delay: float = 0.0


GOOD, BEFORE = "1.5.0", "1.4.0"
BAD = Fault(fail=0.75, delay=0.4)
"""What is wrong with every release of 1.6, which charges in one step."""
_RELEASE = re.compile(r"1\.[4-6]\.\d+")


class Payments:
    """The service's state and handlers."""

    def __init__(self, rng: random.Random, sleep: Callable[[float], None] = time.sleep) -> None:
        self._rng = rng
        self._sleep = sleep
        self._lock = threading.Lock()
        self.fault = Fault()
        self.version, self.previous = GOOD, BEFORE

    def charge(self, request: Request) -> Answer:
        """Charge an amount in cents: 200 with a receipt, or 503."""
        with self._lock:  # random.Random is not safe to share between threads
            chance, wrong = self._rng.random(), self._rng.random()
            duration = self._rng.lognormvariate(-3.9, 0.9)
        fault = self.fault
        if chance < max(fault.fail, USUAL_FAILURES):
            self._sleep(0.005)
            return Answer(503, {"error": "the card network does not answer"})
        self._sleep(duration + fault.delay)
        amount = int(request.body["amount"])
        charged = amount + 1 if wrong < USUAL_WRONG_AMOUNTS else amount
        return Answer(200, {"charged": charged})

    def set_fault(self, request: Request) -> Answer:
        """Take on a fault, or heal: what is left out is 0."""
        fail = float(request.body.get("fail", 0.0))
        delay = float(request.body.get("delay", 0.0))
        if not (0 <= fail <= 1 and 0 <= delay <= 10):
            return Answer(400, {"error": "fail must be 0 to 1, delay 0 to 10 seconds"})
        self.fault = Fault(fail, delay)
        return Answer(200, {"fail": fail, "delay": delay})

    def shown(self, request: Request) -> Answer:
        """Which release runs, and which one ran before it."""
        return Answer(200, {"version": self.version, "previous": self.previous})

    def release(self, request: Request) -> Answer:
        """Put a release out, with what is wrong with it."""
        with self._lock:
            asked = str(request.body.get("version", ""))
            version = self.previous if asked == "previous" else asked
            if not _RELEASE.fullmatch(version):
                return Answer(400, {"error": f"there is no release {version}"})
            if version != self.version:
                self.version, self.previous = version, self.version
            self.fault = BAD if version.startswith("1.6.") else Fault()
        return self.shown(request)


def build(rng: random.Random, sleep: Callable[[float], None] = time.sleep) -> Service:
    """The payments service, ready to be served."""
    payments = Payments(rng, sleep)
    return Service(
        {
            ("POST", "/charge"): payments.charge,
            ("POST", "/admin/fault"): payments.set_fault,
            ("GET", "/admin/release"): payments.shown,
            ("POST", "/admin/release"): payments.release,
        },
        CollectorRegistry(),
    )


def main() -> None:
    """Run it: ``python -m demo.payments --port N``."""
    parser = argparse.ArgumentParser(prog="demo.payments")
    parser.add_argument("--port", type=int, required=True)
    serve(build(random.Random()), parser.parse_args().port)


if __name__ == "__main__":
    main()
