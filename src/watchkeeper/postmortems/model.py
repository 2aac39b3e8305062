"""Postmortems, whys, action items. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from watchkeeper.kernel.clock import Seconds


class PostmortemState(StrEnum):
    """Draft, in review by others, published to all."""

    DRAFT = "draft"
    IN_REVIEW = "in review"
    PUBLISHED = "published"


@dataclass(frozen=True, slots=True)
class Postmortem:
    """A postmortem as kept. ``version`` numbers the texts; every text is kept."""

    id: int
    incident_id: int | None
    title: str
    state: PostmortemState
    owner: str
    due_at: Seconds | None
    created_at: Seconds
    version: int
    text: str
    severity: str = ""
    services: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    published_at: Seconds | None = None
    published_by: str = ""
    next_at: Seconds | None = None  # when the engine must look at it next
    data: Mapping[str, Any] = field(default_factory=dict)


class Leaf(StrEnum):
    """What a branch of whys ends in; only the first two are ends."""

    SYSTEMIC = "systemic"
    PROCESS = "process"
    PERSON = "person"
    SYMPTOM = "symptom"


@dataclass(frozen=True, slots=True)
class Why:
    """One answer to "why?". ``evidence``: how we know. ``leaf``: only where nothing follows."""

    text: str
    evidence: str = ""
    leaf: Leaf | None = None
    because: tuple[Why, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: ``line`` from 1, ``better``: what to write instead."""

    line: int
    code: str
    severity: str  # error, warning
    message: str
    better: str = ""


class ActionType(StrEnum):
    """What an action item does about recurrence."""

    PREVENT = "prevent"
    DETECT = "detect"
    MITIGATE = "mitigate"
    PROCESS = "process"


class ActionState(StrEnum):
    """Open, being worked on, done, or dropped with a reason."""

    OPEN = "open"
    DOING = "doing"
    DONE = "done"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class ActionItem:
    """Something to do so that it does not recur. ``tracker``/``external``: where else it lives."""

    id: int
    text: str
    type: ActionType
    state: ActionState
    owner: str
    due_at: Seconds | None
    priority: int
    created_at: Seconds
    version: int
    incident_id: int | None = None
    postmortem_id: int | None = None
    team: str = ""
    tracker: str = ""
    external: str = ""  # its number or key there
    url: str = ""
    done_at: Seconds | None = None
    next_at: Seconds | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
