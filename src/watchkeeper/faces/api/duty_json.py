"""Pages, messages, shifts and changes as others script against them. Pure; times are RFC 3339."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from watchkeeper.alerting.model import Alert
from watchkeeper.faces.duty import Story
from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.notify.outbox import Delivery
from watchkeeper.oncall.model import Page
from watchkeeper.oncall.schedule.model import Change, Shift


def page_json(page: Page) -> dict[str, Any]:
    """A page as others script against it."""
    return {
        "id": page.id,
        "kind": str(page.kind),
        "state": str(page.state),
        "service": page.service,
        "title": page.title,
        "urgency": page.urgency,
        "alerts": page.alerts,
        "escalation_policy": page.policy.name if page.policy else None,
        "step": page.step,
        "round": page.round,
        "calls": page.calls,
        "opened_at": iso(page.opened_at),
        "next_step_at": when(page.due_at),
        "first_call_at": when(page.first_call_at),
        "acked_at": when(page.acked_at),
        "acked_by": page.acked_by or None,
        "snoozed_until": when(page.snoozed_until),
        "resolved_at": when(page.resolved_at),
        "resolved_by": page.resolved_by or None,
    }


def story_json(story: Story) -> dict[str, Any]:
    """A page with everything about it."""
    return {
        **page_json(story.page),
        "alerts": [alert_json(a) for a in story.alerts],
        "calls": [
            {"at": iso(c.at), "user": c.user or None, "via": c.via, "number": c.number}
            for c in story.calls
        ],
        "deliveries": [delivery_json(d) for d in story.deliveries],
        "events": [
            {"at": iso(e.at), "kind": e.kind, "actor": e.actor, "data": dict(e.data)}
            for e in story.events
        ],
    }


def alert_json(alert: Alert) -> dict[str, Any]:
    """An alert as others script against it."""
    return {
        "id": alert.id,
        "integration": alert.integration,
        "key": alert.key,
        "state": str(alert.state),
        "urgency": str(alert.urgency),
        "severity": alert.severity,
        "service": alert.service,
        "summary": alert.summary,
        "opened_at": iso(alert.opened_at),
        "last_at": iso(alert.last_at),
        "closed_at": when(alert.closed_at),
        "count": alert.count,
        "page": alert.page_id,
        "quiet": alert.quiet or None,
        "labels": dict(alert.labels),
        "details": dict(alert.details),
        "links": [{"text": t, "url": u} for t, u in alert.links],
    }


def shift_json(shift: Shift) -> dict[str, Any]:
    """A shift of a final schedule."""
    return {
        "start": iso(shift.start),
        "end": iso(shift.end),
        "users": list(shift.users),
        "shadows": list(shift.shadows),
        "layer": shift.layer,
        "reason": shift.reason or None,
    }


def change_json(change: Change) -> dict[str, Any]:
    """A change to a schedule."""
    return {**asdict(change), "start": iso(change.start), "end": iso(change.end)}


def delivery_json(row: Delivery) -> dict[str, Any]:
    """A message and what came of it. Its links are left out: they act for the receiver."""
    return {
        "id": row.id,
        "key": row.key,
        "page": row.page_id,
        "kind": str(row.kind),
        "user": row.user or None,
        "channel": row.channel,
        "address": row.address,
        "state": row.state,
        "due_at": iso(row.due_at),
        "sent_at": when(row.sent_at),
        "attempts": row.attempts,
        "maybe_duplicate": row.maybe_duplicate,
        "provider_id": row.provider_id or None,
        "outcome": row.outcome,
        "title": row.content.get("title"),
    }


def when(at: Seconds | None) -> str | None:
    """RFC 3339; None for never."""
    return None if at is None else iso(at)
