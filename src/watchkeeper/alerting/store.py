"""Alerts in the database. The room's only SQL."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import (
    ARRAY,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    String,
    Table,
    Text,
    and_,
    any_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.engine import Row

from watchkeeper.alerting.folding import open_key
from watchkeeper.alerting.model import Alert, AlertState, Due, Urgency
from watchkeeper.kernel.clock import Seconds
from watchkeeper.store import metadata
from watchkeeper.store.asking import among
from watchkeeper.store.direct import Direct
from watchkeeper.store.tables import ID
from watchkeeper.store.writing import as_json, insert_new, insert_parts, recordset, upsert

alert = Table(
    "alert",
    metadata,
    Column("id", ID, primary_key=True),
    Column("open_key", String(700), unique=True),
    Column("integration", String(200), nullable=False),
    Column("key", String(500), nullable=False),
    Column("state", String(20), nullable=False),
    Column("urgency", String(10), nullable=False),
    Column("severity", String(20), nullable=False),
    Column("service", String(300), nullable=False),
    Column("summary", String(1000), nullable=False),
    Column("opened_at", Double, nullable=False),
    Column("last_at", Double, nullable=False),
    Column("count", Integer, nullable=False),
    Column("closed_at", Double),
    Column("escalation_policy", String(200)),
    Column("page_id", ID),
    Column("due_at", Double),
    Column("auto_close", Double),
    Column("quiet", String(500), nullable=False),
    Column("source", String(500), nullable=False),
    Column("component", String(500), nullable=False),
    Column("labels", Text, nullable=False),
    Column("details", Text, nullable=False),
    Column("links", Text, nullable=False),
    Index("ix_alert_due", "due_at"),
    Index("ix_alert_page", "page_id"),
    Index("ix_alert_state", "state", "id"),
    sqlite_autoincrement=True,
)

silence = Table(
    "silence",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("matchers", Text, nullable=False),
    Column("start", Double, nullable=False),
    Column("end", Double, nullable=False),
    Column("author", String(200), nullable=False),
    Column("reason", String(1000), nullable=False),
    Column("created_at", Double, nullable=False),
)

policy_state = Table(
    "policy_state",
    metadata,
    Column("slo", String(500), primary_key=True),
    Column("state", Text, nullable=False),
)

heartbeat_state = Table(
    "heartbeat_state",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("state", Text, nullable=False),
)

integration_key = Table(
    "integration_key",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("integration", String(200), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("revoked_at", Double),
)

_PART = 400
"""Values in one IN list: far below what either database takes."""
_CHANGING = (
    "state", "urgency", "severity", "summary", "last_at", "count", "closed_at", "due_at", "quiet",
    "details", "links", "open_key",
)  # fmt: skip
"""What may change in an alert once it is kept."""
_PLAIN = [n for n in Alert.__slots__ if n not in (*_CHANGING, "id", "labels")]
_NAMES = ", ".join(f'"{c.name}"' for c in alert.columns if c.name != "id")
_INSERT = text(
    f"INSERT INTO alert ({_NAMES}) SELECT {_NAMES} FROM {recordset(alert)} "
    "ON CONFLICT (open_key) DO NOTHING RETURNING open_key, id"
)
_OPEN_AT_ONCE = (
    "WITH same AS (SELECT coalesce(jsonb_object_agg(id, \"end\"), '{}') "
    '= CAST(%(known)s AS jsonb) AS so FROM silence WHERE "end" > %(now)s), '
    f"new AS (INSERT INTO alert ({_NAMES}) "
    f"SELECT {_NAMES} FROM {recordset(alert, '%(rows)s')}, same WHERE so "
    "ON CONFLICT (open_key) DO NOTHING RETURNING open_key, id), "
    "said AS (SELECT * FROM json_to_recordset(CAST(%(rows)s AS json)) "
    "AS s(open_key text, opened_at double precision, integration text, told text)), "
    "tell AS (INSERT INTO event (at, kind, subject, actor, data) "
    "SELECT opened_at, 'alert.opened', 'alert/' || id, left(integration, 200), told "
    "FROM new JOIN said USING (open_key) ORDER BY id) "
    "SELECT open_key, id FROM new"
)
_SET = ", ".join(f'"{n}" = r."{n}"' for n in _CHANGING)
_UPDATE = text(f"UPDATE alert SET {_SET} FROM {recordset(alert)} r WHERE alert.id = r.id")
_ROWS = select(*(alert.c[n] for n in Alert.__slots__))
_HELD = (
    _ROWS.where(alert.c.open_key == any_(bindparam("keys", type_=ARRAY(String))))
    .order_by(alert.c.id)
    .with_for_update()
)
"""On PostgreSQL the open alerts of many keys: one text, however many."""
_OPEN = _ROWS.where(text("open_key IN (SELECT value FROM json_each(:keys))")).order_by(alert.c.id)
"""The same on SQLite."""
_DUE = (
    select(*(alert.c[n] for n in Due._fields))
    .where(alert.c.due_at <= bindparam("now"))
    .order_by(alert.c.urgency, alert.c.due_at, alert.c.id)
    .limit(bindparam("most", type_=Integer))
)
_STATES = {str(s): s for s in AlertState}
_URGENCIES = {str(u): u for u in Urgency}
WAITING = exists().where(alert.c.due_at <= bindparam("now"))
"""Whether an alert is due at ``now``: a question for `watchkeeper.store.asking`."""


def by_open_keys(conn: Connection, keys: Sequence[str]) -> dict[str, Alert]:
    """The open alerts of these keys, held until the transaction ends."""
    found: dict[str, Alert] = {}
    for i in range(0, len(keys), _PART):
        part = list(keys[i : i + _PART])
        if conn.dialect.name == "postgresql":
            rows = conn.execute(_HELD, {"keys": part})
        else:
            rows = conn.execute(_OPEN, {"keys": orjson.dumps(part).decode()})
        for held in map(_alert, rows):
            found[open_key(held.integration, held.key)] = held
    return found


def insert_open(conn: Connection, made: Sequence[Alert]) -> dict[str, int]:
    """Insert alerts whose key is free: the new ids by open key. Keys that another has just taken
    are left out.

    Sorted, so that two transactions that open the same alerts do not wait for each other in a ring.
    """
    rows = sorted((_values(a) for a in made), key=lambda r: str(r["open_key"]))
    if not rows:
        return {}
    if conn.dialect.name == "postgresql":
        found = conn.execute(_INSERT, {"rows": as_json(rows)})
        return {row[0]: int(row[1]) for row in found}
    return _insert_open_sqlite(conn, rows)


async def open_at_once(
    direct: Direct, made: Sequence[Alert], told: Sequence[str], known: str, now: Seconds
) -> dict[str, int] | None:
    """PostgreSQL: `insert_open` and its entries in the timeline in one statement, if the silences
    in force at ``now`` are those that the alerts were made with. Else nothing is done.

    ``told``: what the timeline is told of each alert, as JSON; ``known``: these silences, as a JSON
    object of their ends by id. None: there was trouble.
    """
    rows = [{**_values(a), "told": t} for a, t in zip(made, told, strict=True)]
    rows.sort(key=lambda r: str(r["open_key"]))
    values = {"rows": as_json(rows), "known": known, "now": now}
    found = await direct.rows(_OPEN_AT_ONCE, values)
    return None if found is None else {key: int(alert_id) for key, alert_id in found}


def _insert_open_sqlite(conn: Connection, rows: Sequence[dict[str, object]]) -> dict[str, int]:
    """Nobody else writes meanwhile, so the new ids are the last ones, in the order of the rows."""
    ids: dict[str, int] = {}
    for part, result in insert_parts(conn, alert, rows, "ON CONFLICT (open_key) DO NOTHING"):
        before = result.lastrowid - result.rowcount
        keys = [str(row["open_key"]) for row in part]
        if result.rowcount == len(part):
            ids.update(zip(keys, itertools.count(before + 1)))
        elif result.rowcount:  # some keys were taken
            query = select(alert.c.open_key, alert.c.id).where(alert.c.id > before)
            ids.update((row[0], int(row[1])) for row in conn.execute(query))
    return ids


def save(conn: Connection, changed: Sequence[Alert]) -> None:
    """Write alerts that were read in this transaction."""
    if not changed:
        return
    rows = [{"id": a.id, **_changing(a)} for a in changed]
    if conn.dialect.name == "postgresql":
        conn.execute(_UPDATE, {"rows": as_json(rows)})
        return
    for i in range(0, len(rows), _PART):
        part = rows[i : i + _PART]
        flat = tuple(value for row in part for value in row.values())
        conn.exec_driver_sql(_update_sqlite(len(part)), flat)


@lru_cache(maxsize=_PART)
def _update_sqlite(rows: int) -> str:
    one = f"({', '.join('?' * (1 + len(_CHANGING)))})"
    names = ", ".join(f'"{n}"' for n in ("id", *_CHANGING))
    values = ", ".join([one] * rows)
    return (
        f"WITH r({names}) AS (VALUES {values}) UPDATE alert SET {_SET} FROM r WHERE alert.id = r.id"
    )


def due(conn: Connection, now: Seconds, limit: int) -> list[Due]:
    """Alerts that the engine must look at, pages first."""
    return [
        Due(i, _STATES[state], _URGENCIES[urgency], *rest)
        for i, state, urgency, *rest in conn.execute(_DUE, {"now": now, "most": limit}).all()
    ]


def to_close(conn: Connection, now: Seconds, limit: int) -> list[Alert]:
    """Open alerts of which nothing was heard for their ``auto_close``."""
    query = _ROWS.where(
        alert.c.open_key.is_not(None),
        alert.c.auto_close.is_not(None),
        alert.c.last_at + alert.c.auto_close <= now,
    )
    return [_alert(row) for row in conn.execute(query.order_by(alert.c.id).limit(limit))]


def set_page(conn: Connection, ids: Sequence[int], page_id: int, now: Seconds) -> None:
    """These alerts are on this page, and wait for nothing.

    One that another transaction closed or acknowledged since it was read is due, so that its page
    is told.
    """
    still_open = alert.c.state == str(AlertState.OPEN)
    _update(conn, ids, page_id=page_id, due_at=case((still_open, None), else_=now))


def done_with(conn: Connection, seen: Sequence[Due]) -> None:
    """Nothing waits for these any more, but for those that have changed since they were read."""
    for state in {a.state for a in seen}:
        ids = among(conn, alert.c.id, [a.id for a in seen if a.state is state])
        conn.execute(update(alert).where(ids, alert.c.state == str(state)).values(due_at=None))


def set_due(conn: Connection, ids: Sequence[int], due_at: Seconds | None) -> None:
    """When these are to be looked at."""
    _update(conn, ids, due_at=due_at)


def _update(conn: Connection, ids: Sequence[int], **values: object) -> None:
    conn.execute(update(alert).where(among(conn, alert.c.id, ids)).values(**values))


def by_ids(conn: Connection, ids: Sequence[int]) -> list[Alert]:
    """These alerts, in order of id."""
    query = _ROWS.where(among(conn, alert.c.id, ids)).order_by(alert.c.id)
    return [_alert(row) for row in conn.execute(query)]


def of_page(conn: Connection, page_id: int, limit: int) -> list[Alert]:
    """The alerts of a page, worst and oldest first."""
    query = _ROWS.where(alert.c.page_id == page_id)
    ordered = query.order_by(alert.c.urgency, alert.c.id).limit(limit)
    return [_alert(row) for row in conn.execute(ordered)]


def ids_of_page(conn: Connection, page_id: int) -> list[int]:
    """The ids of a page's alerts that are not closed."""
    query = select(alert.c.id).where(alert.c.page_id == page_id, alert.c.open_key.is_not(None))
    return [int(i) for i in conn.execute(query.order_by(alert.c.id)).scalars()]


def states_of_page(conn: Connection, page_id: int) -> set[AlertState]:
    """Which states the alerts of a page are in."""
    query = select(alert.c.state).where(alert.c.page_id == page_id).distinct()
    return {AlertState(s) for s in conn.execute(query).scalars()}


def stranded(conn: Connection, before: Seconds) -> int:
    """Open alerts that call for somebody, are on no page, and which nobody will look at in time."""
    query = (
        select(func.count())
        .select_from(alert)
        .where(
            alert.c.state == str(AlertState.OPEN),
            alert.c.page_id.is_(None),
            alert.c.quiet == "",
            or_(alert.c.due_at.is_(None), alert.c.due_at < before),
        )
    )
    return int(conn.execute(query).scalar_one())


def find(
    conn: Connection,
    *,
    states: Sequence[str] = (),
    service: str = "",
    urgency: str = "",
    text: str = "",
    integration: str = "",
    before: int | None = None,
    limit: int = 100,
) -> list[Alert]:
    """Alerts, newest first; ``before`` is the id after which to go on."""
    asked = [
        alert.c.state.in_(list(states)) if states else None,
        alert.c.service == service if service else None,
        alert.c.urgency == urgency if urgency else None,
        alert.c.integration == integration if integration else None,
        alert.c.id < before if before is not None else None,
        _holds(text) if text else None,
    ]
    query = _ROWS.where(and_(True, *[a for a in asked if a is not None]))
    ordered = query.order_by(alert.c.id.desc()).limit(limit)
    return [_alert(row) for row in conn.execute(ordered)]


def _holds(text: str) -> Any:  # noqa: ANN401
    low = text.lower()
    columns = (alert.c.summary, alert.c.service, alert.c.key)
    return or_(*[func.lower(c).contains(low, autoescape=True) for c in columns])


def _values(a: Alert) -> dict[str, object]:
    values: dict[str, object] = {n: getattr(a, n) for n in _PLAIN}
    values["labels"] = dumps(a.labels)
    values.update(_changing(a))
    return values


def _changing(a: Alert) -> dict[str, object]:
    """What `_CHANGING` names."""
    closed = a.state is AlertState.CLOSED
    return {
        "state": a.state.value,
        "urgency": a.urgency.value,
        "severity": a.severity,
        "summary": a.summary,
        "last_at": a.last_at,
        "count": a.count,
        "closed_at": a.closed_at,
        "due_at": a.due_at,
        "quiet": a.quiet,
        "details": dumps(a.details),
        "links": dumps(a.links),
        "open_key": None if closed else open_key(a.integration, a.key),
    }


def dumps(value: Any) -> str:  # noqa: ANN401 - whatever JSON holds
    """JSON as text."""
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


def _alert(row: Row[Any]) -> Alert:
    """Of a row of `_ROWS`."""
    named: dict[str, Any] = dict(zip(Alert.__slots__, row, strict=True))
    named["labels"], named["details"] = (
        orjson.loads(named["labels"]),
        orjson.loads(named["details"]),
    )
    named["links"] = tuple((t, u) for t, u in orjson.loads(named["links"]))
    named["state"], named["urgency"] = AlertState(named["state"]), Urgency(named["urgency"])
    return Alert(**named)


# ---------------------------------------------------------------- states of policies, heartbeats


def load_states(conn: Connection, table: Table = policy_state) -> dict[str, Any]:
    """The kept state of every policy's SLO (or heartbeat)."""
    name = next(iter(table.primary_key.columns))
    return {n: json.loads(s) for n, s in conn.execute(select(name, table.c.state))}


def hold_state(conn: Connection, table: Table, name: str) -> None:
    """Keep others from changing this state until the transaction ends; make it if it is new."""
    column = next(iter(table.primary_key.columns))
    insert_new(conn, table, {column.name: name, "state": "{}"})
    conn.execute(select(column).where(column == name).with_for_update())


def save_states(conn: Connection, states: Mapping[str, Any], table: Table = policy_state) -> None:
    """Keep states; None forgets one."""
    name = next(iter(table.primary_key.columns))
    kept = [{name.name: n, "state": json.dumps(s)} for n, s in states.items() if s is not None]
    upsert(conn, table, kept)
    gone = [n for n, s in states.items() if s is None]
    for i in range(0, len(gone), _PART):
        conn.execute(table.delete().where(name.in_(gone[i : i + _PART])))
