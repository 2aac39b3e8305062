"""What a review is made of: facts of a week, and the page that is made from them. Pure.

Facts are numbers; a `Review` is what people read: sentences and tables. It is kept as JSON when it
is frozen, so it holds nothing but texts, numbers and lists of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from watchkeeper.kernel.clock import Seconds
from watchkeeper.reviews.weeks import Week
from watchkeeper.slo.model import Look

EVERYONE = "all"
"""The review of everything, whoever owns it."""


# ---------------------------------------------------------------- facts


@dataclass(frozen=True, slots=True)
class SloWeek:
    """An objective over the week and over the one before (``…_before``).

    ``spent``: bad events of the week, as share of the budget of its whole window at the week's end;
    ``left``: of that budget then; ``unseen``: minutes without data. None: no evidence.
    """

    name: str
    title: str
    service: str
    target: str
    window: str
    look: Look
    bad: float
    total: float
    spent: float | None
    spent_before: float | None
    attained: float | None
    attained_before: float | None
    left: float | None
    unseen: int = 0
    minutes: int = 0

    @property
    def unseen_share(self) -> float:
        """Of the week's minutes, those without data."""
        return self.unseen / self.minutes if self.minutes else 0.0


@dataclass(frozen=True, slots=True)
class CauseWeek:
    """``share`` of the week's bad events of an objective, and what they are put down to."""

    slo: str
    title: str
    kind: str
    what: str
    share: float
    known: bool


@dataclass(frozen=True, slots=True)
class IncidentWeek:
    """An incident of the week. ``bad``: events of each objective that failed during it."""

    id: int
    title: str
    severity: str
    over: bool
    declared_at: Seconds
    to_mitigate: float | None
    bad: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class PostmortemWeek:
    """A postmortem that is due, or was published in the week. ``late``: seconds past its day."""

    id: int
    title: str
    published: bool
    due_at: Seconds | None
    late: float = 0.0


@dataclass(frozen=True, slots=True)
class ItemWeek:
    """An action item that was opened or done in the week, or is late by so many seconds."""

    id: int
    text: str
    state: str
    opened: bool
    done: bool
    late: float
    due_at: Seconds | None


@dataclass(frozen=True, slots=True)
class LoadWeek:
    """Pages of one rotation."""

    rotation: str
    pages: int
    out_of_hours: int
    over_limit: int
    pages_before: int


@dataclass(frozen=True, slots=True)
class GateWeek:
    """What the gate answered for one service."""

    service: str
    allowed: int
    halted: int
    halted_before: int


@dataclass(frozen=True, slots=True)
class PolicyWeek:
    """How a budget stood by its policy at the week's end, over the policy's own window if it has
    one."""

    name: str
    title: str
    state: str
    left: float | None
    window: str = ""


@dataclass(frozen=True, slots=True)
class LeaveWeek:
    """An exception from the gate that was asked for, or in force, in the week."""

    id: int
    service: str
    ground: str
    reason: str
    state: str
    waits: bool


@dataclass(frozen=True, slots=True)
class ChangesWeek:
    """Changes of one kind."""

    kind: str
    number: int
    failed: int
    before: int


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a review is computed from. ``now``: up to when the week is known."""

    week: Week
    now: Seconds
    slos: Sequence[SloWeek] = ()
    causes: Sequence[CauseWeek] = ()
    incidents: Sequence[IncidentWeek] = ()
    incidents_before: int = 0
    postmortems: Sequence[PostmortemWeek] = ()
    items: Sequence[ItemWeek] = ()
    items_done_before: int = 0
    items_opened_before: int = 0
    load: Sequence[LoadWeek] = ()
    gate: Sequence[GateWeek] = ()
    policies: Sequence[PolicyWeek] = ()
    leaves: Sequence[LeaveWeek] = ()
    changes: Sequence[ChangesWeek] = ()


# ---------------------------------------------------------------- what people read


@dataclass(frozen=True, slots=True)
class Cell:
    """``look`` names a shape and colour; ``text`` is its word then."""

    text: str
    sub: str = ""
    look: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a review: a sentence, and a table behind it. ``head``: titles; those of numbers end
    in ``#``. ``more``: how many rows are left out."""

    key: str
    title: str
    lead: str
    head: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = ()
    more: int = 0


@dataclass(frozen=True, slots=True)
class Question:
    """Something to decide, and where to look."""

    text: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Review:
    """A review as it is read. ``revision``: the ledger's, of which all its figures are."""

    team: str
    title: str
    week: str
    days: str
    zone: str
    start: Seconds
    end: Seconds
    made_at: Seconds
    revision: int
    services: Sequence[str]
    summary: Sequence[str]
    decide: Sequence[Question]
    sections: Sequence[Section]

    @property
    def running(self) -> bool:
        """The week was not over yet."""
        return self.made_at < self.end


def of_json(found: Mapping[str, Any]) -> Review:
    """A review as it was kept."""
    return Review(
        **{
            **found,
            "decide": [Question(**q) for q in found["decide"]],
            "sections": [
                Section(**{**s, "rows": [[Cell(**c) for c in row] for row in s["rows"]]})
                for s in found["sections"]
            ],
        }
    )


class NoteKind(StrEnum):
    """What was said, or what was decided."""

    NOTE = "note"
    DECISION = "decision"


@dataclass(frozen=True, slots=True)
class Note:
    """What people wrote down when they read a review."""

    id: int
    team: str
    week: str
    kind: NoteKind
    text: str
    author: str
    at: Seconds
    changed_by: str = ""
    changed_at: Seconds | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class Frozen:
    """A review as it was when it was sent or noted upon; ``why`` says which."""

    team: str
    week: str
    at: Seconds
    why: str
    review: Review
