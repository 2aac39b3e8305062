"""What faces stand on for action items: each use case one method, one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection

from watchkeeper.engine.board import Board
from watchkeeper.faces.duty import Duty
from watchkeeper.kernel.clock import Clock, Seconds
from watchkeeper.notify.model import TransportError
from watchkeeper.postmortems import items_work, store_items
from watchkeeper.postmortems.items_work import Mismatch
from watchkeeper.postmortems.model import ActionItem, ActionState
from watchkeeper.postmortems.trackers import open_tracker
from watchkeeper.postmortems.trackers.model import Tracker
from watchkeeper.spec.model import Specs
from watchkeeper.store import Database, timeline
from watchkeeper.store.timeline import Event

T = TypeVar("T")
LIVE = (str(ActionState.OPEN), str(ActionState.DOING))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which items; '' and () are all. ``late``: only those that are overdue."""

    states: Sequence[str] = ()
    owner: str = ""
    team: str = ""
    text: str = ""
    incident: int | None = None
    postmortem: int | None = None
    late: bool = False


@dataclass(frozen=True, slots=True)
class ActionStory:
    """One item, what happened to it, and how it stands with its tracker."""

    item: ActionItem
    events: Sequence[Event]
    tracker_says: str


@dataclass
class Actions:
    """Make, find and change action items; compare them with their trackers."""

    db: Database
    board: Board
    clock: Clock
    wake: Callable[[], None] = lambda: None

    def specs(self) -> Specs:
        """The definitions in use."""
        return self.board.posting.specs

    def find(
        self, wanted: Wanted, before: int | None = None, limit: int = 200
    ) -> Sequence[ActionItem]:
        """Items, newest first; ``before`` is the id to go on after."""
        with self.db.read() as conn:
            return store_items.find(
                conn,
                states=wanted.states,
                owner=wanted.owner,
                team=wanted.team,
                text=wanted.text,
                incident_id=wanted.incident,
                postmortem_id=wanted.postmortem,
                overdue_at=self.clock.now() if wanted.late else None,
                before=before,
                limit=limit,
            )

    def story(self, item_id: int) -> ActionStory:
        """One item. Raises NotFound."""
        with self.db.read() as conn:
            item = items_work.must(conn, item_id)
            link = store_items.link(conn, item_id)
            events = timeline.read(conn, subject=f"action/{item_id}", limit=500)
        return ActionStory(item, events, link.said if link else "")

    def add(self, text: str, actor: str, fields: Mapping[str, Any]) -> ActionItem:
        """Make one; ``fields`` as `items_work.add` names them. Raises UserError."""
        specs = self.specs()
        return self._do(lambda conn, now: items_work.add(conn, specs, text, actor, now, **fields))

    def change(self, item_id: int, fields: Mapping[str, Any], actor: str) -> ActionItem:
        """Change some of it. Raises NotFound, UserError."""
        specs = self.specs()
        return self._do(
            lambda conn, now: items_work.change(conn, item_id, fields, actor, now, specs)
        )

    def move(self, item_id: int, state: str, actor: str, why: str = "") -> ActionItem:
        """Put it into another state. Raises NotFound, UserError."""
        return self._do(lambda conn, now: items_work.move(conn, item_id, state, actor, now, why))

    def verify(self) -> Sequence[Mismatch]:
        """Asks every tracker now whether our items are there and say the same."""
        return items_work.verify(self.db, self.open)

    def open(self, name: str) -> Tracker:
        """The tracker of this name. Raises TransportError."""
        definition = self.specs().response.trackers.get(name)
        if definition is None:
            raise TransportError(f"there is no tracker {name!r} any more", permanent=True)
        return open_tracker(definition)

    def _do(self, work: Callable[[Connection, Seconds], T]) -> T:
        now = self.clock.now()
        with self.db.write() as conn:
            done = work(conn, now)
        self.board.post()
        self.wake()
        return done


def actions_of(duty: Duty) -> Actions:
    """The use cases over the same database, definitions and clock."""
    return Actions(duty.db, duty.board, duty.clock, duty.wake)
