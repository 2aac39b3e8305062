"""The JSON Schema of response: incident policy, mitigations, status pages, trackers."""

from __future__ import annotations

from typing import Any

from watchkeeper.spec.mitigation_read import DOES, METHODS, SECRETS, SETTINGS, STATES
from watchkeeper.spec.response import ACTIONS, MitigationKind, TrackerKind
from watchkeeper.spec.response_read import TRACKER_SETTINGS
from watchkeeper.spec.schema_duty import TARGETS
from watchkeeper.spec.schema_parts import FIXED, TEXT, TEXT_TABLE, TEXTS, an_object, any_case

_FLAG = {"type": "boolean"}
_REFERENCE = {"oneOf": [an_object(("env",), env=TEXT), an_object(("file",), file=TEXT)]}
_VALUES = {
    "type": "object",
    "additionalProperties": {"anyOf": [{"type": ["string", "number"]}, _REFERENCE]},
    "patternProperties": {"|".join(map(any_case, SECRETS)): _REFERENCE},
}
_URL = {**TEXT, "not": {"pattern": "^[a-z]+://[^/?#]*:[^/?#]*@"}}
_NAME = {"type": ["string", "number"]}
_UNTIL = {"oneOf": [FIXED, {"type": "string", "pattern": "^[Nn]ever$"}]}
_ARGUMENTS = {"type": "array", "minItems": 1, "items": {"type": ["string", "number"]}}
_STEP = {
    **an_object(
        ("server",),
        server=TEXT,
        state={"anyOf": [{"enum": list(STATES)}, {"type": "string", "pattern": r"\{\w+\}"}]},
        weight={"type": ["string", "integer"]},
    ),
    "oneOf": [{"required": ["state"]}, {"required": ["weight"]}],
}


def _some(of: dict[str, Any], least: int = 1) -> dict[str, Any]:
    return {"type": "array", "minItems": least, "items": of}


def _setting(key: str, kind: str) -> dict[str, Any]:
    if key == "do":
        return {"enum": list(DOES[MitigationKind(kind)])}
    return {
        "url": _URL,
        "token": _REFERENCE,
        "ca": _REFERENCE,
        "run": _ARGUMENTS,
        "program": TEXTS,
        "env": _VALUES,
        "headers": _VALUES,
        "method": {"enum": list(METHODS)},
        "body": {"type": ["string", "object", "array"]},
        "allow_private": _FLAG,
        "steps": _some(_STEP),
        "users": TEXT_TABLE,
        "replicas": {"type": ["string", "integer"]},
        "revision": {"type": ["string", "integer"]},
    }.get(key, TEXT)


def _settings(kind: str, known: tuple[str, ...], dry_run: bool = False) -> dict[str, Any]:
    """The settings of one type, and what may take their place in a dry run."""
    needed = tuple(s[:-1] for s in known if s.endswith("*"))
    each = {key: _setting(key, kind) for key in (k.rstrip("*") for k in known)}
    body = {"settings": an_object(needed, **each)}
    if "replicas" in each:
        scales = {"properties": {"do": {"const": "scale"}}, "required": ["do"]}
        body["settings"] |= {"if": scales, "then": {"required": ["replicas"]}}
    if dry_run:
        body["dryRun"] = an_object((), **each)
    return {"if": {"properties": {"type": {"const": kind}}}, "then": {"properties": body}}


_SEVERITY = an_object(
    ("name",),
    name=_NAME,
    title=TEXT,
    description=TEXT,
    updateEvery=_UNTIL,
    firstPublic=_UNTIL,
    postmortemWithin=_UNTIL,
    actionWithin=FIXED,
)
_ROLE = an_object(
    ("name",), name=_NAME, title=TEXT, description=TEXT, targets=TARGETS, severities=TEXTS
)
_PARAMETER = an_object(
    ("name",),
    name={"type": "string", "pattern": "^[a-z][a-z0-9_]{0,39}$"},
    title=TEXT,
    default={"type": ["string", "number"]},
    choices=TEXTS,
    pattern=TEXT,
)
_COMPONENT = {
    **an_object(
        ("name",),
        name=_NAME,
        title=TEXT,
        description=TEXT,
        group=TEXT,
        journeys=TEXTS,
        services=TEXTS,
        slos=TEXTS,
    ),
    "anyOf": [{"required": [k]} for k in ("journeys", "services", "slos")],
}
_TEMPLATE = an_object(
    ("name", "text"),
    name=_NAME,
    severity=TEXT,
    phase={"enum": ["investigating", "identified", "monitoring", "resolved"]},
    headline=TEXT,
    text=TEXT,
)
RESPONSE: dict[str, dict[str, Any]] = {
    "IncidentPolicy": an_object(
        (),
        description=TEXT,
        severities=_some(_SEVERITY),
        roles=_some(_ROLE),
        reviewers=TARGETS,
    ),
    "Mitigation": {
        **an_object(
            ("type", "settings"),
            description=TEXT,
            services=TEXTS,
            action={"enum": list(ACTIONS)},
            type={"enum": [str(k) for k in MitigationKind]},
            settings={"type": "object"},
            parameters=_some(_PARAMETER, 0),
            dryRun={"type": "object"},
            timeout=FIXED,
            confirm=_FLAG,
            slo=TEXT,
        ),
        "allOf": [_settings(str(k), SETTINGS[k], True) for k in MitigationKind],
    },
    "StatusPage": an_object(
        ("components",),
        description=TEXT,
        public=_FLAG,
        url=TEXT,
        channel=TEXT,
        webhooks=TEXT,
        measured=_FLAG,
        export=TEXT,
        components=_some(_COMPONENT),
        templates=_some(_TEMPLATE),
    ),
    "Tracker": {
        **an_object(
            ("type", "settings"),
            description=TEXT,
            type={"enum": [str(k) for k in TrackerKind]},
            settings={"type": "object"},
            teams=TEXTS,
        ),
        "allOf": [_settings(str(k), TRACKER_SETTINGS[k]) for k in TrackerKind],
    },
}
"""By kind: the schema of ``spec``."""
