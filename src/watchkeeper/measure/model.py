"""What a source hands to the ledger, and the door every source has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from watchkeeper.kernel.clock import Minute, Seconds
from watchkeeper.spec.model import SliDefinition

GroupKey = tuple[tuple[str, str], ...]
"""Sorted (label, value) pairs of a groupBy; empty when the SLI is not grouped."""


@dataclass(frozen=True, slots=True)
class Count:
    """Events to add to one SLI in one minute.

    ``good`` and ``total`` are amounts to *add* (late data and corrections may be negative).
    ``seen`` is 1 when this minute was observed at all (so 0/0 is "no traffic"), 0 when these
    events belong to a minute already marked as seen. The ledger keeps ``seen`` at most 1 a minute.
    """

    sli: str
    minute: Minute
    good: float
    total: float
    seen: int = 1
    group: GroupKey = ()


@dataclass(frozen=True, slots=True)
class Note:
    """Something about a source that people should see: unparsable lines, a reset, a gap.

    ``kind`` is a stable word (``unparsable``, ``reset``, ``gap``, ``error``, ``slow``, ``limit``…).
    """

    kind: str
    message: str
    at: Seconds
    count: int = 1
    sli: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """One collection: counts, and the cursor that must be saved in the same transaction."""

    counts: Sequence[Count] = ()
    cursor: Mapping[str, Any] | None = None
    notes: Sequence[Note] = ()
    more: bool = False  # True: more is waiting, collect again at once (catching up)


class Source(Protocol):
    """A place that numbers come from. One instance per SourceDefinition; not shared by threads."""

    name: str

    def collect(
        self, slis: Sequence[SliDefinition], cursor: Mapping[str, Any] | None, now: Seconds
    ) -> Batch:
        """Read what is new since ``cursor`` (None: the first time ever) up to ``now``.

        Does I/O but writes nothing: the caller saves counts and cursor in one transaction, so a
        crash in between means the same events are read again and counted once. The cursor is
        JSON-able. Trouble reading is returned as a Note of kind ``error`` with the old cursor,
        never raised, never counted.
        """
        ...


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """How a source is doing, for pages: last success and the notes of late."""

    name: str
    type: str
    last_success: Seconds | None
    last_error: str
    lag_seconds: float | None
    notes: Sequence[Note] = field(default_factory=tuple)
