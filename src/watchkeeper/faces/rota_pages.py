"""What the pages on schedules, shifts, policies and load read and write, each at one instant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from watchkeeper.faces.duty import Duty
from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.oncall import store
from watchkeeper.oncall.calling import Changes, changes_of
from watchkeeper.oncall.foretell import Told, foretell
from watchkeeper.oncall.load import Week, busy_shifts, weekly
from watchkeeper.oncall.model import Page
from watchkeeper.oncall.schedule.model import Change
from watchkeeper.spec.duty import EscalationPolicyDefinition, ScheduleDefinition
from watchkeeper.store import timeline
from watchkeeper.store.timeline import Event

HANDOFF = "schedule.handoff"
MOST_NOTE = 5000


def schedule_named(duty: Duty, name: str) -> ScheduleDefinition:
    """A schedule. Raises NotFound."""
    found = duty.specs().duty.schedules.get(name)
    if found is None:
        there = ", ".join(duty.specs().duty.schedules) or "none"
        raise NotFound(f"There is no schedule {name!r}.", f"There are: {there}.")
    return found


def policy_named(duty: Duty, name: str) -> EscalationPolicyDefinition:
    """An escalation policy. Raises NotFound."""
    found = duty.specs().duty.escalation_policies.get(name)
    if found is None:
        there = ", ".join(duty.specs().duty.escalation_policies) or "none"
        raise NotFound(f"There is no escalation policy {name!r}.", f"There are: {there}.")
    return found


def all_changes(duty: Duty, since: Seconds) -> Changes:
    """Overrides, swaps and leave that end after this instant, by schedule; '' holds for all."""
    with duty.db.read() as conn:
        return store.changes(conn, since)


def changes_since(duty: Duty, name: str, since: Seconds) -> Sequence[Change]:
    """Those of one schedule, with those that hold for all."""
    return changes_of(all_changes(duty, since), name)


def pages_of(duty: Duty, user: str) -> Sequence[Page]:
    """Unresolved pages for which this person was called, or that they have; newest first."""
    with duty.db.read() as conn:
        running = store.find(conn, states=("open", "acked"), limit=200)
        return [
            page
            for page in running
            if page.acked_by == user or any(c.user == user for c in store.calls_of(conn, page.id))
        ]


def told(
    duty: Duty, policy: EscalationPolicyDefinition, start: Seconds, length: Seconds, urgency: str
) -> Sequence[Told]:
    """Who would be called, by today's definitions and the changes that are kept."""
    return foretell(policy, duty.specs(), all_changes(duty, start), start, length, urgency)


# ---------------------------------------------------------------- notes at a hand-off


def note_handoff(duty: Duty, schedule: str, text: str, actor: str) -> None:
    """Keep a note for whoever is on call next. Raises NotFound, UserError."""
    schedule_named(duty, schedule)
    written = text.strip()[:MOST_NOTE]
    if not written:
        raise UserError("The note is empty.", "Write what the next person should know.")
    now = duty.clock.now()
    with duty.db.write() as conn:
        timeline.append(conn, now, HANDOFF, f"schedule/{schedule}", actor, {"text": written})
    duty.board.post()


def handoffs(duty: Duty, schedule: str, most: int = 3) -> Sequence[Event]:
    """The newest notes of a schedule, newest first."""
    with duty.db.read() as conn:
        found = timeline.read(conn, subject=f"schedule/{schedule}", kind=HANDOFF, limit=10_000)
    return list(reversed(found))[:most]


# ---------------------------------------------------------------- load


@dataclass(frozen=True, slots=True)
class BusyShift:
    """Twelve hours of a rotation with more pages than the limit."""

    rotation: str
    start: Seconds
    end: Seconds
    pages: int


def _zones(duty: Duty) -> Mapping[str, str]:
    return {f"schedule:{n}": s.time_zone for n, s in duty.specs().duty.schedules.items()}


def load_by_week(duty: Duty, start: Seconds, end: Seconds) -> Sequence[Week]:
    """Pages by rotation and local week."""
    with duty.db.read() as conn:
        calls = store.calls_between(conn, start, end)
    zones = _zones(duty)
    return weekly(calls, lambda via: zones.get(via, "UTC"))


def shifts_over(duty: Duty, start: Seconds, end: Seconds) -> Sequence[BusyShift]:
    """The shifts over the limit, newest first."""
    with duty.db.read() as conn:
        calls = store.calls_between(conn, start, end)
    zones = _zones(duty)
    found = busy_shifts(calls, lambda via: zones.get(via, "UTC"))
    made = [BusyShift(*each) for each in found]
    return sorted(made, key=lambda b: (-b.start, b.rotation))
