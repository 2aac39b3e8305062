"""Changes that others tell of, in the timeline."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from watchkeeper.alerting.intake.model import Change
from watchkeeper.kernel.clock import Seconds
from watchkeeper.store import timeline

KIND = "change.reported"


def keep_changes(conn: Connection, changes: Sequence[tuple[str, Change]], now: Seconds) -> None:
    """Write them in the caller's transaction, at the time they happened if the sender says it."""
    events: list[timeline.NewEvent] = []
    for integration, change in changes:
        data = {
            "summary": change.summary,
            "kind": change.kind,
            "source": change.source,
            "links": change.links,
            "details": change.details,
            "reported_at": now,
        }
        at = change.at if change.at is not None and change.at <= now else now
        subject = f"service/{change.service[:400]}" if change.service else "change/"
        events.append((at, KIND, subject, integration, data))
    timeline.append_many(conn, events)
