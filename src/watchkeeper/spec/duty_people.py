"""Users, schedules and escalation policies as written. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from watchkeeper.spec.duty import (
    ChannelDefinition,
    ContactDefinition,
    EscalationPolicyDefinition,
    EscalationStep,
    EscalationTarget,
    HeartbeatDefinition,
    IntegrationDefinition,
    LayerDefinition,
    MaintenanceDefinition,
    NotifyRule,
    Restriction,
    RotationKind,
    ScheduleDefinition,
    TargetKind,
    TriageRule,
    UserDefinition,
)
from watchkeeper.spec.model import AlertPolicyDefinition
from watchkeeper.spec.openslo import metadata
from watchkeeper.spec.reader import Reader
from watchkeeper.spec.zones import zone_problems

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)")


@dataclass
class DutyRead:
    """What was read so far, with the readers that later say what is wrong with references."""

    users: dict[str, UserDefinition] = field(default_factory=dict)
    schedules: dict[str, ScheduleDefinition] = field(default_factory=dict)
    policies: dict[str, EscalationPolicyDefinition] = field(default_factory=dict)
    channels: dict[str, ChannelDefinition] = field(default_factory=dict)
    integrations: dict[str, IntegrationDefinition] = field(default_factory=dict)
    heartbeats: dict[str, HeartbeatDefinition] = field(default_factory=dict)
    triage: dict[str, TriageRule] = field(default_factory=dict)
    maintenance: dict[str, MaintenanceDefinition] = field(default_factory=dict)
    alert_policies: dict[str, AlertPolicyDefinition] = field(default_factory=dict)
    references: list[tuple[Reader, str, str, str]] = field(default_factory=list)
    """(reader, key, kind, name) of everything that must be defined somewhere."""

    def refer(self, reader: Reader, key: str, kind: str, name: str) -> str:
        """Note that ``name`` must be a defined ``kind``; gives the name back."""
        if name:
            self.references.append((reader, key, kind, name))
        return name


def read_user(reader: Reader, duty: DutyRead) -> None:
    """A person who can be on call."""
    name, display, *_ = metadata(reader)
    spec = reader.child("spec") or Reader(reader.document, ("spec",), {}, reader.findings)
    spec.only("description", "timeZone", "team", "contacts", "page", "ticket")
    contacts = []
    for item in spec.children("contacts"):
        item.only("channel", "address")
        channel = duty.refer(item, "channel", "Channel", item.text("channel", required=True))
        address = item.text("address", required=True)
        if channel and address:
            contacts.append(ContactDefinition(channel, address))
    ways = {c.channel for c in contacts}
    if not contacts:
        spec.warn(
            "no-contact",
            f"nothing reaches {name or 'this user'}",
            "at least one contact",
            "add contacts: [{channel: …, address: …}]",
        )
    made = UserDefinition(
        name,
        display,
        reader.place(),
        zone_of(spec),
        duty.refer(spec, "team", "Team", spec.text("team")) or None,
        tuple(contacts),
        _rules(spec, "page", ways),
        _rules(spec, "ticket", ways),
    )
    if name:
        duty.users[name] = made


def _rules(spec: Reader, key: str, ways: set[str]) -> tuple[NotifyRule, ...]:
    found = []
    for item in spec.children(key):
        item.only("after", "channel")
        after = item.duration("after", bare="m") if item.text("after") not in ("", "0") else None
        channel = item.text("channel", required=True)
        if channel and channel not in ways:
            item.fault(
                "no-contact",
                f"there is no contact by '{channel}'",
                f"one of: {', '.join(sorted(ways))}" if ways else "a contact by that channel",
                "add it to 'contacts'",
                key="channel",
            )
        found.append(NotifyRule(after.seconds if after else 0.0, channel))
    return tuple(sorted(found, key=lambda r: r.after))


def zone_of(spec: Reader) -> str:
    """The time zone, UTC when none is written."""
    zone = spec.text("timeZone")
    for key, message, expected, fix in zone_problems("", zone):
        spec.fault("bad-zone", message, expected, fix, key=key)
        return "UTC"
    return zone or "UTC"


def local_time(spec: Reader, key: str, required: bool = False) -> str:
    """A naive local time; '' when absent or wrong."""
    found = spec.text(key, required, "local time such as 2026-01-05T09:00").replace(" ", "T")
    for _, message, expected, _ in zone_problems(found, ""):
        spec.fault("bad-time", message, expected, key=key)
        return ""
    return found


# ---------------------------------------------------------------- schedules


def read_schedule(reader: Reader, duty: DutyRead) -> None:
    """A schedule."""
    name, display, *_ = metadata(reader)
    spec = reader.child("spec", required=True)
    if spec is None or not name:
        return
    spec.only(
        "description", "timeZone", "team", "layers", "holidays", "holidayUsers", "mayBeEmpty",
        "ical",
    )  # fmt: skip
    layers = tuple(x for i in spec.children("layers") if (x := _layer(i, duty)) is not None)
    if not (layers or spec.has("layers") or spec.has("ical")):
        spec.fault("missing", "nobody is ever on call", "'layers' or 'ical'", "add layers:")
    holidays = spec.texts("holidays")
    for day in holidays:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", day):
            spec.fault(
                "bad-time", f"'{day}' is no date", "a date such as 2026-12-25", key="holidays"
            )
    stand_ins = spec.texts("holidayUsers")
    for user in stand_ins:
        duty.refer(spec, "holidayUsers", "User", user)
    duty.schedules[name] = ScheduleDefinition(
        name,
        display,
        reader.place(),
        zone_of(spec),
        duty.refer(spec, "team", "Team", spec.text("team")) or None,
        layers,
        holidays,
        stand_ins,
        spec.flag("mayBeEmpty"),
        spec.text("ical"),
    )


def _layer(item: Reader, duty: DutyRead) -> LayerDefinition | None:
    item.only("name", "users", "rotation", "every", "start", "end", "restrictions", "shadow")
    users = item.texts("users")
    if not users:
        item.lacks("users", "who takes turns, e.g. [ann, ben]")
    for entry in users:
        for user in entry.split("+"):
            if user.strip() != "-":
                duty.refer(item, "users", "User", user.strip())
    kind = item.choice("rotation", [str(k) for k in RotationKind]) or "weekly"
    every = whole(item, "every", 1)
    start = local_time(item, "start", required=True)
    end = local_time(item, "end")
    if start and end and end <= start:
        item.fault("bad-value", "'end' is not after 'start'", "a later time", key="end")
    if not users or not start:
        return None
    return LayerDefinition(
        item.text("name") or kind,
        tuple("+".join(u.strip() for u in entry.split("+")) for entry in users),
        RotationKind(kind),
        every,
        start,
        end or None,
        tuple(x for i in item.children("restrictions") if (x := _restriction(i)) is not None),
        item.flag("shadow"),
    )


def whole(item: Reader, key: str, default: int, least: int = 1) -> int:
    """A whole number of at least ``least``."""
    number = item.number(key)
    if number is None:
        return default
    if number != int(number) or number < least:
        item.fault("bad-value", f"'{key}' is {number}", f"a whole number from {least}", key=key)
        return default
    return int(number)


def _restriction(item: Reader) -> Restriction | None:
    item.only("days", "from", "to")
    days = []
    for day in item.texts("days"):
        short = day.strip().lower()[:3]
        if short in DAYS:
            days.append(DAYS.index(short))
        else:
            item.fault("bad-value", f"'{day}' is no day", f"one of {', '.join(DAYS)}", key="days")
    start, end = _clock(item, "from", 0), _clock(item, "to", 1440)
    if start is None or end is None:
        return None
    return Restriction(tuple(sorted(set(days))), start, end)


def _clock(item: Reader, key: str, default: int) -> int | None:
    written = item.data.get(key)
    if written is None:
        return default
    if isinstance(written, int) and not isinstance(written, bool) and 0 <= written <= 1440:
        return written  # YAML 1.1 reads 17:00 without quotes as 1020: minutes, luckily
    found = _CLOCK.fullmatch(str(written).strip())
    minutes = int(found[1]) * 60 + int(found[2]) if found else 9999
    if minutes > 1440:
        item.fault("bad-time", f"'{key}' is '{written}'", "a time of day such as 09:00", key=key)
        return None
    return minutes


# ---------------------------------------------------------------- escalation policies


def read_escalation(reader: Reader, duty: DutyRead) -> None:
    """An escalation policy."""
    name, display, *_ = metadata(reader)
    spec = reader.child("spec", required=True)
    if spec is None or not name:
        return
    spec.only("description", "team", "steps", "repeat", "fallback", "ackExpires")
    steps = []
    for item in spec.children("steps", required=True):
        item.only("notify", "wait")
        targets = _targets(item, "notify", duty)
        wait = item.duration("wait", bare="m")
        if wait is not None and not 30 <= wait.seconds <= 86_400:
            item.fault("bad-value", f"'wait' is {wait}", "from 30s to 24h", key="wait")
        if not targets:
            item.lacks("notify", "whom to call, e.g. [{schedule: primary}]")
        steps.append(EscalationStep(targets, wait.seconds if wait else 300.0))
    if spec.has("steps") and not steps:
        spec.fault("missing", "'steps' is empty", "at least one step", "add one", key="steps")
    duty.policies[name] = EscalationPolicyDefinition(
        name,
        display,
        reader.place(),
        tuple(steps),
        whole(spec, "repeat", 2, 0),
        _targets(spec, "fallback", duty),
        _expiry(spec),
        duty.refer(spec, "team", "Team", spec.text("team")) or None,
    )


def _expiry(spec: Reader) -> float | None:
    if spec.text("ackExpires").lower() == "never":
        return None
    found = spec.duration("ackExpires", bare="m")
    if found is not None and found.seconds < 60:
        spec.fault(
            "bad-value", f"'ackExpires' is {found}", "at least 1m, or never", key="ackExpires"
        )
    return found.seconds if found else 3600.0


_KINDS = {"schedule": "Schedule", "user": "User", "team": "Team", "channel": "Channel"}


def _targets(reader: Reader, key: str, duty: DutyRead) -> tuple[EscalationTarget, ...]:
    found: list[EscalationTarget] = []
    for item in reader.children(key):
        item.only(*_KINDS, "address")
        named = [k for k in _KINDS if item.has(k)]
        if len(named) != 1:
            item.fault(
                "bad-target",
                "a target names one thing",
                f"exactly one of {', '.join(_KINDS)}",
                "write each as an item of its own",
            )
            continue
        kind = named[0]
        name = duty.refer(item, kind, _KINDS[kind], item.text(kind))
        address = item.text("address")
        if kind == "channel" and not address:
            item.lacks("address", "where in the channel, e.g. '#ops'")
        if kind != "channel" and address:
            item.fault("bad-target", "only channels have an address", "no 'address'", key="address")
        found.append(EscalationTarget(TargetKind(kind), name, address))
    return tuple(found)
