"""Roles of an incident: given by rota, taken, offered and accepted."""

from __future__ import annotations

from sqlalchemy import Connection

from watchkeeper.incidents import rota, rules, store, telling
from watchkeeper.incidents.keeping import ENGINE, By, log, must, person, schedule, write
from watchkeeper.incidents.model import EntryKind, Incident, RoleHolding
from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import UserError
from watchkeeper.oncall import store as pages
from watchkeeper.oncall.model import Site
from watchkeeper.spec.model import Specs


def fill(conn: Connection, incident: Incident, specs: Specs, site: Site, now: Seconds) -> None:
    """Give every role to somebody by rota, and tell them."""
    changes = pages.changes(conn, now)
    ready = rota.candidates(incident, specs, changes, now)
    response = specs.response
    given = rules.fill(incident, response.roles, ready, list(response.severities))
    for name, user in given.items():
        store.save_role(conn, RoleHolding(incident.id, name, user, now))
        title = response.roles[name].title
        write(conn, incident, EntryKind.ROLE, ENGINE, f"{title}: {user}, by rota", now,
               data={"role": name, "user": user})  # fmt: skip
    telling.roles_given(conn, specs, site, incident, given, now)


def assign(
    conn: Connection, specs: Specs, site: Site, incident_id: int, role: str, user: str, by: By,
    now: Seconds,
) -> RoleHolding:  # fmt: skip
    """Give a role to somebody at once; ``user`` '' leaves it empty. Raises UserError."""
    incident = rules.open_for_change(must(conn, incident_id))
    known = rules.role_named(role, specs.response.roles)
    if user != by.actor:  # whoever responds may take a role, on call or not
        person(specs, user)
    made = RoleHolding(incident.id, known.name, user, now)
    store.save_role(conn, made)
    _role_changed(
        conn, incident, specs, f"{known.title}: {user or 'nobody'}", known.name, user, by, now
    )
    if user:
        telling.roles_given(conn, specs, site, incident, {known.name: user}, now, but=by.actor)
    return made


def offer(
    conn: Connection, specs: Specs, site: Site, incident_id: int, role: str, to: str, by: By,
    now: Seconds,
) -> RoleHolding:  # fmt: skip
    """Hand a role over; it changes hands when the other accepts. Raises UserError."""
    incident = rules.open_for_change(must(conn, incident_id))
    known = rules.role_named(role, specs.response.roles)
    if not to:
        raise UserError("Nobody is named.", "Say to whom.")
    person(specs, to)
    held = rules.holder(store.roles(conn, incident.id), known.name)
    if held == to:
        raise UserError(f"{to} is {known.title} already.", "Nothing has to be changed.")
    since = next((h.since for h in store.roles(conn, incident.id) if h.role == known.name), now)
    made = RoleHolding(incident.id, known.name, held, since, to, now)
    store.save_role(conn, made)
    said = f"{known.title} offered to {to}" + (f" by {held}" if held else "")
    _role_changed(conn, incident, specs, said, known.name, to, by, now)
    telling.offered(conn, specs, site, incident, known, to, by.actor, now)
    return made


def accept(
    conn: Connection, specs: Specs, site: Site, incident_id: int, role: str, by: By, now: Seconds
) -> RoleHolding:
    """Take a role that was offered to the actor. Raises UserError."""
    incident = rules.open_for_change(must(conn, incident_id))
    known = rules.role_named(role, specs.response.roles)
    held = next((h for h in store.roles(conn, incident.id) if h.role == known.name), None)
    if held is None or held.offered_to != by.actor:
        raise UserError(f"{known.title} is not offered to {by.actor}.", "Ask for it, or take it.")
    made = RoleHolding(incident.id, known.name, by.actor, now)
    store.save_role(conn, made)
    said = f"{known.title}: {by.actor}" + (f", handed over by {held.user}" if held.user else "")
    _role_changed(conn, incident, specs, said, known.name, by.actor, by, now)
    if held.user:
        telling.accepted(conn, specs, site, incident, known, by.actor, held.user, now)
    return made


def _role_changed(
    conn: Connection, incident: Incident, specs: Specs, text: str, role: str, user: str, by: By,
    now: Seconds,
) -> None:  # fmt: skip
    write(conn, incident, EntryKind.ROLE, by, text, now, data={"role": role, "user": user})
    log(conn, incident, "incident.role", by, now, {"role": role, "user": user})
    schedule(conn, incident, specs)


def fill_missing(
    conn: Connection, incident: Incident, specs: Specs, site: Site, now: Seconds
) -> None:
    """Fill the roles that this severity needs and nobody has."""
    holdings = store.roles(conn, incident.id)
    missing = {r.name: r for r in rules.empty_roles(incident, holdings, specs.response.roles)}
    changes = pages.changes(conn, now)
    ready = rota.candidates(incident, specs, changes, now)
    taken = {h.user for h in holdings}
    free = {name: [u for u in ready.get(name, ()) if u not in taken] for name in missing}
    given = rules.fill(incident, missing, free, list(specs.response.severities))
    for name, user in given.items():
        store.save_role(conn, RoleHolding(incident.id, name, user, now))
        write(conn, incident, EntryKind.ROLE, ENGINE, f"{missing[name].title}: {user}, by rota",
               now, data={"role": name, "user": user})  # fmt: skip
    telling.roles_given(conn, specs, site, incident, given, now)
