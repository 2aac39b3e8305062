"""What the publication of a postmortem brings about: its action items are made, each once."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import Connection

from watchkeeper.kernel.clock import Seconds
from watchkeeper.postmortems import items_work, store_items
from watchkeeper.postmortems.items import MOST_TEXT
from watchkeeper.postmortems.model import ActionItem, ActionState, Postmortem
from watchkeeper.postmortems.written_items import Written, numbered, written
from watchkeeper.spec.model import Specs


@dataclass(frozen=True, slots=True)
class Made:
    """The text with the numbers of its items, which items are new, and whose owner is no user."""

    text: str
    items: tuple[ActionItem, ...]
    unknown: tuple[str, ...]


def make_items(conn: Connection, specs: Specs, its: Postmortem, actor: str, now: Seconds) -> Made:
    """Make the action items that its text names and that are not there yet.

    An item is there when its number is at its end, or when one of this postmortem or its incident
    says the same. Without a due date it is due by the severity. Raises UserError.
    """
    there = known(conn, its)
    by_text = {_folded(i.text): i for i in there}
    numbers = {i.id: i for i in there}
    lines: list[tuple[Written, int]] = []
    new: list[ActionItem] = []
    unknown: list[str] = []
    for each in written(its.text):
        if each.number in numbers:
            continue
        same = by_text.get(_folded(each.text))
        if same is None:
            owner = user_named(specs, each.owner)
            if each.owner and not owner:
                unknown.append(each.owner)
            same = _make(conn, specs, its, each, owner, actor, now)
            by_text[_folded(same.text)] = same
            new.append(same)
        lines.append((each, same.id))
    return Made(numbered(its.text, lines), tuple(new), tuple(dict.fromkeys(unknown)))


def known(conn: Connection, its: Postmortem) -> list[ActionItem]:
    """The items of a postmortem and of its incident, the oldest first."""
    found = store_items.find(conn, postmortem_id=its.id)
    if its.incident_id is not None:
        found += store_items.find(conn, incident_id=its.incident_id)
    return sorted({i.id: i for i in found}.values(), key=lambda i: i.id)


def _make(
    conn: Connection, specs: Specs, its: Postmortem, each: Written, owner: str, actor: str,
    now: Seconds,
) -> ActionItem:  # fmt: skip
    text, rest = each.text, ""
    if len(text) > MOST_TEXT:
        text, rest = text[: MOST_TEXT - 1] + "…", each.text
    worst = next(iter(specs.response.severities), "")
    notes = [rest, f"Owner as written: {each.owner}" if each.owner and not owner else ""]
    made = items_work.add(
        conn, specs, text, actor, now,
        type_=str(each.type), owner=owner, due_at=each.due_at,
        priority=each.priority or (1 if its.severity == worst else 2),
        severity=its.severity or "SEV3", team="" if owner else _team(specs, its),
        incident_id=its.incident_id, postmortem_id=its.id,
        notes="\n\n".join(n for n in notes if n),
    )  # fmt: skip
    if not each.done:
        return made
    return items_work.move(conn, made.id, str(ActionState.DONE), actor, now)


def _team(specs: Specs, its: Postmortem) -> str:
    """Who has an item that nobody owns: the team of the first service that has one."""
    owners = (specs.services[s].owner for s in its.services if s in specs.services)
    return next((o for o in owners if o), "") or ""


def user_named(specs: Specs, name: str) -> str:
    """The user whom a text means: by name, handle or full name; '' when there is none.

    Where no users are defined, whoever is named.
    """
    wanted = name.strip().lstrip("@").casefold()
    if not specs.duty.users:
        return name.strip().lstrip("@")
    for user in specs.duty.users.values():
        if wanted and wanted in (user.name.casefold(), user.display_name.casefold()):
            return user.name
    return ""


def _folded(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".")


def with_items(its: Postmortem, made: Made) -> Postmortem:
    """The postmortem whose text has the numbers of its items; a version of its own."""
    return its if made.text == its.text else replace(its, text=made.text, version=its.version + 1)
