"""Incident policy, status pages and trackers as written. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from watchkeeper.spec.duty import ChannelType, Duty, EscalationTarget
from watchkeeper.spec.duty_fields import DutyRead, begin, delay, items, reference
from watchkeeper.spec.duty_people import read_targets
from watchkeeper.spec.reader import Reader, did_you_mean
from watchkeeper.spec.response import (
    DAY,
    ROLES,
    SEVERITIES,
    ComponentDefinition,
    MitigationDefinition,
    Response,
    RoleDefinition,
    SeverityDefinition,
    StatusPageDefinition,
    TrackerDefinition,
    TrackerKind,
    UpdateTemplate,
)

POLICY_KEYS = ("severities", "roles", "reviewers")
SEVERITY_KEYS = (
    "name", "title", "description", "updateEvery", "firstPublic", "postmortemWithin",
    "actionWithin",
)  # fmt: skip
ROLE_KEYS = ("name", "title", "description", "targets", "severities")
PAGE_KEYS = (
    "public", "url", "channel", "webhooks", "measured", "export", "components", "templates",
)  # fmt: skip
COMPONENT_KEYS = ("name", "title", "description", "group", "journeys", "services", "slos")
TEMPLATE_KEYS = ("name", "severity", "phase", "headline", "text")
TEMPLATE_FIELDS = ("components", "severity", "began", "next")
TRACKER_KEYS = ("type", "settings", "teams")
_TRACKER = ("url", "token*", "users", "allow_private")
TRACKER_SETTINGS: Mapping[TrackerKind, tuple[str, ...]] = {
    TrackerKind.GITHUB: ("repository*", *_TRACKER),
    TrackerKind.GITLAB: ("project*", *_TRACKER),
    TrackerKind.JIRA: ("url*", "project*", "username", "issue_type", *_TRACKER[1:]),
}
"""The settings of each type of tracker; ``*`` marks those that must be there."""
TELLS = {"channel": (ChannelType.EMAIL, "mails"), "webhooks": (ChannelType.WEBHOOK, "posts")}
COMMANDER = "commander"
NEVER = "never"
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,62}")
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass
class ResponseRead:
    """What was read so far."""

    mitigations: dict[str, MitigationDefinition] = field(default_factory=dict)
    status_pages: dict[str, StatusPageDefinition] = field(default_factory=dict)
    trackers: dict[str, TrackerDefinition] = field(default_factory=dict)
    severities: dict[str, SeverityDefinition] = field(default_factory=dict)
    roles: dict[str, RoleDefinition] = field(default_factory=dict)
    reviewers: tuple[EscalationTarget, ...] = ()
    policy: Reader | None = None
    """The incident policy: there is one."""
    channels: list[tuple[Reader, str, str]] = field(default_factory=list)
    """Status pages, by the reader of their spec, and the key and channel that tell for each."""
    templates: list[tuple[Reader, str]] = field(default_factory=list)
    """Texts for status updates, and the severity that each is for."""


def resolve_response(read: ResponseRead, duty: Duty) -> Response:
    """The definitions; a channel that cannot send mail is noted where it is named."""
    for spec, key, name in read.channels:
        channel = duty.channels.get(name)
        wanted, does = TELLS[key]
        if channel is not None and channel.type is not wanted:
            spec.fault(
                "bad-value", f"channel '{name}' is of type {channel.type}",
                f"a channel of type {wanted}, which {does} to subscribers", key=key,
            )  # fmt: skip
        elif channel is not None and key == "webhooks" and "secret" not in channel.settings:
            spec.fault(
                "missing", f"channel '{name}' has no secret", "one, which signs what is posted",
                f"add secret: {{env: …}} to the settings of '{name}'", key=key,
            )  # fmt: skip
    severities = read.severities or dict(SEVERITIES)
    for item, severity in read.templates:
        if severity not in severities:
            _no_severity(item, severity, severities, "severity")
    return Response(
        severities,
        read.roles or dict(ROLES),
        read.mitigations,
        read.status_pages,
        read.trackers,
        read.reviewers,
    )


# ---------------------------------------------------------------- how incidents are led


def read_incident_policy(reader: Reader, duty: DutyRead, response: ResponseRead) -> None:
    """Severities, roles, and who reviews postmortems."""
    begun = begin(reader, duty, POLICY_KEYS)
    if begun is None:
        return
    _, _, spec = begun
    if response.policy is not None:
        reader.fault(
            "duplicate", "there are two incident policies", "one for the whole directory",
            f"make them one; the first stands at {response.policy.place()}",
        )  # fmt: skip
        return
    response.policy = reader
    response.severities = _severities(spec)
    response.roles = _roles(spec, duty, response.severities or SEVERITIES)
    response.reviewers = read_targets(spec, "reviewers", duty)


def _named(spec: Reader, key: str, keys: Iterable[str]) -> list[tuple[Reader, str]]:
    """The items of a list that have names of their own."""
    found: dict[str, Reader] = {}
    for item in spec.children(key):
        item.only(*keys)
        name = item.text("name", required=True)
        if name and not _NAME.fullmatch(name):
            item.fault(
                "bad-value", f"'{name}' is no name", "letters, digits, '.', '-' and '_'",
                key="name",
            )  # fmt: skip
        elif name in found:
            item.fault(
                "duplicate", f"'{name}' stands twice in '{key}'", "a name of its own",
                f"rename one of them; the first stands at {found[name].place('name')}", key="name",
            )  # fmt: skip
        elif name:
            found[name] = item
    if spec.has(key) and not spec.data[key]:
        spec.fault("missing", f"'{key}' is empty", "at least one", "list them", key=key)
    return [(item, name) for name, item in found.items()]


def _severities(spec: Reader) -> dict[str, SeverityDefinition]:
    found = {}
    for item, name in _named(spec, "severities", SEVERITY_KEYS):
        usual = SEVERITIES.get(name)
        base = usual or SeverityDefinition(name, "", "", None, None, None, 30 * DAY)
        found[name] = replace(
            base,
            title=item.text("title", required=usual is None) or base.title,
            description=item.text("description", required=usual is None) or base.description,
            update_every=_until(item, "updateEvery", base.update_every),
            first_public=_until(item, "firstPublic", base.first_public),
            postmortem_within=_until(item, "postmortemWithin", base.postmortem_within),
            action_within=delay(item, "actionWithin", base.action_within),
        )
    return found


def _until(item: Reader, key: str, usual: float | None) -> float | None:
    """Seconds; None for ``never``."""
    if not item.has(key):
        return usual
    if item.text(key).strip().lower() == NEVER:
        return None
    found = delay(item, key, -1.0)
    if 0 <= found < 60:
        item.fault(
            "bad-value", f"'{key}' is {item.text(key)}", "at least 1m, or never", key=key
        )  # fmt: skip
    return found


def _roles(
    spec: Reader, duty: DutyRead, severities: Mapping[str, SeverityDefinition]
) -> dict[str, RoleDefinition]:
    found = {}
    for item, name in _named(spec, "roles", ROLE_KEYS):
        usual = ROLES.get(name)
        wanted = (usual or RoleDefinition(name, "", "")).severities
        base = usual or RoleDefinition(name, "", "")
        found[name] = replace(
            base,
            title=item.text("title", required=usual is None) or base.title,
            description=item.text("description") or base.description,
            targets=read_targets(item, "targets", duty),
            severities=known_severities(item, severities) if item.has("severities") else wanted,
        )
    if found and COMMANDER not in found:
        spec.fault(
            "missing", f"no role is '{COMMANDER}'", "somebody who leads, in every incident",
            f"add {{name: {COMMANDER}}}", key="roles",
        )  # fmt: skip
    return found


def known_severities(item: Reader, severities: Mapping[str, SeverityDefinition]) -> tuple[str, ...]:
    """The ``severities`` that are named and defined; others are pointed out."""
    found = []
    for at, name in items(item, "severities"):
        if name in severities:
            found.append(name)
            continue
        _no_severity(at, name, severities)
    return tuple(found)


def _no_severity(
    at: Reader, name: str, severities: Mapping[str, SeverityDefinition], key: str | None = None
) -> None:
    at.fault(
        "dangling", f"there is no severity '{name}'", f"one of: {', '.join(severities)}",
        did_you_mean(name, severities) or f"define it, or mend '{key or 'severities'}'", key=key,
    )  # fmt: skip


# ---------------------------------------------------------------- status pages


def read_status_page(reader: Reader, duty: DutyRead, response: ResponseRead) -> None:
    """A page that tells users, or the company, how things are."""
    begun = begin(reader, duty, PAGE_KEYS)
    if begun is None:
        return
    name, display, spec = begun
    if not spec.has("components"):
        spec.lacks("components", "what it shows, e.g. [{name: checkout, journeys: [checkout]}]")
    components = _together(
        _component(item, name, duty) for item, name in _named(spec, "components", COMPONENT_KEYS)
    )
    url = web_address(spec, "url")
    found = {key: duty.refer(spec, key, "Channel") for key in TELLS}
    response.channels += [(spec, key, channel) for key, channel in found.items() if channel]
    named = _named(spec, "templates", TEMPLATE_KEYS)
    templates = tuple(t for item, called in named for t in _template(item, called))
    response.templates += [
        (item, item.text("severity")) for item, _ in named if item.has("severity")
    ]
    response.status_pages[name] = StatusPageDefinition(
        name, display, reader.place(), spec.flag("public"), components, url, found["channel"],
        spec.text("description"), found["webhooks"],
        spec.flag("measured") if spec.has("measured") else None, templates, spec.text("export"),
    )  # fmt: skip


def _template(item: Reader, name: str) -> list[UpdateTemplate]:
    phase = item.choice("phase", ("investigating", "identified", "monitoring", "resolved"))
    made = UpdateTemplate(
        name, item.text("text", required=True), item.text("severity"), phase, item.text("headline")
    )
    for key in ("text", "headline"):
        for used in re.findall(r"\{([^{}]*)\}", getattr(made, key)):
            if used not in TEMPLATE_FIELDS:
                item.fault(
                    "bad-value", f"'{{{used}}}' is no field",
                    ", ".join(f"{{{f}}}" for f in TEMPLATE_FIELDS), key=key,
                )  # fmt: skip
    return [made] if made.text else []


def _together(components: Iterable[ComponentDefinition]) -> tuple[ComponentDefinition, ...]:
    """In their order, but those of a group beside its first."""
    found: dict[tuple[str, str], list[ComponentDefinition]] = {}
    for each in components:
        found.setdefault((each.group, "" if each.group else each.name), []).append(each)
    return tuple(c for its in found.values() for c in its)


def _component(item: Reader, name: str, duty: DutyRead) -> ComponentDefinition:
    journeys = referred(item, "journeys", "Journey", duty)
    services = referred(item, "services", "Service", duty)
    slos = referred(item, "slos", "SLO", duty)
    if not journeys and not services and not slos:
        item.fault(
            "missing", f"nothing tells how '{name}' is", "journeys, services or slos",
            "add journeys: [checkout]",
        )  # fmt: skip
    title = item.text("title") or name
    about, group = item.text("description"), item.text("group")
    return ComponentDefinition(name, title, about, journeys, services, slos, group)


def referred(reader: Reader, key: str, kind: str, duty: DutyRead) -> tuple[str, ...]:
    """The names in a list, each of which must be a defined ``kind``."""
    found = [duty.refer(at, key, kind, name) for at, name in items(reader, key)]
    return tuple(dict.fromkeys(found))


def web_address(reader: Reader, key: str) -> str:
    """An http or https address; '' when absent."""
    text = reader.text(key).strip()
    if text and not re.fullmatch(r"https?://[^\s/@]+(/\S*)?", text):
        fix = "" if "://" in text else f"write https://{text}"
        expected = "an address such as https://…, without a password"
        reader.fault("bad-url", f"'{key}' is '{text}'", expected, fix, key)
    return text


# ---------------------------------------------------------------- trackers


def read_tracker(reader: Reader, duty: DutyRead, response: ResponseRead) -> None:
    """A tracker in which action items live too."""
    begun = begin(reader, duty, TRACKER_KEYS)
    if begun is None:
        return
    name, _, spec = begun
    written = spec.choice("type", [str(k) for k in TrackerKind], required=True)
    settings = spec.child("settings", required=True)
    teams = referred(spec, "teams", "Team", duty)
    if not written or settings is None:
        return
    kind = TrackerKind(written)
    check_known(settings, kind, TRACKER_SETTINGS[kind])
    for key in ("repository", "project", "username", "issue_type"):
        settings.text(key)
    repository = settings.data.get("repository")
    if isinstance(repository, str) and not _REPOSITORY.fullmatch(repository):
        settings.fault(
            "bad-value", f"'repository' is '{repository}'", "owner/name, e.g. shop/web",
            key="repository",
        )  # fmt: skip
    web_address(settings, "url")
    settings.flag("allow_private")
    only_reference(settings, "token")
    users = settings.child("users")
    for user in users.data if users else ():
        duty.refer(settings.at("users"), user, "User", user)
    data: dict[str, Any] = dict(settings.data)
    response.trackers[name] = TrackerDefinition(name, kind, data, reader.place(), teams)


def check_known(settings: Reader, kind: str, known: tuple[str, ...]) -> None:
    """Point out settings that are unknown or missing."""
    settings.only(*(k.rstrip("*") for k in known))
    for key in known:
        if key.endswith("*") and not settings.has(key[:-1]):
            settings.lacks(key[:-1], f"what {kind} needs")


def only_reference(settings: Reader, key: str) -> None:
    """Point out a secret that is written, or a reference that is none."""
    if not settings.has(key):
        return
    if isinstance(settings.data[key], str):
        in_clear(settings, key)
    else:
        reference(settings, key)


def in_clear(reader: Reader, key: str) -> None:
    """Point out a secret that everybody who reads the repository finds."""
    reader.fault(
        "secret-in-spec", f"'{key}' is written in the clear",
        "a reference to where the secret is",
        f"write {key}: {{env: NAME}} or {key}: {{file: PATH}}", key=key,
    )  # fmt: skip
