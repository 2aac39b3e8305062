"""Commands carried out, each in one transaction: it is done and written down, or nothing is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection

from watchkeeper.incidents import leading, rules, work
from watchkeeper.incidents.chat import commands
from watchkeeper.incidents.chat.commands import Command
from watchkeeper.incidents.keeping import By, log, must
from watchkeeper.incidents.model import EntryKind, Incident, NewEntry
from watchkeeper.incidents.store import append
from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.kernel.errors import UserError
from watchkeeper.oncall.model import Site
from watchkeeper.spec.model import Specs
from watchkeeper.spec.reader import nearest


class MakeItem(Protocol):
    """Makes an action item of an incident; gives its number and when it is due."""

    def __call__(
        self, conn: Connection, specs: Specs, incident: Incident, text: str, owner: str,
        due_at: Seconds | None, by: By, now: Seconds,
    ) -> tuple[int, Seconds | None]:  # fmt: skip
        """Raises UserError."""
        ...


class RunMitigation(Protocol):
    """Has a mitigation run; gives what to tell who asked for it."""

    def __call__(
        self, conn: Connection, specs: Specs, incident: Incident, name: str,
        parameters: Mapping[str, str], by: By, now: Seconds,
    ) -> str:  # fmt: skip
        """Raises UserError, NotFound."""
        ...


@dataclass(frozen=True, slots=True)
class Beyond:
    """What commands do outside of this room, handed in by who knows those rooms."""

    make_item: MakeItem
    run: RunMitigation


def perform(
    conn: Connection, specs: Specs, site: Site, incident_id: int, command: Command, beyond: Beyond,
    by: By, now: Seconds,
) -> str:  # fmt: skip
    """Do what a line asked for. Gives what only its writer is told. Raises UserError, NotFound."""
    match command:
        case commands.Ask():
            return commands.listing()
        case commands.Sev(severity, why):
            made = work.set_severity(conn, specs, site, incident_id, severity, why, by, now)
            return f"It is {made.severity} now."
        case commands.Move(state, why):
            made = work.set_state(conn, specs, site, incident_id, state, why, by, now)
            return f"It is {made.state} now."
        case commands.Give(role, user):
            who = user and person_named(specs, user, by)
            held = leading.assign(conn, specs, site, incident_id, role, who, by, now)
            return f"{specs.response.roles[held.role].title}: {held.user or 'nobody'}."
        case commands.Post(text, public):
            made = work.update(conn, specs, site, incident_id, text, by, now, public=public)
            due = made.update_due_at
            return "Posted." if due is None else f"Posted. The next one is due at {iso(due)}."
        case commands.Write(kind, text):
            return f"Entry {work.say(conn, incident_id, EntryKind(kind), text, by, now).number}."
        case commands.Run(name, parameters):
            incident = rules.open_for_change(must(conn, incident_id))
            return beyond.run(conn, specs, incident, name, parameters, by, now)
        case commands.Todo():
            return _todo(conn, specs, incident_id, command, beyond, by, now)


def person_named(specs: Specs, written: str, by: By) -> str:
    """The user that ``ann``, ``@ann``, `me`, a shown name or an address means. Raises UserError."""
    wanted = written.lstrip("@").casefold()
    if wanted in ("me", by.actor.casefold()):
        return by.actor
    for user in specs.duty.users.values():
        addresses = [c.address.lstrip("@").casefold() for c in user.contacts]
        shown = "".join(user.display_name.split()).casefold()
        if wanted in (user.name.casefold(), shown, *addresses):
            return user.name
    near = nearest(wanted, specs.duty.users)
    known = ", ".join(sorted(specs.duty.users)) or "nobody is defined"
    meant = f"Did you mean @{near}?" if near else f"Known: {known}."
    raise UserError(f"There is no user {written!r}.", meant)


def _todo(
    conn: Connection, specs: Specs, incident_id: int, todo: commands.Todo, beyond: Beyond, by: By,
    now: Seconds,
) -> str:  # fmt: skip
    incident = must(conn, incident_id)
    owner = person_named(specs, todo.owner, by) if todo.owner else ""
    number, due = beyond.make_item(
        conn, specs, incident, todo.text, owner, todo.due_at, by, now
    )  # fmt: skip
    when = "" if due is None else f", due {iso(due)[:10]}"
    said = f"Action item {number}: {todo.text} ({owner or 'nobody has it yet'}{when})"
    data = {"action_item": number, "owner": owner}
    append(
        conn, incident_id, NewEntry(EntryKind.NOTE, by.actor, by.source, said, data), now
    )  # fmt: skip
    log(conn, incident, "incident.action_item", by, now, data)
    return f"{said}."
