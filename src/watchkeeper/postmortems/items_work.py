"""Action items: make, change, remind, and keep them the same in two trackers.

Other trackers are talked to outside of any transaction: an item is taken for a minute, its tracker
asked and told, and what came of it recorded. A creation of which nobody knows whether it arrived is
not repeated before its marker was searched for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.notify import outbox
from watchkeeper.notify.model import MessageKind, TransportError
from watchkeeper.notify.outbox import LATER, NewDelivery
from watchkeeper.oncall.calling import ways
from watchkeeper.oncall.model import Site
from watchkeeper.postmortems import items, store_items
from watchkeeper.postmortems.items import Shared
from watchkeeper.postmortems.model import ActionItem, ActionState
from watchkeeper.postmortems.store_items import Link
from watchkeeper.postmortems.trackers.model import Draft, Remote, Tracker, marker_of
from watchkeeper.spec.model import Specs
from watchkeeper.store import Database, timeline

LEASE = 60.0
"""Seconds for which one replica has an item while it talks to its tracker."""
LOOK_AGAIN = 300.0
"""Seconds between two looks at an item that is open there."""
LOOK_DONE = 86_400.0
"""The same for one that is over: it may be opened again."""
FIRST_RETRY, LONGEST_RETRY = 15.0, 3600.0
BATCH = 20

Opened = Callable[[str], Tracker]
"""The tracker of this name. Raises TransportError."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """An item that is not in its tracker, or is not the same there. For `wk action verify`."""

    item: ActionItem
    what: str
    ours: str = ""
    theirs: str = ""


# ---------------------------------------------------------------- what people do


def add(
    conn: Connection,
    specs: Specs,
    text: str,
    actor: str,
    now: Seconds,
    *,
    type_: str = "prevent",
    owner: str = "",
    due_at: Seconds | None = None,
    priority: int = 2,
    severity: str = "SEV3",
    team: str = "",
    incident_id: int | None = None,
    postmortem_id: int | None = None,
    notes: str = "",
) -> ActionItem:
    """Make an item; without a due date it is due by the severity. Raises UserError."""
    said, kind = items.checked(text, type_, owner, priority)
    _known(specs, owner)
    team = team or _team_of(specs, owner)
    due = (
        due_at
        if due_at is not None
        else items.default_due(severity, now, specs.response.severities)
    )
    tracker = _tracker_for(specs, team)
    made = ActionItem(
        id=0,
        text=said,
        type=kind,
        state=ActionState.OPEN,
        owner=owner,
        due_at=due,
        priority=priority,
        created_at=now,
        version=0,
        incident_id=incident_id,
        postmortem_id=postmortem_id,
        team=team,
        tracker=tracker,
        data={"notes": notes} if notes else {},
    )
    made = replace(made, next_at=items.next_look(made, now))
    kept = store_items.add(conn, made, sync_at=now if tracker else None)
    _log(conn, now, "action.added", kept, actor, {"text": said, "owner": owner, "due_at": due})
    return kept


def change(
    conn: Connection,
    item_id: int,
    fields: Mapping[str, Any],
    actor: str,
    now: Seconds,
    specs: Specs,
) -> ActionItem:
    """Change text, type, owner, due_at, priority or team. Raises NotFound, UserError."""
    item = must(conn, item_id)
    unknown = set(fields) - {"text", "type", "owner", "due_at", "priority", "team"}
    if unknown:
        raise UserError(
            f"{', '.join(sorted(unknown))} cannot be changed.", "Change something else."
        )
    named = {k: v for k, v in fields.items() if v is not None}
    said, kind = items.checked(
        str(named.get("text", item.text)),
        str(named.get("type", item.type)),
        str(named.get("owner", item.owner)),
        int(named.get("priority", item.priority)),
    )
    _known(specs, str(named.get("owner", item.owner)))
    after = replace(item, **{**named, "text": said, "type": kind})
    after = replace(after, next_at=items.next_look(after, now))
    was = {k: getattr(item, k) for k in named}
    return _save(conn, after, "action.changed", actor, now, {"was": was, "now": named})


def move(
    conn: Connection, item_id: int, state: str, actor: str, now: Seconds, why: str = ""
) -> ActionItem:
    """Put it into another state. Raises NotFound, UserError."""
    item = must(conn, item_id)
    if state not in list(ActionState):
        raise UserError(f"{state!r} is no state.", f"One of: {', '.join(ActionState)}.")
    after = items.moved(item, ActionState(state), why, now)
    return _save(conn, after, "action.moved", actor, now, {"to": state, "why": why})


def reopen(conn: Connection, item_id: int, why: str, actor: str, now: Seconds) -> ActionItem:
    """What was done did not hold. Raises NotFound."""
    item = must(conn, item_id)
    if item.state not in items.OVER:
        return item
    after = items.moved(item, ActionState.OPEN, why, now)
    return _save(conn, after, "action.reopened", actor, now, {"why": why})


def recurred(conn: Connection, item: ActionItem, incident_id: int, now: Seconds) -> None:
    """Keep with an item that is not done that what it is about came again."""
    _log(conn, now, "action.recurred", item, "engine", {"incident": incident_id})


def must(conn: Connection, item_id: int) -> ActionItem:
    """An item that is there. Raises NotFound."""
    found = store_items.get(conn, item_id)
    if found is None:
        raise NotFound(f"There is no action item {item_id}.", "`wk action list` shows them.")
    return found


def _save(
    conn: Connection,
    after: ActionItem,
    kind: str,
    actor: str,
    now: Seconds,
    data: Mapping[str, Any],
) -> ActionItem:
    kept = store_items.save(conn, after, sync_at=now if after.tracker else None)
    if kept is None:
        raise UserError("Somebody changed this item just now.", "Look at it and try again.")
    _log(conn, now, kind, kept, actor, data)
    return kept


def _known(specs: Specs, owner: str) -> None:
    if owner and specs.duty.users and owner not in specs.duty.users:
        raise UserError(
            f"There is no user {owner!r}.", f"There are: {', '.join(specs.duty.users)}."
        )


def _team_of(specs: Specs, owner: str) -> str:
    known = specs.duty.users.get(owner)
    return (known.team if known else None) or ""


def _tracker_for(specs: Specs, team: str) -> str:
    for name, each in specs.response.trackers.items():
        if not each.teams or team in each.teams:
            return name
    return ""


# ---------------------------------------------------------------- reminders


def remind(conn: Connection, specs: Specs, site: Site, now: Seconds, limit: int = 100) -> int:
    """Tell owners, and of what is overdue their teams, once for each time. Returns how many."""
    found = store_items.due(conn, now, limit)
    for item in found:
        said = items.reminder(item, now)
        after = replace(item, next_at=items.next_look(item, now))
        if store_items.save(conn, after) is None or said is None:
            continue
        told = _people(specs, item, said.escalate)
        rows = [r for who in told for r in _messages(specs, site, item, who, said.text, now)]
        outbox.enqueue(conn, rows, now)
        _log(conn, now, "action.reminded", item, "engine", {"told": told, "text": said.text})
    return len(found)


def tell(
    conn: Connection, specs: Specs, site: Site, item: ActionItem, said: str, now: Seconds
) -> None:
    """Tell its owner something; the team, when nobody owns it."""
    told = _people(specs, item, escalate=False)
    rows = [r for who in told for r in _messages(specs, site, item, who, said, now)]
    outbox.enqueue(conn, rows, now)


def _people(specs: Specs, item: ActionItem, escalate: bool) -> list[str]:
    users = specs.duty.users
    told = [item.owner] if item.owner in users else []
    if escalate or not told:
        told += [u.name for u in users.values() if item.team and u.team == item.team]
    return list(dict.fromkeys(told))


def _messages(
    specs: Specs, site: Site, item: ActionItem, user: str, text: str, now: Seconds
) -> list[NewDelivery]:
    found = ways(specs.duty.users[user], "ticket", specs)
    if not found:
        return []
    first, *others = [(channel, address) for _, channel, address in found]
    return [
        NewDelivery(
            key=f"action-{item.id}-{item.version}-{now}-{user}",
            kind=MessageKind.UPDATE,
            urgency="ticket",
            user=user,
            channel=first[0],
            address=first[1],
            content={
                "title": f"Action item {text}"[:300],
                "body": f"#{item.id}, {item.type}. Owner: {item.owner or 'nobody'}.",
                "thread": f"action-{item.id}",
                "url": f"{site.base_url}/actions/{item.id}",
            },
            due_at=now,
            priority=LATER,
            fallbacks=tuple(others),
        )
    ]


# ---------------------------------------------------------------- other trackers


def sync(db: Database, specs: Specs, site: Site, opened: Opened, now: Seconds) -> int:
    """Talk to the trackers of the items that are due for it. Returns how many."""
    with db.read() as conn:
        if not store_items.anything_to_sync(conn, now):
            return 0
    with db.write() as conn:
        taken = store_items.take_to_sync(conn, now, LEASE, BATCH)
    for each in taken:
        _sync_one(db, specs, site, opened, each, now)
    return len(taken)


def _sync_one(
    db: Database, specs: Specs, site: Site, opened: Opened, link: Link, now: Seconds
) -> None:
    try:
        tracker = opened(link.item.tracker)
        try:
            remote = _remote_of(db, site, tracker, link, now)
            if remote is None:
                _record_gone(db, link, now)
                return
            _meet(db, specs, tracker, link, remote, now)
        finally:
            tracker.close()
    except TransportError as error:
        tries = link.tries + 1
        wait = error.retry_after or min(LONGEST_RETRY, FIRST_RETRY * 2.0 ** min(link.tries, 10))
        with db.write() as conn:
            store_items.note_sync(
                conn, link.item.id, at=now + wait, tries=tries, said=error.message
            )


def _remote_of(
    db: Database, site: Site, tracker: Tracker, link: Link, now: Seconds
) -> Remote | None:
    item = link.item
    if item.external:
        return tracker.read(item.external)
    marker = marker_of(site.secret.hex(), item.id)
    # The first attempt needs no search; any later one may follow a creation that arrived.
    found = tracker.find(marker) if link.tries else None
    if found is not None:
        return found
    notes = str(item.data.get("notes", ""))
    body = f"{notes}\n\n{site.base_url}/actions/{item.id}".strip()
    with db.write() as conn:
        # Written before the attempt: a crash in it must make the next one search first.
        store_items.note_sync(
            conn, item.id, at=now + LEASE, tries=link.tries + 1, said="being made"
        )
    return tracker.create(Draft(shared_of(item), marker, body, ("postmortem", str(item.type))))


def _meet(
    db: Database, specs: Specs, tracker: Tracker, link: Link, remote: Remote, now: Seconds
) -> None:
    ours = shared_of(link.item)
    if not remote.shared.owner:
        # Nobody there whom we know by name: that is no wish to take the item from its owner.
        remote = replace(remote, shared=replace(remote.shared, owner=ours.owner))
    base = Shared(**link.synced) if link.synced else remote.shared
    agreed = items.agree(base, ours, remote.shared)
    if agreed.theirs:
        remote = tracker.update(remote.external, remote.shared, agreed.value)
    with db.write() as conn:
        item = must(conn, link.item.id)
        after = replace(item, external=remote.external, url=remote.url)
        if agreed.ours and item.version == link.item.version:
            after = _with(after, agreed.value, now)
        again = LOOK_DONE if after.state in items.OVER else LOOK_AGAIN
        # Changed meanwhile by a person: what we just told is the base, and it is told at once.
        at = now + again if item.version == link.item.version else now
        if after != item and store_items.save(conn, after) is None:
            return
        store_items.note_sync(conn, item.id, at=at, tries=0, said="", synced=asdict(agreed.value))
        if not link.item.external:
            _log(conn, now, "action.linked", after, "engine", {"url": remote.url})
        if agreed.ours or agreed.conflicts:
            data = {"conflicts": list(agreed.conflicts), "now": asdict(agreed.value)}
            _log(conn, now, "action.synced", after, f"tracker:{item.tracker}", data)


def _with(item: ActionItem, value: Shared, now: Seconds) -> ActionItem:
    after = replace(item, text=value.text, owner=value.owner, due_at=_seconds(value.due, item))
    if value.done and item.state not in items.OVER:
        after = items.moved(after, ActionState.DONE, "", now)
    elif not value.done and item.state in items.OVER:
        after = items.moved(after, ActionState.OPEN, "", now)
    return replace(after, next_at=items.next_look(after, now))


def _record_gone(db: Database, link: Link, now: Seconds) -> None:
    with db.write() as conn:
        said = f"{link.item.external} is gone from {link.item.tracker}"
        store_items.note_sync(conn, link.item.id, at=now + LOOK_DONE, tries=0, said=said)
        if link.said != said:
            _log(conn, now, "action.gone", link.item, f"tracker:{link.item.tracker}", {})


def verify(db: Database, opened: Opened) -> list[Mismatch]:
    """Whether every item is in its tracker and says the same there, and none is in no tracker.

    Asks each tracker now. Raises nothing: what cannot be asked is a mismatch that says why.
    """
    found: list[Mismatch] = []
    trackers: dict[str, Tracker | str] = {}
    after = 0
    while True:
        with db.read() as conn:
            links = store_items.linked(conn, after)
        if not links:
            break
        after = links[-1].item.id
        for each in links:
            found += _verified(each.item, _open_once(trackers, opened, each.item.tracker))
    for tracker in trackers.values():
        if not isinstance(tracker, str):
            tracker.close()
    return found


def _open_once(trackers: dict[str, Tracker | str], opened: Opened, name: str) -> Tracker | str:
    if name not in trackers:
        try:
            trackers[name] = opened(name)
        except TransportError as error:
            trackers[name] = error.message
    return trackers[name]


def _verified(item: ActionItem, tracker: Tracker | str) -> list[Mismatch]:
    if isinstance(tracker, str):
        return [Mismatch(item, f"cannot be asked: {tracker}")]
    if not item.external:
        return [Mismatch(item, "does not exist there yet")]
    try:
        remote = tracker.read(item.external)
    except TransportError as error:
        return [Mismatch(item, f"cannot be asked: {error.message}")]
    if remote is None:
        return [Mismatch(item, "is gone there")]
    ours, theirs = shared_of(item), remote.shared
    return [
        Mismatch(item, f"{name} differs", str(getattr(ours, name)), str(getattr(theirs, name)))
        for name in items.FIELDS
        if getattr(ours, name) != getattr(theirs, name) and (name != "owner" or theirs.owner)
    ]


def shared_of(item: ActionItem) -> Shared:
    """What both trackers know of an item."""
    due = (
        "" if item.due_at is None else datetime.fromtimestamp(item.due_at, UTC).strftime("%Y-%m-%d")
    )
    return Shared(item.text, item.state in items.OVER, item.owner, due)


def _seconds(day: str, item: ActionItem) -> Seconds | None:
    if not day:
        return None
    if day == shared_of(item).due:
        return item.due_at
    return datetime.fromisoformat(f"{day}T17:00:00+00:00").timestamp()


def _log(
    conn: Connection, now: Seconds, kind: str, item: ActionItem, actor: str, data: Mapping[str, Any]
) -> None:
    timeline.append(conn, now, kind, f"action/{item.id}", actor, data)
