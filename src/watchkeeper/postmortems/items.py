"""Action items: what may change, when to remind, and how two trackers agree. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import UserError
from watchkeeper.postmortems.model import ActionItem, ActionState, ActionType
from watchkeeper.spec.response import DAY, SEVERITIES, SeverityDefinition

SOON = 3 * DAY
"""Seconds before it is due at which the owner is reminded."""
AGAIN = 7 * DAY
"""Seconds between two reminders of an item that is overdue; from the second on it is escalated."""
OVER = (ActionState.DONE, ActionState.DROPPED)
MOST_TEXT = 500


@dataclass(frozen=True, slots=True)
class Reminder:
    """What is said at a moment. ``escalate``: the team is told, not only the owner."""

    text: str
    escalate: bool


def checked(text: str, type_: str, owner: str, priority: int) -> tuple[str, ActionType]:
    """The text and type of a new item. Raises UserError with what was expected."""
    said = " ".join(text.split())
    if not said:
        raise UserError(
            "The action item is empty.", "Say what will be done, beginning with a verb."
        )
    if len(said) > MOST_TEXT:
        raise UserError(
            f"That is longer than {MOST_TEXT} characters.", "Put details into its notes."
        )
    if type_ not in list(ActionType):
        raise UserError(f"{type_!r} is no type.", f"One of: {', '.join(ActionType)}.")
    if not 1 <= priority <= 4:
        raise UserError(f"{priority} is no priority.", "1 is the most urgent, 4 the least.")
    return said, ActionType(type_)


def default_due(
    severity: str, now: Seconds, severities: Mapping[str, SeverityDefinition] = SEVERITIES
) -> Seconds:
    """When an item is due if nobody says so: 15 days for SEV1, 30 for all others."""
    known = severities.get(severity) or SEVERITIES["SEV3"]
    return now + known.action_within


def next_look(item: ActionItem, now: Seconds) -> Seconds | None:
    """When the owner must be told of it next; None: never."""
    if item.state in OVER or item.due_at is None:
        return None
    if now < item.due_at - SOON:
        return item.due_at - SOON
    if now < item.due_at:
        return item.due_at
    return item.due_at + ((now - item.due_at) // AGAIN + 1) * AGAIN


def reminder(item: ActionItem, now: Seconds) -> Reminder | None:
    """What to say of an item that must be looked at now; None when there is nothing to say."""
    if item.state in OVER or item.due_at is None or now < item.due_at - SOON:
        return None
    if now < item.due_at:
        days = max(1, round((item.due_at - now) / DAY))
        return Reminder(f"due in {days} day{'s' if days > 1 else ''}: {item.text}", False)
    late = int((now - item.due_at) // DAY)
    if not late:
        return Reminder(f"due today: {item.text}", False)
    return Reminder(f"overdue by {late} day{'s' if late > 1 else ''}: {item.text}", True)


def moved(item: ActionItem, state: ActionState, why: str, now: Seconds) -> ActionItem:
    """The item in another state. Dropping needs a reason. Raises UserError."""
    if state is ActionState.DROPPED and not why.strip():
        raise UserError("Nothing is dropped without a reason.", "Say why it will not be done.")
    data = {**item.data, "why": why.strip()} if why.strip() else dict(item.data)
    done_at = now if state in OVER else None
    after = replace(item, state=state, data=data, done_at=done_at)
    return replace(after, next_at=next_look(after, now))


# ---------------------------------------------------------------- two trackers, one item


@dataclass(frozen=True, slots=True)
class Shared:
    """What both trackers say of an item. ``done`` is all that both know of its state."""

    text: str
    done: bool
    owner: str
    due: str  # 2026-12-01, in UTC; '': none


@dataclass(frozen=True, slots=True)
class Agreed:
    """What both are to say, and in which fields the two had said different things."""

    value: Shared
    ours: bool  # our item must change
    theirs: bool  # theirs must change
    conflicts: tuple[str, ...] = ()


FIELDS = ("text", "done", "owner", "due")


def agree(base: Shared, ours: Shared, theirs: Shared) -> Agreed:
    """A three-way merge by field.

    A field that only one side changed since they last agreed (``base``) is taken from there. Where
    both changed it differently: done wins over not done, for work that is done stays done; of two
    dates the later one, which somebody has thought of last in all likelihood; text and owner are
    taken from the other tracker, where the work is done. Each of these is told as a conflict.
    """
    values: dict[str, object] = {}
    conflicts = []
    for name in FIELDS:
        was, here, there = (getattr(side, name) for side in (base, ours, theirs))
        if here == there or there == was:
            values[name] = here
        elif here == was:
            values[name] = there
        else:
            conflicts.append(name)
            values[name] = _decide(name, here, there)
    value = Shared(**values)  # type: ignore[arg-type]
    return Agreed(value, value != ours, value != theirs, tuple(conflicts))


def _decide(name: str, here: object, there: object) -> object:
    if name == "done":
        return True
    if name == "due":
        return max(str(here), str(there))
    return there
