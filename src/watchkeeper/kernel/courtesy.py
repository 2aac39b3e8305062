"""Long computations give way to those who wait for an answer.

Python runs one thread at a time. A thread that answers lets go at each read and write; one that
computes takes its whole turn each time, so that an answer of a few short steps would wait for a
turn at each of them. Whoever computes for long goes through its items `politely`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

TURN, PAUSE = 0.001, 0.001
"""Seconds of computing, and seconds of rest after them while somebody waits."""


class Waiting:
    """How many wait for an answer. Counted by the thread that answers alone."""

    def __init__(self) -> None:
        self.number = 0

    def __enter__(self) -> None:
        self.number += 1

    def __exit__(self, *_: object) -> None:
        self.number -= 1


answering = Waiting()
"""Those of this process: ``with answering:`` while one waits."""


def politely(items: Iterable[T], waiting: Waiting = answering) -> Iterator[T]:
    """The items; between two of them it rests when somebody waits and its turn is over."""
    began = time.perf_counter()
    for item in items:
        yield item
        if waiting.number and time.perf_counter() - began >= TURN:
            time.sleep(PAUSE)
            began = time.perf_counter()
