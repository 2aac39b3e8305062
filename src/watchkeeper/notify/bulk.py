"""Messages to subscribers, of which there may be thousands: how many wait, and taking some back."""

from __future__ import annotations

from sqlalchemy import Connection, func, select, update

from watchkeeper.notify.model import MessageKind
from watchkeeper.notify.outbox import CANCELLED, DUE, delivery


def waiting(conn: Connection) -> int:
    """How many messages to subscribers have not been tried yet."""
    c = delivery.c
    query = select(func.count()).where(
        c.state == DUE, c.kind == str(MessageKind.STATUS), c.attempts == 0
    )
    return int(conn.execute(query).scalar_one())


def cancel_to(conn: Connection, channel: str, address: str, why: str) -> int:
    """Nothing more is sent to this subscriber."""
    c = delivery.c
    mine = c.channel == channel, c.address == address, c.kind == str(MessageKind.STATUS)
    query = update(delivery).where(*mine, c.state == DUE)
    return conn.execute(
        query.values(state=CANCELLED, fence=c.fence + 1, owner=None, outcome=why)
    ).rowcount
