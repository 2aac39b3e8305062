"""What faces stand on for status pages: each use case one method, one transaction."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import Connection

from watchkeeper.engine.board import Board, Posting
from watchkeeper.faces.duty import Duty
from watchkeeper.incidents import store as incidents
from watchkeeper.incidents.status import history, planning, store, subscribing, tokens, work
from watchkeeper.incidents.status.model import Story, Subscriber, View
from watchkeeper.incidents.status.planning import Filled
from watchkeeper.incidents.status.tokens import Pass
from watchkeeper.incidents.work import phase_of
from watchkeeper.kernel.clock import Clock, Seconds
from watchkeeper.kernel.errors import NotFound, StoreError, UserError
from watchkeeper.notify.channels.webhook import own_secret, proves_itself
from watchkeeper.notify.model import TransportError
from watchkeeper.notify.settings import Settings
from watchkeeper.oncall.model import Site
from watchkeeper.spec.model import Specs
from watchkeeper.spec.response import StatusPageDefinition
from watchkeeper.store import Database

T = TypeVar("T")
LOOK_AGAIN = 10.0
"""Seconds after which the database is asked whether anything was written, if the board stands."""
NOT_THERE = "There is no such status page."


@dataclass
class Kept:
    """A page as it was read last, and what was rendered of it."""

    view: View
    specs: Specs
    number: int
    looked_at: Seconds
    fleet_at: Seconds
    bodies: dict[str, tuple[bytes, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking to be told. ``secret``: of a webhook that proved itself."""

    subscriber: Subscriber
    secret: str = ""
    manage: str = ""


@dataclass
class StatusPages:
    """The use cases of status pages."""

    db: Database
    board: Board
    clock: Clock
    site: Site
    wake: Callable[[], None] = lambda: None
    _kept: dict[str, Kept] = field(default_factory=dict)
    _reading: threading.Lock = field(default_factory=threading.Lock)

    # -- reading
    def specs(self) -> Specs:
        """The definitions in use."""
        return self.board.posting.specs

    def listed(self) -> Sequence[StatusPageDefinition]:
        """All pages, in the order written."""
        return list(self.specs().response.status_pages.values())

    def published(self, name: str) -> bool:
        """Whether there is a page of this name that anybody may read."""
        page = self.specs().response.status_pages.get(name)
        return page is not None and page.public

    def page(self, name: str) -> StatusPageDefinition:
        """A page. Raises NotFound."""
        found = self.specs().response.status_pages.get(name)
        if found is None:
            raise NotFound(NOT_THERE, "Check the address.")
        return found

    def kept(self, name: str) -> Kept:
        """A page as it is now: read anew when something was written, and each minute.

        While the database cannot be read, it is as it was read last, and says as of when.
        Raises NotFound; StoreError when it was never read.
        """
        page, posting, now = self.page(name), self.board.posting, self.clock.now()
        held = self._kept.get(name)
        if held is not None and _fresh(held, posting, now):
            return held
        with self._reading:  # many who ask at once have it read once
            held = self._kept.get(name)
            if held is not None and _fresh(held, posting, now):
                return held
            try:
                self._kept[name] = self._read(page, held, posting, now)
            except StoreError:
                if held is None:
                    raise
        return self._kept[name]

    def _read(
        self, page: StatusPageDefinition, held: Kept | None, posting: Posting, now: Seconds
    ) -> Kept:
        fleet, specs = posting.fleet, posting.specs
        with self.db.read() as conn:
            if held is not None and _stands(held, specs, now) and (
                held.view.measured_at is None or held.fleet_at == fleet.as_of
            ) and store.revision(conn) == held.view.revision:  # fmt: skip
                held.number, held.looked_at = posting.number, now
                return held
            view = work.view(conn, specs, fleet, self.site, page, now)
        return Kept(view, specs, posting.number, now, fleet.as_of)

    def view(self, name: str) -> View:
        """A page as it is now. Raises NotFound."""
        return self.kept(name).view

    def stories(self, name: str, since: Seconds, until: Seconds) -> Sequence[Story]:
        """What a page told of in [since, until), newest first. Raises NotFound."""
        page = self.page(name)
        with self.db.read() as conn:
            found = work.stories(conn, self.specs(), page, since, until)
        inside = [s for s in found if since <= s.began < until]
        return sorted(inside, key=lambda s: -s.began)

    def story(self, name: str, story_id: str) -> Story:
        """One incident as a page tells it. Raises NotFound."""
        view = self.view(name)
        near = next((s for s in (*view.open, *view.past) if s.id == story_id), None)
        if near is None:
            every = self.stories(name, 0.0, self.clock.now() + history.DAY)
            near = next((s for s in every if s.id == story_id), None)
        if near is None:
            raise NotFound("There is no such incident here.", "The history lists them all.")
        return near

    def first(self) -> Seconds | None:
        """When the public was told of anything for the first time."""
        with self.db.read() as conn:
            return store.first_post(conn)

    def templates(self, incident_id: int) -> Sequence[Filled]:
        """Texts to begin an update of an incident with, what fits now first. Raises NotFound."""
        with self.db.read() as conn:
            incident = incidents.get(conn, incident_id)
        if incident is None:
            raise NotFound(f"There is no incident {incident_id}.", "/incidents lists them.")
        return planning.filled(self.specs(), incident, phase_of(incident), self.clock.now())

    # -- subscribing
    def subscribe(
        self, name: str, kind: str, address: str, components: Sequence[str], where: str,
        actor: str = "anonymous",
    ) -> Asked:  # fmt: skip
        """Ask for an address to be told; a webhook is challenged at once.

        ``where``: the network address that asks. Raises NotFound, UserError, TooOftenError.
        """
        page = self.page(name)
        subscribing.checked_address(page, kind, address)
        self._do(lambda conn, now: subscribing.limit(conn, name, where, now))
        made = self._do(
            lambda conn, now: subscribing.ask(
                conn, page, self.site, kind, address, components, now, actor
            )
        )
        self.wake()
        if kind != "webhook":
            return Asked(made)
        self._challenge(page, made)
        self._do(lambda conn, now: subscribing.confirm(conn, made, now))
        return Asked(made, self.secret(page, made), self._manage(page, made))

    def _challenge(self, page: StatusPageDefinition, its: Subscriber) -> None:
        definition = self.specs().duty.channels.get(page.webhooks)
        challenge, now = secrets.token_urlsafe(24), self.clock.now()
        try:
            proven = definition is not None and proves_itself(
                definition, its.address, str(its.id), challenge, now
            )
        except TransportError:
            proven = False  # what exactly is there is nobody's business who merely asks
        if not proven:
            raise UserError(
                "Your endpoint did not answer with the challenge.",
                'It is posted {"type": "challenge", "challenge": …}; answer 200 with its text.',
            )

    def secret(self, page: StatusPageDefinition, its: Subscriber) -> str:
        """What signs the messages to a webhook."""
        definition = self.specs().duty.channels.get(page.webhooks)
        if definition is None or its.kind != "webhook":
            return ""
        return own_secret(Settings(definition).must("secret"), str(its.id))

    def _manage(self, page: StatusPageDefinition, its: Subscriber) -> str:
        signed = tokens.sign(
            Pass(its.id, tokens.MANAGE, page.name), self.site.secret, self.clock.now()
        )
        return f"{work.address(page, self.site)}/s/{signed}"

    def passed(self, name: str, signed: str) -> tuple[Pass, Subscriber]:
        """What a signed link says, and whose it is. Raises NotFound."""
        with self.db.read() as conn:
            return subscribing.passed(conn, name, signed, self.site, self.clock.now())

    def use(self, name: str, signed: str, act: str, components: Sequence[str] = ()) -> Subscriber:
        """Do what a link is for: confirm, choose components, or leave. Raises NotFound."""
        its, who = self.passed(name, signed)
        page = self.page(name)

        def work_(conn: Connection, now: Seconds) -> None:
            if its.action == tokens.CONFIRM:
                subscribing.confirm(conn, who, now)
            elif act == "choose":
                subscribing.choose(conn, page, who, components)
            else:
                subscribing.leave(conn, page, who, "subscriber", now)

        self._do(work_)
        return who

    # -- for editors
    def subscribers(
        self, name: str, text: str = "", after: int = 0, limit: int = 100
    ) -> Sequence[Subscriber]:
        """Who subscribed to a page, also those who have not confirmed. Raises NotFound."""
        self.page(name)
        with self.db.read() as conn:
            return store.subscribers(conn, name, text=text, after=after, limit=limit)

    def told(self, name: str) -> int:
        """How many are told of a page's updates."""
        with self.db.read() as conn:
            return store.count(conn, name)

    def remove(self, name: str, subscriber_id: int, actor: str) -> None:
        """Forget a subscriber. Raises NotFound."""
        page = self.page(name)

        def work_(conn: Connection, now: Seconds) -> None:
            found = store.get(conn, subscriber_id)
            if found is None or found.page != name:
                raise NotFound(f"There is no subscriber {subscriber_id}.", "List them first.")
            subscribing.leave(conn, page, found, actor, now)

        self._do(work_)

    def _do(self, act: Callable[[Connection, Seconds], T]) -> T:
        now = self.clock.now()
        with self.db.write() as conn:
            return act(conn, now)


def _fresh(held: Kept, posting: Posting, now: Seconds) -> bool:
    """Nothing can have changed: nobody posted, or it was read just now."""
    same = held.specs is posting.specs and held.number == posting.number
    return same and 0 <= now - held.looked_at < LOOK_AGAIN


def _stands(held: Kept, specs: Specs, now: Seconds) -> bool:
    """Whether time alone has changed nothing: days, planned work, and what it says the time is."""
    return held.specs is specs and now // 60 == held.view.as_of // 60


def status_pages_of(duty: Duty) -> StatusPages:
    """The use cases over the same database, definitions and clock."""
    return StatusPages(duty.db, duty.board, duty.clock, duty.site, duty.wake)
