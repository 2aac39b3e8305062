"""What the pages need from the rest of the house."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from watchkeeper.causes.model import Account
from watchkeeper.changes.marks import Marked
from watchkeeper.kernel.clock import Seconds
from watchkeeper.measure.model import SourceHealth
from watchkeeper.slo.model import Correction, Fleet, SloDetail
from watchkeeper.spec.model import Finding, Specs


class WebServices(Protocol):
    """The calls behind the pages; `faces.services.Services` is the real one."""

    def fleet(self) -> Fleet:
        """All SLOs at one instant and one revision; in memory."""
        ...

    def specs(self) -> Specs:
        """The definitions that the fleet was evaluated with."""
        ...

    def in_depth(self, name: str) -> tuple[SloDetail, Account]:
        """One SLO in depth and where its budget went, of one revision. Raises NotFound."""
        ...

    def marks(self, service: str, start: Seconds, end: Seconds) -> Marked:
        """The changes of [start, end) that may show in a chart of this service's figures."""
        ...

    def sparklines(self, names: Sequence[str]) -> Mapping[str, list[float | None]]:
        """Share of good events in equal parts of each SLO's window; None: no evidence."""
        ...

    def source_health(self) -> Sequence[SourceHealth]:
        """How each source is doing."""
        ...

    def reload_problem(self) -> Sequence[Finding]:
        """What is wrong with changed definitions whose last good form is still in use."""
        ...

    def trouble(self) -> str:
        """What hinders the engine now, or ''."""
        ...

    def alone(self) -> int:
        """How many pages are open that nobody has."""
        ...

    def responding(self) -> int:
        """How many incidents are open."""
        ...

    def demo_note(self) -> str:
        """What to say over every page of a demonstration, or ''."""
        ...

    def wait_for_change(self, seen: int, timeout: float) -> int:
        """Block until the board's number differs from ``seen`` or the time is over; the number."""
        ...

    def add_correction(
        self, name: str, start: Seconds, end: Seconds, reason: str, author: str
    ) -> Correction:
        """Exclude [start, end) from an SLO. Raises UserError."""
        ...

    def remove_correction(self, name: str, correction_id: str, author: str) -> None:
        """Count a corrected interval again. Raises NotFound."""
        ...
