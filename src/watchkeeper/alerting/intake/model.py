"""What a message is understood as. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from watchkeeper.alerting.model import Signal
from watchkeeper.kernel.clock import Seconds


@dataclass(frozen=True, slots=True)
class Change:
    """Something that was changed on purpose: kept in the timeline, calls nobody."""

    summary: str
    service: str = ""
    source: str = ""
    kind: str = ""  # as the sender names it: deployment, dev.cdevents.service.deployed, …
    at: Seconds | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    links: tuple[tuple[str, str], ...] = ()


Understood = Signal | Change


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
