"""What users write about people, schedules, escalation and alerts: immutable definitions.

The words are the field's own: a *user* is a person who can be on call; a *schedule* has *layers*,
each a *rotation* of users; an *escalation policy* has *steps*; a *channel* is a way to send; an
*integration* is a door through which other systems' alerts come in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from watchkeeper.kernel.duration import Duration
from watchkeeper.spec.findings import Place

# ---------------------------------------------------------------- people


@dataclass(frozen=True, slots=True)
class ContactDefinition:
    """A way to reach a user: ``channel`` names a ChannelDefinition, ``address`` is in its terms.

    An address that is a secret is kept as ``{env: NAME}`` or ``{file: PATH}`` and resolved only
    when a message is sent (see `kernel.secrets`).
    """

    channel: str
    address: str


@dataclass(frozen=True, slots=True)
class NotifyRule:
    """``after`` seconds from the time the user is called, tell them by ``channel``."""

    after: float
    channel: str


@dataclass(frozen=True, slots=True)
class UserDefinition:
    """A person who can be on call.

    ``page`` and ``ticket`` are the notification rules by urgency; empty: every contact at once,
    in the order written.
    """

    name: str
    display_name: str
    place: Place
    time_zone: str = "UTC"
    team: str | None = None
    contacts: tuple[ContactDefinition, ...] = ()
    page: tuple[NotifyRule, ...] = ()
    ticket: tuple[NotifyRule, ...] = ()


# ---------------------------------------------------------------- schedules


class RotationKind(StrEnum):
    """What a turn of a rotation is counted in."""

    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


@dataclass(frozen=True, slots=True)
class Restriction:
    """Hours in which a layer is in force, in the schedule's time zone.

    ``days``: 0 is Monday; empty: every day. ``start``/``end``: minutes of the day; an end at or
    before the start runs into the next day (``days`` are those on which it starts).
    """

    days: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class LayerDefinition:
    """A rotation: from ``start`` (naive local ISO time) on, turns of ``every`` × ``kind``.

    A handover keeps its local time of day through daylight saving time; hourly turns are counted in
    elapsed hours. An entry of ``users`` is one person or several, joined with '+', on call
    together; '-' is nobody. ``shadow`` layers are shown and told, never relied on.
    """

    name: str
    users: tuple[str, ...]
    kind: RotationKind
    every: int
    start: str
    end: str | None = None
    restrictions: tuple[Restriction, ...] = ()
    shadow: bool = False


@dataclass(frozen=True, slots=True)
class ScheduleDefinition:
    """Who is on call when: a later layer covers those before it, wherever it is in force.

    ``holidays`` are local dates (ISO) on which ``holiday_users`` (when given) stand in for
    everybody. ``may_be_empty``: gaps are intended and raise no alert. ``ical``: a calendar that is
    read instead of layers (https URL or file; an event's summary is the user's name).
    """

    name: str
    display_name: str
    place: Place
    time_zone: str = "UTC"
    team: str | None = None
    layers: tuple[LayerDefinition, ...] = ()
    holidays: tuple[str, ...] = ()
    holiday_users: tuple[str, ...] = ()
    may_be_empty: bool = False
    ical: str = ""


# ---------------------------------------------------------------- escalation


class TargetKind(StrEnum):
    """Whom a step of an escalation policy calls."""

    SCHEDULE = "schedule"
    USER = "user"
    TEAM = "team"
    CHANNEL = "channel"


@dataclass(frozen=True, slots=True)
class EscalationTarget:
    """A target; ``address`` is for channels (a Slack channel's id, an e-mail address, …)."""

    kind: TargetKind
    name: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class EscalationStep:
    """Call these targets, then wait ``wait`` seconds for an acknowledgement."""

    targets: tuple[EscalationTarget, ...]
    wait: float


@dataclass(frozen=True, slots=True)
class EscalationPolicyDefinition:
    """Steps in order, the whole ``repeat`` times more, then the fallback, again and again.

    ``ack_expires``: seconds after which an acknowledgement lapses and the escalation starts anew;
    None: never. ``drill``: a cron expression in ``drill_zone``, the times at which a fire drill
    goes through the policy; '' is never.
    """

    name: str
    display_name: str
    place: Place
    steps: tuple[EscalationStep, ...]
    repeat: int = 2
    fallback: tuple[EscalationTarget, ...] = ()
    ack_expires: float | None = 3600.0
    team: str | None = None
    drill: str = ""
    drill_zone: str = "UTC"


# ---------------------------------------------------------------- channels, alerts in


class ChannelType(StrEnum):
    """The ways to send that we know."""

    EMAIL = "email"
    NTFY = "ntfy"
    SLACK = "slack"
    MATRIX = "matrix"
    WEBHOOK = "webhook"
    SMS = "sms"
    VOICE = "voice"
    PAGERDUTY = "pagerduty"
    OPSGENIE = "opsgenie"
    APPRISE = "apprise"
    GRAFANA = "grafana"  # annotations: it is told of changes
    INBOX = "inbox"  # a page of our own, for demonstrations and tests


@dataclass(frozen=True, slots=True)
class ChannelDefinition:
    """A way to send, with its settings (those of its type; secrets by ``{env: …}``/``{file: …}``).

    email:     host*, port (587), tls ("starttls"|"tls"|"none"), username, password, from*
    ntfy:      url (https://ntfy.sh), token, username, password; the address is the topic
    slack:     token*, signing_secret, url (https://slack.com/api); the address is a channel or user
    matrix:    url*, token*; the address is a room id
    webhook:   secret (signs the body), changes (a URL for each change); the address is a URL
    sms/voice: account_sid*, auth_token*, from*, url (https://api.twilio.com); address: E.164
    pagerduty: url (https://events.pagerduty.com); the address is the routing key
    opsgenie:  url (https://api.opsgenie.com), the address is the API key
    grafana:   url*, token*; is told of each change; the address is a tag
    apprise:   (none); the address is an Apprise URL
    All: allow_private (false): may reach addresses of private networks; timeout ("10s");
    per_minute (a limit of messages, unlimited).
    """

    name: str
    type: ChannelType
    settings: Mapping[str, Any]
    place: Place


class IntegrationType(StrEnum):
    """The ways in which other systems tell us of alerts and of changes."""

    PAGERDUTY = "pagerduty"
    ALERTMANAGER = "alertmanager"
    OPSGENIE = "opsgenie"
    GRAFANA = "grafana"
    CLOUDEVENTS = "cloudevents"
    EMAIL = "email"
    GENERIC = "generic"
    GITHUB = "github"
    GITLAB = "gitlab"
    ARGOCD = "argocd"
    CHANGES = "changes"


@dataclass(frozen=True, slots=True)
class IntegrationDefinition:
    """A door for alerts and changes. ``wk integration key`` makes its keys, kept as hashes.

    ``service``: for alerts that name none that we know. ``mapping`` (generic, changes): our field →
    a path in the JSON (``a.b[0].c``) or a template with ``{{path}}``. ``auto_close``: seconds
    without news after which an alert is closed. ``per_minute``: alerts accepted a minute.
    ``secret`` (github, gitlab): a reference to what their webhooks are signed with; '' is the key.
    """

    name: str
    type: IntegrationType
    place: Place
    service: str | None = None
    escalation_policy: str | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)
    auto_close: float | None = None
    per_minute: int = 60_000
    secret: str = ""


@dataclass(frozen=True, slots=True)
class HeartbeatDefinition:
    """Something that must report: by ``every`` (seconds) or a cron expression, with ``grace``."""

    name: str
    place: Place
    every: float | None = None
    cron: str = ""
    time_zone: str = "UTC"
    grace: float = 300.0
    service: str | None = None
    urgency: str = "page"


@dataclass(frozen=True, slots=True)
class Matcher:
    """``label op value``; op is ``=``, ``!=``, ``=~`` or ``!~`` (anchored, as in Alertmanager)."""

    label: str
    op: str
    value: str


@dataclass(frozen=True, slots=True)
class TriageRule:
    """What to do with alerts that match all of ``matchers``; rules are tried in order.

    The first that matches decides. Labels of an alert include service, severity, integration,
    source, component, group, class and summary.
    """

    name: str
    matchers: tuple[Matcher, ...]
    place: Place
    escalation_policy: str | None = None
    urgency: str | None = None  # page, ticket or info
    service: str | None = None
    drop: bool = False
    auto_close: float | None = None


@dataclass(frozen=True, slots=True)
class MaintenanceDefinition:
    """A recurring or single silence: from ``start`` (naive local) for ``duration`` seconds.

    ``rrule`` is an RFC 5545 recurrence without DTSTART; '' is once. ``status_pages``: those that
    announce it, as ``title`` and ``text``, for ``components`` of theirs (empty: all).
    """

    name: str
    matchers: tuple[Matcher, ...]
    place: Place
    start: str
    duration: float
    time_zone: str = "UTC"
    rrule: str = ""
    reason: str = ""
    status_pages: tuple[str, ...] = ()
    title: str = ""
    text: str = ""
    components: tuple[str, ...] = ()


# ---------------------------------------------------------------- alert policies


@dataclass(frozen=True, slots=True)
class ExhaustionRule:
    """Budget gone within ``within`` seconds → ``urgency``; with or without roll-off."""

    within: float
    urgency: str
    roll_off: bool = True


@dataclass(frozen=True, slots=True)
class BurnRule:
    """Burn rate of at least ``factor`` over both windows → ``urgency``."""

    long: Duration
    short: Duration
    factor: float
    urgency: str


@dataclass(frozen=True, slots=True)
class ConsumedRule:
    """At least ``share`` (0 to 1 and above) of the budget is consumed → ``urgency``."""

    share: float
    urgency: str


@dataclass(frozen=True, slots=True)
class NoDataRule:
    """Nothing was measured for ``after`` seconds → ``urgency``."""

    after: float
    urgency: str


AlertRule = ExhaustionRule | BurnRule | ConsumedRule | NoDataRule


@dataclass(frozen=True, slots=True)
class Guards:
    """What keeps a rule from firing on thin evidence or flapping.

    ``min_events`` and ``min_bad`` are counted over the rule's long window (exhaustion: the last
    hour). ``significance``: an exact one-sided binomial test against the target must be below it;
    None: not asked. ``hold`` seconds a rule must be false before its alert closes.
    """

    min_events: float = 0.0
    min_bad: float = 0.0
    significance: float | None = None
    hold: float = 0.0


@dataclass(frozen=True, slots=True)
class MirrorDefinition:
    """A chat in which each incident gets a room that says the same.

    ``channel``: of type slack or matrix. ``severities``: of which incidents; empty: of all.
    ``prefix``: how names of rooms begin. ``invite``: users who are asked in beside those with a
    role. ``private``: only who is asked in can read.
    """

    name: str
    channel: str
    place: Place
    severities: tuple[str, ...] = ()
    prefix: str = "inc"
    private: bool = True
    drills: bool = False
    invite: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Duty:
    """All of this that a directory defines; mappings by name, in the order written."""

    users: Mapping[str, UserDefinition] = field(default_factory=dict)
    schedules: Mapping[str, ScheduleDefinition] = field(default_factory=dict)
    escalation_policies: Mapping[str, EscalationPolicyDefinition] = field(default_factory=dict)
    channels: Mapping[str, ChannelDefinition] = field(default_factory=dict)
    integrations: Mapping[str, IntegrationDefinition] = field(default_factory=dict)
    heartbeats: Mapping[str, HeartbeatDefinition] = field(default_factory=dict)
    triage: Mapping[str, TriageRule] = field(default_factory=dict)
    maintenance: Mapping[str, MaintenanceDefinition] = field(default_factory=dict)
    mirrors: Mapping[str, MirrorDefinition] = field(default_factory=dict)


NO_DUTY = Duty()
NO_GUARDS = Guards()
