"""Signals and alerts. Pure.

A *signal* is what another system, or a policy of ours, says at one moment; an *alert* is the state
that signals with one dedup key open, change and close.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from watchkeeper.kernel.clock import Seconds


class SignalAction(StrEnum):
    """What a signal asks for."""

    TRIGGER = "trigger"
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"


class Urgency(StrEnum):
    """What an alert obliges to: a page wakes, a ticket waits for the day, info is only kept."""

    PAGE = "page"
    TICKET = "ticket"
    INFO = "info"


class AlertState(StrEnum):
    """Open (nobody has it), acknowledged (somebody has), closed."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


RANK = {Urgency.INFO: 0, Urgency.TICKET: 1, Urgency.PAGE: 2}


@dataclass(frozen=True, slots=True)
class Signal:
    """One message about a condition, in our words.

    ``key`` is the dedup key within the integration (``slo`` for our own policies), never empty.
    ``severity`` is critical, error, warning or info. ``service`` is as the sender names it.
    ``at``: when the sender says it happened, if it says so. ``details`` are shown, not interpreted.
    """

    key: str
    action: SignalAction
    summary: str
    severity: str = "critical"
    service: str = ""
    source: str = ""
    component: str = ""
    group: str = ""
    klass: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    links: tuple[tuple[str, str], ...] = ()  # (text, URL)
    at: Seconds | None = None
    urgency: Urgency | None = None  # None: by severity
    actor: str = ""  # who acknowledged or resolved, when the sender says so


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as kept. ``page_id`` is the page it was put on, once routed.

    ``due_at``: when the engine must look at it next (routing, automatic closing); None: never.
    ``quiet``: why nobody is called (a silence, a maintenance, urgency info), or ''.
    """

    id: int
    integration: str
    key: str
    state: AlertState
    urgency: Urgency
    severity: str
    service: str
    summary: str
    opened_at: Seconds
    last_at: Seconds
    count: int
    closed_at: Seconds | None = None
    escalation_policy: str | None = None
    page_id: int | None = None
    due_at: Seconds | None = None
    auto_close: float | None = None
    quiet: str = ""
    source: str = ""
    component: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    links: tuple[tuple[str, str], ...] = ()


class Due(NamedTuple):
    """What routing must know of an alert that is due: a storm is thousands of them at once."""

    id: int
    state: AlertState
    urgency: Urgency
    integration: str
    service: str
    summary: str
    escalation_policy: str | None
    page_id: int | None


def urgency_of(severity: str) -> Urgency:
    """The usual mapping: critical and error page, warning is a ticket, info is info."""
    match severity:
        case "warning":
            return Urgency.TICKET
        case "info":
            return Urgency.INFO
        case _:
            return Urgency.PAGE
