"""What a message is understood as. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from watchkeeper.alerting.model import Signal
from watchkeeper.changes.model import Told
from watchkeeper.kernel.clock import Seconds

Understood = Signal | Told


@dataclass(frozen=True, slots=True)
class Asked:
    """What a message came with.

    ``fresh`` is a new unique id, for messages that bring no dedup key. ``tail`` is the rest of the
    path (``{alias}/close``), ``headers`` are in lower case, ``mapping`` is the integration's.
    """

    now: Seconds
    fresh: str = ""
    tail: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    mapping: Mapping[str, str] = field(default_factory=dict)
