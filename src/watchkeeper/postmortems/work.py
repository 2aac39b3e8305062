"""Postmortems: opened at resolution, written by several, reviewed, published, remembered."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from watchkeeper.incidents import assessing, chain, rota
from watchkeeper.incidents import keeping as incident_keeping
from watchkeeper.incidents import rules as incident_rules
from watchkeeper.incidents import store as incidents
from watchkeeper.incidents.model import EntryKind, Incident, NewEntry
from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.notify import outbox
from watchkeeper.notify.model import MessageKind
from watchkeeper.notify.outbox import LATER, NewDelivery
from watchkeeper.oncall import store as pages
from watchkeeper.oncall.calling import people, ways
from watchkeeper.oncall.model import Site
from watchkeeper.postmortems import knowing, publishing, rules, store, store_items, store_words
from watchkeeper.postmortems.draft import draft
from watchkeeper.postmortems.merge import marked, merge
from watchkeeper.postmortems.model import Postmortem, PostmortemState
from watchkeeper.postmortems.store import Kept
from watchkeeper.slo.model import Fleet
from watchkeeper.spec.model import Specs
from watchkeeper.store import timeline

MOST_TITLE = 300


@dataclass(frozen=True, slots=True)
class Saved:
    """What came of saving a text.

    ``conflicts`` > 0: nothing was saved, and ``text`` holds both sides between marks; it is to be
    saved again over ``its.version``. ``merged``: others' changes were taken in.
    """

    its: Postmortem
    text: str
    conflicts: int = 0
    merged: bool = False


# ---------------------------------------------------------------- open


def open_owed(conn: Connection, specs: Specs, fleet: Fleet, site: Site, now: Seconds) -> int:
    """Open the postmortems of incidents that are over and must have one. Returns how many."""
    owing = [s.name for s in specs.response.severities.values() if s.postmortem_within is not None]
    found = store.owed(conn, owing)
    opened = 0
    for incident_id in found:
        try:
            open_for(conn, specs, fleet, site, incident_id, "engine", now)
        except UserError:  # another replica was quicker
            continue
        opened += 1
    return opened


def open_for(
    conn: Connection, specs: Specs, fleet: Fleet, site: Site, incident_id: int, actor: str,
    now: Seconds,
) -> Postmortem:  # fmt: skip
    """Open the postmortem of an incident, with a draft. Raises NotFound, UserError."""
    incident = incidents.get(conn, incident_id, lock=True)
    if incident is None:
        raise NotFound(f"There is no incident {incident_id}.", "`wk incident list` shows them.")
    there = store.of_incident(conn, incident_id)
    if there is not None:
        raise UserError(f"Incident {incident_id} has postmortem {there.id}.", "Write that one.")
    roles = incidents.roles(conn, incident_id)
    owner = incident_rules.holder(roles, "commander") or incident.declared_by
    grade = specs.response.severities.get(incident.severity)
    within = grade.postmortem_within if grade else None
    over = incident.resolved_at if incident.resolved_at is not None else now
    changes = pages.changes(conn, now)
    reviewers = [c.user for c in people(specs.response.reviewers, specs, changes, now) if c.user]
    made = Postmortem(
        id=0,
        incident_id=incident_id,
        title=incident.title,
        state=PostmortemState.DRAFT,
        owner=owner,
        due_at=None if within is None else over + within,
        created_at=now,
        version=1,
        text=drafted(conn, specs, fleet, site, incident, now),
        severity=incident.severity,
        services=incident.services,
        reviewers=tuple(r for r in dict.fromkeys(reviewers) if r != owner),
    )
    made = replace(made, next_at=rules.next_look(made, now))
    kept = store.add(conn, made, actor)
    store_words.index(conn, kept.id, kept.title, kept.text)
    said = f"Postmortem {kept.id} opened; {owner} writes it"
    entry = NewEntry(EntryKind.LINK, actor, "engine", said, {"postmortem": kept.id})
    incidents.append(conn, incident_id, entry, now)
    _tell(conn, specs, site, kept, [owner], "is yours to write, while it is fresh", "opened", now)
    _log(conn, now, "postmortem.opened", kept, actor, {"incident": incident_id, "owner": owner})
    return kept


def drafted(
    conn: Connection, specs: Specs, fleet: Fleet, site: Site, incident: Incident, now: Seconds
) -> str:
    """The draft that the timeline gives now."""
    told = chain.tell(incidents.entries(conn, incident.id))
    cost = assessing.measure(conn, specs, fleet, incident, now)
    items = store_items.find(conn, incident_id=incident.id)[::-1]
    return draft(incident, told, cost, items, f"{site.base_url}/incidents/{incident.id}")


def bring(
    conn: Connection, title: str, text: str, actor: str, now: Seconds, *,
    published_at: Seconds | None = None, services: Sequence[str] = (), severity: str = "",
) -> Postmortem:  # fmt: skip
    """Take in a postmortem that was written elsewhere. Raises UserError."""
    said = " ".join(title.split()) or next(
        (line.lstrip("# ").strip() for line in text.splitlines() if line.startswith("#")), ""
    )
    if not said:
        raise UserError("It has no title.", "Give one, or begin the text with a heading.")
    state = PostmortemState.DRAFT if published_at is None else PostmortemState.PUBLISHED
    made = Postmortem(
        id=0, incident_id=None, title=said[:MOST_TITLE], state=state, owner=actor, due_at=None,
        created_at=now, version=1, text=rules.checked(text), severity=severity,
        services=tuple(services), published_at=published_at,
        published_by=actor if published_at is not None else "",
    )  # fmt: skip
    kept = store.add(conn, replace(made, next_at=rules.next_look(made, now)), actor)
    store_words.index(conn, kept.id, kept.title, kept.text)
    _log(conn, now, "postmortem.brought", kept, actor, {"title": said})
    return kept


# ---------------------------------------------------------------- write


def save(
    conn: Connection, postmortem_id: int, base: int, text: str, actor: str, now: Seconds
) -> Saved:
    """Save a text that was begun from version ``base``; what others saved since is merged in.

    Raises NotFound, UserError.
    """
    held = must(conn, postmortem_id)
    its = held.its
    mine = rules.checked(text)
    line = marked(mine)
    if line:
        raise UserError(f"Line {line} still marks a conflict.", "Decide it, and remove the marks.")
    if not 1 <= base <= its.version:
        raise UserError(f"There is no version {base}.", f"The newest is {its.version}.")
    merged = False
    if base != its.version:
        old = store.version(conn, postmortem_id, base)
        assert old is not None  # every version up to the newest is kept
        found = merge(old.text, mine, its.text)
        if found.conflicts:
            return Saved(its, found.text, found.conflicts)
        merged, mine = True, found.text
    if mine == its.text:
        return Saved(its, mine, merged=merged)
    after = replace(its, text=mine, version=its.version + 1, title=_title(mine) or its.title)
    _must_save(store.save_text(conn, after, held.revision, actor, base, now))
    store_words.index(conn, after.id, after.title, after.text)
    _log(conn, now, "postmortem.saved", after, actor, {"version": after.version, "base": base})
    return Saved(after, mine, merged=merged)


def take_back_text(
    conn: Connection, postmortem_id: int, number: int, actor: str, now: Seconds
) -> Postmortem:
    """Make an old version the newest again. Raises NotFound, UserError."""
    held = must(conn, postmortem_id)
    old = store.version(conn, postmortem_id, number)
    if old is None:
        raise NotFound(f"There is no version {number}.", f"The newest is {held.its.version}.")
    after = replace(held.its, text=old.text, version=held.its.version + 1)
    _must_save(store.save_text(conn, after, held.revision, actor, number, now))
    store_words.index(conn, after.id, after.title, after.text)
    _log(conn, now, "postmortem.saved", after, actor, {"version": after.version, "of": number})
    return after


def diff(conn: Connection, postmortem_id: int, one: int, two: int) -> list[str]:
    """What changed from version ``one`` to ``two``, as unified lines. Raises NotFound."""
    old, new = _text(conn, postmortem_id, one), _text(conn, postmortem_id, two)
    names = f"version {one}", f"version {two}"
    return list(difflib.unified_diff(old, new, names[0], names[1], lineterm=""))


def _text(conn: Connection, postmortem_id: int, number: int) -> list[str]:
    found = store.version(conn, postmortem_id, number)
    if found is None:
        raise NotFound(f"There is no version {number}.", "Look at the list of versions.")
    return found.text.splitlines()


# ---------------------------------------------------------------- review and share


def act(
    conn: Connection, specs: Specs, site: Site, postmortem_id: int, verb: str, actor: str, why: str,
    now: Seconds,
) -> Postmortem:  # fmt: skip
    """``review``, ``approve``, ``publish`` or ``reopen``. Raises NotFound, UserError."""
    held = must(conn, postmortem_id)
    match verb:
        case "review":
            after, said = rules.asked_for_review(held.its), "is to be reviewed"
        case "approve":
            after, said = rules.approved(held.its, actor), f"was approved by {actor}"
        case "publish":
            after = rules.published(held.its, actor, why, now)
            said = f"was published by {actor}"
        case "reopen":
            after = rules.taken_back(held.its, why)
            said = f"is a draft again: {why.strip()}"
        case _:
            raise UserError(f"{verb!r} is no act.", "One of: review, approve, publish, reopen.")
    after = replace(after, next_at=rules.next_look(after, now))
    if verb == "publish":
        after = _with_items(conn, specs, held, after, actor, now)
    else:
        _must_save(store.save(conn, after, held.revision))
    told = [*after.reviewers, after.owner] if verb != "approve" else [after.owner]
    _tell(conn, specs, site, after, [u for u in told if u != actor], said, f"{verb}-{now}", now)
    _log(conn, now, f"postmortem.{verb}", after, actor, {"why": why.strip()})
    if after.incident_id is not None and verb == "publish":
        entry = NewEntry(EntryKind.LINK, actor, "engine", f"Postmortem {after.id} published")
        incidents.append(conn, after.incident_id, entry, now)
        knowing.mark(conn, incident_keeping.must(conn, after.incident_id))
    return after


def _with_items(
    conn: Connection, specs: Specs, held: Kept, its: Postmortem, actor: str, now: Seconds
) -> Postmortem:
    """Save what is published, with its action items made and their numbers in the text."""
    made = publishing.make_items(conn, specs, its, actor, now)
    after = publishing.with_items(its, made)
    if after is its:
        _must_save(store.save(conn, its, held.revision))
        return its
    _must_save(store.save_text(conn, after, held.revision, actor, its.version, now))
    store_words.index(conn, after.id, after.title, after.text)
    data = {"version": after.version, "items": [i.id for i in made.items],
            "unknown": list(made.unknown)}  # fmt: skip
    _log(conn, now, "postmortem.items", after, actor, data)
    return after


def hand(
    conn: Connection, specs: Specs, site: Site, postmortem_id: int, owner: str, actor: str,
    now: Seconds,
) -> Postmortem:  # fmt: skip
    """Another writes it. Raises NotFound, UserError."""
    held = must(conn, postmortem_id)
    if specs.duty.users and owner not in specs.duty.users:
        raise UserError(f"There is no user {owner!r}.", "Name one who is defined.")
    after = replace(held.its, owner=owner)
    _must_save(store.save(conn, after, held.revision))
    _tell(conn, specs, site, after, [owner], "is yours to write", f"hand-{now}", now)
    _log(conn, now, "postmortem.handed", after, actor, {"owner": owner})
    return after


def remind(conn: Connection, specs: Specs, site: Site, now: Seconds) -> int:
    """Tell owners what is due, and of what is late their teams, once each time."""
    found = store.due(conn, now)
    for held in found:
        its = held.its
        said = rules.reminder(its, now)
        after = replace(its, next_at=rules.next_look(its, now))
        if not store.save(conn, after, held.revision) or said is None:
            continue
        told = [its.owner]
        if said.escalate:
            told += _team(conn, specs, its, now)
        _tell(conn, specs, site, after, told, said.text, f"due-{now}", now)
        _log(conn, now, "postmortem.reminded", after, "engine", {"text": said.text, "told": told})
    return len(found)


def _team(conn: Connection, specs: Specs, its: Postmortem, now: Seconds) -> list[str]:
    """Colleagues of the owner; of one who has no team, those on call for the services."""
    known = specs.duty.users.get(its.owner)
    if known is not None and known.team:
        return [u.name for u in specs.duty.users.values() if u.team == known.team]
    held = incidents.get(conn, its.incident_id) if its.incident_id is not None else None
    if held is None:
        return []
    return rota.on_call(held, specs, pages.changes(conn, now), now)


def must(conn: Connection, postmortem_id: int) -> Kept:
    """A postmortem that is there, which nobody else changes meanwhile. Raises NotFound."""
    found = store.get(conn, postmortem_id, lock=True)
    if found is None:
        raise NotFound(
            f"There is no postmortem {postmortem_id}.", "`wk postmortem list` lists all."
        )
    return found


def _must_save(saved: bool) -> None:
    if not saved:
        raise UserError("Somebody changed it just now.", "Look at it and try again.")


def _title(text: str) -> str:
    first = next((line for line in text.splitlines() if line.strip()), "")
    return first[2:].strip()[:MOST_TITLE] if first.startswith("# ") else ""


def _tell(
    conn: Connection, specs: Specs, site: Site, its: Postmortem, users: Sequence[str], said: str,
    key: str, now: Seconds,
) -> None:  # fmt: skip
    rows = []
    for user in dict.fromkeys(users):
        if user not in specs.duty.users:
            continue
        found = list(
            dict.fromkeys((c, a) for _, c, a in ways(specs.duty.users[user], "ticket", specs))
        )
        if not found:
            continue
        (channel, address), *others = found
        rows.append(
            NewDelivery(
                key=f"postmortem-{its.id}-{key}-{user}"[:200],
                kind=MessageKind.UPDATE,
                urgency="ticket",
                user=user,
                channel=channel,
                address=address,
                content={
                    "title": f"Postmortem {its.id} {said}: {its.title}"[:300],
                    "body": f"Owner: {its.owner}.",
                    "thread": f"postmortem-{its.id}",
                    "url": f"{site.base_url}/postmortems/{its.id}",
                },
                due_at=now,
                priority=LATER,
                fallbacks=tuple(others),
            )
        )
    outbox.enqueue(conn, rows, now)


def _log(
    conn: Connection, now: Seconds, kind: str, its: Postmortem, actor: str, data: Mapping[str, Any]
) -> None:
    timeline.append(conn, now, kind, f"postmortem/{its.id}", actor, data)
