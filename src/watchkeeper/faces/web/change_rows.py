"""How a change is shown wherever changes are listed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from watchkeeper.changes.model import Change, Outcome
from watchkeeper.faces.web import words
from watchkeeper.faces.web.words import Badge
from watchkeeper.kernel import text
from watchkeeper.spec.model import Specs

BADGES: Mapping[Outcome, Badge] = {
    Outcome.IN_PROGRESS: Badge("watch", "In progress"),
    Outcome.SUCCEEDED: Badge("ok", "Succeeded"),
    Outcome.FAILED: Badge("burn", "Failed"),
    Outcome.ROLLED_BACK: Badge("spent", "Rolled back"),
}


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A change in a list."""

    id: int
    when: str
    what: str
    version: str
    services: Sequence[str]
    kind: str
    where: str
    badge: Badge
    took: str


def change_row(c: Change, specs: Specs) -> ChangeRow:
    """How a change is shown in lists."""
    lasted = c.ended_at - c.started_at if c.ended_at is not None else 0.0
    return ChangeRow(
        c.id,
        words.day_clock(c.started_at),
        c.summary or c.version or "Change",
        c.version,
        [words.service_name(specs, s) for s in c.services],
        str(c.kind),
        c.environment,
        BADGES[c.outcome],
        text.duration(lasted) if lasted else "",
    )
