"""PagerDuty Events API v2 and Change Events.

https://developer.pagerduty.com/docs/events-api-v2-overview: ``summary`` up to 1,024 characters,
``dedup_key`` up to 255, ``severity`` one of critical, error, warning, info.
"""

from __future__ import annotations

from watchkeeper.alerting.intake.model import Asked, Understood
from watchkeeper.alerting.intake.reading import (
    Fields,
    first_of,
    links_of,
    plain,
    severity_of,
    wrong,
)
from watchkeeper.alerting.model import Signal, SignalAction
from watchkeeper.changes import words
from watchkeeper.changes.model import ChangeKind, Told

ACTIONS = tuple(str(a) for a in SignalAction)
MOST_KEY = 255


def routing_key(document: object) -> str:
    """The key in the body; '' when there is none. Raises UserError for a wrong type."""
    fields = Fields(document)
    return fields.text("routing_key", most=200) or fields.text("service_key", most=200)


def parse(document: object, asked: Asked) -> list[Understood]:
    """An event: triggers, acknowledges or resolves."""
    fields = Fields(document)
    action = SignalAction(fields.choice("event_action", ACTIONS))
    key = fields.exact("dedup_key", MOST_KEY)
    if not key and action is not SignalAction.TRIGGER:
        raise wrong("dedup_key", f"the key of the alert to {action}")
    payload = fields.child("payload", required=action is SignalAction.TRIGGER)
    trigger = action is SignalAction.TRIGGER
    custom = payload.data.get("custom_details")
    if isinstance(custom, str):
        custom = {"text": custom}
    client = (fields.text("client", most=200) or "client", fields.text("client_url", most=2000))
    signal = Signal(
        key=key or asked.fresh,
        action=action,
        summary=payload.text("summary", required=trigger, most=1000),
        severity=severity_of(payload.text("severity", required=trigger)),
        source=payload.text("source", required=trigger, most=500),
        component=payload.text("component", most=500),
        group=payload.text("group", most=500),
        klass=payload.text("class", most=500),
        details=Fields(custom if custom is not None else {}, "payload.custom_details").data,
        links=(*fields.links("links"), *links_of([client])),
        at=payload.time("timestamp"),
    )
    return [signal]


def parse_change(document: object, asked: Asked) -> list[Understood]:
    """A change event. It has happened when it is told; of what kind it is, ``custom_details`` may
    say (kind, service, version, environment, …), else the words of its summary."""
    del asked
    fields = Fields(document)
    payload = fields.child("payload", required=True)
    details = payload.child("custom_details").data
    summary = payload.text("summary", required=True, most=1000)
    kind = words.kind_of(first_of(details, "kind", "type", "change_type"))
    told = Told(
        summary=summary,
        kind=words.kind_in(summary) if kind is ChangeKind.OTHER else kind,
        intent=words.intent_of(first_of(details, "intent", "change_kind")),
        services=tuple(n for n in (first_of(details, "service", "service_name"),) if n),
        environment=first_of(details, "environment", "env"),
        version=first_of(details, "version", "build_version", "tag", "release"),
        previous_version=first_of(details, "previous_version"),
        started_at=payload.time("timestamp"),
        outcome=words.outcome_of(first_of(details, "outcome", "status", "state")),
        links=fields.links("links"),
        source=payload.text("source", most=500),
        at=payload.time("timestamp"),
        labels={k[:200]: plain(v)[:1000] for k, v in details.items() if v is not None},
    )
    return [told]
