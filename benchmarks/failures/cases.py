"""What is done to a system, case by case. Each gives the alerts that were accepted."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.failures.counting import Load, Row, settle, until
from benchmarks.failures.systems import Process, System
from tests.support.receiver import Arrival, Mood, Receiver

LOADED = 8.0
"""Seconds at least for which alerts come in while the database is in trouble, and after that."""
GIVE_UP = 90.0
"""Seconds after which what has not arrived is lost."""


@dataclass
class Bed:
    """A system, the receiver that it sends to, and how much of each is wanted.

    ``alerts``: in a case; ``trouble``: seconds that a receiver is in trouble; ``quiet``: seconds to
    wait for repeats at the end; ``patience``: before what has not arrived is lost.
    """

    system: System
    receiver: Receiver
    row: Row
    alerts: int = 10
    trouble: float = 20.0
    quiet: float = 5.0
    patience: float = GIVE_UP
    dice: random.Random = field(default_factory=lambda: random.Random(7))

    def post(self, number: int) -> set[int]:
        """Raise one alert; it, if it was accepted."""
        return {number} if self.system.post([number]) else set()

    def post_all(self, first: int = 0) -> set[int]:
        """Raise all, one by one."""
        return {n for i in range(self.alerts) for n in self.post(first + i)}

    def settle(self, accepted: set[int]) -> set[int]:
        """Wait for what was accepted, and for repeats."""
        settle(accepted, self.receiver, self.patience, self.quiet)
        return accepted

    def until_read(self, accepted: set[int], seconds: float = 60.0) -> None:
        """Wait until a message about each has been read, whatever the receiver then did."""
        until(lambda: accepted <= numbers(self.receiver.arrivals), seconds)

    def held_by(self) -> tuple[Process, set[int]]:
        """The process that is sending most of what is under way, and the alerts of that."""
        holds: Counter[int] = Counter()
        known: dict[int, tuple[Process, set[int]]] = {}
        for arrival in list(self.receiver.arrivals):
            process = self.system.sender_of(arrival.peer)
            if process is not None:
                holds[process.pid] += 1
                known.setdefault(process.pid, (process, set()))[1].update(arrival.numbers())
        assert holds, "nobody is sending"
        return known[holds.most_common(1)[0][0]]


Case = Callable[[Bed], set[int]]


def numbers(arrivals: list[Arrival]) -> set[int]:
    """The alerts of these messages."""
    return {n for arrival in list(arrivals) for n in arrival.numbers()}


def killed_after_accept(bed: Bed) -> set[int]:
    """kill -9 of whoever accepted, as soon as it has; then it is started again. One by one."""
    accepted: set[int] = set()
    for number in range(bed.alerts):
        process = bed.system.post([number])
        if process is not None:
            process.kill()
            accepted.add(number)
            process.start()
    return bed.settle(accepted)


def killed_in_sending(bed: Bed) -> set[int]:
    """The receiver has read the messages and not answered; kill -9 of their sender.

    Timed: from the kill (with one process: from when it runs again) to the last of them here again.
    """
    bed.receiver.turn(Mood.HANGS)
    accepted = bed.post_all()
    bed.until_read(accepted)
    victim, had = bed.held_by()
    victim.kill()
    began = time.monotonic()
    bed.receiver.turn(Mood.TAKES)
    if len(bed.system.nodes) == 1:
        victim.start()
        began = time.monotonic()
    again = until(lambda: had <= numbers(bed.receiver.since(began)), bed.patience)
    bed.row.seconds = again
    if len(bed.system.nodes) > 1:
        victim.start()
    return bed.settle(accepted)


def paused_in_sending(bed: Bed) -> set[int]:
    """As before, but SIGSTOP, until another has taken over (or 6 s), then SIGCONT."""
    bed.receiver.turn(Mood.HANGS)
    accepted = bed.post_all()
    bed.until_read(accepted)
    victim, had = bed.held_by()
    victim.pause()
    began = time.monotonic()
    bed.receiver.turn(Mood.TAKES)
    if len(bed.system.nodes) == 1:
        time.sleep(6)
    else:
        bed.row.seconds = until(lambda: had <= numbers(bed.receiver.since(began)), 30)
        time.sleep(1)
    victim.resume()
    return bed.settle(accepted)


def paused_anywhere(bed: Bed) -> set[int]:
    """SIGSTOP of whoever accepted, at a random moment of the next 1.2 s, for 4 s. One by one."""
    accepted: set[int] = set()
    for number in range(bed.alerts):
        process = bed.system.post([number])
        if process is not None:
            accepted.add(number)
            # Most moments just after the acceptance, when the message is made and sent.
            time.sleep(bed.dice.choice((0.06, 0.3, 1.2)) * bed.dice.random())
            process.pause()
            time.sleep(4)
            process.resume()
    return bed.settle(accepted)


def _troubled(mood: Mood) -> Case:
    def case(bed: Bed) -> set[int]:
        bed.receiver.turn(mood)
        accepted = bed.post_all()
        time.sleep(bed.trouble)
        bed.receiver.turn(Mood.TAKES)
        # Timed: from the end of the trouble to the last of them taken.
        bed.row.seconds = until(lambda: accepted <= bed.receiver.reached(), bed.patience)
        return bed.settle(accepted)

    return case


refuses = _troubled(Mood.REFUSES)
hangs = _troubled(Mood.HANGS)
cuts = _troubled(Mood.CUTS)


def interrupted(trouble: Callable[[], None]) -> Case:
    """Alerts come in all the time, and meanwhile this happens to the database."""

    def case(bed: Bed) -> set[int]:
        many = bed.alerts * 10
        load = Load(bed.system, 0, many, pause=LOADED / many)
        load.start()
        time.sleep(1.5)
        began = time.monotonic()
        trouble()
        before = set(load.accepted)
        # Timed: from the trouble to the first alert that came in after it and was taken.
        until(lambda: (load.accepted - before) & bed.receiver.reached(), 60)
        bed.row.seconds = time.monotonic() - began
        time.sleep(1.5)
        load.stop()
        return bed.settle(load.accepted)

    return case


@dataclass
class Stepped:
    """The clock is set while calls are under way that are due ``later`` seconds after the first.

    Half of them meet a restart after the step as well. ``wrong``: how far the worst of the later
    calls was from its time, in seconds.
    """

    set_clock: Callable[[int], None]
    step: int
    later: float
    restart: bool = True

    def __call__(self, bed: Bed) -> set[int]:
        """Alerts, the step, more alerts; the later calls of the first ones are timed."""
        accepted = bed.post_all()
        until(lambda: accepted <= bed.receiver.reached("/first"), 30)
        self.set_clock(self.step)
        time.sleep(2.0)  # libfaketime looks at its file once a second
        if self.restart:
            for process in bed.system.nodes:
                process.kill()
            _start_all(bed.system)
        accepted |= bed.post_all(bed.alerts)
        until(lambda: accepted <= bed.receiver.reached("/later"), self.later + 30)
        bed.row.seconds = max(self._off(bed.receiver, n) for n in accepted)
        return bed.settle(accepted)

    def _off(self, receiver: Receiver, number: int) -> float:
        at: dict[str, float] = {}
        for arrival in receiver.counted():
            if number in arrival.numbers():
                at.setdefault(arrival.path.split("/")[1], arrival.at)
        if "first" not in at or "later" not in at:
            return float("inf")
        return abs(at["later"] - at["first"] - self.later)


def _start_all(system: System) -> None:
    starting = [threading.Thread(target=p.start) for p in system.nodes]
    for thread in starting:
        thread.start()
    for thread in starting:
        thread.join()


@dataclass
class Storm:
    """Very many alerts of many services, all of which call one person."""

    alerts: int
    services: int
    batch: int = 100

    def __call__(self, bed: Bed) -> set[int]:
        """As fast as they are accepted, by one client. Timed: from the first to the first page."""
        began, accepted = time.monotonic(), set[int]()
        for first in range(0, self.alerts, self.batch):
            some = list(range(first, min(first + self.batch, self.alerts)))
            while bed.system.post(some, self.services) is None:
                time.sleep(0.1)
            accepted.update(some)
        took = time.monotonic() - began
        until(lambda: bed.receiver.arrivals, 60)
        bed.row.seconds = bed.receiver.arrivals[0].at - began
        bed.row.notes.append(f"accepted in {took:.1f} s")
        return accepted
