"""What status pages show. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from watchkeeper.incidents.model import Incident, Told
from watchkeeper.kernel.clock import Seconds
from watchkeeper.spec.response import ComponentDefinition, StatusPageDefinition


class Level(StrEnum):
    """How a component is, the best first."""

    OPERATIONAL = "operational"
    MAINTENANCE = "under_maintenance"
    DEGRADED = "degraded_performance"
    PARTIAL = "partial_outage"
    MAJOR = "major_outage"

    @property
    def rank(self) -> int:
        """0 is the best."""
        return _RANKS[self]


_RANKS: Mapping[Level, int] = {level: i for i, level in enumerate(Level)}
WORDS: Mapping[Level, str] = {
    Level.OPERATIONAL: "Operational",
    Level.MAINTENANCE: "Under maintenance",
    Level.DEGRADED: "Degraded performance",
    Level.PARTIAL: "Partial outage",
    Level.MAJOR: "Major outage",
}
PHASES = ("investigating", "identified", "monitoring", "resolved")


def worst(levels: Sequence[Level]) -> Level:
    """The worst of these; operational when there are none."""
    return max(levels, key=lambda level: level.rank, default=Level.OPERATIONAL)


@dataclass(frozen=True, slots=True)
class Case:
    """An incident, and its updates in order, as amended. ``ends``: when it, or the incident that it
    was merged into, was resolved."""

    incident: Incident
    updates: Sequence[Told]
    ends: Seconds | None


@dataclass(frozen=True, slots=True)
class Post:
    """One update as a page shows it. ``number``: of its entry, 0: nobody wrote it, the incident
    was ended. ``levels``: how each component that it is about is from then on."""

    number: int
    at: Seconds
    phase: str
    text: str
    levels: Mapping[str, Level]
    public: bool = True


@dataclass(frozen=True, slots=True)
class Story:
    """An incident as one page tells it. ``id``: its public name, which says nothing of how many
    there are. ``incident``: its number, for pages that are not public. ``posts``: newest first."""

    id: str
    incident: int
    title: str
    level: Level
    phase: str
    began: Seconds
    posts: Sequence[Post]
    components: Sequence[str]
    monitoring_at: Seconds | None = None
    resolved_at: Seconds | None = None
    severity: str = ""
    drill: bool = False

    @property
    def updated(self) -> Seconds:
        """When it was last told of."""
        return self.posts[0].at if self.posts else self.began

    @property
    def said(self) -> str:
        """The last words that somebody wrote."""
        return next((p.text for p in self.posts if p.number), "")


@dataclass(frozen=True, slots=True)
class Planned:
    """One occurrence of planned work. ``state``: scheduled, in_progress or completed."""

    id: str
    name: str
    title: str
    text: str
    start: Seconds
    end: Seconds
    components: Sequence[str]
    state: str


@dataclass(frozen=True, slots=True)
class Span:
    """A component was in a state from ``start`` until ``end``, because of ``title``."""

    component: str
    level: Level
    start: Seconds
    end: Seconds
    title: str = ""


@dataclass(frozen=True, slots=True)
class Day:
    """A day (UTC) of a component. ``seconds``: how long it was in each state that is not
    operational. ``share``: of good requests, None: not measured. ``titles``: because of what."""

    start: Seconds
    level: Level
    seconds: Mapping[Level, float]
    share: float | None
    titles: Sequence[str]
    known: bool = True


@dataclass(frozen=True, slots=True)
class ComponentView:
    """A component now and over the last days. ``uptime``: a share, None: nothing is known.

    ``changed``: since when it is as it is, None: for as long as is told.
    """

    its: ComponentDefinition
    level: Level
    days: Sequence[Day]
    uptime: float | None
    measured: bool
    changed: Seconds | None = None


@dataclass(frozen=True, slots=True)
class View:
    """A page at one instant, read at one revision. ``as_of``: of what people wrote;
    ``measured_at``: of measurements, None where none are shown."""

    page: StatusPageDefinition
    url: str
    as_of: Seconds
    level: Level
    components: Sequence[ComponentView]
    open: Sequence[Story]
    past: Sequence[Story]
    planned: Sequence[Planned]
    updated: Seconds
    measured_at: Seconds | None = None
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Somebody who is told. ``kind``: email or webhook. ``components``: () is all of the page."""

    id: int
    page: str
    kind: str
    address: str
    active: bool
    created_at: Seconds
    confirmed_at: Seconds | None = None
    components: tuple[str, ...] = field(default=())
