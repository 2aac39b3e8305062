"""How right attribution has been, as people who knew better (or agreed) say. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from watchkeeper.causes.model import Kind, Label


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Of one kind: ``said`` by us, ``true`` as people say, ``right``: both.

    Precision is right / said: how far it can be believed. Recall is right / true: how much of it is
    found. None where nothing was said, or nothing is known to be true.
    """

    kind: Kind
    said: int
    true: int
    right: int

    @property
    def precision(self) -> float | None:
        """How often it was true when we said so."""
        return self.right / self.said if self.said else None

    @property
    def recall(self) -> float | None:
        """How often we said so when it was true."""
        return self.right / self.true if self.true else None


def accuracy(labels: Sequence[Label]) -> list[Accuracy]:
    """By kind, in their order, of what people labelled; the latest label of an interval counts.

    ``labels``: the latest first. People label what they look at, mostly what looks wrong, so these
    figures are rather too low than too high.
    """
    seen: set[tuple[str, int, int]] = set()
    latest: list[Label] = []
    for label in labels:
        key = (label.slo, label.start, label.end)
        if key not in seen:
            seen.add(key)
            latest.append(label)
    return [
        Accuracy(
            kind,
            sum(x.said is kind for x in latest),
            sum(x.kind is kind for x in latest),
            sum(x.said is kind and x.kind is kind for x in latest),
        )
        for kind in Kind
    ]
