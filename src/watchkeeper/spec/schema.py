"""The JSON Schema of everything users write, for editors. Generated from the readers' own lists."""

from __future__ import annotations

from typing import Any

from watchkeeper.spec import native, openslo
from watchkeeper.spec.model import Aspect
from watchkeeper.spec.schema_duty import DUTY
from watchkeeper.spec.schema_parts import DURATION, SHARE, TEXT, TEXT_TABLE, TEXTS, an_object

_METADATA = an_object(
    ("name",),
    name=TEXT,
    displayName=TEXT,
    labels=TEXT_TABLE,
    annotations=TEXT_TABLE,
    namespace=TEXT,
)
_METRIC = an_object(
    ("metricSource",),
    metricSource=an_object(("spec",), metricSourceRef=TEXT, type=TEXT, spec={"type": "object"}),
)
_INDICATOR = an_object(
    (),
    description=TEXT,
    thresholdMetric=_METRIC,
    ratioMetric=an_object(
        (),
        counter={"type": "boolean"},
        good=_METRIC,
        bad=_METRIC,
        total=_METRIC,
        raw=_METRIC,
        rawType={"enum": ["success", "failure"]},
    ),
    groupBy=TEXTS,
)
_WINDOW = {
    "type": "array",
    "minItems": 1,
    "maxItems": 1,
    "items": an_object(
        ("duration",),
        duration=DURATION,
        isRolling={"type": "boolean"},
        calendar=an_object(("startTime", "timeZone"), startTime=TEXT, timeZone=TEXT),
    ),
}
_OBJECTIVE = an_object(
    (),
    displayName=TEXT,
    op={"enum": list(openslo.OPS)},
    value={"type": "number"},
    target=SHARE,
    targetPercent={"type": "number", "exclusiveMinimum": 0, "maximum": 100},
    timeSliceTarget=SHARE,
    timeSliceWindow=DURATION,
)
_SPECS: dict[str, dict[str, dict[str, Any]]] = {
    openslo.API: {
        "DataSource": an_object(
            ("type",), description=TEXT, type=TEXT, connectionDetails={"type": "object"}
        ),
        "Service": an_object((), description=TEXT),
        "SLI": _INDICATOR,
        "SLO": an_object(
            ("service", "objectives"),
            description=TEXT,
            service=TEXT,
            indicator=an_object(
                ("spec",), metadata=_METADATA, spec=_INDICATOR, apiVersion=TEXT, kind=TEXT
            ),
            indicatorRef=TEXT,
            timeWindow=_WINDOW,
            budgetingMethod={"enum": list(openslo.METHODS)},
            objectives={"type": "array", "minItems": 1, "items": _OBJECTIVE},
            alertPolicies={"type": ["array", "null"]},
        ),
        "AlertPolicy": an_object(
            (),
            description=TEXT,
            alertWhenNoData={"type": "boolean"},
            alertWhenResolved={"type": "boolean"},
            alertWhenBreaching={"type": "boolean"},
            conditions={"type": "array"},
            notificationTargets={"type": "array"},
        ),
        "AlertCondition": an_object(
            ("condition",),
            description=TEXT,
            severity=TEXT,
            condition=an_object(
                ("kind", "threshold", "lookbackWindow"),
                kind={"enum": ["burnrate"]},
                op={"enum": list(openslo.OPS)},
                threshold={"type": "number"},
                lookbackWindow=DURATION,
                alertAfter=TEXT,
            ),
        ),
        "AlertNotificationTarget": an_object((), description=TEXT, target=TEXT),
    },
}
_BLOCK = an_object(
    ("target",),
    target=SHARE,
    total={},
    good={},
    bad={},
    histogram=TEXT,
    threshold=DURATION,
    source=TEXT,
    slice=DURATION,
    sliceTarget=SHARE,
    alertPolicies={"type": "array"},
    groupBy=TEXTS,
    description=TEXT,
)
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
    "Journey": an_object(
        ("service",),
        description=TEXT,
        service=TEXT,
        critical={"type": "boolean"},
        source=TEXT,
        window=DURATION,
        timeWindow=_WINDOW,
        alertPolicies={"type": "array"},
        **{str(aspect): _BLOCK for aspect in Aspect},
    ),
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
    _SPECS[_api] = {**_OWN, **DUTY}


def _needed(spec: dict[str, Any]) -> bool:
    return any(spec.get(key) for key in ("required", "oneOf", "anyOf"))


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
