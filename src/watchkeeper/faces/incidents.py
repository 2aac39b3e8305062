"""What faces stand on for incidents: each use case one method, one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection

from watchkeeper.engine.board import Board
from watchkeeper.faces.duty import Duty
from watchkeeper.incidents import assessing, chain, leading, rules, store, work
from watchkeeper.incidents.assessing import Course
from watchkeeper.incidents.chain import Broken
from watchkeeper.incidents.chat import attaching
from watchkeeper.incidents.impact import Suggestion
from watchkeeper.incidents.keeping import By
from watchkeeper.incidents.model import Entry, EntryKind, Impact, Incident, RoleHolding
from watchkeeper.incidents.store import Wanted
from watchkeeper.kernel.clock import Clock, Seconds
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.oncall.model import Site
from watchkeeper.spec.model import Specs
from watchkeeper.spec.response import RoleDefinition, SeverityDefinition
from watchkeeper.store import Database

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class IncidentStory:
    """One incident, who leads it, and all that was written, read at one instant.

    ``empty``: roles that must be held and are not. ``broken``: where the timeline was altered.
    """

    incident: Incident
    roles: Sequence[RoleHolding]
    entries: Sequence[Entry]
    empty: Sequence[RoleDefinition]
    broken: Sequence[Broken]


@dataclass
class Incidents:
    """The use cases of incidents."""

    db: Database
    board: Board
    clock: Clock
    site: Site
    wake: Callable[[], None] = lambda: None

    def specs(self) -> Specs:
        """The definitions in use."""
        return self.board.posting.specs

    # -- reading
    def find(
        self, wanted: Wanted, before: int | None = None, limit: int = 100
    ) -> Sequence[Incident]:
        """Incidents, newest first; ``before`` is the id to go on after."""
        with self.db.read() as conn:
            return store.find(conn, wanted, before=before, limit=limit)

    def count(self, wanted: Wanted) -> int:
        """How many there are."""
        with self.db.read() as conn:
            return store.count(conn, wanted)

    def of_page(self, page_id: int) -> Sequence[Incident]:
        """The incidents to which a page belongs."""
        with self.db.read() as conn:
            return store.of_page(conn, page_id)

    def get(self, incident_id: int) -> Incident:
        """One incident. Raises NotFound."""
        with self.db.read() as conn:
            return _must(conn, incident_id)

    def story(self, incident_id: int) -> IncidentStory:
        """One incident with all that happened. Raises NotFound."""
        with self.db.read() as conn:
            incident = _must(conn, incident_id)
            held = store.roles(conn, incident_id)
            entries = store.entries(conn, incident_id)
        empty = rules.empty_roles(incident, held, self.specs().response.roles)
        return IncidentStory(incident, held, entries, empty, chain.check(incident, entries))

    def entries(
        self, incident_id: int, after: int = 0, kinds: Sequence[EntryKind] = ()
    ) -> Sequence[Entry]:
        """What was written after an entry. Raises NotFound."""
        with self.db.read() as conn:
            _must(conn, incident_id)
            return store.entries(conn, incident_id, after=after, kinds=kinds)

    def roles(self, incident_ids: Sequence[int]) -> Mapping[int, Sequence[RoleHolding]]:
        """Who leads each of these."""
        with self.db.read() as conn:
            return store.roles_of(conn, incident_ids)

    def severities(self) -> Sequence[SeverityDefinition]:
        """What severities there are, the worst first, with what they mean."""
        return list(self.specs().response.severities.values())

    def impact(self, incident_id: int) -> Impact:
        """What it cost so far. Raises NotFound."""
        now = self.clock.now()
        with self.db.read() as conn:
            incident = _must(conn, incident_id)
            return assessing.measure(conn, self.specs(), self.board.posting.fleet, incident, now)

    def course(self, incident_id: int) -> Course | None:
        """How many requests failed, minute by minute; None: not measured. Raises NotFound."""
        with self.db.read() as conn:
            incident = _must(conn, incident_id)
            return assessing.course(conn, self.specs(), incident, self.clock.now())

    def suggest(self) -> Suggestion | None:
        """The severity that the last minutes suggest; None: no journey is hurt."""
        with self.db.read() as conn:
            return assessing.suggest(conn, self.specs(), self.clock.now())

    # -- acting
    def override(self, incident_id: int, what: str, value: str, why: str, by: By) -> Incident:
        """Another figure in the place of a measured one. Raises NotFound, UserError."""
        return self._do(
            lambda conn, now: work.override(
                conn, self.specs(), incident_id, what, value, why, by, now
            )
        )

    def declare(self, title: str, severity: str, by: By, **more: Any) -> Incident:  # noqa: ANN401
        """In one step; ``more`` as in `incidents.work.declare`. Raises UserError, NotFound."""
        specs = self.specs()
        return self._do(
            lambda conn, now: work.declare(conn, specs, self.site, title, severity, by, now, **more)
        )

    def set_severity(self, incident_id: int, severity: str, why: str, by: By) -> Incident:
        """Another severity. Raises NotFound, UserError."""
        return self._do(
            lambda conn, now: work.set_severity(
                conn, self.specs(), self.site, incident_id, severity, why, by, now
            )
        )

    def set_state(self, incident_id: int, state: str, why: str, by: By) -> Incident:
        """Another state. Raises NotFound, UserError."""
        return self._do(
            lambda conn, now: work.set_state(
                conn, self.specs(), self.site, incident_id, state, why, by, now
            )
        )

    def update(
        self,
        incident_id: int,
        text: str,
        by: By,
        *,
        public: bool = False,
        phase: str = "",
        components: Sequence[str] = (),
        headline: str = "",
        impact: str = "",
    ) -> Incident:
        """A status update. Raises NotFound, UserError."""
        return self._do(
            lambda conn, now: work.update(
                conn, self.specs(), self.site, incident_id, text, by, now,
                public=public, phase=phase, components=components, headline=headline,
                impact=impact,
            )
        )  # fmt: skip

    def say(
        self, incident_id: int, kind: str, text: str, by: By, at: Seconds | None = None
    ) -> Entry:
        """Write into the timeline. Raises NotFound, UserError."""
        if kind not in list(EntryKind):
            raise UserError(f"{kind!r} is no kind of entry.", f"One of: {', '.join(work.SAYABLE)}.")
        return self._do(
            lambda conn, now: work.say(conn, incident_id, EntryKind(kind), text, by, now, at=at)
        )

    def amend(
        self,
        incident_id: int,
        number: int,
        by: By,
        *,
        why: str = "",
        text: str | None = None,
        at: Seconds | None = None,
        pinned: bool | None = None,
    ) -> Entry:
        """Correct an entry or pin it. Raises NotFound, UserError."""
        return self._do(
            lambda conn, now: work.amend(
                conn, incident_id, number, by, now, why=why, text=text, at=at, pinned=pinned
            )
        )

    def set_times(
        self, incident_id: int, times: Mapping[str, Seconds | None], why: str, by: By
    ) -> Incident:
        """Set times that durations are computed from. Raises NotFound, UserError."""
        return self._do(
            lambda conn, now: work.set_times(conn, self.specs(), incident_id, times, why, by, now)
        )

    def describe(
        self,
        incident_id: int,
        by: By,
        *,
        title: str | None = None,
        summary: str | None = None,
        causes: Sequence[str] | None = None,
    ) -> Incident:
        """Another title, summary, or causes. Raises NotFound, UserError."""
        return self._do(
            lambda conn, now: work.describe(
                conn, self.specs(), incident_id, by, now, title=title, summary=summary,
                causes=causes,
            )
        )  # fmt: skip

    def link(
        self,
        incident_id: int,
        by: By,
        *,
        page_ids: Sequence[int] = (),
        services: Sequence[str] = (),
        slos: Sequence[str] = (),
        journeys: Sequence[str] = (),
    ) -> Incident:
        """Add pages, services, objectives or journeys. Raises NotFound, UserError."""
        return self._do(
            lambda conn, now: work.link(
                conn, self.specs(), incident_id, by, now, page_ids=page_ids, services=services,
                slos=slos, journeys=journeys,
            )
        )  # fmt: skip

    def merge(self, incident_id: int, into_id: int, by: By) -> Incident:
        """Make one a part of another; gives the one that goes on. Raises NotFound, UserError."""
        return self._do(
            lambda conn, now: work.merge(
                conn, self.specs(), self.site, incident_id, into_id, by, now
            )
        )

    def assign(self, incident_id: int, role: str, user: str, by: By) -> RoleHolding:
        """Give a role to somebody; '' leaves it empty. Raises NotFound, UserError."""
        return self._do(
            lambda conn, now: leading.assign(
                conn, self.specs(), self.site, incident_id, role, user, by, now
            )
        )

    def offer(self, incident_id: int, role: str, to: str, by: By) -> RoleHolding:
        """Hand a role over; the other must accept. Raises NotFound, UserError."""
        return self._do(
            lambda conn, now: leading.offer(
                conn, self.specs(), self.site, incident_id, role, to, by, now
            )
        )

    def accept(self, incident_id: int, role: str, by: By) -> RoleHolding:
        """Take a role that was offered. Raises NotFound, UserError."""
        return self._do(
            lambda conn, now: leading.accept(
                conn, self.specs(), self.site, incident_id, role, by, now
            )
        )

    def verify(self, incident_id: int | None = None) -> Sequence[tuple[Incident, Sequence[Broken]]]:
        """Every incident (or one), with each place where its timeline or a file was altered.

        Raises NotFound.
        """
        found: list[tuple[Incident, Sequence[Broken]]] = []
        with self.db.read() as conn:
            wanted = [_must(conn, incident_id)] if incident_id else store.every(conn)
            for incident in wanted:
                broken = chain.check(incident, store.entries(conn, incident.id))
                found.append((incident, [*broken, *attaching.check(conn, incident.id)]))
        return found

    def _do(self, act: Callable[[Connection, Seconds], T]) -> T:
        now = self.clock.now()
        with self.db.write() as conn:
            done = act(conn, now)
        self.board.post()
        self.wake()
        return done


def _must(conn: Connection, incident_id: int) -> Incident:
    found = store.get(conn, incident_id)
    if found is None:
        raise NotFound(f"There is no incident {incident_id}.", "/incidents lists them.")
    return found


def incidents_of(duty: Duty) -> Incidents:
    """The use cases over the same database, definitions and clock."""
    return Incidents(duty.db, duty.board, duty.clock, duty.site, duty.wake)
