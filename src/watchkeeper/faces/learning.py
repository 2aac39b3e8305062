"""What faces stand on for what was learnt: similar ones, recurrences, figures, digests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from sqlalchemy import Connection

from watchkeeper.engine.board import Board
from watchkeeper.faces.addresses import meant, shown_in
from watchkeeper.faces.duty import Duty
from watchkeeper.incidents import store as incidents
from watchkeeper.incidents.keeping import By
from watchkeeper.incidents.model import Incident
from watchkeeper.kernel.clock import Clock, Seconds
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.oncall.model import Site
from watchkeeper.postmortems import (
    digest_work,
    knowing,
    store_digest,
    store_figures,
    store_marks,
)
from watchkeeper.postmortems.digest import WEEK, Lessons
from watchkeeper.postmortems.figures import Figures, figures
from watchkeeper.postmortems.knowing import Proof, Resembling
from watchkeeper.postmortems.recurrence import said
from watchkeeper.postmortems.store_digest import Subscription
from watchkeeper.postmortems.store_marks import Recurrence
from watchkeeper.spec.model import Specs
from watchkeeper.spec.response import DAY
from watchkeeper.store import Database

T = TypeVar("T")
MOST_DAYS = 3660


@dataclass(frozen=True, slots=True)
class Again:
    """A recurrence, with the incident on the other side of it."""

    kept: Recurrence
    other: Incident

    @property
    def because(self) -> str:
        """What both have, in words."""
        return said(self.kept.shared)


@dataclass
class Learning:
    """The use cases of what was learnt."""

    db: Database
    board: Board
    clock: Clock
    site: Site
    wake: Callable[[], None] = lambda: None

    def specs(self) -> Specs:
        """The definitions in use."""
        return self.board.posting.specs

    # -- similar ones, recurrences
    def like_new(
        self, title: str, services: Sequence[str] = (), journeys: Sequence[str] = (),
        pages: Sequence[int] = (), summary: str = "",
    ) -> Sequence[Resembling]:  # fmt: skip
        """Past incidents that one which is about to be declared resembles."""
        with self.db.read() as conn:
            return knowing.like_new(conn, self.specs(), title, services, journeys, pages, summary)

    def like_incident(self, incident_id: int, source: str = "") -> Sequence[Resembling]:
        """Past incidents that this one resembles; ``source``: its postmortem as it is written.

        Raises NotFound.
        """
        with self.db.read() as conn:
            return knowing.like_incident(conn, _must(conn, incident_id), source)

    def again(self, incident_id: int) -> Sequence[Again]:
        """What an incident is again, the newest first. Raises NotFound."""
        with self.db.read() as conn:
            _must(conn, incident_id)
            found = store_marks.of_incident(conn, incident_id)
            its = incidents.by_ids(conn, [r.of for r in found])
        return [Again(r, its[r.of]) for r in found if r.of in its]

    def since(self, incident_id: int) -> Sequence[Again]:
        """Which incidents are this one again, the oldest first. Raises NotFound."""
        with self.db.read() as conn:
            _must(conn, incident_id)
            found = store_marks.since(conn, [incident_id])
            its = incidents.by_ids(conn, [r.incident_id for r in found])
        return [Again(r, its[r.incident_id]) for r in found if r.incident_id in its]

    def decide(self, incident_id: int, of: int, same: bool, why: str, by: By) -> Recurrence:
        """Say whether one incident is another again. Raises NotFound, UserError."""
        return self._do(
            lambda conn, now: knowing.decide(
                conn, self.specs(), self.site, incident_id, of, same, why, by, now
            )
        )

    def proofs(self) -> Sequence[Proof]:
        """Every item that promised to prevent, and whether it has held."""
        with self.db.read() as conn:
            return knowing.proofs(conn, self.clock.now())

    # -- figures
    def figures(
        self, days: int, service: str = "", severity: str = "", most: int | None = None
    ) -> Figures:
        """How incidents of the last days went; of causes and services only the ``most`` frequent.

        Raises UserError.
        """
        if not 1 <= days <= MOST_DAYS:
            raise UserError(f"{days} days cannot be shown.", f"Ask for 1 to {MOST_DAYS}.")
        until = self.clock.now()
        since = until - days * DAY
        with self.db.read() as conn:
            happened = store_figures.happened(conn, since, until, service, severity)
            promised = store_figures.promised(conn, since, until)
        order = list(self.specs().response.severities)
        return figures(happened, promised, order, since, until, most)

    # -- the digest
    def digests(self) -> Sequence[Subscription]:
        """Who is sent the digest."""
        with self.db.read() as conn:
            found = store_digest.every(conn)
        specs = self.specs()
        return [replace(s, address=shown_in(specs, s.channel, s.address)) for s in found]

    def subscribe(
        self, actor: str, user: str = "", channel: str = "", address: str = "", team: str = ""
    ) -> Subscription:
        """Send it to a user, or to an address of a channel. Raises NotFound, UserError."""
        specs = self.specs()
        where = meant(specs, channel, address) if channel else ""
        return self._do(
            lambda conn, now: digest_work.subscribe(
                conn, specs, actor, now, user=user, channel=channel, address=where, team=team
            )
        )

    def unsubscribe(self, subscription_id: int, actor: str) -> None:
        """Send it no more. Raises NotFound."""
        self._do(lambda conn, now: digest_work.unsubscribe(conn, subscription_id, actor, now))

    def unsubscribe_me(self, actor: str) -> None:
        """Send oneself no more digests. Raises NotFound."""
        mine = [s.id for s in self.digests() if s.user == actor]
        if not mine:
            raise NotFound("You are sent no digest.", "POST /api/v1/learning/digests/me")
        for each in mine:
            self.unsubscribe(each, actor)

    def lessons(self, team: str = "") -> Lessons:
        """What the digest would tell of the last week."""
        now = self.clock.now()
        with self.db.read() as conn:
            return digest_work.lessons(conn, self.specs(), team, now - WEEK, now)

    def _do(self, act: Callable[[Connection, Seconds], T]) -> T:
        now = self.clock.now()
        with self.db.write() as conn:
            done = act(conn, now)
        self.board.post()
        self.wake()
        return done


def _must(conn: Connection, incident_id: int) -> Incident:
    found = incidents.get(conn, incident_id)
    if found is None:
        raise NotFound(f"There is no incident {incident_id}.", "/incidents lists them.")
    return found


def learning_of(duty: Duty) -> Learning:
    """The use cases over the same database, definitions and clock."""
    return Learning(duty.db, duty.board, duty.clock, duty.site, duty.wake)
