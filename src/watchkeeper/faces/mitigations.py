"""What faces stand on for mitigations: each use case one method, one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from watchkeeper.changes import work as changes_work
from watchkeeper.changes.culprits import Culprit
from watchkeeper.engine.board import Board
from watchkeeper.faces.duty import Duty
from watchkeeper.incidents import store as incidents
from watchkeeper.incidents.keeping import By
from watchkeeper.incidents.mitigation import rules, store, work
from watchkeeper.incidents.mitigation.model import Run
from watchkeeper.incidents.mitigation.work import Asked
from watchkeeper.incidents.model import Incident
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import NotFound
from watchkeeper.spec.model import Specs
from watchkeeper.spec.response import MitigationDefinition
from watchkeeper.store import Database


@dataclass(frozen=True, slots=True)
class Offered:
    """A mitigation for an incident. ``seen``: the last run of it anywhere, 0 for none."""

    definition: MitigationDefinition
    can_try: bool
    seen: int


@dataclass(frozen=True, slots=True)
class FirstAid:
    """What to look at and what to try first, read at one instant."""

    incident: Incident
    culprits: Sequence[Culprit]
    offered: Sequence[Offered]
    runs: Sequence[Run]


@dataclass
class Mitigations:
    """The use cases of mitigations."""

    db: Database
    board: Board
    clock: Clock
    wake: Callable[[], None] = lambda: None

    def specs(self) -> Specs:
        """The definitions in use."""
        return self.board.posting.specs

    def first_aid(self, incident_id: int) -> FirstAid:
        """What changed or fails, what may help, what was run. Raises NotFound."""
        specs, fleet = self.specs(), self.board.posting.fleet
        with self.db.read() as conn:
            incident = _must(conn, incident_id)
            fit = rules.offered(incident, specs.response.mitigations, specs.services)
            newest = store.newest(conn, [m.name for m in fit])
            runs = store.of_incident(conn, incident_id)
            onset = incident.began_at if incident.began_at is not None else incident.declared_at
            end = incident.mitigated_at or incident.resolved_at
            found = changes_work.culprits(conn, specs, fleet, incident.services, onset, end=end)
        offered = [Offered(m, rules.can_try(m), newest.get(m.name, 0)) for m in fit]
        return FirstAid(incident, found, offered, runs)

    def offer(self, incident_id: int, name: str) -> Offered:
        """One mitigation, to be run in an incident. Raises NotFound."""
        found = work.definition(self.specs(), name)
        with self.db.read() as conn:
            _must(conn, incident_id)
            return Offered(found, rules.can_try(found), store.newest(conn, [name]).get(name, 0))

    def runs(self, incident_id: int) -> Sequence[Run]:
        """The runs of an incident, the newest first. Raises NotFound."""
        with self.db.read() as conn:
            return work.runs(conn, incident_id)

    def run(self, incident_id: int, run_id: int) -> Run:
        """One run, with what it printed so far. Raises NotFound."""
        with self.db.read() as conn:
            return work.run_of(conn, incident_id, run_id)

    def request(
        self,
        incident_id: int,
        name: str,
        values: Mapping[str, str],
        by: By,
        *,
        dry_run: bool = False,
        confirmed: bool = False,
        seen: int | None = None,
    ) -> Asked:
        """Ask for a run; see `incidents.mitigation.work.request`. Raises NotFound, UserError."""
        now = self.clock.now()
        with self.db.write() as conn:
            asked = work.request(
                conn, self.specs(), incident_id, name, values, by, now, dry_run=dry_run,
                confirmed=confirmed, seen=seen,
            )  # fmt: skip
        self.board.post()
        self.wake()
        return asked


def _must(conn: Connection, incident_id: int) -> Incident:
    found = incidents.get(conn, incident_id)
    if found is None:
        raise NotFound(f"There is no incident {incident_id}.", "/incidents lists them.")
    return found


def mitigations_of(duty: Duty) -> Mitigations:
    """The use cases over the same database, definitions and clock."""
    return Mitigations(duty.db, duty.board, duty.clock, duty.wake)
