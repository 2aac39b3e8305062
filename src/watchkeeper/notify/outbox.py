"""The outbox: messages due to addresses, and the replicas that send them. The room's only SQL.

A delivery is claimed by one replica (``owner``); each claim raises its ``fence``, so that whoever
lost it cannot record an outcome any more. A replica is alive as long as its ``beat`` moves: others
watch the number with their own monotonic clock, so that no step of anyone's clock frees a claim.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    String,
    Table,
    Text,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.engine import RowMapping

from watchkeeper.kernel.clock import Seconds
from watchkeeper.notify.model import MessageKind
from watchkeeper.store import metadata
from watchkeeper.store.tables import ID

DUE, LEASED, SENT, FAILED, CANCELLED = "due", "leased", "sent", "failed", "cancelled"
FIRST, NORMAL, LATER, BULK = 0, 1, 5, 9
"""Priorities: the first alert of a service, other pages, everything that can wait, and messages to
subscribers, of which there may be thousands."""

delivery = Table(
    "delivery",
    metadata,
    Column("id", ID, primary_key=True),
    Column("key", String(120), nullable=False, unique=True),
    Column("page_id", ID),
    Column("kind", String(20), nullable=False),
    Column("urgency", String(10), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("user", String(200), nullable=False),
    Column("channel", String(200), nullable=False),
    Column("address", String(1000), nullable=False),
    Column("fallbacks", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("state", String(10), nullable=False),
    Column("due_at", Double, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("owner", String(64)),
    Column("fence", Integer, nullable=False),
    Column("bundle", ID),
    Column("maybe_duplicate", Boolean, nullable=False),
    Column("sent_at", Double),
    Column("provider_id", String(500), nullable=False),
    Column("outcome", String(2000), nullable=False),
    Index("ix_delivery_due", "state", "due_at", "priority"),
    Index("ix_delivery_page", "page_id"),
    Index("ix_delivery_address", "channel", "address", "sent_at"),
    sqlite_autoincrement=True,
)

WAITING = exists().where(delivery.c.state == DUE, delivery.c.due_at <= bindparam("now"))
"""Whether a message is due at ``now``: a question for `watchkeeper.store.asking`."""
_KNOWN = select(delivery.c.key).where(delivery.c.key.in_(bindparam("keys", expanding=True)))
_READY = (
    select(delivery)
    .where(delivery.c.state == DUE, delivery.c.due_at <= bindparam("now"))
    .order_by(delivery.c.priority, delivery.c.due_at, delivery.c.id)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True)
)
_MINE = (
    delivery.c.id == bindparam("b_id"),
    delivery.c.state == LEASED,
    delivery.c.owner == bindparam("b_owner"),
    delivery.c.fence == bindparam("b_fence"),
)
_STILL_MINE = select(delivery.c.id).where(*_MINE)
# Which columns these set, the values say that they are given.
_SET_MINE = update(delivery).where(*_MINE)
_SET_ALONG = update(delivery).where(
    delivery.c.bundle == bindparam("b_bundle"), delivery.c.state == LEASED
)
_SET_ONE = update(delivery).where(delivery.c.id == bindparam("b_id"))
_LEASED_BY = (
    select(delivery.c.owner, func.count())
    .where(delivery.c.state == LEASED)
    .group_by(delivery.c.owner)
)


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A message to one address. ``content``: title, body, url, … as in ``notify.content``.

    ``fallbacks``: (channel, address) to try when this one fails, in order.
    """

    key: str
    kind: MessageKind
    urgency: str
    user: str
    channel: str
    address: str
    content: Mapping[str, Any]
    due_at: Seconds
    page_id: int | None = None
    priority: int = NORMAL
    fallbacks: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Delivery:
    """A row of the outbox."""

    id: int
    key: str
    page_id: int | None
    kind: MessageKind
    urgency: str
    priority: int
    user: str
    channel: str
    address: str
    fallbacks: tuple[tuple[str, str], ...]
    content: Mapping[str, Any]
    state: str
    due_at: Seconds
    created_at: Seconds
    attempts: int
    owner: str | None
    fence: int
    bundle: int | None
    maybe_duplicate: bool
    sent_at: Seconds | None
    provider_id: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that is ours to send, with the titles of those that go along in one message."""

    row: Delivery
    along: tuple[str, ...] = field(default=())
    more: int = 0


def enqueue(conn: Connection, rows: Sequence[NewDelivery], now: Seconds) -> None:
    """Put messages into the outbox, in the caller's transaction; a known key is not put twice."""
    if not rows:
        return
    known = {
        key
        for part in _parts([r.key for r in rows])
        for key in conn.execute(_KNOWN, {"keys": part}).scalars()
    }
    fresh = [_values(row, now) for row in rows if row.key not in known]
    if fresh:
        conn.execute(insert(delivery), fresh)


def _values(row: NewDelivery, now: Seconds) -> dict[str, object]:
    return {
        "key": row.key,
        "page_id": row.page_id,
        "kind": str(row.kind),
        "urgency": row.urgency,
        "priority": row.priority,
        "user": row.user,
        "channel": row.channel,
        "address": row.address,
        "fallbacks": json.dumps(row.fallbacks),
        "content": json.dumps(dict(row.content)),
        "state": DUE,
        "due_at": row.due_at,
        "created_at": now,
        "attempts": 0,
        "fence": 0,
        "maybe_duplicate": False,
        "provider_id": "",
        "outcome": "",
    }


# ---------------------------------------------------------------- claiming


def free(conn: Connection, gone: Collection[str], now: Seconds) -> int:
    """Make what these owners had claimed due again, marked: its outcome is unknown."""
    if not gone:
        return 0
    query = (
        update(delivery)
        .where(delivery.c.state == LEASED, delivery.c.owner.in_(gone))
        .values(
            state=DUE,
            due_at=now,
            owner=None,
            bundle=None,
            maybe_duplicate=True,
            outcome="the replica that was sending it is gone",
        )
    )
    return conn.execute(query).rowcount


def ready(conn: Connection, now: Seconds, limit: int) -> list[Delivery]:
    """Deliveries that are due, the most urgent first; nobody else can take them meanwhile."""
    return [_delivery(row) for row in conn.execute(_READY, {"now": now, "most": limit}).mappings()]


def sent_lately(
    conn: Connection, channel: str, address: str, since: Seconds
) -> tuple[int, Seconds | None]:
    """(messages, time of the last) sent to this address since then; bundles count once."""
    query = select(func.count(), func.max(delivery.c.sent_at)).where(
        delivery.c.channel == channel,
        delivery.c.address == address,
        delivery.c.sent_at > since,
        delivery.c.bundle.is_(None),
    )
    count, last = conn.execute(query).one()
    return int(count), last


def lease(conn: Connection, row: Delivery, owner: str) -> Delivery:
    """Take this delivery, which ``ready`` gave in this transaction."""
    values = {"state": LEASED, "owner": owner, "fence": row.fence + 1, "attempts": row.attempts + 1}
    conn.execute(_SET_ONE, {"b_id": row.id, **values, "bundle": None})
    return _delivery({**_as_row(row), **values, "bundle": None})


def lease_along(conn: Connection, leader: Delivery, owner: str, now: Seconds) -> int:
    """Take all other pages due to the leader's address; they go in its message."""
    query = (
        update(delivery)
        .where(
            delivery.c.state == DUE,
            delivery.c.due_at <= now,
            delivery.c.kind == str(leader.kind),
            delivery.c.channel == leader.channel,
            delivery.c.address == leader.address,
            delivery.c.id != leader.id,
        )
        .values(state=LEASED, owner=owner, fence=delivery.c.fence + 1, bundle=leader.id)
    )
    return conn.execute(query).rowcount


def along(conn: Connection, leader: int, limit: int) -> list[Delivery]:
    """The deliveries that go in this one's message, oldest first."""
    query = select(delivery).where(delivery.c.bundle == leader).order_by(delivery.c.id).limit(limit)
    return [_delivery(row) for row in conn.execute(query).mappings()]


def put_off_all(conn: Connection, row: Delivery, now: Seconds, until: Seconds) -> None:
    """Let all that is due to this address wait, so that it can go in one message."""
    query = update(delivery).where(
        delivery.c.state == DUE,
        delivery.c.due_at <= now,
        delivery.c.kind == str(row.kind),
        delivery.c.channel == row.channel,
        delivery.c.address == row.address,
    )
    conn.execute(query.values(due_at=until))


# ---------------------------------------------------------------- outcomes


def still_mine(conn: Connection, row: Delivery) -> bool:
    """True while this claim stands: not cancelled, not taken over."""
    return conn.execute(_STILL_MINE, _claim(row)).first() is not None


def record_sent(
    conn: Connection, row: Delivery, provider_id: str, detail: str, now: Seconds
) -> bool:
    """It was taken by the provider; False when the claim had been lost meanwhile."""
    values = {"sent_at": now, "provider_id": provider_id[:500], "outcome": detail[:2000]}
    sent = {**values, "state": SENT, "owner": None}
    conn.execute(_SET_ALONG, {"b_bundle": row.id, **sent})
    if conn.execute(_SET_MINE, {**_claim(row), **sent}).rowcount:
        return True
    # Cancelled while it was on its way: it went all the same, and the record says so.
    late = delivery.c.id == row.id, delivery.c.state == CANCELLED
    conn.execute(update(delivery).where(*late).values(**values))
    return False


def record_failed(
    conn: Connection,
    row: Delivery,
    why: str,
    again_at: Seconds | None,
    *,
    unknown: bool,
) -> bool:
    """It was not (or perhaps not) sent: due again at ``again_at``, or failed for good."""
    values: dict[str, object] = {
        "state": DUE if again_at is not None else FAILED,
        "owner": None,
        "bundle": None,
        "outcome": why[:2000],
    }
    if again_at is not None:
        values["due_at"] = again_at
    if unknown:
        values["maybe_duplicate"] = True
    conn.execute(_SET_ALONG, {"b_bundle": row.id, **values})
    return bool(conn.execute(_SET_MINE, {**_claim(row), **values}).rowcount)


def note_status(conn: Connection, provider_id: str, status: str, failed: bool) -> Delivery | None:
    """A provider's later word (delivered, undeliverable); the delivery it is about."""
    if not provider_id:
        return None
    found = delivery.c.provider_id == provider_id
    row = conn.execute(select(delivery).where(found)).mappings().first()
    if row is None:
        return None
    values: dict[str, object] = {"outcome": status[:2000]}
    if failed and row["state"] == SENT:
        values["state"] = FAILED
    conn.execute(update(delivery).where(found).values(**values))
    return _delivery({**dict(row), **values})


def cancel(conn: Connection, page_id: int, kinds: Sequence[MessageKind], why: str) -> int:
    """Nothing more of these kinds is sent for this page."""
    query = (
        update(delivery)
        .where(
            delivery.c.page_id == page_id,
            delivery.c.kind.in_([str(k) for k in kinds]),
            delivery.c.state.in_((DUE, LEASED)),
        )
        .values(state=CANCELLED, fence=delivery.c.fence + 1, owner=None, outcome=why)
    )
    return conn.execute(query).rowcount


def revive(conn: Connection, page_id: int, why: str, now: Seconds) -> int:
    """What was cancelled for this reason before it was sent is due again, at the earliest now."""
    later = case((delivery.c.due_at > now, delivery.c.due_at), else_=now)
    query = (
        update(delivery)
        .where(
            delivery.c.page_id == page_id,
            delivery.c.state == CANCELLED,
            delivery.c.outcome == why,
            delivery.c.sent_at.is_(None),
        )
        .values(
            state=DUE,
            due_at=later,
            outcome="",
            # One that was on its way when it was cancelled may have arrived.
            maybe_duplicate=or_(delivery.c.maybe_duplicate, delivery.c.attempts > 0),
        )
    )
    return conn.execute(query).rowcount


def _claim(row: Delivery) -> dict[str, object]:
    return {"b_id": row.id, "b_owner": row.owner, "b_fence": row.fence}


# ---------------------------------------------------------------- reading


def of_page(conn: Connection, page_id: int) -> list[Delivery]:
    """All deliveries of a page, in order of their making."""
    query = select(delivery).where(delivery.c.page_id == page_id).order_by(delivery.c.id)
    return [_delivery(row) for row in conn.execute(query).mappings()]


def reached(conn: Connection, page_id: int) -> list[Delivery]:
    """Those whose message was sent, perhaps sent, or is just being sent."""
    query = select(delivery).where(
        delivery.c.page_id == page_id,
        delivery.c.kind.in_((str(MessageKind.PAGE), str(MessageKind.DRILL))),
        or_(delivery.c.sent_at.is_not(None), delivery.c.attempts > 0),
    )
    return [_delivery(row) for row in conn.execute(query.order_by(delivery.c.id)).mappings()]


def last_call(conn: Connection, address: str, page_id: int | None) -> int | None:
    """The page that this address was last called for; with ``page_id``, whether it was for that."""
    query = select(delivery.c.page_id).where(
        delivery.c.address == address,
        delivery.c.page_id.is_not(None),
        delivery.c.attempts > 0,
        delivery.c.kind.in_((str(MessageKind.PAGE), str(MessageKind.DRILL))),
    )
    if page_id is not None:
        query = query.where(delivery.c.page_id == page_id)
    found = conn.execute(query.order_by(delivery.c.id.desc()).limit(1)).scalar()
    return None if found is None else int(found)


def get(conn: Connection, delivery_id: int) -> Delivery | None:
    """One delivery."""
    row = conn.execute(select(delivery).where(delivery.c.id == delivery_id)).mappings().first()
    return _delivery(row) if row else None


def latest(
    conn: Connection, *, channel: str = "", limit: int = 50, before: int | None = None
) -> list[Delivery]:
    """The newest deliveries, newest first."""
    query = select(delivery).order_by(delivery.c.id.desc()).limit(limit)
    if channel:
        query = query.where(delivery.c.channel == channel)
    if before is not None:
        query = query.where(delivery.c.id < before)
    return [_delivery(row) for row in conn.execute(query).mappings()]


def last_outcomes(conn: Connection) -> dict[tuple[str, str], Delivery]:
    """The last delivery that was tried, by (channel, address)."""
    newest = (
        select(func.max(delivery.c.id).label("id"))
        .where(delivery.c.attempts > 0)
        .group_by(delivery.c.channel, delivery.c.address)
        .subquery()
    )
    query = select(delivery).join(newest, delivery.c.id == newest.c.id)
    rows = [_delivery(row) for row in conn.execute(query).mappings()]
    return {(row.channel, row.address): row for row in rows}


def overdue(conn: Connection, before: Seconds, *, bulk: bool = True) -> int:
    """How many rows are due since before this time and nobody has taken them.

    Without ``bulk`` messages to subscribers do not count: they wait until there is room.
    """
    query = select(func.count()).where(and_(delivery.c.state == DUE, delivery.c.due_at <= before))
    if not bulk:
        query = query.where(delivery.c.priority < BULK)
    return int(conn.execute(query).scalar_one())


def leased_by(conn: Connection) -> dict[str, int]:
    """How many rows each owner has claimed."""
    return {str(owner): int(count) for owner, count in conn.execute(_LEASED_BY)}


def _parts(names: Sequence[str], size: int = 500) -> Iterable[Sequence[str]]:
    return (names[i : i + size] for i in range(0, len(names), size))


def _as_row(row: Delivery) -> dict[str, object]:
    made = {name: getattr(row, name) for name in Delivery.__slots__}
    return {
        **made,
        "fallbacks": json.dumps(row.fallbacks),
        "content": json.dumps(dict(row.content)),
    }


def _delivery(row: RowMapping | Mapping[str, Any]) -> Delivery:
    named = {name: row[name] for name in Delivery.__slots__}
    named["kind"] = MessageKind(row["kind"])
    named["fallbacks"] = tuple((c, a) for c, a in json.loads(row["fallbacks"]))
    named["content"] = json.loads(row["content"])
    named["maybe_duplicate"] = bool(row["maybe_duplicate"])
    return Delivery(**named)
