"""Which replicas live: judged by whether their beat moves, as seen by one's own monotonic clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

BEAT_EVERY = 0.4
"""Seconds between two beats."""
GONE_AFTER = 1.8
"""Seconds without a beat after which a replica's claims are free. A beat may have been seen one
BEAT_EVERY late, and its absence another one: take-over is at 2.6 s, below 3 s."""
BLIND_AFTER = 1.25
"""An observer that did not look for so long knows nothing: it begins to watch anew."""


@dataclass
class Watch:
    """One observer's memory of the beats it saw. Pure but for being told its own monotonic time."""

    _seen: dict[str, tuple[int, float]] = field(default_factory=dict)
    _looked: float | None = None

    def look(self, beats: Mapping[str, int], monotonic: float) -> list[str]:
        """The replicas whose beat has stood still for GONE_AFTER while this observer watched.

        After a pause of the observer itself, or of the database, nobody is gone: all had to stand
        still, and their beats are given the time to move again.
        """
        blind = self._looked is None or monotonic - self._looked > BLIND_AFTER
        self._looked = monotonic
        if blind:
            self._seen = {}
        gone: list[str] = []
        for name, number in beats.items():
            known = self._seen.get(name)
            if known is None or known[0] != number:
                self._seen[name] = (number, monotonic)
            elif monotonic - known[1] >= GONE_AFTER:
                gone.append(name)
        for name in list(self._seen):
            if name not in beats:
                del self._seen[name]
        return sorted(gone)
