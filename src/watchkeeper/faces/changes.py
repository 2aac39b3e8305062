"""What faces stand on for changes: each use case one method, one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from watchkeeper.changes import store, work
from watchkeeper.changes.culprits import Culprit
from watchkeeper.changes.model import Change, Outcome, Report, Told
from watchkeeper.changes.store import Cursor, Wanted
from watchkeeper.faces.services import Services
from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.kernel.errors import UserError
from watchkeeper.spec.model import Specs
from watchkeeper.store import timeline
from watchkeeper.store.timeline import Event

HEAD = ("id", "started_at", "ended_at", "kind", "intent", "services", "environment", "summary",
        "version", "previous_version", "outcome", "source", "links", "key")  # fmt: skip


@dataclass(frozen=True, slots=True)
class ChangeStory:
    """One change, what was told of it, and what happened to it here."""

    change: Change
    reports: Sequence[Report]
    events: Sequence[Event]


@dataclass
class Changes:
    """Record, find and end changes; say which to look at first."""

    services: Services

    def specs(self) -> Specs:
        """The definitions in use."""
        return self.services.specs()

    def find(self, wanted: Wanted, after: Cursor | None = None, limit: int = 100) -> list[Change]:
        """Changes, those that began last first."""
        with self.services.db.read() as conn:
            return store.find(conn, wanted, after, limit)

    def count(self, wanted: Wanted) -> int:
        """How many there are."""
        with self.services.db.read() as conn:
            return store.count(conn, wanted)

    def names(self) -> list[str]:
        """Services that are defined or have changes, sorted."""
        with self.services.db.read() as conn:
            return sorted({*self.specs().services, *store.services(conn)})

    def story(self, change_id: int) -> ChangeStory:
        """One change. Raises NotFound."""
        with self.services.db.read() as conn:
            return ChangeStory(
                work.must(conn, change_id),
                store.reports(conn, change_id),
                timeline.read(conn, subject=f"change/{change_id}", limit=200),
            )

    def record(self, told: Told, by: str) -> work.Kept:
        """Take in a report of somebody with an account. Raises UserError."""
        specs, now = self.specs(), self.services.clock.now()
        with self.services.db.write() as conn:
            kept = work.record(conn, told, work.OURS, by, specs, now)
        self.services.board.post()
        return kept

    def end(self, change_id: int, outcome: Outcome, by: str) -> Change:
        """It has ended now, this way. Raises NotFound, UserError."""
        now = self.services.clock.now()
        with self.services.db.write() as conn:
            ended = work.end(conn, change_id, outcome, by, self.specs(), now)
        self.services.board.post()
        return ended

    def culprits(self, services: Sequence[str], onset: Seconds, limit: int = 5) -> list[Culprit]:
        """What to look at first when these services fail since ``onset``."""
        with self.services.db.read() as conn:
            return work.culprits(conn, self.specs(), self.services.fleet(), services, onset, limit)


def row(c: Change) -> tuple[object, ...]:
    """A change as a line of a file, in the order of `HEAD`."""
    return (
        c.id, iso(c.started_at), iso(c.ended_at) if c.ended_at is not None else "", str(c.kind),
        str(c.intent), ", ".join(c.services), c.environment, c.summary, c.version,
        c.previous_version, str(c.outcome), c.source, " ".join(u for _, u in c.links), c.key,
    )  # fmt: skip


def change_json(c: Change) -> dict[str, Any]:
    """A change as the API and exports show it."""
    return {
        "id": c.id,
        "key": c.key.partition(":")[2],
        "door": c.key.partition(":")[0],
        "kind": str(c.kind),
        "intent": str(c.intent),
        "services": list(c.services),
        "environment": c.environment,
        "summary": c.summary,
        "version": c.version,
        "previous_version": c.previous_version,
        "started_at": iso(c.started_at),
        "ended_at": iso(c.ended_at) if c.ended_at is not None else None,
        "outcome": str(c.outcome),
        "links": [{"text": text, "href": url} for text, url in c.links],
        "source": c.source,
    }


def cursor_of(change: Change) -> str:
    """Where a page ends, as it is handed out and given back."""
    return f"{change.started_at!r}:{change.id}"


def cursor(written: str) -> Cursor | None:
    """What `cursor_of` made; None for ''. Raises UserError."""
    if not written:
        return None
    at, _, number = written.partition(":")
    try:
        found = float(at), int(number)
    except ValueError:
        found = -1.0, -1
    if not (0 <= found[0] < 1e12 and 0 <= found[1] < 2**53):
        raise UserError(f"{written[:40]!r} is no place to go on from.", "Give 'next' as it came.")
    return found
