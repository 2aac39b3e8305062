"""How delivery is doing, in numbers, for `/metrics`. Only SQL."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from watchkeeper.kernel.clock import Seconds
from watchkeeper.notify.beats import replica
from watchkeeper.notify.outbox import DUE, FAILED, LEASED, delivery
from watchkeeper.store import timeline

TAKEN_OVER = "deliveries"
"""The subject of the events that say how many messages were taken over."""


@dataclass(frozen=True, slots=True)
class Figures:
    """By channel: messages that are due now, wait for their time, are being sent, failed for good.

    ``oldest_due``: seconds since the oldest message that nobody has taken is due; 0 for none.
    ``taken_over``: messages that were taken over from replicas that are gone, ever.
    """

    due: Mapping[str, int]
    waiting: Mapping[str, int]
    leased: Mapping[str, int]
    failed: Mapping[str, int]
    oldest_due: float
    taken_over: int
    replicas: int


def figures(conn: Connection, now: Seconds) -> Figures:
    """All of it, each by the index on state."""
    c = delivery.c
    oldest = conn.execute(select(func.min(c.due_at)).where(c.state == DUE)).scalar()
    return Figures(
        _by_channel(conn, DUE, c.due_at <= now),
        _by_channel(conn, DUE, c.due_at > now),
        _by_channel(conn, LEASED),
        _by_channel(conn, FAILED),
        max(0.0, now - oldest) if oldest is not None else 0.0,
        _taken_over(conn),
        int(conn.execute(select(func.count()).select_from(replica)).scalar_one()),
    )


def _by_channel(conn: Connection, state: str, *more: object) -> dict[str, int]:
    c = delivery.c
    query = select(c.channel, func.count()).where(c.state == state, *more)  # type: ignore[arg-type]
    return {name: int(n) for name, n in conn.execute(query.group_by(c.channel))}


def _taken_over(conn: Connection) -> int:
    query = select(timeline.event.c.data).where(timeline.event.c.subject == TAKEN_OVER)
    return sum(int(json.loads(data)["count"]) for data in conn.execute(query).scalars())


def note_taken_over(conn: Connection, count: int, by: str, now: Seconds) -> None:
    """Messages of replicas that are gone are due again."""
    timeline.append(conn, now, "delivery.taken_over", TAKEN_OVER, by, {"count": count})
