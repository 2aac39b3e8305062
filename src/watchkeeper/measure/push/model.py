"""What was pushed, read and checked, before it is matched with SLIs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from watchkeeper.kernel.clock import Seconds

KEEP_KEYS_SECONDS = 7 * 86400.0
"""How long a key is remembered."""


@dataclass(frozen=True, slots=True)
class Push:
    """Events to add: ``total`` of them, of which ``good`` were good.

    ``good`` is None for a plain count, which serves SLIs that have a stream of their own for good
    or bad events. ``path`` is where it stands in the message, for errors.
    """

    stream: str
    time: Seconds
    total: float
    good: float | None
    attributes: Mapping[str, str]
    path: str = ""
