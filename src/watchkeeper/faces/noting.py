"""What the doors for alerts remember of their visitors: counts, refusals, messages as they came.

An answer does not wait for it: it is written about once a second, many together, so that a storm
pays next to nothing for it. A crash may lose the last second of these figures, never an alert.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Future

from watchkeeper.alerting import store_intake
from watchkeeper.alerting.accepting import Accepted
from watchkeeper.alerting.store_intake import Received, Tally
from watchkeeper.kernel.clock import Clock
from watchkeeper.store import Database

log = logging.getLogger("watchkeeper.intake")

EVERY = 1.0
"""Seconds between two writings."""
MOST_MESSAGES = 50
"""Messages kept in one writing: in a storm the first ones tell what the others would."""
MOST_LETTERS = 16_384
"""Of a longer message the beginning is kept."""
UNKNOWN = ""
"""The name under which messages are counted that brought no key, or one that opens nothing."""


class Noting:
    """Used from one event loop."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db, self._clock = db, clock
        self._tallies: dict[str, Tally] = {}
        self._messages: list[Received] = []
        self._timer: asyncio.TimerHandle | None = None

    def taken(
        self,
        integration: str,
        accepted: Sequence[Accepted],
        key: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> None:
        """This message was understood; alerts that it opened keep it."""
        now = self._clock.now()
        tally = self._tally(integration)
        tally.accepted += 1
        tally.accepted_at = now
        for each in accepted:
            if each.created and each.alert_id is not None and len(self._messages) < MOST_MESSAGES:
                kind = headers.get("content-type", "")[:200]
                said = _readable(body, key)
                self._messages.append(Received(each.alert_id, now, kind, len(body), said))

    def refused(self, integration: str, why: str) -> None:
        """This message was not taken."""
        tally = self._tally(integration)
        tally.refused += 1
        tally.refused_at = self._clock.now()
        tally.refusal = why

    def _tally(self, integration: str) -> Tally:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(EVERY, self._write)
        return self._tallies.setdefault(integration, Tally())

    def _write(self) -> None:
        self._timer = None
        tallies, self._tallies = self._tallies, {}
        messages, self._messages = self._messages, []
        future = self._db.submit(lambda conn: store_intake.note(conn, tallies, messages))
        future.add_done_callback(_lost)


def _lost(future: Future[None]) -> None:
    error = future.exception()
    if error is not None:
        log.warning("what came in could not be counted: %s", error)


def _readable(body: bytes, key: str) -> str:
    """As text that both databases keep, without the key that it may hold."""
    text = body.decode("utf-8", "replace").replace("\0", "\ufffd")
    return (text.replace(key, "…") if key else text)[:MOST_LETTERS]
