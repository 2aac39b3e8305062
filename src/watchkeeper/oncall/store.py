"""Pages, calls, proofs of contacts, changes to schedules. The room's only SQL."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
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
    bindparam,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.engine import RowMapping

from watchkeeper.kernel.clock import Seconds
from watchkeeper.oncall.model import Call, Page, PageKind, PageState
from watchkeeper.oncall.routing import OpenPage
from watchkeeper.oncall.schedule.model import Change
from watchkeeper.oncall.snapshot import policy_json, policy_of
from watchkeeper.store import metadata
from watchkeeper.store.asking import among
from watchkeeper.store.tables import ID
from watchkeeper.store.writing import insert_new, upsert

page = Table(
    "page",
    metadata,
    Column("id", ID, primary_key=True),
    Column("kind", String(10), nullable=False),
    Column("state", String(10), nullable=False),
    Column("service", String(300), nullable=False),
    Column("title", String(1000), nullable=False),
    Column("urgency", String(10), nullable=False),
    Column("policy", Text, nullable=False),
    Column("policy_name", String(200), nullable=False),
    Column("step", Integer, nullable=False),
    Column("round", Integer, nullable=False),
    Column("calls", Integer, nullable=False),
    Column("due_at", Double),
    Column("opened_at", Double, nullable=False),
    Column("last_alert_at", Double, nullable=False),
    Column("alerts", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("acked_at", Double),
    Column("acked_by", String(200), nullable=False),
    Column("snoozed_until", Double),
    Column("resolved_at", Double),
    Column("resolved_by", String(200), nullable=False),
    Column("first_call_at", Double),
    Column("data", Text, nullable=False),
    Index("ix_page_due", "due_at"),
    Index("ix_page_state", "state", "id"),
    sqlite_autoincrement=True,
)

page_call = Table(
    "page_call",
    metadata,
    Column("id", ID, primary_key=True),
    Column("page_id", ID, nullable=False),
    Column("number", Integer, nullable=False),
    Column("at", Double, nullable=False),
    Column("user", String(200), nullable=False),
    Column("via", String(300), nullable=False),
    Index("ix_page_call_page", "page_id"),
    Index("ix_page_call_at", "at"),
    sqlite_autoincrement=True,
)

contact_proof = Table(
    "contact_proof",
    metadata,
    Column("user", String(200), primary_key=True),
    Column("channel", String(200), primary_key=True),
    Column("address", String(500), primary_key=True),
    Column("verified_at", Double),
    Column("drilled_at", Double),
    Column("code_hash", String(64), nullable=False),
    Column("code_expires", Double),
    Column("tries", Integer, nullable=False),
)

schedule_change = Table(
    "schedule_change",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("schedule", String(200), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("start", Double, nullable=False),
    Column("end", Double, nullable=False),
    Column("user", String(200), nullable=False),
    Column("replaces", String(200), nullable=False),
    Column("reason", String(1000), nullable=False),
    Column("author", String(200), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("removed", Boolean, nullable=False),
    Index("ix_schedule_change_schedule", "schedule", "end"),
)

setting = Table(
    "setting",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("value", Text, nullable=False),
)


@dataclass(frozen=True, slots=True)
class CallRow:
    """A call as kept."""

    id: int
    page_id: int
    number: int
    at: Seconds
    user: str
    via: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What is known of an address: when its code came back, when a drill over it was answered."""

    user: str
    channel: str
    address: str
    verified_at: Seconds | None
    drilled_at: Seconds | None


# ---------------------------------------------------------------- pages

WAITING = exists().where(page.c.due_at <= bindparam("now"))
"""Whether a page is due at ``now``: a question for `watchkeeper.store.asking`."""
_CHANGED = [c.name for c in page.columns if c.name not in ("id", "version")]
_SAVE = (
    update(page)
    .where(page.c.id == bindparam("b_id"), page.c.version == bindparam("b_version"))
    .values({n: bindparam(f"b_{n}") for n in _CHANGED} | {"version": page.c.version + 1})
)
_GET = select(page).where(page.c.id == bindparam("id"))
_DUE = (
    select(page)
    .where(page.c.due_at <= bindparam("now"))
    .order_by(page.c.due_at, page.c.id)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True)
)


def add(conn: Connection, made: Page) -> Page:
    """Keep a new page; it comes back with its id."""
    result = conn.execute(insert(page).values(**_values(made)).returning(page.c.id))
    return _with_id(made, int(result.scalar_one()))


def save(conn: Connection, changed: Page) -> bool:
    """Write a page that was read at ``changed.version``; False when another was quicker."""
    values = {"b_id": changed.id, **{f"b_{n}": v for n, v in _values(changed).items()}}
    return bool(conn.execute(_SAVE, values).rowcount)


def get(conn: Connection, page_id: int) -> Page | None:
    """One page."""
    row = conn.execute(_GET, {"id": page_id}).mappings().first()
    return _page(row) if row else None


def due(conn: Connection, now: Seconds, limit: int) -> list[Page]:
    """Pages that must be looked at; no other replica looks at them meanwhile."""
    return [_page(row) for row in conn.execute(_DUE, {"now": now, "most": limit}).mappings()]


def running(conn: Connection) -> list[OpenPage]:
    """The pages for alerts that are not resolved, as routing needs them."""
    query = select(
        page.c.id, page.c.service, page.c.urgency, page.c.state, page.c.last_alert_at
    ).where(page.c.state != str(PageState.RESOLVED), page.c.kind == str(PageKind.ALERT))
    return [
        OpenPage(i, group, urgency, state == str(PageState.ACKED), last)
        for i, group, urgency, state, last in conn.execute(query.order_by(page.c.id))
    ]


def ended(conn: Connection, now: Seconds) -> list[OpenPage]:
    """The pages whose alerts ended so lately that they can come back."""
    query = select(page.c.id, page.c.service, page.c.urgency, page.c.last_alert_at).where(
        page.c.due_at > now, page.c.state == str(PageState.RESOLVED)
    )
    return [OpenPage(*row[:3], acked=False, last_alert_at=row[3], ended=True)
            for row in conn.execute(query)]  # fmt: skip


def lock_routing(conn: Connection) -> None:
    """Let no other replica place alerts until this transaction ends.

    Two at once could open two pages for one storm. SQLite has one writer anyway.
    """
    if conn.dialect.name == "postgresql":
        conn.execute(select(func.pg_advisory_xact_lock(7_202_612)))


def find(
    conn: Connection,
    *,
    states: Sequence[str] = (),
    kind: str = "",
    before: int | None = None,
    since: Seconds | None = None,
    limit: int = 100,
) -> list[Page]:
    """Pages, newest first."""
    query = select(page).order_by(page.c.id.desc()).limit(limit)
    if states:
        query = query.where(page.c.state.in_(list(states)))
    if kind:
        query = query.where(page.c.kind == kind)
    if before is not None:
        query = query.where(page.c.id < before)
    if since is not None:
        query = query.where(or_(page.c.opened_at >= since, page.c.resolved_at >= since))
    return [_page(row) for row in conn.execute(query).mappings()]


def count(conn: Connection, *, without_step: bool = False, due_before: Seconds = 0.0) -> int:
    """How many unresolved pages have no next step, or one that nobody took."""
    query = select(func.count()).select_from(page).where(page.c.state != str(PageState.RESOLVED))
    if without_step:
        query = query.where(page.c.due_at.is_(None), page.c.state == str(PageState.OPEN))
    else:
        query = query.where(page.c.due_at < due_before)
    return int(conn.execute(query).scalar_one())


def count_open(conn: Connection) -> int:
    """How many pages nobody has; tickets, which wait for the day, are not among them."""
    query = select(func.count()).select_from(page)
    query = query.where(page.c.state == str(PageState.OPEN), page.c.urgency == "page")
    return int(conn.execute(query).scalar_one())


def _with_id(made: Page, page_id: int) -> Page:
    return Page(**{**{n: getattr(made, n) for n in Page.__slots__}, "id": page_id})


def _values(made: Page) -> dict[str, object]:
    values: dict[str, object] = {n: getattr(made, n) for n in Page.__slots__ if n != "id"}
    values["kind"], values["state"] = str(made.kind), str(made.state)
    values["policy"] = policy_json(made.policy)
    values["policy_name"] = made.policy.name if made.policy else ""
    values["data"] = json.dumps(dict(made.data))
    values["title"] = made.title[:1000]
    return values


def _page(row: RowMapping) -> Page:
    named: dict[str, Any] = {n: row[n] for n in Page.__slots__}
    named["kind"], named["state"] = PageKind(row["kind"]), PageState(row["state"])
    named["policy"] = policy_of(row["policy"])
    named["data"] = json.loads(row["data"])
    return Page(**named)


# ---------------------------------------------------------------- calls


def add_calls(
    conn: Connection, page_id: int, number: int, calls: Iterable[Call], at: Seconds
) -> None:
    """Record who was called."""
    rows = [
        {"page_id": page_id, "number": number, "at": at, "user": c.user, "via": c.via}
        for c in calls
    ]
    if rows:
        conn.execute(insert(page_call), rows)


def calls_of(conn: Connection, page_id: int) -> list[CallRow]:
    """Who was called for a page, in order."""
    query = select(page_call).where(page_call.c.page_id == page_id).order_by(page_call.c.id)
    return [CallRow(**dict(row)) for row in conn.execute(query).mappings()]


def calls_between(conn: Connection, start: Seconds, end: Seconds) -> list[tuple[CallRow, Page]]:
    """The calls of an interval with their pages, for counting load."""
    query = select(page_call).where(page_call.c.at >= start, page_call.c.at < end)
    rows = [CallRow(**dict(row)) for row in conn.execute(query.order_by(page_call.c.id)).mappings()]
    ids = among(conn, page.c.id, sorted({row.page_id for row in rows}))
    found = conn.execute(select(page).where(ids)).mappings()
    pages = {row["id"]: _page(row) for row in found}
    return [(row, pages[row.page_id]) for row in rows if row.page_id in pages]


# ---------------------------------------------------------------- proofs of contacts


def proofs(conn: Connection) -> dict[tuple[str, str, str], Proof]:
    """What is known of addresses, by (user, channel, address)."""
    c = contact_proof.c
    query = select(c.user, c.channel, c.address, c.verified_at, c.drilled_at)
    return {(r[0], r[1], r[2]): Proof(*r) for r in conn.execute(query)}


def set_code(conn: Connection, key: tuple[str, str, str], code_hash: str, expires: Seconds) -> None:
    """Expect this code from this address; an earlier proof stands until a new one comes."""
    named = dict(zip(("user", "channel", "address"), key, strict=True))
    insert_new(conn, contact_proof, {**named, "code_hash": "", "tries": 0})
    conn.execute(
        update(contact_proof)
        .where(*_proof(key))
        .values(code_hash=code_hash, code_expires=expires, tries=0)
    )


def try_code(
    conn: Connection, key: tuple[str, str, str], code_hash: str, now: Seconds, most: int
) -> bool:
    """True when the code is the one expected, in time, within the number of tries."""
    c = contact_proof.c
    tried = update(contact_proof).where(*_proof(key)).values(tries=c.tries + 1)
    conn.execute(tried)
    right = update(contact_proof).where(
        *_proof(key), c.code_hash == code_hash, c.code_expires > now, c.tries <= most
    )
    return bool(conn.execute(right.values(verified_at=now, code_hash="")).rowcount)


def note_drill(conn: Connection, key: tuple[str, str, str], now: Seconds) -> None:
    """A drill over this address was acknowledged."""
    named = dict(zip(("user", "channel", "address"), key, strict=True))
    insert_new(conn, contact_proof, {**named, "code_hash": "", "tries": 0})
    conn.execute(update(contact_proof).where(*_proof(key)).values(drilled_at=now))


def _proof(key: tuple[str, str, str]) -> tuple[Any, ...]:
    c = contact_proof.c
    return c.user == key[0], c.channel == key[1], c.address == key[2]


# ---------------------------------------------------------------- changes to schedules


def add_change(conn: Connection, change: Change, now: Seconds) -> None:
    """Keep an override, swap or leave."""
    conn.execute(insert(schedule_change).values(**asdict(change), created_at=now, removed=False))


def replace_calendar(conn: Connection, schedule: str, made: Sequence[Change]) -> bool:
    """Keep what a calendar says in place of what it said; False when that is the same.

    Such changes count as made at the beginning of time: all others come after them.
    """
    c = schedule_change.c
    mine = c.schedule == schedule, c.kind == "calendar"
    was = conn.execute(select(c.id, c.start, c.end, c.user).where(*mine)).all()
    now = {(m.id, m.start, m.end, m.user) for m in made}
    if {tuple(row) for row in was} == now:
        return False
    conn.execute(schedule_change.delete().where(*mine))
    rows = [{**asdict(m), "created_at": 0.0, "removed": False} for m in made]
    if rows:
        conn.execute(insert(schedule_change), rows)
    return True


def remove_change(conn: Connection, change_id: str) -> bool:
    """Take one back; it stays on record. False when there is none."""
    c = schedule_change.c
    query = update(schedule_change).where(c.id == change_id, c.removed.is_(False))
    return bool(conn.execute(query.values(removed=True)).rowcount)


def changes(conn: Connection, since: Seconds, schedule: str = "") -> Mapping[str, list[Change]]:
    """Changes that end after ``since``, by schedule, in order of their making."""
    c = schedule_change.c
    query = select(schedule_change).where(c.end > since, c.removed.is_(False))
    if schedule:
        query = query.where(c.schedule.in_((schedule, "")))
    found: dict[str, list[Change]] = {}
    for row in conn.execute(query.order_by(c.created_at, c.id)).mappings():
        named = {k: row[k] for k in Change.__slots__}
        found.setdefault(row["schedule"], []).append(Change(**named))
    return found


# ---------------------------------------------------------------- settings


def signing_secret(conn: Connection) -> bytes:
    """What signs links; made once, by whoever comes first."""
    made = {"name": "signing_secret", "value": secrets.token_hex(32)}
    insert_new(conn, setting, made)
    query = select(setting.c.value).where(setting.c.name == "signing_secret")
    return bytes.fromhex(conn.execute(query).scalar_one())


def put_setting(conn: Connection, name: str, value: str) -> None:
    """Keep a value under a name."""
    upsert(conn, setting, [{"name": name, "value": value}])


def get_setting(conn: Connection, name: str) -> str | None:
    """The value under a name."""
    return conn.execute(select(setting.c.value).where(setting.c.name == name)).scalar()
