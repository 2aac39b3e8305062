"""The JSON Schema of everything users write, for editors. Generated from the readers' own lists."""

from __future__ import annotations

from typing import Any

from watchkeeper.spec import native, openslo
from watchkeeper.spec.model import Aspect, SourceType
from watchkeeper.spec.queries import (
    REQUIRED_SETTINGS,
    SECRET_SETTINGS,
    SETTINGS,
    TIME_SETTINGS,
    names_of,
)
from watchkeeper.spec.schema_duty import DUTY
from watchkeeper.spec.schema_parts import (
    DURATION,
    SHARE,
    TEXT,
    TEXT_TABLE,
    TEXTS,
    an_object,
    any_case,
)
from watchkeeper.spec.schema_response import RESPONSE


def _has(*keys: str) -> dict[str, Any]:
    return {"required": list(keys)}


def _one_of(*keys: str) -> dict[str, Any]:
    """Exactly one of these keys."""
    return {"oneOf": [_has(key) for key in keys]}


def _not_both(one: str, other: str) -> dict[str, Any]:
    return {"not": _has(one, other)}


_METADATA = an_object(
    ("name",),
    name={"type": ["string", "number"], "pattern": r"\S"},
    displayName=TEXT,
    labels=TEXT_TABLE,
    annotations=TEXT_TABLE,
    namespace=TEXT,
)
_METRIC = an_object(
    ("metricSource",),
    metricSource={
        **an_object(("spec",), metricSourceRef=TEXT, type=TEXT, spec={"type": "object"}),
        "anyOf": [_has("metricSourceRef"), _has("type")],
    },
)
_A_HISTOGRAM = {"properties": {"metricSource": {"properties": {"spec": _has("histogram")}}}}
_RATIO = {
    **an_object(
        (),
        counter={"type": "boolean"},
        good=_METRIC,
        bad=_METRIC,
        total=_METRIC,
        raw=_METRIC,
        rawType={"enum": ["success", "failure"]},
    ),
    "anyOf": [
        _has("raw", "rawType"),
        {**_has("total"), **_not_both("good", "bad")},
        {**_has("good"), "properties": {"good": _A_HISTOGRAM}},
        {**_has("bad"), "properties": {"bad": _A_HISTOGRAM}},
    ],
}
_INDICATOR = {
    **an_object((), description=TEXT, thresholdMetric=_METRIC, ratioMetric=_RATIO, groupBy=TEXTS),
    **_one_of("ratioMetric", "thresholdMetric"),
}
_INLINE = an_object(("spec",), metadata=_METADATA, spec=_INDICATOR, apiVersion=TEXT, kind=TEXT)
_WINDOW = {
    "type": "array",
    "minItems": 1,
    "maxItems": 1,
    "items": {
        **an_object(
            ("duration",),
            duration=DURATION,
            isRolling={"type": "boolean"},
            calendar=an_object(("startTime", "timeZone"), startTime=TEXT, timeZone=TEXT),
        ),
        "anyOf": [
            {"properties": {"isRolling": {"const": True}, "calendar": False}},
            {"properties": {"isRolling": {"const": False}}, **_has("calendar")},
        ],
    },
}
_SLICE = {"anyOf": [DURATION, {"type": "integer", "minimum": 1}]}
"""A bare number is minutes."""
_OBJECTIVE = {
    **an_object(
        (),
        displayName=TEXT,
        op={"enum": list(openslo.OPS)},
        value={"type": "number"},
        target=SHARE,
        targetPercent={"type": "number", "exclusiveMinimum": 0, "maximum": 100},
        timeSliceTarget=SHARE,
        timeSliceWindow=_SLICE,
        indicator=_INLINE,
        indicatorRef=TEXT,
        compositeWeight={"type": "number", "exclusiveMinimum": 0},
    ),
    "allOf": [_one_of("target", "targetPercent"), _not_both("indicator", "indicatorRef")],
}


def _each(of: dict[str, Any]) -> dict[str, Any]:
    """Every objective has this too."""
    return {"properties": {"objectives": {"items": of}}}


def _if(key: str, value: dict[str, Any], then: dict[str, Any]) -> dict[str, Any]:
    return {"if": {"properties": {key: value}, **_has(key)}, "then": then}


_MEASURED = {"anyOf": [_has("indicator"), _has("indicatorRef")]}
_A_THRESHOLD = {"properties": {"spec": _has("thresholdMetric")}, **_has("spec")}
_SLO = {
    **an_object(
        ("service", "objectives"),
        description=TEXT,
        service=TEXT,
        indicator=_INLINE,
        indicatorRef=TEXT,
        timeWindow=_WINDOW,
        budgetingMethod={"enum": list(openslo.METHODS)},
        objectives={"type": "array", "minItems": 1, "items": _OBJECTIVE},
        alertPolicies={"type": ["array", "null"], "items": {"type": ["string", "object"]}},
    ),
    "oneOf": [
        {**_has("indicator"), **_each({"not": _MEASURED})},
        {**_has("indicatorRef"), **_each({"not": _MEASURED})},
        {"not": _MEASURED, **_each(_MEASURED)},
    ],
    "allOf": [
        _if("indicator", _A_THRESHOLD, _each(_has("op", "value"))),
        _if(
            "budgetingMethod",
            {"const": "Timeslices"},
            _each(_has("timeSliceTarget", "timeSliceWindow")),
        ),
        _if("budgetingMethod", {"const": "RatioTimeslices"}, _each(_has("timeSliceWindow"))),
    ],
}
_BURN = an_object(
    ("condition",),
    description=TEXT,
    severity=TEXT,
    condition=an_object(
        ("threshold", "lookbackWindow"),
        kind={"enum": ["burnrate"]},
        op={"enum": list(openslo.OPS)},
        threshold={"type": "number"},
        lookbackWindow=DURATION,
        alertAfter={"type": ["string", "integer"]},
    ),
)
_CONDITION = {
    "oneOf": [
        an_object(("conditionRef",), conditionRef=TEXT),
        an_object(("spec",), apiVersion=TEXT, kind=TEXT, metadata={"type": "object"}, spec=_BURN),
    ]
}


def _setting(name: str) -> dict[str, Any]:
    if name in SECRET_SETTINGS:
        return {"not": TEXT}  # a reference to where it is: {env: NAME} or {file: PATH}
    return DURATION if name in TIME_SETTINGS else {}


def _details(kind: SourceType) -> dict[str, Any]:
    """What a DataSource of a type must and may say of its connection."""
    needed = REQUIRED_SETTINGS.get(kind, ())
    body = an_object(needed, **{name: _setting(name) for name in SETTINGS[kind]})
    if kind is SourceType.SCRAPE:
        body["anyOf"] = [_has("url"), _has("urls")]
    optional = kind in (SourceType.PUSH, SourceType.PROBE)
    then = {"properties": {"connectionDetails": body}}
    if not optional:
        then |= _has("connectionDetails")
    return _if("type", {"pattern": f"^({'|'.join(map(any_case, names_of(kind)))})$"}, then)


_SPECS: dict[str, dict[str, dict[str, Any]]] = {
    openslo.API: {
        "DataSource": {
            **an_object(
                ("type",), description=TEXT, type=TEXT, connectionDetails={"type": "object"}
            ),
            "allOf": [_details(kind) for kind in SETTINGS],
        },
        "Service": an_object((), description=TEXT),
        "SLI": _INDICATOR,
        "SLO": _SLO,
        "AlertPolicy": an_object(
            (),
            description=TEXT,
            alertWhenNoData={"type": "boolean"},
            alertWhenResolved={"type": "boolean"},
            alertWhenBreaching={"type": "boolean"},
            conditions={"type": "array", "items": _CONDITION},
            notificationTargets={"type": "array", "items": {"type": "object"}},
        ),
        "AlertCondition": _BURN,
        "AlertNotificationTarget": an_object((), description=TEXT, target=TEXT),
    },
}
_BLOCK = {
    **an_object(
        ("target",),
        target=SHARE,
        total={},
        good={},
        bad={},
        histogram=TEXT,
        threshold=DURATION,
        source=TEXT,
        slice=_SLICE,
        sliceTarget=SHARE,
        alertPolicies={"type": "array", "items": {"type": ["string", "object"]}},
        groupBy=TEXTS,
        description=TEXT,
    ),
    "anyOf": [
        _has("histogram", "threshold"),
        {**_has("total"), "properties": {"histogram": False}},
    ],
    "dependentRequired": {"slice": ["sliceTarget"], "sliceTarget": ["slice"]},
    **_not_both("good", "bad"),
}
_ASPECTS = tuple(str(aspect) for aspect in Aspect)
_OWN: dict[str, dict[str, Any]] = {
    "Team": an_object((), description=TEXT, email=TEXT, chat=TEXT),
    "Service": an_object(
        (),
        description=TEXT,
        owner=TEXT,
        tier={"type": "integer", "minimum": 0},
        dependsOn=TEXTS,
        links=TEXT_TABLE,
        revenuePerMinute={"type": "number", "minimum": 0},
        currency=TEXT,
        usersPerMinute={"type": "number", "minimum": 0},
        escalationPolicy=TEXT,
    ),
    "Journey": {
        **an_object(
            ("service",),
            description=TEXT,
            service=TEXT,
            critical={"type": "boolean"},
            source=TEXT,
            window=DURATION,
            timeWindow=_WINDOW,
            alertPolicies={"type": "array", "items": {"type": ["string", "object"]}},
            **dict.fromkeys(_ASPECTS, _BLOCK),
        ),
        "allOf": [
            {"anyOf": [_has(aspect) for aspect in _ASPECTS]},
            {"anyOf": [_has("source"), {"properties": dict.fromkeys(_ASPECTS, _has("source"))}]},
            _if("critical", {"const": True}, _has(*_ASPECTS)),
        ],
        **_not_both("window", "timeWindow"),
    },
    "CompositeSLO": an_object(
        ("service", "target", "parts"),
        description=TEXT,
        service=TEXT,
        target=SHARE,
        timeWindow=_WINDOW,
        mode={"enum": ["weighted", "all_of"]},
        parts={
            "type": "array",
            "minItems": 1,
            "items": an_object(
                ("slo",), slo=TEXT, weight={"type": "number", "exclusiveMinimum": 0}
            ),
        },
        alertPolicies={"type": "array"},
    ),
}
for _api in native.APIS:
    _SPECS[_api] = {**_OWN, **DUTY, **RESPONSE}


def _needed(spec: dict[str, Any]) -> bool:
    return any(spec.get(key) for key in ("required", "oneOf", "anyOf", "allOf"))


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one document."""
    kinds = [
        an_object(
            ("apiVersion", "kind", "metadata", *(("spec",) if _needed(spec) else ())),
            apiVersion={"const": api},
            kind={"const": kind},
            metadata=_METADATA,
            spec=spec,
        )
        for api, specs in _SPECS.items()
        for kind, spec in specs.items()
    ]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Watchkeeper specs: OpenSLO v1 and Watchkeeper's own kinds",
        "oneOf": kinds,
    }
