"""What is counted of a case, by what the receiver saw; and how long things took."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from benchmarks.failures.systems import System
from tests.support.receiver import Receiver


@dataclass
class Row:
    """One case of one system.

    ``reached``: alerts of the accepted ones in a message that the receiver took and answered.
    ``unmarked``, ``marked``: messages beyond the first of each, without and with a word in them
    that they may be duplicates. ``seconds``: of what the case times, None when it times nothing;
    infinite when it never happened.
    """

    case: str
    system: str
    accepted: int = 0
    reached: int = 0
    unmarked: int = 0
    marked: int = 0
    seconds: float | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """Accepted, and never reached the receiver."""
        return self.accepted - self.reached

    def count(self, accepted: set[int], receiver: Receiver) -> None:
        """Fill in what came of these alerts."""
        self.accepted = len(accepted)
        self.reached = len(accepted & receiver.reached())
        self.unmarked, self.marked = receiver.repeats()


def until(condition: Callable[[], object], seconds: float) -> float:
    """Poll until it is true; how long that took, infinite when it was not within ``seconds``."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if condition():
            return time.monotonic() - began
        time.sleep(0.02)
    return float("inf")


def settle(accepted: Iterable[int], receiver: Receiver, patience: float, quiet: float) -> None:
    """Wait until all has arrived, or patience ends; then ``quiet`` seconds more for duplicates."""
    wanted = set(accepted)
    until(lambda: wanted <= receiver.reached(), patience)
    time.sleep(quiet)


class Load:
    """Raises alert after alert until stopped; each until it is accepted, as senders do."""

    def __init__(self, system: System, first: int, most: int, pause: float = 0.05) -> None:
        self.accepted: set[int] = set()
        self.system, self.numbers, self.pause = system, range(first, first + most), pause
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the alert under way."""
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        for number in self.numbers:
            while self.system.post([number]) is None:
                if self._stop.wait(0.1):
                    return
            self.accepted.add(number)
            if self._stop.wait(self.pause):
                return
