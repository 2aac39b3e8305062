"""What users write about responding to incidents: severities, roles, mitigations, status, trackers.

Severities and roles have the usual defaults, so that nothing need be written to begin with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from watchkeeper.spec.duty import EscalationTarget
from watchkeeper.spec.findings import Place

BUILT_IN = Place("built in")
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0


@dataclass(frozen=True, slots=True)
class SeverityDefinition:
    """How bad, and what it obliges to; all times in seconds, None: nothing is due.

    ``update_every``: between two status updates. ``first_public``: until the first public message.
    ``postmortem_within``: after resolution. ``action_within``: the default due time of its action
    items, after publication of the postmortem.
    """

    name: str
    title: str
    description: str
    update_every: float | None
    first_public: float | None
    postmortem_within: float | None
    action_within: float


SEVERITIES: Mapping[str, SeverityDefinition] = {
    s.name: s
    for s in (
        SeverityDefinition(
            "SEV1", "Complete outage", "A critical journey fails for all users.",
            15 * MINUTE, 5 * MINUTE, 48 * HOUR, 15 * DAY,
        ),
        SeverityDefinition(
            "SEV2", "Degraded", "A journey fails or is slow for a part of the users.",
            30 * MINUTE, 5 * MINUTE, 48 * HOUR, 30 * DAY,
        ),
        SeverityDefinition(
            "SEV3", "Minor", "Few users are affected, or there is a workaround.",
            None, None, None, 30 * DAY,
        ),
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class RoleDefinition:
    """A part that somebody plays in an incident. ``targets``: who has it at first, by rota.

    ``severities``: those in which it must be held; empty: it is optional in all.
    """

    name: str
    title: str
    description: str
    targets: tuple[EscalationTarget, ...] = ()
    severities: tuple[str, ...] = ("SEV1", "SEV2")


ROLES: Mapping[str, RoleDefinition] = {
    r.name: r
    for r in (
        RoleDefinition("commander", "Incident Commander", "Leads, decides, delegates.",
                       severities=("SEV1", "SEV2", "SEV3")),
        RoleDefinition("comms", "Communications Lead", "Tells users and the company."),
        RoleDefinition("ops", "Operations Lead", "Changes the system; nobody else does."),
    )
}  # fmt: skip


class MitigationKind(StrEnum):
    """What carries a mitigation out."""

    COMMAND = "command"
    HTTP = "http"
    KUBERNETES = "kubernetes"
    SYSTEMD = "systemd"
    HAPROXY = "haproxy"


PLAIN_VALUE = r"[A-Za-z0-9._:/@][A-Za-z0-9._:/@-]{0,199}"
"""What a parameter may be unless said otherwise; it cannot be taken for an option."""
ACTIONS = ("revert", "scale", "fail-over", "flag", "restart", "other")
"""What a mitigation does, in the order in which mitigations are offered."""


@dataclass(frozen=True, slots=True)
class ParameterDefinition:
    """A value that is asked for: one of ``choices``, if any; else ``pattern`` must match all."""

    name: str
    title: str
    default: str = ""
    choices: tuple[str, ...] = ()
    pattern: str = PLAIN_VALUE


@dataclass(frozen=True, slots=True)
class MitigationDefinition:
    """Something that may help, ready to be run from an incident.

    ``settings`` are those of the kind, with ``{parameter}`` in texts. ``dry_run``: settings that
    take the place of some, to see what would happen; empty: there is none. ``timeout``: seconds.
    ``services``: what it may help; none: any. ``slo``: what shows whether it helped; None: the
    objectives of the incident.
    """

    name: str
    display_name: str
    place: Place
    kind: MitigationKind
    settings: Mapping[str, Any]
    services: tuple[str, ...] = ()
    action: str = "other"  # one of ACTIONS
    description: str = ""
    parameters: tuple[ParameterDefinition, ...] = ()
    dry_run: Mapping[str, Any] = field(default_factory=dict)
    timeout: float = 60.0
    confirm: bool = True
    slo: str | None = None


@dataclass(frozen=True, slots=True)
class ComponentDefinition:
    """What a status page shows as one line: journeys, services or SLOs under a public name.

    ``group``: the heading under which it stands with others; '' is none.
    """

    name: str
    title: str
    description: str = ""
    journeys: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    slos: tuple[str, ...] = ()
    group: str = ""


@dataclass(frozen=True, slots=True)
class UpdateTemplate:
    """A text to begin a status update with, for a severity and a phase; '' is any.

    ``{components}``, ``{severity}``, ``{next}`` (when the next update comes) and ``{began}`` in
    ``text`` and ``headline`` are filled in.
    """

    name: str
    text: str
    severity: str = ""
    phase: str = ""
    headline: str = ""


UPDATE_TEMPLATES: tuple[UpdateTemplate, ...] = (
    UpdateTemplate(
        "outage", "{components} cannot be used at present. We are looking for the cause."
        " We will say more {next}.", "SEV1", "investigating", "{components}: not available",
    ),
    UpdateTemplate(
        "degraded", "Some users meet errors or long waits with {components}. We are looking for the"
        " cause. We will say more {next}.", "SEV2", "investigating", "{components}: some errors",
    ),
    UpdateTemplate(
        "minor", "A few users may meet trouble with {components}. We are looking into it.",
        "SEV3", "investigating", "{components}: trouble for a few",
    ),
    UpdateTemplate(
        "identified", "We know what is wrong with {components} and are mending it."
        " We will say more {next}.", "", "identified",
    ),
    UpdateTemplate(
        "monitoring", "{components} should work again. We watch whether it stays so.",
        "", "monitoring",
    ),
    UpdateTemplate(
        "resolved", "{components} works as usual again. We are sorry for the trouble, and will look"
        " into how to keep it from coming back.", "", "resolved",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class StatusPageDefinition:
    """A page that tells others. ``public``: readable by anybody, without signing in.

    ``measured``: the share of good requests is shown; None: only on a page that is not public.
    ``export``: a directory into which the engine writes the page as files; '' is none.
    """

    name: str
    display_name: str
    place: Place
    public: bool = False
    components: tuple[ComponentDefinition, ...] = ()
    url: str = ""  # where the world sees it, for links in mails and feeds
    channel: str = ""  # the e-mail channel that mails to subscribers
    description: str = ""
    webhooks: str = ""  # the webhook channel that posts to subscribers; it needs a secret
    measured: bool | None = None
    templates: tuple[UpdateTemplate, ...] = ()
    export: str = ""


class TrackerKind(StrEnum):
    """Where action items live beside our own board."""

    GITHUB = "github"
    GITLAB = "gitlab"
    JIRA = "jira"


@dataclass(frozen=True, slots=True)
class TrackerDefinition:
    """Another tracker. ``settings``: url, project, token … with references to secrets."""

    name: str
    kind: TrackerKind
    settings: Mapping[str, Any]
    place: Place
    teams: tuple[str, ...] = ()  # whose items go there; empty: everybody's


@dataclass(frozen=True, slots=True)
class Response:
    """All of this that a directory defines; mappings by name, in the order written."""

    severities: Mapping[str, SeverityDefinition] = field(default_factory=lambda: dict(SEVERITIES))
    roles: Mapping[str, RoleDefinition] = field(default_factory=lambda: dict(ROLES))
    mitigations: Mapping[str, MitigationDefinition] = field(default_factory=dict)
    status_pages: Mapping[str, StatusPageDefinition] = field(default_factory=dict)
    trackers: Mapping[str, TrackerDefinition] = field(default_factory=dict)
    reviewers: tuple[EscalationTarget, ...] = ()


NO_RESPONSE = Response()
