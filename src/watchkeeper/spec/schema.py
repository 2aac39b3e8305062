"""The JSON Schema of everything users write, for editors. Generated from the readers' own lists."""

from __future__ import annotations

from typing import Any

from watchkeeper.spec import native, openslo
from watchkeeper.spec.model import Aspect

_TEXT = {"type": "string"}
_DURATION = {"type": "string", "pattern": r"^(\d+(ms|[smhdw]))+$|^\d+[MQY]$"}
_SHARE = {"oneOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": 1},
                    {"type": "string", "pattern": r"^\d+(\.\d+)?\s*%$"}]}  # fmt: skip
_TABLE = {
    "type": "object",
    "additionalProperties": {"type": ["string", "number", "boolean", "array"]},
}
_TEXTS = {"oneOf": [_TEXT, {"type": "array", "items": {"type": ["string", "number"]}}]}
_EXTENSIONS = {"^x-": True}


def _object(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
        "patternProperties": _EXTENSIONS,
    }


_METADATA = _object(
    ("name",), name=_TEXT, displayName=_TEXT, labels=_TABLE, annotations=_TABLE, namespace=_TEXT
)
_METRIC = _object(
    ("metricSource",),
    metricSource=_object(("spec",), metricSourceRef=_TEXT, type=_TEXT, spec={"type": "object"}),
)
_INDICATOR = _object(
    (),
    description=_TEXT,
    thresholdMetric=_METRIC,
    ratioMetric=_object(
        (),
        counter={"type": "boolean"},
        good=_METRIC,
        bad=_METRIC,
        total=_METRIC,
        raw=_METRIC,
        rawType={"enum": ["success", "failure"]},
    ),
    groupBy=_TEXTS,
)
_WINDOW = {
    "type": "array",
    "minItems": 1,
    "maxItems": 1,
    "items": _object(
        ("duration",),
        duration=_DURATION,
        isRolling={"type": "boolean"},
        calendar=_object(("startTime", "timeZone"), startTime=_TEXT, timeZone=_TEXT),
    ),
}
_OBJECTIVE = _object(
    (),
    displayName=_TEXT,
    op={"enum": list(openslo.OPS)},
    value={"type": "number"},
    target=_SHARE,
    targetPercent={"type": "number", "exclusiveMinimum": 0, "maximum": 100},
    timeSliceTarget=_SHARE,
    timeSliceWindow=_DURATION,
)
_SPECS: dict[str, dict[str, dict[str, Any]]] = {
    openslo.API: {
        "DataSource": _object(
            ("type",), description=_TEXT, type=_TEXT, connectionDetails={"type": "object"}
        ),
        "Service": _object((), description=_TEXT),
        "SLI": _INDICATOR,
        "SLO": _object(
            ("service", "objectives"),
            description=_TEXT,
            service=_TEXT,
            indicator=_object(
                ("spec",), metadata=_METADATA, spec=_INDICATOR, apiVersion=_TEXT, kind=_TEXT
            ),
            indicatorRef=_TEXT,
            timeWindow=_WINDOW,
            budgetingMethod={"enum": list(openslo.METHODS)},
            objectives={"type": "array", "minItems": 1, "items": _OBJECTIVE},
            alertPolicies={"type": ["array", "null"]},
        ),
        "AlertPolicy": _object(
            (),
            description=_TEXT,
            alertWhenNoData={"type": "boolean"},
            alertWhenResolved={"type": "boolean"},
            alertWhenBreaching={"type": "boolean"},
            conditions={"type": "array"},
            notificationTargets={"type": "array"},
        ),
        "AlertCondition": _object(
            ("condition",),
            description=_TEXT,
            severity=_TEXT,
            condition=_object(
                ("kind", "threshold", "lookbackWindow"),
                kind={"enum": ["burnrate"]},
                op={"enum": list(openslo.OPS)},
                threshold={"type": "number"},
                lookbackWindow=_DURATION,
                alertAfter=_TEXT,
            ),
        ),
        "AlertNotificationTarget": _object((), description=_TEXT, target=_TEXT),
    },
}
_BLOCK = _object(
    ("target",),
    target=_SHARE,
    total={},
    good={},
    bad={},
    histogram=_TEXT,
    threshold=_DURATION,
    source=_TEXT,
    slice=_DURATION,
    sliceTarget=_SHARE,
    alertPolicies={"type": "array"},
    groupBy=_TEXTS,
    description=_TEXT,
)
_OWN: dict[str, dict[str, Any]] = {
    "Team": _object((), description=_TEXT, email=_TEXT, chat=_TEXT),
    "Service": _object(
        (),
        description=_TEXT,
        owner=_TEXT,
        tier={"type": "integer", "minimum": 0},
        dependsOn=_TEXTS,
        links=_TABLE,
        revenuePerMinute={"type": "number", "minimum": 0},
        currency=_TEXT,
        usersPerMinute={"type": "number", "minimum": 0},
    ),
    "Journey": _object(
        ("service",),
        description=_TEXT,
        service=_TEXT,
        critical={"type": "boolean"},
        source=_TEXT,
        window=_DURATION,
        timeWindow=_WINDOW,
        alertPolicies={"type": "array"},
        **{str(aspect): _BLOCK for aspect in Aspect},
    ),
    "CompositeSLO": _object(
        ("service", "target", "parts"),
        description=_TEXT,
        service=_TEXT,
        target=_SHARE,
        timeWindow=_WINDOW,
        mode={"enum": ["weighted", "all_of"]},
        parts={
            "type": "array",
            "minItems": 1,
            "items": _object(("slo",), slo=_TEXT, weight={"type": "number", "exclusiveMinimum": 0}),
        },
        alertPolicies={"type": "array"},
    ),
}
for _api in native.APIS:
    _SPECS[_api] = _OWN


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one document."""
    kinds = [
        _object(
            ("apiVersion", "kind", "metadata"),
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
