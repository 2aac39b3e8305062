"""CloudEvents 1.0 (structured, batch, binary) and CDEvents.

https://github.com/cloudevents/spec and https://cdevents.dev: incidents open and close alerts; what
CDEvents tells of services, environments, merged code and pipelines that deploy is a change; the
rest (tests, artifacts, tickets, …) changes no system and is taken without a trace.
"""

from __future__ import annotations

from typing import Any

from watchkeeper.alerting.intake import cdevents
from watchkeeper.alerting.intake.model import Asked, Understood
from watchkeeper.alerting.intake.reading import (
    Fields,
    first_of,
    items,
    links_of,
    plain,
    severity_of,
    time_of,
)
from watchkeeper.alerting.model import Signal, SignalAction

OVER = ("resolved", "resolve", "closed", "recovered", "cleared", "ok", "fixed", "ended", "healthy")
SEEN = ("acknowledged", "acknowledge", "ack")
_CDEVENTS = "dev.cdevents."


def parse(document: object, asked: Asked) -> list[Understood]:
    """Structured, a batch, or — with ``ce-`` headers — the data of a binary one."""
    return [u for u in _parsed(document, asked) if u is not None]


def _parsed(document: object, asked: Asked) -> list[Understood | None]:
    if "ce-type" in asked.headers or "ce-specversion" in asked.headers:
        named = {k[3:]: v for k, v in asked.headers.items() if k.startswith("ce-")}
        return [_event(Fields({**named, "data": document}, ""))]
    if isinstance(document, list):
        return [_event(each) for each in items(document, "")]
    return [_event(Fields(document))]


def _event(fields: Fields) -> Understood | None:
    if "context" in fields.data and "subject" in fields.data and "type" not in fields.data:
        return _cdevent(fields)
    for name in ("specversion", "type", "source", "id"):
        fields.text(name, required=True, most=500)
    data = fields.data.get("data")
    if isinstance(data, dict) and "context" in data and "subject" in data:
        return _cdevent(Fields(data, fields.at("data")))
    return _plain_event(fields, data if isinstance(data, dict) else {})


def _plain_event(fields: Fields, data: dict[str, Any]) -> Signal:
    kind = fields.text("type", most=500)
    source = fields.text("source", most=500)
    subject = fields.text("subject", most=500)
    stem, _, last = kind.rpartition(".")
    word = first_of(data, "action", "event_action", "status", "state").lower() or last.lower()
    action = SignalAction.TRIGGER
    if word in OVER:
        action = SignalAction.RESOLVE
    elif word in SEEN:
        action = SignalAction.ACKNOWLEDGE
    topic = stem if last.lower() in (*OVER, *SEEN, "triggered", "firing", "opened") else kind
    said = first_of(data, "summary", "title", "message", "description")
    return Signal(
        key=first_of(data, "dedup_key", "key", "alias") or "|".join((source, topic, subject)),
        action=action,
        summary=(said or " ".join(p for p in (kind, subject) if p))[:1000],
        severity=severity_of(
            first_of(data, "severity", "priority", "level"),
            "critical" if first_of(data, "severity", "priority", "level") else "warning",
        ),
        service=first_of(data, "service")[:300],
        source=source,
        component=subject,
        klass=kind,
        details=data or _opaque(fields),
        links=links_of([("Event", first_of(data, "url", "link"))]),
        at=fields.time("time"),
    )


def _opaque(fields: Fields) -> dict[str, Any]:
    return {k: plain(v)[:5000] for k, v in fields.data.items() if k.startswith("data") and v}


def _cdevent(fields: Fields) -> Understood | None:
    context, subject = fields.child("context"), fields.child("subject")
    kind = context.text("type", required=True, most=500)
    content = subject.child("content")
    thing = subject.text("id", required=True, most=300)
    at = time_of(context.data.get("timestamp"), context.at("timestamp"))
    if kind.startswith(f"{_CDEVENTS}incident."):
        return _incident(kind, thing, _id_of(content, "service"), context, content, fields, at)
    return cdevents.told(fields, kind.removeprefix(_CDEVENTS), thing, at)


def _id_of(content: Fields, key: str) -> str:
    value = content.data.get(key)
    return str(value.get("id", "")) if isinstance(value, dict) else ""


def _incident(
    kind: str,
    thing: str,
    service: str,
    context: Fields,
    content: Fields,
    fields: Fields,
    at: float | None,
) -> Signal:
    over = kind.removeprefix(f"{_CDEVENTS}incident.").startswith("resolved")
    said = content.text("description", most=1000)
    custom = fields.data.get("customData")
    more = custom if isinstance(custom, dict) else {}
    return Signal(
        key=thing,
        action=SignalAction.RESOLVE if over else SignalAction.TRIGGER,
        summary=said or f"incident {thing}",
        severity=severity_of(first_of(more, "severity")),
        service=service[:300],
        source=context.text("source", most=500),
        component=thing,
        klass=kind,
        details={**content.data, **({"customData": more} if more else {})},
        links=links_of([("Ticket", first_of(content.data, "ticketURI"))]),
        at=at,
    )
