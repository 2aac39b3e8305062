"""What faces stand on for alerts, pages and on-call: each use case one method, one transaction.

Beside `Services`, and like it handed to API and pages alike.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from sqlalchemy import Connection

from watchkeeper.alerting import work as alerts_work
from watchkeeper.alerting.model import Alert
from watchkeeper.engine.board import Board
from watchkeeper.faces.addresses import at, meant, shown_in, shown_rows
from watchkeeper.faces.services import Services
from watchkeeper.kernel.clock import Clock, Seconds
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.notify import outbox
from watchkeeper.notify.model import MessageKind
from watchkeeper.notify.outbox import LATER, Delivery, NewDelivery
from watchkeeper.notify.sending import next_channel
from watchkeeper.oncall import audit, escalation, links, store, work
from watchkeeper.oncall.calling import changes_of
from watchkeeper.oncall.load import Load, load
from watchkeeper.oncall.model import Page, Site
from watchkeeper.oncall.schedule.model import Change, Shift
from watchkeeper.oncall.schedule.rules import gaps, on_call, shifts
from watchkeeper.oncall.shares import Share, shares
from watchkeeper.oncall.store import CallRow, Proof
from watchkeeper.spec.duty import ScheduleDefinition
from watchkeeper.spec.model import Specs
from watchkeeper.store import Database, timeline
from watchkeeper.store.timeline import Event

T = TypeVar("T")

CODE_SECONDS = 900.0
CODE_TRIES = 5
KINDS = ("override", "swap", "leave")


@dataclass(frozen=True, slots=True)
class Story:
    """Everything about one page, read at one instant."""

    page: Page
    alerts: Sequence[Alert]
    events: Sequence[Event]
    calls: Sequence[CallRow]
    deliveries: Sequence[Delivery]


@dataclass(frozen=True, slots=True)
class OnDuty:
    """A schedule now: who has it, until when, who is next."""

    schedule: ScheduleDefinition
    now: Shift
    next: Shift | None
    gaps: Sequence[Shift]


@dataclass
class Duty:
    """The use cases of alerts, pages and on-call."""

    db: Database
    board: Board
    clock: Clock
    site: Site
    wake: Callable[[], None] = lambda: None

    def specs(self) -> Specs:
        """The definitions in use."""
        return self.board.posting.specs

    # -- pages
    def pages(
        self, states: Sequence[str] = (), before: int | None = None, limit: int = 100
    ) -> Sequence[Page]:
        """Pages, newest first."""
        with self.db.read() as conn:
            return store.find(conn, states=states, before=before, limit=limit)

    def story(self, page_id: int) -> Story:
        """One page with all that happened. Raises NotFound."""
        with self.db.read() as conn:
            page = store.get(conn, page_id)
            if page is None:
                raise NotFound(f"There is no page #{page_id}.", "/alerts lists them.")
            return Story(
                page,
                alerts_work.of_page(conn, page_id, 200),
                timeline.read(conn, subject=f"page/{page_id}", limit=2000),
                store.calls_of(conn, page_id),
                self._shown(outbox.of_page(conn, page_id)),
            )

    def acknowledge(self, page_id: int, actor: str) -> Page:
        """I have it. Raises NotFound, UserError."""
        return self._do(lambda conn, now: work.acknowledge(conn, page_id, actor, self.site, now))

    def resolve(self, page_id: int, actor: str) -> Page:
        """It is over. Raises NotFound."""
        return self._do(lambda conn, now: work.resolve(conn, page_id, actor, self.site, now))

    def snooze(self, page_id: int, actor: str, seconds: float) -> Page:
        """Call again after this time. Raises NotFound, UserError."""
        return self._do(
            lambda conn, now: work.snooze(conn, page_id, actor, now + seconds, self.site, now)
        )

    def reassign(self, page_id: int, actor: str, to: Sequence[str], note: str) -> Page:
        """Call these instead. Raises NotFound, UserError."""
        targets = tuple(self._target(name) for name in to)
        return self._do(lambda conn, now: work.reassign(conn, page_id, actor, targets, note, now))

    def add_responders(self, page_id: int, actor: str, who: Sequence[str]) -> Sequence[str]:
        """Call these as well; their names. Raises NotFound, UserError."""
        targets = tuple(self._target(name) for name in who)
        calls = self._do(
            lambda conn, now: work.add_responders(
                conn, page_id, actor, targets, self.specs(), self.site, now
            )
        )
        return [c.user or c.channel for c in calls]

    def note(self, page_id: int, actor: str, text: str) -> None:
        """Write into the page's story. Raises NotFound, UserError."""
        self._do(lambda conn, now: work.note(conn, page_id, actor, text, now))

    def tap(self, signed: str) -> links.Tap:
        """What a signed link says. Raises NotFound for one that is forged or expired."""
        tap = links.verify(signed, self.site.secret, self.clock.now())
        if tap is None:
            raise NotFound(
                "This link is not valid, or no longer.", "Sign in and open the page from there."
            )
        return tap

    def do_tap(self, tap: links.Tap) -> Page:
        """Do what a signed link says. Raises NotFound, UserError."""
        if tap.action == "ack":
            return self.acknowledge(tap.page_id, tap.user)
        return self.resolve(tap.page_id, tap.user)

    def last_page_of(self, address: str, page_id: int | None) -> tuple[int, str]:
        """(page, user) that an answer from this address means. Raises NotFound."""
        kept = at(self.specs(), address)
        with self.db.read() as conn:
            found = [(outbox.last_call(conn, own, page_id), user) for user, own in kept]
        called = max(((page, user) for page, user in found if page is not None), default=None)
        if called is None:
            raise NotFound("There is no page that this number was called for.", "Open Watchkeeper.")
        return called

    def person_at(self, address: str) -> str:
        """The user who has this address; '' when nobody has."""
        return next((user for user, _ in at(self.specs(), address)), "") if address else ""

    def note_status(self, provider_id: str, said: str, failed: bool) -> None:
        """A provider's later word; when it failed after all, the next way is tried."""

        def keep(conn: Connection, now: Seconds) -> None:
            row = outbox.note_status(conn, provider_id, said, failed)
            if row is not None and failed and row.fallbacks:
                outbox.enqueue(conn, [next_channel(row, now)], now)

        self._do(keep)

    def _target(self, name: str) -> Any:  # noqa: ANN401
        try:
            target = escalation.target_of(name.strip())
        except ValueError:
            known = "user, schedule:name, team:name or channel:name@address"
            raise UserError(f"{name!r} names no target.", f"Expected {known}.") from None
        duty, specs = self.specs().duty, self.specs()
        known_names: Mapping[str, Mapping[str, object]] = {
            "user": duty.users,
            "schedule": duty.schedules,
            "team": specs.teams,
            "channel": duty.channels,
        }
        if target.name not in known_names[str(target.kind)]:
            there = ", ".join(known_names[str(target.kind)]) or "none"
            raise UserError(f"There is no {target.kind} {target.name!r}.", f"There are: {there}.")
        if not target.address:
            return target
        return replace(target, address=meant(specs, target.name, target.address))

    # -- drills, tests, codes
    def drill(self, policy: str, actor: str) -> Page:
        """Start a fire drill. Raises NotFound."""
        return self._do(lambda conn, now: work.drill(conn, policy, actor, self.specs(), now))

    def drills(self, limit: int = 50) -> Sequence[Page]:
        """Drills, newest first."""
        with self.db.read() as conn:
            return store.find(conn, kind="drill", limit=limit)

    def test_channel(self, channel: str, address: str, actor: str) -> str:
        """Send a test message; the key under which its outcome will be found. Raises NotFound."""
        self._channel(channel)
        if not address.strip():
            raise UserError("A test needs an address.", "Give one in the channel's terms.")
        said = {"title": "Test message", "body": f"{actor} tests the channel {channel}."}
        where = meant(self.specs(), channel, address.strip())
        return self._send(MessageKind.TEST, channel, where, said)

    def send_code(self, user: str, channel: str, address: str) -> None:
        """Send a code that proves an address. Raises NotFound."""
        address = self._contact(user, channel, address)
        code = f"{secrets.randbelow(10**6):06d}"
        key = (user, channel, address)
        self._do(
            lambda conn, now: store.set_code(conn, key, _hashed(code, key), now + CODE_SECONDS)
        )
        said = {
            "title": f"Your code is {code}",
            "body": "Type it in Watchkeeper within 15 minutes.",
        }
        self._send(MessageKind.VERIFY, channel, address, said, user)

    def verify_code(self, user: str, channel: str, address: str, code: str) -> None:
        """The code that came back. Raises UserError when it is wrong or too late."""
        address = self._contact(user, channel, address)
        key, given = (user, channel, address), "".join(code.split())
        right = self._do(
            lambda conn, now: store.try_code(conn, key, _hashed(given, key), now, CODE_TRIES)
        )
        if not right:
            raise UserError("That is not the code, or it is too late.", "Ask for a new one.")

    def proofs(self) -> Mapping[tuple[str, str, str], Proof]:
        """What is known of each address."""
        with self.db.read() as conn:
            return store.proofs(conn)

    def outcomes(self) -> Mapping[tuple[str, str], Delivery]:
        """The last delivery to each (channel, address as it is defined)."""
        with self.db.read() as conn:
            found = outbox.last_outcomes(conn)
        return dict(zip(found, self._shown([*found.values()]), strict=True))

    def deliveries(self, channel: str = "", limit: int = 50) -> Sequence[Delivery]:
        """The newest deliveries."""
        with self.db.read() as conn:
            return self._shown(outbox.latest(conn, channel=channel, limit=limit))

    def _send(
        self, kind: MessageKind, channel: str, address: str, said: Mapping[str, Any], user: str = ""
    ) -> str:
        key = f"{kind}-{secrets.token_hex(8)}"
        row = NewDelivery(
            key=key,
            kind=kind,
            urgency="page",
            user=user,
            channel=channel,
            address=address,
            content=said,
            due_at=self.clock.now(),
            priority=LATER,
        )
        self._do(lambda conn, now: outbox.enqueue(conn, [row], now))
        return key

    def _channel(self, name: str) -> None:
        known = self.specs().duty.channels
        if name not in known:
            there = ", ".join(known) or "none"
            raise NotFound(f"There is no channel {name!r}.", f"There are: {there}.")

    def _contact(self, user: str, channel: str, address: str) -> str:
        """The address as it is defined."""
        address = meant(self.specs(), channel, address)
        known = self.specs().duty.users.get(user)
        if known is None or all(
            (c.channel, c.address) != (channel, address) for c in known.contacts
        ):
            raise NotFound(f"{user!r} has no such contact.", "Contacts are defined with the user.")
        return address

    def shown(self, channel: str, address: str) -> str:
        """An address as people may read it: what is secret is left out."""
        return shown_in(self.specs(), channel, address)

    def _shown(self, rows: Sequence[Delivery]) -> list[Delivery]:
        return shown_rows(self.specs(), rows)

    # -- schedules
    def on_duty(self) -> Sequence[OnDuty]:
        """Every schedule now."""
        now = self.clock.now()
        with self.db.read() as conn:
            changes = store.changes(conn, now - 86400)
        found = []
        for name, schedule in self.specs().duty.schedules.items():
            mine = changes_of(changes, name)
            ahead = shifts(schedule, mine, now, now + 14 * 86400)
            found.append(
                OnDuty(
                    schedule,
                    on_call(schedule, mine, now),
                    ahead[1] if len(ahead) > 1 else None,
                    gaps(schedule, mine, now, now + 14 * 86400),
                )
            )
        return found

    def shifts(self, name: str, start: Seconds, end: Seconds) -> Sequence[Shift]:
        """The final schedule of an interval. Raises NotFound."""
        schedule = self._schedule(name)
        with self.db.read() as conn:
            changes = store.changes(conn, start)
        return shifts(schedule, changes_of(changes, name), start, end)

    def shares(self, name: str, seconds: float) -> Sequence[Share]:
        """Planned hours of each person of a schedule from now on. Raises NotFound."""
        schedule, now = self._schedule(name), self.clock.now()
        with self.db.read() as conn:
            changes = store.changes(conn, now)
        return shares(schedule, changes_of(changes, name), now, now + seconds)

    def shifts_of(
        self, user: str, start: Seconds, end: Seconds
    ) -> Sequence[tuple[ScheduleDefinition, Shift]]:
        """A person's shifts, shadowing ones too, in all schedules, by time. Raises NotFound."""
        duty = self.specs().duty
        if user not in duty.users:
            raise NotFound(f"There is no user {user!r}.", "Users are defined as kind User.")
        with self.db.read() as conn:
            changes = store.changes(conn, start)
        found = [
            (schedule, shift)
            for name, schedule in duty.schedules.items()
            for shift in shifts(schedule, changes_of(changes, name), start, end)
            if user in (*shift.users, *shift.shadows)
        ]
        return sorted(found, key=lambda each: (each[1].start, each[0].name))

    def changes(self, name: str) -> Sequence[Change]:
        """Overrides, swaps and leave that are not over. Raises NotFound."""
        self._schedule(name)
        with self.db.read() as conn:
            found = changes_of(store.changes(conn, self.clock.now()), name)
        return [c for c in found if c.kind != "calendar"]

    def change(
        self,
        schedule: str,
        kind: str,
        start: Seconds,
        end: Seconds,
        user: str,
        replaces: str,
        reason: str,
        author: str,
    ) -> Change:
        """Keep an override, swap or leave. Raises NotFound, UserError."""
        if schedule:
            self._schedule(schedule)
        if kind not in KINDS:
            raise UserError(f"{kind!r} is no kind of change.", f"Expected {', '.join(KINDS)}.")
        if end <= start:
            raise UserError("It must end after it starts.", "Check 'from' and 'to'.")
        for name in (user, replaces):
            if name and name not in self.specs().duty.users:
                raise UserError(f"There is no user {name!r}.", "Users are defined as kind User.")
        if kind != "leave" and not user:
            raise UserError(f"A {kind} needs someone who takes over.", "Give 'user'.")
        if kind != "override" and not replaces:
            raise UserError(f"A {kind} needs whose shifts they are.", "Give 'replaces'.")
        made = Change(
            id=secrets.token_hex(8),
            schedule=schedule,
            kind=kind,  # type: ignore[arg-type]
            start=start,
            end=end,
            user=user,
            replaces=replaces,
            reason=reason.strip()[:1000],
            author=author,
        )

        def keep(conn: Connection, now: Seconds) -> None:
            store.add_change(conn, made, now)
            data = {"id": made.id, "kind": kind, "user": user, "replaces": replaces}
            timeline.append(conn, now, "schedule.changed", f"schedule/{schedule}", author, data)

        self._do(keep)
        return made

    def remove_change(self, change_id: str, actor: str) -> None:
        """Take a change back. Raises NotFound."""

        def remove(conn: Connection, now: Seconds) -> None:
            if not store.remove_change(conn, change_id):
                raise NotFound(f"There is no change {change_id!r}.", "It may be removed already.")
            timeline.append(conn, now, "schedule.restored", "schedule/", actor, {"id": change_id})

        self._do(remove)

    def _schedule(self, name: str) -> ScheduleDefinition:
        found = self.specs().duty.schedules.get(name)
        if found is None:
            there = ", ".join(self.specs().duty.schedules) or "none"
            raise NotFound(f"There is no schedule {name!r}.", f"There are: {there}.")
        return found

    def ical_key(self, kind: str, name: str) -> str:
        """What opens a feed: made of the server's secret, so it needs no table."""
        made = hmac.new(self.site.secret, f"ical:{kind}:{name}".encode(), hashlib.sha256)
        return made.hexdigest()[:32]

    def ical(self, kind: str, name: str) -> str:
        """The path of the feed of a ``schedule`` or a ``user``, with its key."""
        return f"/ical/{kind}/{name}.ics?key={self.ical_key(kind, name)}"

    # -- load, audit
    def load(self, start: Seconds, end: Seconds) -> Sequence[Load]:
        """What being on call cost, by rotation."""
        with self.db.read() as conn:
            calls = store.calls_between(conn, start, end)
        schedules = self.specs().duty.schedules

        def zone(via: str) -> str:
            known = schedules.get(via.removeprefix("schedule:"))
            return known.time_zone if known else "UTC"

        return load(calls, zone)

    def faults(self) -> Sequence[audit.Fault]:
        """Broken promises of the engine, and what would keep a page from reaching somebody."""
        now = self.clock.now()
        with self.db.read() as conn:
            return [*audit.invariants(conn, now), *audit.readiness(conn, self.specs(), now)]

    def _do(self, act: Callable[[Connection, Seconds], T]) -> T:
        now = self.clock.now()
        with self.db.write() as conn:
            done = act(conn, now)
        self.wake()
        self.board.post()
        return done


def _hashed(code: str, key: tuple[str, str, str]) -> str:
    """Codes are short and live for minutes; the address keeps one from serving for another."""
    return hashlib.sha256("\n".join((code, *key)).encode()).hexdigest()


def duty_of(services: Services) -> Duty:
    """The same over a server that was built without: links go nowhere, nothing is sent."""
    return Duty(services.db, services.board, services.clock, Site("", secrets.token_bytes(32)))
