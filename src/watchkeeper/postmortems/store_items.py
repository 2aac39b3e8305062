"""Action items in the database, and where else each of them lives."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Double,
    Index,
    Integer,
    String,
    Table,
    Text,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.engine import RowMapping

from watchkeeper.kernel.clock import Seconds
from watchkeeper.postmortems.model import ActionItem, ActionState, ActionType
from watchkeeper.store import metadata
from watchkeeper.store.tables import ID

action_item = Table(
    "action_item",
    metadata,
    Column("id", ID, primary_key=True),
    Column("text", String(500), nullable=False),
    Column("type", String(10), nullable=False),
    Column("state", String(10), nullable=False),
    Column("owner", String(200), nullable=False),
    Column("due_at", Double),
    Column("priority", Integer, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("version", Integer, nullable=False),
    Column("incident_id", ID),
    Column("postmortem_id", ID),
    Column("team", String(200), nullable=False),
    Column("tracker", String(200), nullable=False),
    Column("external", String(200), nullable=False),
    Column("url", String(1000), nullable=False),
    Column("done_at", Double),
    Column("next_at", Double),
    Column("data", Text, nullable=False),
    Column("sync_at", Double),
    Column("sync_tries", Integer, nullable=False, server_default="0"),
    Column("sync_said", String(1000), nullable=False, server_default=""),
    Column("synced", Text, nullable=False, server_default=""),
    Index("ix_action_item_next", "next_at"),
    Index("ix_action_item_sync", "sync_at"),
    Index("ix_action_item_state", "state", "due_at"),
    Index("ix_action_item_incident", "incident_id"),
    sqlite_autoincrement=True,
)

_FIELDS = tuple(n for n in ActionItem.__slots__ if n != "id")


@dataclass(frozen=True, slots=True)
class Link:
    """How an item stands with its tracker: when to talk next, what came of it, what was agreed."""

    item: ActionItem
    at: Seconds | None
    tries: int
    said: str
    synced: Mapping[str, Any]


def add(conn: Connection, made: ActionItem, sync_at: Seconds | None = None) -> ActionItem:
    """Keep a new item; it comes back with its id."""
    query = insert(action_item).values(**_values(made), sync_at=sync_at)
    found = conn.execute(query.returning(action_item.c.id)).scalar_one()
    return replace(made, id=int(found))


def save(
    conn: Connection, changed: ActionItem, *, sync_at: Seconds | None = None
) -> ActionItem | None:
    """Write an item that was read at ``changed.version``; None when another was quicker.

    ``sync_at``: when its tracker must be told; None leaves that as it is.
    """
    values = {**_values(changed), "version": changed.version + 1}
    if sync_at is not None:
        values["sync_at"] = sync_at
    where = action_item.c.id == changed.id, action_item.c.version == changed.version
    if not conn.execute(update(action_item).where(*where).values(**values)).rowcount:
        return None
    return replace(changed, version=changed.version + 1)


def get(conn: Connection, item_id: int) -> ActionItem | None:
    """One item."""
    row = conn.execute(select(action_item).where(action_item.c.id == item_id)).mappings().first()
    return _item(row) if row else None


def find(
    conn: Connection,
    *,
    states: Sequence[str] = (),
    owner: str = "",
    team: str = "",
    incident_id: int | None = None,
    postmortem_id: int | None = None,
    text: str = "",
    overdue_at: Seconds | None = None,
    before: int | None = None,
    limit: int = 200,
) -> list[ActionItem]:
    """Items, newest first. ``overdue_at``: only those that were due by then and are not over."""
    c = action_item.c
    query = select(action_item).order_by(c.id.desc()).limit(limit)
    if states:
        query = query.where(c.state.in_(list(states)))
    for column, value in ((c.owner, owner), (c.team, team)):
        if value:
            query = query.where(column == value)
    for column, number in ((c.incident_id, incident_id), (c.postmortem_id, postmortem_id)):
        if number is not None:
            query = query.where(column == number)
    if text:
        like = f"%{text.lower()}%"
        query = query.where(or_(func.lower(c.text).like(like), c.external == text))
    if overdue_at is not None:
        live = [str(ActionState.OPEN), str(ActionState.DOING)]
        query = query.where(c.due_at <= overdue_at, c.state.in_(live))
    if before is not None:
        query = query.where(c.id < before)
    return [_item(row) for row in conn.execute(query).mappings()]


def due(conn: Connection, now: Seconds, limit: int) -> list[ActionItem]:
    """Items of which somebody must be told; no other replica looks at them meanwhile."""
    query = select(action_item).where(action_item.c.next_at <= now).order_by(action_item.c.next_at)
    query = query.limit(limit).with_for_update(skip_locked=True)
    return [_item(row) for row in conn.execute(query).mappings()]


def anything_to_tell(conn: Connection, now: Seconds) -> bool:
    """True when somebody must be told of some item."""
    c = action_item.c
    return conn.execute(select(c.id).where(c.next_at <= now).limit(1)).first() is not None


# ---------------------------------------------------------------- other trackers


def anything_to_sync(conn: Connection, now: Seconds) -> bool:
    """True when some item's tracker must be asked or told."""
    c = action_item.c
    return conn.execute(select(c.id).where(c.sync_at <= now).limit(1)).first() is not None


def take_to_sync(conn: Connection, now: Seconds, lease: float, limit: int) -> list[Link]:
    """Items whose tracker must be asked or told; nobody else takes them for ``lease`` seconds."""
    c = action_item.c
    query = select(action_item).where(c.sync_at <= now).order_by(c.sync_at).limit(limit)
    found = list(conn.execute(query.with_for_update(skip_locked=True)).mappings())
    for row in found:
        conn.execute(update(action_item).where(c.id == row["id"]).values(sync_at=now + lease))
    return [_link(row) for row in found]


def link(conn: Connection, item_id: int) -> Link | None:
    """How one item stands with its tracker."""
    row = conn.execute(select(action_item).where(action_item.c.id == item_id)).mappings().first()
    return _link(row) if row else None


def linked(conn: Connection, after: int = 0, limit: int = 500) -> list[Link]:
    """Items that live in another tracker, by id."""
    c = action_item.c
    query = select(action_item).where(c.tracker != "", c.id > after).order_by(c.id).limit(limit)
    return [_link(row) for row in conn.execute(query).mappings()]


def note_sync(
    conn: Connection,
    item_id: int,
    *,
    at: Seconds | None,
    tries: int,
    said: str,
    synced: Mapping[str, Any] | None = None,
) -> None:
    """Record what came of it, and when to talk next."""
    values: dict[str, Any] = {"sync_at": at, "sync_tries": tries, "sync_said": said[:1000]}
    if synced is not None:
        values["synced"] = json.dumps(dict(synced))
    conn.execute(update(action_item).where(action_item.c.id == item_id).values(**values))


def _values(made: ActionItem) -> dict[str, Any]:
    values: dict[str, Any] = {n: getattr(made, n) for n in _FIELDS}
    values["type"], values["state"] = str(made.type), str(made.state)
    values["data"] = json.dumps(dict(made.data))
    return values


def _item(row: RowMapping) -> ActionItem:
    named: dict[str, Any] = {n: row[n] for n in ("id", *_FIELDS)}
    named["type"], named["state"] = ActionType(row["type"]), ActionState(row["state"])
    named["data"] = json.loads(row["data"])
    return ActionItem(**named)


def _link(row: RowMapping) -> Link:
    synced = json.loads(row["synced"]) if row["synced"] else {}
    return Link(_item(row), row["sync_at"], row["sync_tries"], row["sync_said"], synced)
