"""What faces stand on for postmortems: each use case one method, one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Connection

from watchkeeper.engine.board import Board
from watchkeeper.faces.duty import Duty
from watchkeeper.kernel.clock import Clock, Seconds
from watchkeeper.kernel.errors import NotFound
from watchkeeper.oncall.model import Site
from watchkeeper.postmortems import store, store_items, store_words, work
from watchkeeper.postmortems.model import ActionItem, Postmortem
from watchkeeper.postmortems.store import Version
from watchkeeper.postmortems.work import Saved
from watchkeeper.spec.model import Specs
from watchkeeper.store import Database

T = TypeVar("T")
MOST_FOUND = 30


@dataclass
class Postmortems:
    """The use cases of postmortems."""

    db: Database
    board: Board
    clock: Clock
    site: Site
    wake: Callable[[], None] = lambda: None

    def specs(self) -> Specs:
        """The definitions in use."""
        return self.board.posting.specs

    def find(
        self,
        states: Sequence[str] = (),
        owner: str = "",
        before: int | None = None,
        limit: int = 100,
    ) -> Sequence[Postmortem]:
        """Postmortems, newest first."""
        with self.db.read() as conn:
            return store.find(conn, states=states, owner=owner, before=before, limit=limit)

    def search(
        self, text: str, states: Sequence[str] = (), limit: int = MOST_FOUND
    ) -> tuple[Sequence[Postmortem], int]:
        """Postmortems with all these words, the best first, and how many there are in all."""
        with self.db.read() as conn:
            hits, total = store_words.search(conn, text, states, limit)
            return store.by_ids(conn, [h.postmortem_id for h in hits]), total

    def get(self, postmortem_id: int) -> Postmortem:
        """One. Raises NotFound."""
        with self.db.read() as conn:
            found = store.get(conn, postmortem_id)
        if found is None:
            raise NotFound(f"There is no postmortem {postmortem_id}.", "/postmortems lists them.")
        return found.its

    def of_incident(self, incident_id: int) -> Postmortem | None:
        """The one of an incident, if it has one."""
        with self.db.read() as conn:
            return store.of_incident(conn, incident_id)

    def items(self, its: Postmortem) -> Sequence[ActionItem]:
        """The action items that came of it, or of its incident."""
        with self.db.read() as conn:
            found = store_items.find(conn, postmortem_id=its.id)
            if its.incident_id is not None:
                found += store_items.find(conn, incident_id=its.incident_id)
        return sorted({i.id: i for i in found}.values(), key=lambda i: i.id)

    def versions(self, postmortem_id: int) -> Sequence[Version]:
        """Every text that was saved, newest first. Raises NotFound."""
        self.get(postmortem_id)
        with self.db.read() as conn:
            return store.versions(conn, postmortem_id)

    def diff(self, postmortem_id: int, one: int, two: int) -> Sequence[str]:
        """What changed between two versions, as unified lines. Raises NotFound."""
        with self.db.read() as conn:
            return work.diff(conn, postmortem_id, one, two)

    def open_for(self, incident_id: int, actor: str) -> Postmortem:
        """Open the one of an incident now, with a draft. Raises NotFound, UserError."""
        fleet = self.board.posting.fleet
        return self._do(
            lambda conn, now: work.open_for(
                conn, self.specs(), fleet, self.site, incident_id, actor, now
            )
        )

    def bring(
        self, title: str, text: str, actor: str, published_at: Seconds | None = None
    ) -> Postmortem:
        """Take in one that was written elsewhere. Raises UserError."""
        return self._do(
            lambda conn, now: work.bring(conn, title, text, actor, now, published_at=published_at)
        )

    def save(self, postmortem_id: int, base: int, text: str, actor: str) -> Saved:
        """Save a text that was begun from version ``base``. Raises NotFound, UserError."""
        return self._do(lambda conn, now: work.save(conn, postmortem_id, base, text, actor, now))

    def take_back_text(self, postmortem_id: int, number: int, actor: str) -> Postmortem:
        """Make an old version the newest again. Raises NotFound, UserError."""
        return self._do(
            lambda conn, now: work.take_back_text(conn, postmortem_id, number, actor, now)
        )

    def act(self, postmortem_id: int, verb: str, actor: str, why: str = "") -> Postmortem:
        """review, approve, publish or reopen. Raises NotFound, UserError."""
        return self._do(
            lambda conn, now: work.act(
                conn, self.specs(), self.site, postmortem_id, verb, actor, why, now
            )
        )

    def hand(self, postmortem_id: int, owner: str, actor: str) -> Postmortem:
        """Another writes it. Raises NotFound, UserError."""
        return self._do(
            lambda conn, now: work.hand(
                conn, self.specs(), self.site, postmortem_id, owner, actor, now
            )
        )

    def feed(self, limit: int = MOST_FOUND) -> Sequence[Postmortem]:
        """Those that are published, newest first."""
        with self.db.read() as conn:
            return store.published(conn, limit=limit)

    def _do(self, act: Callable[[Connection, Seconds], T]) -> T:
        now = self.clock.now()
        with self.db.write() as conn:
            done = act(conn, now)
        self.board.post()
        self.wake()
        return done


def postmortems_of(duty: Duty) -> Postmortems:
    """The use cases over the same database, definitions and clock."""
    return Postmortems(duty.db, duty.board, duty.clock, duty.site, duty.wake)
