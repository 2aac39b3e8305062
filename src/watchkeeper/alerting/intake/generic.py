"""Any JSON, by a mapping of our fields to places in it, or by the usual names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from watchkeeper.alerting.intake import chat
from watchkeeper.alerting.intake.model import Asked, Understood
from watchkeeper.alerting.intake.reading import (
    Fields,
    items,
    links_of,
    plain,
    severity_of,
    time_of,
    wrong,
)
from watchkeeper.alerting.model import Signal, SignalAction

FIELDS = (
    "key", "action", "summary", "severity", "service", "source", "component", "group", "class",
    "at", "url", "actor",
)  # fmt: skip
USUAL: Mapping[str, tuple[str, ...]] = {
    "key": (
        "key",
        "dedup_key",
        "dedupKey",
        "alias",
        "fingerprint",
        "alert_id",
        "incident_id",
        "id",
    ),
    "action": ("action", "event_action", "status", "state", "event"),
    "summary": ("summary", "title", "message", "subject", "text", "name", "description", "body"),
    "severity": ("severity", "priority", "level"),
    "service": ("service", "service_name", "serviceName", "app", "application"),
    "source": ("source", "host", "hostname", "instance", "origin"),
    "component": ("component", "entity"),
    "group": ("group", "cluster", "environment", "env"),
    "class": ("class", "type", "check", "alertname"),
    "at": ("at", "timestamp", "time", "date", "startsAt", "created_at"),
    "url": ("url", "link", "href"),
    "actor": ("actor", "user"),
}
_RESOLVE = frozenset(("resolve", "resolved", "close", "closed", "ok", "recovered", "recovery", "up",
                      "success", "cleared", "normal", "inactive", "0", "false", "healthy",
                      "fixed"))  # fmt: skip
_ACK = frozenset(["acknowledge", "acknowledged", "ack", "acked"])
_STEP = re.compile(r"\[(\d{1,6})\]|\.?([^.\[\]]+)")
_TEMPLATE = re.compile(r"\{\{\s*([^{}]{1,300}?)\s*\}\}")


def parse(document: object, asked: Asked) -> list[Understood]:
    """An object is one signal, a list one for each of its objects."""
    if isinstance(document, list):
        return [_one(each, asked, i) for i, each in enumerate(items(document, ""))]
    return [_one(Fields(document), asked, 0)]


def find(document: object, path: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    """What is at ``a.b[0].c``; None when there is nothing."""
    value, at = document, 0
    for step in _STEP.finditer(path):
        if step.start() != at:
            return None
        at = step.end()
        if step[1] is not None:
            index = int(step[1])
            value = value[index] if isinstance(value, list) and index < len(value) else None
        else:
            value = value.get(step[2]) if isinstance(value, dict) else None
        if value is None:
            return None
    return value if at == len(path) else None


def mapped(document: Mapping[str, Any], how: str) -> str:
    """What a path or a template leads to, as text."""
    if "{{" in how:
        return _TEMPLATE.sub(lambda m: _shown(find(document, m[1])), how)
    return _shown(find(document, how))


def _shown(value: object) -> str:
    return "" if value is None else plain(value)


def _field(fields: Fields, asked: Asked, name: str) -> str:
    if name in asked.mapping:
        return mapped(fields.data, asked.mapping[name])
    for usual in USUAL[name]:
        value = fields.data.get(usual)
        if value is not None and value != "" and not isinstance(value, dict | list):
            return plain(value)
    return ""


def _one(fields: Fields, asked: Asked, place: int) -> Signal:
    found = {name: _field(fields, asked, name) for name in FIELDS}
    if not found["summary"] and not found["key"]:
        said = chat.read(fields.data, asked)
        if said is not None:
            return said
        where = asked.mapping.get("summary", "summary")
        raise wrong(fields.at(where), "a text that says what is wrong", "or map 'summary'")
    action = _action(found["action"])
    fresh = f"{asked.fresh}/{place}" if place else asked.fresh
    return Signal(
        key=found["key"] or (found["summary"] if asked.mapping else "") or fresh,
        action=action,
        summary=found["summary"][:1000],
        severity=severity_of(found["severity"]),
        service=found["service"][:300],
        source=found["source"][:500],
        component=found["component"][:500],
        group=found["group"][:500],
        klass=found["class"][:500],
        labels=fields.labels("labels"),
        details=fields.data,
        links=links_of([("Link", found["url"])]),
        at=_time(found["at"], fields),
        actor=found["actor"][:200],
    )


def _action(word: str) -> SignalAction:
    low = word.strip().lower()
    if low in _RESOLVE:
        return SignalAction.RESOLVE
    return SignalAction.ACKNOWLEDGE if low in _ACK else SignalAction.TRIGGER


def _time(text: str, fields: Fields) -> float | None:
    try:
        return time_of(float(text), fields.at("at"))
    except ValueError:
        return time_of(text, fields.at("at"))
