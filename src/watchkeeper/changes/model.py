"""Changes, and what is told of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from watchkeeper.kernel.clock import Seconds

Links = tuple[tuple[str, str], ...]
"""(text, address) of each."""


MITIGATION = "mitigation"
"""The source of changes that were made against trouble, from an incident."""


class ChangeKind(StrEnum):
    """What kind of thing was changed."""

    DEPLOYMENT = "deployment"
    CONFIGURATION = "configuration"
    FLAG = "flag"
    INFRASTRUCTURE = "infrastructure"
    MAINTENANCE = "maintenance"
    OTHER = "other"


class Intent(StrEnum):
    """What a change is for, when somebody told it."""

    FEATURE = "feature"
    RELIABILITY = "reliability"
    SECURITY = "security"
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    """How a change stands."""

    IN_PROGRESS = "in_progress"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True, slots=True)
class Told:
    """One report of a change: what its sender said; '' , () and None are what it did not say.

    ``key``: reports of the same key through the same door are of one change. ``at``: when the
    report was made; of two that contradict each other the later one is believed. ``reporter``: who
    or what reports, for the audit. ``labels``: what else the sender said.
    """

    summary: str = ""
    kind: ChangeKind = ChangeKind.OTHER
    intent: Intent = Intent.UNKNOWN
    services: tuple[str, ...] = ()
    environment: str = ""
    version: str = ""
    previous_version: str = ""
    started_at: Seconds | None = None
    ended_at: Seconds | None = None
    outcome: Outcome | None = None
    links: Links = ()
    source: str = ""
    key: str = ""
    reporter: str = ""
    at: Seconds | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """A report as kept. ``by``: who or what; ``digest``: of what it says, by which a report that
    comes again is known."""

    digest: str
    told: Told
    by: str
    written_at: Seconds

    @property
    def at(self) -> Seconds:
        """When it was made: as its sender says, else when it came."""
        return self.told.at if self.told.at is not None else self.written_at


@dataclass(frozen=True, slots=True)
class Change:
    """What is known of a change. ``ended_at`` None: its end was not told.

    ``id`` 0: not kept yet. ``reported_by``: who or what told of it first.
    """

    id: int
    key: str
    kind: ChangeKind
    intent: Intent
    services: tuple[str, ...]
    environment: str
    summary: str
    version: str
    previous_version: str
    started_at: Seconds
    ended_at: Seconds | None
    outcome: Outcome
    links: Links
    source: str
    reported_by: str
    reported_at: Seconds
    updated_at: Seconds
