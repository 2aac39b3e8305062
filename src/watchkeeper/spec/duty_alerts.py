"""Channels, integrations, heartbeats, triage, maintenance and alert policies as written. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from watchkeeper.spec.duty import (
    AlertRule,
    BurnRule,
    ChannelDefinition,
    ChannelType,
    ConsumedRule,
    ExhaustionRule,
    Guards,
    HeartbeatDefinition,
    IntegrationDefinition,
    IntegrationType,
    MaintenanceDefinition,
    Matcher,
    NoDataRule,
    TriageRule,
)
from watchkeeper.spec.duty_people import DutyRead, local_time, whole, zone_of
from watchkeeper.spec.model import AlertPolicyDefinition
from watchkeeper.spec.openslo import metadata
from watchkeeper.spec.reader import Reader

URGENCIES = ("page", "ticket", "info")

_COMMON = ("allow_private", "timeout", "per_minute", "url")
_TWILIO = ("account_sid*", "auth_token*", "from*")
SETTINGS: Mapping[ChannelType, tuple[str, ...]] = {
    ChannelType.EMAIL: ("host*", "port", "tls", "username", "password", "from*"),
    ChannelType.NTFY: ("token", "username", "password"),
    ChannelType.SLACK: ("token*", "signing_secret"),
    ChannelType.MATRIX: ("url*", "token*"),
    ChannelType.WEBHOOK: ("secret",),
    ChannelType.SMS: _TWILIO,
    ChannelType.VOICE: _TWILIO,
    ChannelType.PAGERDUTY: (),
    ChannelType.OPSGENIE: (),
    ChannelType.APPRISE: (),
    ChannelType.INBOX: (),
}
"""The settings of each type of channel; ``*`` marks those that must be there."""
SECRETS = ("token", "password", "secret", "auth_token", "signing_secret")
_MATCHER = re.compile(r"\s*([A-Za-z_][\w.-]*)\s*(=~|!~|!=|=)\s*(.*?)\s*")


def read_channel(reader: Reader, duty: DutyRead) -> None:
    """A way to send."""
    name, *_ = metadata(reader)
    spec = reader.child("spec", required=True)
    if spec is None or not name:
        return
    spec.only("description", "type", "settings")
    written = spec.choice("type", [str(t) for t in ChannelType], required=True)
    if not written:
        return
    kind = ChannelType(written)
    settings = spec.child("settings")
    needed = [s[:-1] for s in SETTINGS[kind] if s.endswith("*")]
    if settings is None and needed:
        spec.lacks("settings", f"at least {', '.join(needed)}")
    if settings is not None:
        _check_settings(settings, kind, needed)
    data: dict[str, Any] = dict(settings.data) if settings else {}
    duty.channels[name] = ChannelDefinition(name, kind, data, reader.place())


def _check_settings(settings: Reader, kind: ChannelType, needed: list[str]) -> None:
    known = [s.rstrip("*") for s in SETTINGS[kind]]
    settings.only(*dict.fromkeys((*known, *_COMMON)))
    for key in needed:
        if not settings.has(key):
            settings.lacks(key, "a value")
    for key in SECRETS:
        if isinstance(settings.data.get(key), str):
            settings.warn(
                "secret-in-spec",
                f"'{key}' is written in the clear",
                "a reference to where the secret is",
                f"write {key}: {{env: NAME}} or {key}: {{file: PATH}}",
                key=key,
            )


def read_integration(reader: Reader, duty: DutyRead) -> None:
    """A door for other systems' alerts."""
    name, *_ = metadata(reader)
    spec = reader.child("spec", required=True)
    if spec is None or not name:
        return
    spec.only(
        "description", "type", "service", "escalationPolicy", "mapping", "autoClose", "perMinute"
    )
    written = spec.choice("type", [str(t) for t in IntegrationType], required=True)
    closes = spec.duration("autoClose")
    if spec.has("mapping") and written != "generic":
        spec.fault("bad-value", "'mapping' is for the type generic", "no 'mapping'", key="mapping")
    if not written:
        return
    duty.integrations[name] = IntegrationDefinition(
        name,
        IntegrationType(written),
        reader.place(),
        duty.refer(spec, "service", "Service", spec.text("service")) or None,
        _policy(spec, duty),
        spec.table("mapping"),
        closes.seconds if closes else None,
        whole(spec, "perMinute", 60_000),
    )


def _policy(spec: Reader, duty: DutyRead) -> str | None:
    name = spec.text("escalationPolicy")
    return duty.refer(spec, "escalationPolicy", "EscalationPolicy", name) or None


def read_heartbeat(reader: Reader, duty: DutyRead) -> None:
    """Something that must report."""
    name, *_ = metadata(reader)
    spec = reader.child("spec", required=True)
    if spec is None or not name:
        return
    spec.only("description", "every", "cron", "timeZone", "grace", "service", "urgency")
    every, grace = spec.duration("every"), spec.duration("grace")
    cron = spec.text("cron")
    if (every is None) == (not cron) and not (spec.has("every") and every is None):
        spec.fault("bad-schedule", "when must it report?", "one of 'every' and 'cron'")
    if cron:
        _check_cron(spec, cron)
    duty.heartbeats[name] = HeartbeatDefinition(
        name,
        reader.place(),
        every.seconds if every else None,
        cron,
        zone_of(spec),
        grace.seconds if grace else 300.0,
        duty.refer(spec, "service", "Service", spec.text("service")) or None,
        spec.choice("urgency", URGENCIES) or "page",
    )


def _check_cron(spec: Reader, cron: str) -> None:
    from datetime import UTC, datetime

    from cronsim import CronSim, CronSimError

    try:
        next(CronSim(cron, datetime(2026, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration) as error:
        spec.fault(
            "bad-cron",
            f"'{cron}' is no cron expression: {error}",
            "minute hour day month weekday, e.g. 0 3 * * *",
            key="cron",
        )


# ---------------------------------------------------------------- matching


def read_triage(reader: Reader, duty: DutyRead) -> None:
    """What to do with alerts that match."""
    name, *_ = metadata(reader)
    spec = reader.child("spec", required=True)
    if spec is None or not name:
        return
    spec.only("description", "match", "escalationPolicy", "urgency", "service", "drop", "autoClose")
    closes = spec.duration("autoClose")
    duty.triage[name] = TriageRule(
        name,
        matchers(spec, "match"),
        reader.place(),
        _policy(spec, duty),
        spec.choice("urgency", URGENCIES) or None,
        duty.refer(spec, "service", "Service", spec.text("service")) or None,
        spec.flag("drop"),
        closes.seconds if closes else None,
    )


def matchers(spec: Reader, key: str) -> tuple[Matcher, ...]:
    """``[service = shop, severity =~ "warn.*"]``."""
    found: list[Matcher] = []
    for written in spec.texts(key):
        parts = _MATCHER.fullmatch(written)
        if parts is None:
            spec.fault(
                "bad-matcher",
                f"'{written}' is no matcher",
                "label=value, label!=value, label=~regex or label!~regex",
                key=key,
            )
            continue
        made = Matcher(parts[1], parts[2], parts[3].strip("\"'"))
        if made.op in ("=~", "!~") and not _is_regex(made.value):
            spec.fault("bad-matcher", f"'{made.value}' is no regular expression", key=key)
            continue
        found.append(made)
    if not spec.has(key):
        spec.lacks(key, "what it applies to, e.g. [service=shop]")
    return tuple(found)


def parse_matcher(text: str) -> Matcher | None:
    """One matcher as written on a command line; None when it is none."""
    parts = _MATCHER.fullmatch(text)
    if parts is None or (parts[2] in ("=~", "!~") and not _is_regex(parts[3])):
        return None
    return Matcher(parts[1], parts[2], parts[3].strip("\"'"))


def _is_regex(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return False
    return True


def read_maintenance(reader: Reader, duty: DutyRead) -> None:
    """A planned, perhaps recurring, silence."""
    name, *_ = metadata(reader)
    spec = reader.child("spec", required=True)
    if spec is None or not name:
        return
    spec.only("description", "match", "start", "duration", "timeZone", "rrule", "reason")
    length = spec.duration("duration", required=True)
    start = local_time(spec, "start", required=True)
    rule = spec.text("rrule").removeprefix("RRULE:")
    if rule and start:
        _check_rrule(spec, rule, start)
    if length is None or not start:
        return
    duty.maintenance[name] = MaintenanceDefinition(
        name,
        matchers(spec, "match"),
        reader.place(),
        start,
        length.average_seconds,
        zone_of(spec),
        rule,
        spec.text("reason"),
    )


def _check_rrule(spec: Reader, rule: str, start: str) -> None:
    from datetime import datetime

    from dateutil.rrule import rrulestr

    try:
        rrulestr(rule, dtstart=datetime.fromisoformat(start))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        spec.fault(
            "bad-rrule",
            f"'{rule}' is no recurrence: {error}",
            "RFC 5545, e.g. FREQ=WEEKLY;BYDAY=SU",
            key="rrule",
        )


# ---------------------------------------------------------------- alert policies


def read_alert_policy(reader: Reader, duty: DutyRead) -> None:
    """When an SLO alerts, in our own words."""
    name, *_ = metadata(reader)
    spec = reader.child("spec", required=True)
    if spec is None or not name:
        return
    spec.only("description", "exhaustion", "burn", "consumed", "noData", "guards")
    rules: list[AlertRule] = [
        *(_exhaustion(i) for i in spec.children("exhaustion")),
        *(x for i in spec.children("burn") if (x := _burn(i)) is not None),
        *(_consumed(i) for i in spec.children("consumed")),
        *(_no_data(i) for i in spec.children("noData")),
    ]
    if not rules:
        spec.fault(
            "missing", "it never alerts", "at least one of exhaustion, burn, consumed, noData"
        )
    duty.alert_policies[name] = AlertPolicyDefinition(
        name,
        reader.place(),
        (),
        spec.text("description"),
        dict(spec.data),
        tuple(rules),
        _guards(spec.child("guards")),
    )


def _urgency(item: Reader) -> str:
    return item.choice("urgency", URGENCIES, required=True) or "ticket"


def _exhaustion(item: Reader) -> ExhaustionRule:
    item.only("within", "urgency", "rollOff")
    within = item.duration("within", required=True)
    return ExhaustionRule(
        within.average_seconds if within else 0.0, _urgency(item), item.flag("rollOff", True)
    )


def _burn(item: Reader) -> BurnRule | None:
    item.only("long", "short", "factor", "urgency")
    long, short = item.duration("long", required=True), item.duration("short", required=True)
    factor = item.number("factor", required=True)
    if factor is not None and factor <= 0:
        item.fault("bad-value", f"'factor' is {factor}", "more than zero", key="factor")
    if long and short and short.average_seconds > long.average_seconds:
        item.fault("bad-value", "'short' is longer than 'long'", "a shorter window", key="short")
    urgency = _urgency(item)
    if long is None or short is None or factor is None:
        return None
    return BurnRule(long, short, float(factor), urgency)


def _consumed(item: Reader) -> ConsumedRule:
    item.only("share", "urgency")
    share = item.share("share", required=True)
    return ConsumedRule(float(share or 0), _urgency(item))


def _no_data(item: Reader) -> NoDataRule:
    item.only("after", "urgency")
    after = item.duration("after", required=True)
    return NoDataRule(after.seconds if after else 0.0, _urgency(item))


def _guards(item: Reader | None) -> Guards:
    if item is None:
        return Guards()
    item.only("minEvents", "minBad", "significance", "hold")
    hold, significance = item.duration("hold"), item.share("significance")
    return Guards(
        float(item.number("minEvents") or 0),
        float(item.number("minBad") or 0),
        float(significance) if significance is not None else None,
        hold.seconds if hold else 0.0,
    )
