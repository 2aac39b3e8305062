"""What every tracker is asked and answers. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from watchkeeper.postmortems.items import Shared


@dataclass(frozen=True, slots=True)
class Draft:
    """An item to be made there. ``marker`` is found again by a search: it makes creation safe."""

    shared: Shared
    marker: str
    notes: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Remote:
    """An item as it is there."""

    external: str
    url: str
    shared: Shared


class Tracker(Protocol):
    """One configured tracker. Every call raises TransportError as channels do.

    A creation whose outcome is unknown is not repeated: the next attempt first asks ``find``.
    """

    def find(self, marker: str) -> Remote | None:
        """The item with this marker."""
        ...

    def create(self, draft: Draft) -> Remote:
        """Make it."""
        ...

    def read(self, external: str) -> Remote | None:
        """The item as it is now; None when it is gone."""
        ...

    def update(self, external: str, was: Shared, now: Shared) -> Remote:
        """Change what differs."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


def marker_of(site: str, item_id: int) -> str:
    """A word that is nowhere else: ``wk-item-12-4f1d…``; ``site`` tells servers apart."""
    return f"wk-item-{item_id}-{site[:8]}"
