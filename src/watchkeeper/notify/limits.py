"""How many messages a channel may send a minute, over all replicas: what its provider allows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, or_, select, update

from watchkeeper.kernel.clock import Seconds
from watchkeeper.notify.outbox import DUE, LEASED, Delivery, delivery

SPAN = 60.0

Limit = Callable[[str], int]
"""Messages a minute of a channel; 0: no limit."""


def unlimited(_: str) -> int:
    """No channel has a limit."""
    return 0


@dataclass
class Allowance:
    """What each channel may still send now, in one transaction."""

    conn: Connection
    limit: Limit
    now: Seconds
    _left: dict[str, int] = field(default_factory=dict)

    def take(self, row: Delivery) -> bool:
        """True when this may go now. If not, all that is due there waits for the next slot."""
        most = self.limit(row.channel)
        if most <= 0:
            return True
        if row.channel not in self._left:
            self._left[row.channel] = most - _used(self.conn, row.channel, self.now)
        if self._left[row.channel] <= 0:
            self._put_off(row.channel, self.now + max(1.0, SPAN / most))
            return False
        self._left[row.channel] -= 1
        return True

    def _put_off(self, channel: str, until: Seconds) -> None:
        d = delivery.c
        waiting = d.channel == channel, d.state == DUE, d.due_at <= self.now
        self.conn.execute(update(delivery).where(*waiting).values(due_at=until))


def _used(conn: Connection, channel: str, now: Seconds) -> int:
    """Messages of the last minute, and those on their way; what went along with one counts not."""
    d = delivery.c
    query = select(func.count()).where(
        d.channel == channel,
        d.bundle.is_(None),
        or_(d.sent_at > now - SPAN, d.state == LEASED),
    )
    return int(conn.execute(query).scalar_one())
