"""What users write about weekly reviews: whose, when it is sent, and to whom."""

from __future__ import annotations

from dataclasses import dataclass

from watchkeeper.spec.duty import EscalationTarget
from watchkeeper.spec.findings import Place


@dataclass(frozen=True, slots=True)
class ReviewDefinition:
    """A team's review of its week. ``team``: a team, or ``all`` for everything.

    ``cron``: when it is sent, by the wall clock of ``zone``, which is also that of its weeks. What
    is sent is the week that was over last.
    """

    name: str
    display_name: str
    place: Place
    team: str
    cron: str
    zone: str = "UTC"
    send: tuple[EscalationTarget, ...] = ()
    description: str = ""

    @property
    def schedule(self) -> str:
        """When it is sent, as one text."""
        return f"{self.cron} {self.zone}"
