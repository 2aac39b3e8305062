"""The form of an override, swap or leave: read, tried and kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from watchkeeper.faces.web import duty_calendar as cal
from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import UserError
from watchkeeper.oncall.schedule.model import Change, ChangeKind
from watchkeeper.oncall.schedule.preview import Difference, differences
from watchkeeper.oncall.schedule.turns import instant
from watchkeeper.spec.duty import ScheduleDefinition
from watchkeeper.spec.model import Specs

KINDS: Mapping[str, tuple[ChangeKind, str, str]] = {
    "override": ("override", "Override", "takes over, from one person or from everybody"),
    "swap": ("swap", "Swap", "takes the shifts of one person"),
    "leave": ("leave", "Leave", "a person is away; the next in turn stands in"),
}
TRIED = "tried"


@dataclass(frozen=True, slots=True)
class Entered:
    """The fields as they were written; times local in ``zone``."""

    kind: str = "override"
    user: str = ""
    replaces: str = ""
    start: str = ""
    end: str = ""
    reason: str = ""
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Effect:
    """A line of the preview."""

    when: str
    before: str
    after: str
    gap: bool


def entered(given: Mapping[str, str], zone: str, usual: str = "override") -> Entered:
    """The fields of a query or a form; ``usual`` is the kind when none is given."""
    return Entered(
        kind=given.get("kind", "") or usual,
        user=given.get("user", "")[:200],
        replaces=given.get("replaces", "")[:200],
        start=given.get("from", "")[:40],
        end=given.get("to", "")[:40],
        reason=given.get("reason", "")[:1000],
        zone=zone,
    )


def at(written: str, zone: str, field: str) -> Seconds:
    """A local time as an instant; one that occurs twice is the first. Raises UserError."""
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        raise UserError(f"'{field}' is no time: {written!r}.", "Give a day and a time.") from None
    return found.timestamp() if found.tzinfo else instant(found, zone)


def change_of(form: Entered, schedule: str, author: str, specs: Specs) -> Change:
    """What the form asks for, as it would be kept. Raises UserError."""
    if form.kind not in KINDS:
        raise UserError(f"{form.kind!r} is no kind of change.", f"Expected {', '.join(KINDS)}.")
    start, end = at(form.start, form.zone, "From"), at(form.end, form.zone, "To")
    if end <= start:
        raise UserError("It must end after it starts.", "Check 'From' and 'To'.")
    for name in (form.user, form.replaces):
        if name and name not in specs.duty.users:
            raise UserError(f"There is no user {name!r}.", "Users are defined as kind User.")
    if form.kind != "leave" and not form.user:
        raise UserError("Nobody takes over yet.", "Choose who.")
    if form.kind != "override" and not form.replaces:
        raise UserError(f"A {form.kind} needs whose shifts they are.", "Choose for whom.")
    kind = KINDS[form.kind][0]
    return Change(TRIED, schedule, kind, start, end, form.user, form.replaces, form.reason, author)


def effects(
    schedule: ScheduleDefinition,
    changes: Sequence[Change],
    proposed: Change,
    specs: Specs,
    zone: str,
) -> list[Effect]:
    """What the change would do to the final schedule; empty when nothing."""
    found = differences(schedule, changes, proposed)
    return [_effect(each, specs, zone) for each in found]


def _effect(each: Difference, specs: Specs, zone: str) -> Effect:
    return Effect(
        cal.between(each.start, each.end, zone),
        cal.names(each.before, specs) or "nobody",
        cal.names(each.after, specs) or "nobody",
        not each.after,
    )
