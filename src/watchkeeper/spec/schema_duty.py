"""The JSON Schema of duty: people, schedules, escalation, channels, alerts in, alert policies."""

from __future__ import annotations

from typing import Any

from watchkeeper.spec.budget import Combine
from watchkeeper.spec.budget_fields import KINDS as RELEASE_KINDS
from watchkeeper.spec.budget_fields import STATES, WINDOWS
from watchkeeper.spec.duty import ChannelType, IntegrationType, RotationKind
from watchkeeper.spec.duty_channels import COMMON, SETTINGS, TLS
from watchkeeper.spec.duty_fields import URGENCIES
from watchkeeper.spec.duty_people import TARGET_KINDS
from watchkeeper.spec.review_fields import DAYS
from watchkeeper.spec.schema_parts import DURATION, FIXED, SHARE, TEXT, TEXT_TABLE, TEXTS, an_object

_FLAG = {"type": "boolean"}
_DELAY = {"anyOf": [FIXED, {"const": 0}, {"const": "0"}]}
_MINUTES = {"oneOf": [FIXED, {"type": "integer", "minimum": 1}]}
"""A bare number is minutes."""
_DELAY_MINUTES = {"anyOf": [_MINUTES, {"const": 0}]}
_LOCAL = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2})?)?$"}
_CLOCK = {"type": "string", "pattern": r"^(([01]?\d|2[0-3]):[0-5]\d|24:00)$"}
_URGENCY = {"enum": list(URGENCIES)}
_SECRET = {
    "oneOf": [
        TEXT,
        an_object(("env",), env=TEXT),
        an_object(("file",), file=TEXT),
    ]
}

_ADDRESS = {"oneOf": [{"type": ["string", "number"]}, *_SECRET["oneOf"][1:]]}


def _list(of: dict[str, Any], least: int = 0) -> dict[str, Any]:
    return {"type": "array", "items": of, **({"minItems": least} if least else {})}


def _whole(least: int, most: int | None = None) -> dict[str, Any]:
    upper = {} if most is None else {"maximum": most}
    return {"type": "integer", "minimum": least, **upper}


_RELEASES = {"oneOf": [{"enum": list(RELEASE_KINDS)}, _list({"enum": list(RELEASE_KINDS)})]}
_MATCH = {"oneOf": [TEXT, _list(TEXT)]}
_RULES = _list(an_object(("channel",), after=_DELAY_MINUTES, channel=TEXT))
TARGETS = _list(
    {
        "oneOf": [
            *(an_object((k,), **{k: TEXT}) for k in TARGET_KINDS if k != "channel"),
            an_object(("channel", "address"), channel=TEXT, address=_ADDRESS),
        ]
    }
)
_LAYER = an_object(
    ("users", "start"),
    name=TEXT,
    users=TEXTS,
    rotation={"enum": [str(k) for k in RotationKind]},
    every=_whole(1, 1000),
    start=_LOCAL,
    end=_LOCAL,
    restrictions=_list(an_object((), **{"days": TEXTS, "from": _CLOCK, "to": _CLOCK})),
    shadow=_FLAG,
)


def _setting(key: str) -> dict[str, Any]:
    return {
        "port": _whole(1, 65_535),
        "tls": {"enum": list(TLS)},
        "allow_private": _FLAG,
        "timeout": FIXED,
        "per_minute": _whole(1),
    }.get(key, _SECRET)


def _settings(kind: ChannelType) -> dict[str, Any]:
    """A channel's settings, by its type."""
    names = [s.rstrip("*") for s in SETTINGS[kind]]
    needed = tuple(s[:-1] for s in SETTINGS[kind] if s.endswith("*"))
    body = an_object(needed, **{k: _setting(k) for k in (*names, *COMMON)})
    return {
        "if": {"properties": {"type": {"const": str(kind)}}},
        "then": {
            "properties": {"settings": body},
            **({"required": ["settings"]} if needed else {}),
        },
    }


def _channel() -> dict[str, Any]:
    made = an_object(
        ("type",),
        description=TEXT,
        type={"enum": [str(t) for t in ChannelType]},
        settings={"type": "object"},
    )
    return {**made, "allOf": [_settings(kind) for kind in ChannelType]}


DUTY: dict[str, dict[str, Any]] = {
    "User": an_object(
        (),
        description=TEXT,
        displayName=TEXT,
        timeZone=TEXT,
        team=TEXT,
        contacts=_list(an_object(("channel", "address"), channel=TEXT, address=_ADDRESS)),
        page=_RULES,
        ticket=_RULES,
    ),
    "Schedule": {
        **an_object(
            (),
            description=TEXT,
            timeZone=TEXT,
            team=TEXT,
            layers=_list(_LAYER, 1),
            holidays=TEXTS,
            holidayUsers=TEXTS,
            mayBeEmpty=_FLAG,
            ical=TEXT,
        ),
        "oneOf": [{"required": ["layers"]}, {"required": ["ical"]}],
    },
    "EscalationPolicy": an_object(
        ("steps",),
        description=TEXT,
        team=TEXT,
        steps=_list(an_object(("notify",), notify={**TARGETS, "minItems": 1}, wait=_MINUTES), 1),
        repeat=_whole(0, 100),
        fallback=TARGETS,
        ackExpires={"oneOf": [_MINUTES, {"type": "string", "pattern": "^[Nn]ever$"}]},
        drill=an_object(("cron",), cron=TEXT, timeZone=TEXT),
    ),
    "Channel": _channel(),
    "Integration": an_object(
        ("type",),
        description=TEXT,
        type={"enum": [str(t) for t in IntegrationType]},
        service=TEXT,
        escalationPolicy=TEXT,
        mapping=TEXT_TABLE,
        autoClose=FIXED,
        perMinute=_whole(1),
        secret={"oneOf": _SECRET["oneOf"][1:]},
    ),
    "Heartbeat": {
        **an_object(
            (),
            description=TEXT,
            every=FIXED,
            cron=TEXT,
            timeZone=TEXT,
            grace=_DELAY,
            service=TEXT,
            urgency=_URGENCY,
        ),
        "oneOf": [{"required": ["every"]}, {"required": ["cron"]}],
    },
    "TriageRule": an_object(
        ("match",),
        description=TEXT,
        match=_MATCH,
        escalationPolicy=TEXT,
        urgency=_URGENCY,
        service=TEXT,
        drop=_FLAG,
        autoClose=FIXED,
    ),
    "Maintenance": an_object(
        ("match", "start", "duration"),
        description=TEXT,
        match=_MATCH,
        start=_LOCAL,
        duration=FIXED,
        timeZone=TEXT,
        rrule=TEXT,
        reason=TEXT,
        statusPages=TEXTS,
        title=TEXT,
        text=TEXT,
        components=TEXTS,
    ),
    "IncidentMirror": an_object(
        ("channel",),
        description=TEXT,
        channel=TEXT,
        severities=TEXTS,
        prefix={"type": "string", "pattern": r"^[a-z0-9][a-z0-9_-]{0,19}$"},
        private=_FLAG,
        drills=_FLAG,
        invite=TEXTS,
    ),
    "AlertPolicy": {
        **an_object(
            (),
            description=TEXT,
            exhaustion=_list(
                an_object(("within", "urgency"), within=DURATION, urgency=_URGENCY, rollOff=_FLAG)
            ),
            burn=_list(
                an_object(
                    ("long", "short", "factor", "urgency"),
                    long=DURATION,
                    short=DURATION,
                    factor={"type": "number", "exclusiveMinimum": 0},
                    urgency=_URGENCY,
                )
            ),
            consumed=_list(an_object(("share", "urgency"), share=SHARE, urgency=_URGENCY)),
            noData=_list(an_object(("after", "urgency"), after=FIXED, urgency=_URGENCY)),
            guards=an_object(
                (),
                minEvents={"type": "number", "minimum": 0},
                minBad={"type": "number", "minimum": 0},
                significance=SHARE,
                hold=_DELAY,
            ),
        ),
        "anyOf": [{"required": [k]} for k in ("exhaustion", "burn", "consumed", "noData")],
    },
    "BudgetPolicy": an_object(
        ("services",),
        description=TEXT,
        services=TEXTS,
        journeys=TEXTS,
        slos=TEXTS,
        window={"enum": list(WINDOWS)},
        combine={"enum": [str(c) for c in Combine]},
        atRisk=SHARE,
        depleted={"anyOf": [SHARE, {"enum": [0, "0", "0%"]}]},
        halt=an_object((), **dict.fromkeys(STATES, _RELEASES)),
        silverBullets=_whole(0, 100),
        longestException=FIXED,
        hold=_DELAY_MINUTES,
        announce=TARGETS,
    ),
    "Review": {
        **an_object(
            ("team", "send"),
            description=TEXT,
            team=TEXT,
            day={"enum": list(DAYS)},
            time=_CLOCK,
            cron=TEXT,
            timeZone=TEXT,
            send={**TARGETS, "minItems": 1},
        ),
        "not": {"required": ["cron"], "anyOf": [{"required": [k]} for k in ("day", "time")]},
    },
}
"""By kind: the schema of ``spec``. Everything but User needs one."""
