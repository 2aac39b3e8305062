"""Changes and shifts. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from watchkeeper.kernel.clock import Seconds

ChangeKind = Literal["override", "swap", "leave", "calendar"]


@dataclass(frozen=True, slots=True)
class Change:
    """An exception from a schedule, in [start, end).

    override: ``user`` takes over, from ``replaces`` or ('') from everybody. swap: ``user`` takes
    the shifts of ``replaces``. leave: ``replaces`` is away, in all schedules when ``schedule`` is
    ''; ``user`` stands in, or ('') whoever is next in the rotation. calendar: what a calendar that
    is read in place of layers says; ``user`` may be several, joined with '+'.
    """

    id: str
    schedule: str
    kind: ChangeKind
    start: Seconds
    end: Seconds
    user: str
    replaces: str
    reason: str
    author: str


@dataclass(frozen=True, slots=True)
class Shift:
    """A stretch [start, end) of the final schedule. No ``users``: a gap.

    ``layer`` is the layer that decides; ``reason`` is '' or why it is not what the layers say:
    override, swap, leave or holiday.
    """

    start: Seconds
    end: Seconds
    users: tuple[str, ...]
    shadows: tuple[str, ...] = ()
    layer: str = ""
    reason: str = ""
