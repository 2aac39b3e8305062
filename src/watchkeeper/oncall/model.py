"""Pages and calls. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from watchkeeper.kernel.clock import Seconds
from watchkeeper.spec.duty import EscalationPolicyDefinition, EscalationTarget


class PageState(StrEnum):
    """Open: nobody has it, so the escalation runs. Acknowledged: somebody has it. Resolved."""

    OPEN = "open"
    ACKED = "acked"
    RESOLVED = "resolved"


class PageKind(StrEnum):
    """A page for alerts, or a drill that proves the way works."""

    ALERT = "alert"
    DRILL = "drill"


@dataclass(frozen=True, slots=True)
class Page:
    """A running escalation. ``policy`` is the snapshot taken when it opened.

    ``step``: the next step to take; ``round``: how often all steps were taken before. ``due_at``:
    when the engine must look at it next; None only when resolved, or acknowledged without expiry.
    ``calls``: how many times somebody was called, which numbers the messages.
    """

    id: int
    kind: PageKind
    state: PageState
    service: str
    title: str
    urgency: str
    policy: EscalationPolicyDefinition | None
    step: int
    round: int
    calls: int
    due_at: Seconds | None
    opened_at: Seconds
    last_alert_at: Seconds
    alerts: int
    version: int
    acked_at: Seconds | None = None
    acked_by: str = ""
    snoozed_until: Seconds | None = None
    resolved_at: Seconds | None = None
    resolved_by: str = ""
    first_call_at: Seconds | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """One person, or one channel, to be told now, and because of which target."""

    user: str
    via: str
    channel: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Site:
    """Where our pages are, and what signs the links: ``base_url`` without a slash at the end."""

    base_url: str
    secret: bytes


Targets = tuple[EscalationTarget, ...]
