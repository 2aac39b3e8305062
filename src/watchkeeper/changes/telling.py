"""Whom a change is told: Grafana, as an annotation, and webhooks that ask for it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from watchkeeper.changes.model import Change, Outcome
from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.notify.model import MessageKind
from watchkeeper.notify.outbox import BULK, NewDelivery
from watchkeeper.spec.duty import ChannelDefinition, ChannelType
from watchkeeper.spec.model import Specs


def deliveries(change: Change, specs: Specs, now: Seconds) -> Iterator[NewDelivery]:
    """The messages about a change as it stands now; once for each outcome.

    Grafana is told when it is over, so that its annotation has both ends.
    """
    for channel in specs.duty.channels.values():
        key = f"change-{change.id}-{change.outcome}-{channel.name}"[:120]
        address, document = _for(channel, change)
        if document:
            content = {"title": change.summary, "document": document}
            yield NewDelivery(
                key=key, kind=MessageKind.STATUS, urgency="info", user="", channel=channel.name,
                address=address, content=content, due_at=now, priority=BULK,
            )  # fmt: skip


def _for(channel: ChannelDefinition, change: Change) -> tuple[str, Mapping[str, Any]]:
    if channel.type is ChannelType.GRAFANA and change.outcome is not Outcome.IN_PROGRESS:
        return str(change.kind), annotation(change)
    where = channel.settings.get("changes")
    if channel.type is ChannelType.WEBHOOK and isinstance(where, str) and where:
        return where, {"type": "change", "change": document(change)}
    return "", {}


def annotation(change: Change) -> dict[str, Any]:
    """As Grafana takes it: milliseconds, a region when the end is known."""
    said = [change.summary, f"{change.kind}, {change.outcome.replace('_', ' ')}"]
    said += [f"environment {change.environment}"] if change.environment else []
    made: dict[str, Any] = {
        "time": int(change.started_at * 1000),
        "text": "\n".join([*said, *(url for _, url in change.links)]),
        "tags": [*change.services, str(change.outcome)],
    }
    if change.ended_at is not None and change.ended_at > change.started_at:
        made["timeEnd"] = int(change.ended_at * 1000)
    return made


def document(change: Change) -> dict[str, Any]:
    """As webhooks are posted it."""
    return {
        "id": change.id,
        "kind": str(change.kind),
        "intent": str(change.intent),
        "services": list(change.services),
        "environment": change.environment,
        "summary": change.summary,
        "version": change.version,
        "previous_version": change.previous_version,
        "started_at": iso(change.started_at),
        "ended_at": iso(change.ended_at) if change.ended_at is not None else None,
        "outcome": str(change.outcome),
        "links": [{"text": text, "href": url} for text, url in change.links],
        "source": change.source,
    }
