"""Channels, integrations and heartbeats as written. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from watchkeeper.kernel.secrets import is_reference
from watchkeeper.spec.duty import (
    ChannelDefinition,
    ChannelType,
    HeartbeatDefinition,
    IntegrationDefinition,
    IntegrationType,
)
from watchkeeper.spec.duty_fields import (
    URGENCIES,
    DutyRead,
    begin,
    check_cron,
    delay,
    length,
    reference,
    whole,
    zone_of,
)
from watchkeeper.spec.reader import Reader

CHANNEL_KEYS = ("type", "settings")
INTEGRATION_KEYS = ("type", "service", "escalationPolicy", "mapping", "autoClose", "perMinute",
                    "secret")  # fmt: skip
HEARTBEAT_KEYS = ("every", "cron", "timeZone", "grace", "service", "urgency")
COMMON = ("allow_private", "timeout", "per_minute")
_TWILIO = ("account_sid*", "auth_token*", "from*", "url")
SETTINGS: Mapping[ChannelType, tuple[str, ...]] = {
    ChannelType.EMAIL: ("host*", "port", "tls", "username", "password", "from*"),
    ChannelType.NTFY: ("url", "token", "username", "password"),
    ChannelType.SLACK: ("token*", "signing_secret", "url"),
    ChannelType.MATRIX: ("url*", "token*"),
    ChannelType.WEBHOOK: ("secret", "changes"),
    ChannelType.SMS: _TWILIO,
    ChannelType.VOICE: _TWILIO,
    ChannelType.PAGERDUTY: ("url",),
    ChannelType.OPSGENIE: ("url",),
    ChannelType.APPRISE: (),
    ChannelType.GRAFANA: ("url*", "token*"),
    ChannelType.INBOX: (),
}
"""The settings of each type of channel; ``*`` marks those that must be there."""
SECRETS = ("token", "password", "secret", "auth_token", "signing_secret")
KEYS = (ChannelType.PAGERDUTY, ChannelType.OPSGENIE, ChannelType.APPRISE)
"""Channels whose addresses are secrets: whoever knows one can send with it."""
TLS = ("starttls", "tls", "none")

_PHONE = re.compile(r"\+[1-9]\d{6,14}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_ADDRESSES: Mapping[ChannelType, tuple[re.Pattern[str], str]] = {
    ChannelType.EMAIL: (_EMAIL, "an address such as ann@example.org"),
    ChannelType.SMS: (_PHONE, "a number such as +4930123456"),
    ChannelType.VOICE: (_PHONE, "a number such as +4930123456"),
    ChannelType.WEBHOOK: (re.compile(r"https?://[^\s/]+\S*"), "an address such as https://…"),
    ChannelType.MATRIX: (re.compile(r"[!#@][^\s:]+:\S+"), "a room such as !abc:example.org"),
    ChannelType.NTFY: (
        re.compile(r"[-\w]{1,64}|https?://\S+"),
        "a topic of letters, digits, - and _",
    ),
    ChannelType.SLACK: (re.compile(r"\S+"), "a channel such as #ops, or a user's id"),
    ChannelType.APPRISE: (re.compile(r"[a-zA-Z0-9]+://\S+"), "an Apprise URL such as tgram://…"),
}


def read_channel(reader: Reader, duty: DutyRead) -> None:
    """A way to send."""
    begun = begin(reader, duty, (*CHANNEL_KEYS, *_misplaced(reader)))
    if begun is None:
        return
    name, _, spec = begun
    for key in _misplaced(reader):
        spec.fault(
            "unknown-key", f"'{key}' stands outside 'settings'", "type, settings",
            "move it below 'settings:'", key=key,
        )  # fmt: skip
    written = spec.choice("type", [str(t) for t in ChannelType], required=True)
    if not written:
        return
    kind = ChannelType(written)
    settings = spec.child("settings")
    needed = [s[:-1] for s in SETTINGS[kind] if s.endswith("*")]
    if settings is None and needed and not spec.has("settings"):
        spec.lacks("settings", f"at least {', '.join(needed)}")
    if settings is not None:
        check_settings(settings, kind, needed)
    data: dict[str, Any] = dict(settings.data) if settings else {}
    duty.channels[name] = ChannelDefinition(name, kind, data, reader.place())


def _misplaced(reader: Reader) -> list[str]:
    spec = reader.data.get("spec")
    all_settings = {s.rstrip("*") for known in SETTINGS.values() for s in known} | set(COMMON)
    return [key for key in spec if key in all_settings] if isinstance(spec, dict) else []


def check_settings(settings: Reader, kind: ChannelType, needed: list[str]) -> None:
    """Point out settings that are unknown, missing, wrong, or hold a secret in the clear."""
    settings.only(*(s.rstrip("*") for s in SETTINGS[kind]), *COMMON)
    for key in needed:
        if not settings.has(key):
            settings.lacks(key, f"what a channel of type {kind} needs")
    settings.flag("allow_private")
    length(settings, "timeout")
    whole(settings, "per_minute", 0)
    for known in SETTINGS[kind]:
        key = known.rstrip("*")
        if key == "port":
            whole(settings, "port", 587, 1, 65_535)
        elif key == "tls":
            settings.choice("tls", TLS)
        else:
            _check_text(settings, key, kind)
    if settings.data.get("tls") == "none" and settings.has("password"):
        settings.warn(
            "password-in-clear", "the password is sent without encryption", "starttls or tls",
            "remove tls: none, unless the server is this machine", key="tls",
        )  # fmt: skip


def _check_text(settings: Reader, key: str, kind: ChannelType) -> None:
    """A text, or a reference to one."""
    written = settings.data.get(key)
    if isinstance(written, dict):
        reference(settings, key)
        return
    text = settings.text(key)
    if not text:
        return
    if key in SECRETS:
        _in_clear(settings, key)
    elif key in ("url", "changes"):
        _check_url(settings, text, key)
    elif key == "from" and kind is ChannelType.EMAIL and "@" not in text:
        settings.fault("bad-address", f"'from' is '{text}'", "an e-mail address", key="from")


def _in_clear(settings: Reader, key: str) -> None:
    settings.warn(
        "secret-in-spec",
        f"'{key}' is written in the clear",
        "a reference to where the secret is",
        f"write {key}: {{env: NAME}} or {key}: {{file: PATH}}",
        key=key,
    )


def _check_url(settings: Reader, text: str, key: str) -> None:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
        password = parts.password
    except ValueError:
        usable, password = False, None
    if not usable:
        fix = "" if "://" in text else f"write https://{text}"
        settings.fault("bad-url", f"'{key}' is '{text}'", "an address such as https://…", fix, key)
    elif password:
        settings.warn(
            "secret-in-spec", f"'{key}' holds a password", "an address without one",
            "write username: and password: {env: NAME}", key=key,
        )  # fmt: skip


def check_address(reader: Reader, kind: ChannelType, address: str) -> None:
    """Point out an address that a channel of this type cannot have, or that is a secret."""
    if is_reference(address):
        return
    if kind in KEYS:
        _in_clear(reader, "address")
    if kind not in _ADDRESSES:
        return
    pattern, expected = _ADDRESSES[kind]
    if pattern.fullmatch(address):
        return
    fix = ""
    if kind in (ChannelType.SMS, ChannelType.VOICE):
        digits = re.sub(r"[^\d]", "", address)
        fix = f'write "+{digits}", in quotes' if _PHONE.fullmatch(f"+{digits}") else ""
    reader.fault("bad-address", f"'{address}' is no {kind} address", expected, fix, "address")


# ---------------------------------------------------------------- integrations


def read_integration(reader: Reader, duty: DutyRead) -> None:
    """A door for other systems' alerts."""
    begun = begin(reader, duty, INTEGRATION_KEYS)
    if begun is None:
        return
    name, _, spec = begun
    written = spec.choice("type", [str(t) for t in IntegrationType], required=True)
    if spec.has("mapping") and written not in ("generic", "changes", ""):
        spec.fault(
            "bad-value", f"'mapping' is for generic and changes, not {written}", "no 'mapping'",
            "remove it", key="mapping",
        )  # fmt: skip
    mapping = spec.table("mapping")
    for field, path in mapping.items():
        _check_path(spec, field, path)
    service = duty.refer(spec, "service", "Service") or None
    policy = duty.refer(spec, "escalationPolicy", "EscalationPolicy") or None
    closes = length(spec, "autoClose")
    rate = whole(spec, "perMinute", 60_000)
    if spec.has("secret") and written not in ("github", "gitlab", ""):
        spec.fault(
            "bad-value", f"'secret' is for github and gitlab, not {written}", "no 'secret'",
            "remove it", key="secret",
        )  # fmt: skip
    secret = reference(spec, "secret") if spec.has("secret") else ""
    if written:
        duty.integrations[name] = IntegrationDefinition(
            name, IntegrationType(written), reader.place(), service, policy, mapping, closes, rate,
            secret,
        )  # fmt: skip


_PATH = re.compile(r"\$?\.?[\w@-]+(\[\d+\])*(\.[\w@-]+(\[\d+\])*)*")


def _check_path(spec: Reader, field: str, path: str) -> None:
    """A path (``a.b[0].c``), or a text with paths in double braces."""
    if "{{" not in path and "}}" not in path:
        right = bool(_PATH.fullmatch(path.strip()))
    else:
        inner = re.findall(r"\{\{(.*?)\}\}", path)
        right = path.count("{{") == path.count("}}") == len(inner)
        right = right and all(_PATH.fullmatch(p.strip()) for p in inner)
    if not right:
        spec.at("mapping").fault(
            "bad-mapping", f"'{path}' is no path", "a.b[0].c, or a text with {{a.b}} in it",
            key=field,
        )  # fmt: skip


# ---------------------------------------------------------------- heartbeats


def read_heartbeat(reader: Reader, duty: DutyRead) -> None:
    """Something that must report."""
    begun = begin(reader, duty, HEARTBEAT_KEYS)
    if begun is None:
        return
    name, _, spec = begun
    if spec.has("every") == spec.has("cron"):
        both = spec.has("every")
        spec.fault(
            "bad-value" if both else "missing",
            "both 'every' and 'cron'" if both else "it is not said when it must report",
            "one of 'every' and 'cron'",
            "keep one" if both else "add every: 1h, or cron: '0 3 * * *'",
            "cron" if both else None,
        )
    every, cron = length(spec, "every"), spec.text("cron").strip()
    if cron:
        check_cron(spec, cron)
    if spec.has("timeZone") and not cron:
        spec.warn(
            "unused", "'timeZone' without 'cron'", "a cron expression", "remove it", key="timeZone"
        )
    duty.heartbeats[name] = HeartbeatDefinition(
        name,
        reader.place(),
        every,
        cron,
        zone_of(spec),
        delay(spec, "grace", 300.0),
        duty.refer(spec, "service", "Service") or None,
        spec.choice("urgency", URGENCIES) or "page",
    )
