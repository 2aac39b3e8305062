"""Send what is due: claim in a transaction, act outside it, record in another.

A crash between acting and recording leaves a claim whose owner stands still: another replica frees
it, and the message is sent again, marked as perhaps a duplicate. What could not be recorded because
the database was away is kept and recorded when it is back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy import Connection

from watchkeeper.kernel.clock import Clock, Seconds
from watchkeeper.kernel.errors import StoreError
from watchkeeper.notify import beats, figures, outbox, rules
from watchkeeper.notify.limits import Allowance, Limit, unlimited
from watchkeeper.notify.model import MessageKind, Receipt, Transport, TransportError
from watchkeeper.notify.outbox import Claim, Delivery, NewDelivery
from watchkeeper.notify.replicas import Watch
from watchkeeper.store import Database, asking

log = logging.getLogger("watchkeeper.notify")

VERSION = 1
"""Of the delivery's protocol. A replica stops claiming when it sees a newer one that it would
misread; it is raised only when rows change their meaning."""

_DUE = asking.ask(outbox.WAITING)

Open = Callable[[str], Transport]
"""The transport of a channel by its name. Raises TransportError when there is none."""


class Runner(Protocol):
    """Runs sends, perhaps side by side."""

    def __call__(self, work: Callable[[], None]) -> object:
        """Run this now or soon."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one claim."""

    claim: Claim
    receipt: Receipt | None
    error: TransportError | None
    at: Seconds


@dataclass
class Sender:
    """One replica's part in the delivery. ``room`` is how many sends may go on at once.

    ``keep_time`` shows the clock the shared wall clock and answers how far it is ahead of that.
    """

    db: Database
    open_channel: Open
    clock: Clock
    monotonic: Callable[[], float]
    chance: Callable[[], float]
    run: Runner
    name: str
    room: int = 32
    on_result: Callable[[Outcome], None] | None = None
    keep_time: Callable[[Connection], Seconds] | None = None
    limit: Limit = unlimited
    _beat: int = 0
    _ahead: Seconds | None = None
    _going: int = 0
    _bulk: int = 0
    _watch: Watch = field(default_factory=Watch)
    _unrecorded: list[Outcome] = field(default_factory=list)

    def beat(self) -> list[str]:
        """Say that we live; free what those had claimed who do not. Returns who is gone."""
        self._beat += 1

        def work(conn: Connection) -> list[str]:
            if self.keep_time is not None:
                self._ahead = self.keep_time(conn)
            now = self.clock.now()
            beats.beat(conn, self.name, self._beat, VERSION, now, self._ahead)
            seen = beats.beats(conn)
            gone = [n for n in self._watch.look(seen, self.monotonic()) if n != self.name]
            freed = outbox.free(conn, gone, now)
            orphans = set(outbox.leased_by(conn)) - set(seen)
            freed += outbox.free(conn, sorted(orphans), now)
            beats.forget_replicas(conn, gone)
            if freed:
                log.warning("took over %d deliveries of replicas that are gone", freed)
                figures.note_taken_over(conn, freed, self.name, now)
            return gone

        with self.db.write() as conn:
            return work(conn)

    def pump(self) -> int:
        """Record what waits for it, then claim and send what is due. Returns how many claims."""
        self._record_waiting()
        free = self.room - self._going
        if free <= 0:
            return 0
        now = self.clock.now()
        with self.db.read() as conn:
            [due] = asking.answers(conn, _DUE, now=now)
            if not due or beats.newest_version(conn) > VERSION:
                return 0
        with self.db.write() as conn:
            # Whoever claims is known to live: a claim of nobody's would be freed at once. This also
            # holds off others who have just found us gone, after a pause.
            beats.beat(conn, self.name, self._beat, VERSION, now, self._ahead)
            # Half of the room stays free of bulk, so that a page never waits behind thousands.
            bulk = max(0, self.room // 2 - self._bulk)
            claims = claim(conn, self.name, now, free, self.limit, bulk)
        for each in claims:
            self._going += 1
            self._bulk += each.row.kind is MessageKind.STATUS
            self.run(lambda c=each: self._send(c))  # type: ignore[misc]
        return len(claims)

    @property
    def owing(self) -> bool:
        """True when an outcome waits to be recorded: the next ``pump`` does that first."""
        return bool(self._unrecorded)

    @property
    def idle(self) -> bool:
        """True when nothing is being sent or waits to be recorded."""
        return not self._going and not self._unrecorded

    def _send(self, claim: Claim) -> None:
        receipt: Receipt | None = None
        error: TransportError | None = None
        try:
            with self.db.read() as conn:
                if not outbox.still_mine(conn, claim.row):
                    return
            transport = self.open_channel(claim.row.channel)
            receipt = transport.send(rules.message_of(claim, self.clock.now()), claim.row.address)
        except TransportError as failed:
            error = failed
        except StoreError as failed:
            error = TransportError(failed.message)
        except Exception as failed:  # a defect in one channel must not hold up the others
            log.exception("channel %s", claim.row.channel)
            error = TransportError(f"{type(failed).__name__} in the channel", unknown=True)
        finally:
            try:
                if receipt is not None or error is not None:
                    self._finish(Outcome(claim, receipt, error, self.clock.now()))
            finally:
                self._going -= 1
                self._bulk -= claim.row.kind is MessageKind.STATUS

    def _finish(self, outcome: Outcome) -> None:
        try:
            self.db.submit(lambda conn: self._record(conn, outcome)).result()
        except StoreError as error:
            log.error("an outcome waits to be recorded: %s", error)
            self._unrecorded.append(outcome)
        if self.on_result is not None:
            self.on_result(outcome)

    def _record_waiting(self) -> None:
        waiting, self._unrecorded = self._unrecorded, []
        for i, outcome in enumerate(waiting):
            try:
                self.db.submit(lambda conn, o=outcome: self._record(conn, o)).result()  # type: ignore[misc]
            except StoreError:
                self._unrecorded.extend(waiting[i:])
                raise

    def _record(self, conn: Connection, outcome: Outcome) -> None:
        row = outcome.claim.row
        if outcome.receipt is not None:
            receipt = outcome.receipt
            outbox.record_sent(conn, row, receipt.provider_id, receipt.detail, outcome.at)
            return
        assert outcome.error is not None
        error = outcome.error
        decided = rules.after_failure(row, error, outcome.at, self.chance())
        stood = outbox.record_failed(conn, row, str(error), decided.at, unknown=decided.unknown)
        if stood and decided.next_channel:
            outbox.enqueue(conn, [next_channel(row, outcome.at)], outcome.at)


def claim(
    conn: Connection, owner: str, now: Seconds, limit: int, limits: Limit = unlimited,
    bulk: int | None = None,
) -> list[Claim]:  # fmt: skip
    """Take what is due: one message an address at a time, pages that pile up in one message.

    At most ``bulk`` of them are for subscribers (None: as many as there are).
    """
    claims: list[Claim] = []
    allowance = Allowance(conn, limits, now)
    seen: set[tuple[str, str]] = set()
    left = limit if bulk is None else bulk
    for row in outbox.ready(conn, now, limit * 4):
        where = (row.channel, row.address)
        if where in seen or len(claims) >= limit:
            continue
        if row.kind not in rules.BUNDLED:
            is_bulk = row.kind is MessageKind.STATUS
            if (is_bulk and left <= 0) or not allowance.take(row):
                continue
            left -= is_bulk
            claims.append(Claim(outbox.lease(conn, row, owner)))
            continue
        seen.add(where)
        sent, last = outbox.sent_lately(conn, *where, now - rules.BUNDLE_SPAN)
        held = rules.hold_until(sent, last, now)
        if held is not None:
            outbox.put_off_all(conn, row, now, held)
            continue
        if not allowance.take(row):
            continue
        claims.append(_with_others(conn, outbox.lease(conn, row, owner), owner, now, sent))
    return claims


def _with_others(conn: Connection, row: Delivery, owner: str, now: Seconds, sent: int) -> Claim:
    if sent < rules.BUNDLE_FREE - 1:
        return Claim(row)  # the first ones go alone: they are read at once
    count = outbox.lease_along(conn, row, owner, now)
    if not count:
        return Claim(row)
    others = outbox.along(conn, row.id, rules.BUNDLE_LINES)
    titles = tuple(str(o.content.get("title", "")) for o in others)
    return Claim(row, titles, count - len(others))


def next_channel(row: Delivery, now: Seconds) -> NewDelivery:
    """The same message by the next way to this person."""
    (channel, address), *rest = row.fallbacks
    return NewDelivery(
        key=f"{row.key}+{len(rest)}",
        kind=row.kind,
        urgency=row.urgency,
        user=row.user,
        channel=channel,
        address=address,
        content=row.content,
        due_at=now,
        page_id=row.page_id,
        priority=row.priority,
        fallbacks=tuple(rest),
    )
