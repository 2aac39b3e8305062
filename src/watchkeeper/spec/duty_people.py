"""Users and escalation policies as written. Pure."""

from __future__ import annotations

from watchkeeper.spec.duty import (
    ContactDefinition,
    EscalationPolicyDefinition,
    EscalationStep,
    EscalationTarget,
    NotifyRule,
    TargetKind,
    UserDefinition,
)
from watchkeeper.spec.duty_fields import (
    DutyRead,
    address,
    begin,
    check_cron,
    delay,
    length,
    whole,
    zone_of,
)
from watchkeeper.spec.reader import Reader

USER_KEYS = ("timeZone", "team", "contacts", "page", "ticket", "displayName")
ESCALATION_KEYS = ("team", "steps", "repeat", "fallback", "ackExpires", "drill")
TARGET_KINDS = {"schedule": "Schedule", "user": "User", "team": "Team", "channel": "Channel"}
"""How a target is written, and which kind it names."""
DEFAULT_WAIT = 300.0
SHORTEST_WAIT, LONGEST_WAIT = 30.0, 86_400.0


def read_user(reader: Reader, duty: DutyRead) -> None:
    """A person who can be on call."""
    begun = begin(reader, duty, USER_KEYS, required=False)
    if begun is None:
        return
    name, display, spec = begun
    if "+" in name or name == "-":
        reader.at("metadata").fault(
            "bad-value",
            f"a user cannot be called '{name}'",
            "a name without '+', which joins users in a rotation ('-' is nobody there)",
            key="name",
        )
    contacts = _contacts(spec, duty)
    if not contacts and not spec.data.get("contacts"):
        spec.warn(
            "no-contact",
            f"nothing reaches {name}",
            "at least one contact",
            "add contacts: [{channel: …, address: …}]",
        )
    ways = [c.channel for c in contacts]
    duty.users[name] = UserDefinition(
        name,
        spec.text("displayName") or display,
        reader.place(),
        zone_of(spec),
        duty.refer(spec, "team", "Team") or None,
        contacts,
        _rules(spec, "page", ways),
        _rules(spec, "ticket", ways),
    )


def _contacts(spec: Reader, duty: DutyRead) -> tuple[ContactDefinition, ...]:
    found: list[ContactDefinition] = []
    for item in spec.children("contacts"):
        item.only("channel", "address")
        item.text("channel", required=True)
        channel = duty.refer(item, "channel", "Channel")
        where = address(item, required=True)
        if not channel or not where:
            continue
        contact = ContactDefinition(channel, where)
        if contact in found:
            item.warn("duplicate", "this contact is written twice", "each once", "remove it")
        found.append(contact)
        duty.addresses.append((item, channel, where))
    return tuple(found)


def _rules(spec: Reader, key: str, ways: list[str]) -> tuple[NotifyRule, ...]:
    found = []
    for item in spec.children(key):
        item.only("after", "channel")
        after = delay(item, "after", bare="m")
        channel = item.text("channel", required=True)
        if not channel:
            continue
        if channel not in ways:
            item.fault(
                "no-contact",
                f"there is no contact by '{channel}'",
                f"one of: {', '.join(dict.fromkeys(ways))}" if ways else "a contact by it",
                "add it to 'contacts'",
                key="channel",
            )
        found.append(NotifyRule(after, channel))
    return tuple(sorted(found, key=lambda r: r.after))


# ---------------------------------------------------------------- escalation policies


def read_escalation(reader: Reader, duty: DutyRead) -> None:
    """An escalation policy."""
    begun = begin(reader, duty, ESCALATION_KEYS)
    if begun is None:
        return
    name, display, spec = begun
    steps = tuple(_step(item, duty) for item in spec.children("steps", required=True))
    if spec.has("steps") and not steps:
        spec.fault("missing", "'steps' is empty", "at least one step", "add one", key="steps")
    duty.policies[name] = EscalationPolicyDefinition(
        name,
        display,
        reader.place(),
        steps,
        whole(spec, "repeat", 2, 0, 100),
        read_targets(spec, "fallback", duty),
        _expiry(spec),
        duty.refer(spec, "team", "Team") or None,
        *_drill(spec),
    )


def _drill(spec: Reader) -> tuple[str, str]:
    """(cron expression, time zone) of the policy's drills; ('', UTC) for none."""
    drill = spec.child("drill")
    if drill is None:
        return "", "UTC"
    drill.only("cron", "timeZone")
    cron = drill.text("cron", required=True).strip()
    right = bool(cron) and check_cron(drill, cron)
    return cron if right else "", zone_of(drill)


def _step(item: Reader, duty: DutyRead) -> EscalationStep:
    item.only("notify", "wait")
    targets = read_targets(item, "notify", duty)
    if not targets and not item.data.get("notify"):
        item.lacks("notify", "whom to call, e.g. [{schedule: primary}]")
    wait = length(item, "wait", bare="m")
    if wait is not None and not SHORTEST_WAIT <= wait <= LONGEST_WAIT:
        item.fault("bad-value", f"'wait' is {item.text('wait')}", "from 30s to 24h", key="wait")
    return EscalationStep(targets, DEFAULT_WAIT if wait is None else wait)


def _expiry(spec: Reader) -> float | None:
    if spec.text("ackExpires").lower() == "never":
        return None
    found = length(spec, "ackExpires", bare="m")
    if found is not None and found < 60:
        written = spec.text("ackExpires")
        spec.fault(
            "bad-value", f"'ackExpires' is {written}", "at least 1m, or never", key="ackExpires"
        )
    return 3600.0 if found is None else found


def read_targets(reader: Reader, key: str, duty: DutyRead) -> tuple[EscalationTarget, ...]:
    """The list of whom to call below ``key``."""
    return tuple(t for item in reader.children(key) if (t := _target(item, duty)) is not None)


def _target(item: Reader, duty: DutyRead) -> EscalationTarget | None:
    item.only(*TARGET_KINDS, "address")
    named = [k for k in TARGET_KINDS if item.has(k)]
    if len(named) != 1:
        item.fault(
            "bad-target",
            f"a target that names {' and '.join(named) or 'nobody'}",
            f"exactly one of {', '.join(TARGET_KINDS)}",
            "write each as an item of its own" if named else "say whom to call",
        )
        return None
    kind = named[0]
    name = duty.refer(item, kind, TARGET_KINDS[kind])
    where = address(item)
    if kind == "channel" and not where and not item.has("address"):
        item.lacks("address", "where in the channel, e.g. '#ops'")
    elif kind == "channel":
        duty.addresses.append((item, name, where))
    elif where:
        item.fault("bad-target", "only channels have an address", "no 'address'", key="address")
    return EscalationTarget(TargetKind(kind), name, where) if name else None
