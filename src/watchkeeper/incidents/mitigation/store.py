"""Runs of mitigations in the database: the room's SQL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    Select,
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

from watchkeeper.incidents.mitigation.model import UNDER_WAY, Help, Run, RunState
from watchkeeper.kernel.clock import Seconds
from watchkeeper.store import metadata
from watchkeeper.store.tables import ID

mitigation_run = Table(
    "mitigation_run",
    metadata,
    Column("id", ID, primary_key=True),
    Column("incident_id", ID, nullable=False),
    Column("mitigation", String(300), nullable=False),
    Column("title", String(300), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("action", String(20), nullable=False),
    Column("dry_run", Boolean, nullable=False),
    Column("values", Text, nullable=False),
    Column("state", String(20), nullable=False),
    # The mitigation while the run is under way: two cannot be.
    Column("open_key", String(320), unique=True),
    Column("by", String(200), nullable=False),
    Column("source", String(20), nullable=False),
    Column("requested_at", Double, nullable=False),
    Column("timeout", Double, nullable=False),
    Column("started_at", Double),
    Column("ended_at", Double),
    Column("owner", String(64), nullable=False),
    Column("fence", Integer, nullable=False),
    Column("lease_until", Double),
    Column("output", Text, nullable=False),
    Column("outcome", String(1000), nullable=False),
    Column("check_at", Double),
    Column("helped", String(20)),
    Column("data", Text, nullable=False),
    Index("ix_mitigation_run_incident", "incident_id", "id"),
    Index("ix_mitigation_run_mitigation", "mitigation", "id"),
    Index("ix_mitigation_run_state", "state"),
    Index("ix_mitigation_run_check", "check_at"),
    sqlite_autoincrement=True,
)

_C = mitigation_run.c
_FIELDS = tuple(n for n in Run.__slots__ if n != "id")


def add(conn: Connection, made: Run) -> Run:
    """Keep a new run; it comes back with its id."""
    query = insert(mitigation_run).values(**_values(made)).returning(_C.id)
    return replace(made, id=int(conn.execute(query).scalar_one()))


def under_way(conn: Connection, mitigation: str, dry_run: bool) -> Run | None:
    """The run of a mitigation that is under way, in whichever incident."""
    query = select(mitigation_run).where(_C.open_key == open_key(mitigation, dry_run))
    return _one(conn, query.with_for_update())


def get(conn: Connection, run_id: int, *, lock: bool = False) -> Run | None:
    """One run; ``lock`` keeps others from changing it until the transaction ends."""
    query = select(mitigation_run).where(_C.id == run_id)
    return _one(conn, query.with_for_update() if lock else query)


def of_incident(conn: Connection, incident_id: int, limit: int = 100) -> list[Run]:
    """The runs of an incident, the newest first."""
    query = select(mitigation_run).where(_C.incident_id == incident_id)
    return _many(conn, query.order_by(_C.id.desc()).limit(limit))


def newest(conn: Connection, mitigations: Sequence[str]) -> dict[str, int]:
    """The number of the last run of each of these, dry runs left out."""
    query = select(_C.mitigation, func.max(_C.id))
    query = query.where(_C.mitigation.in_(list(mitigations)), _C.dry_run.is_(False))
    return {str(name): int(at) for name, at in conn.execute(query.group_by(_C.mitigation))}


def to_run(conn: Connection, limit: int) -> list[Run]:
    """Runs that wait for a server; no other takes them meanwhile."""
    query = select(mitigation_run).where(_C.state == str(RunState.REQUESTED)).order_by(_C.id)
    return _many(conn, query.limit(limit).with_for_update(skip_locked=True))


def left_alone(conn: Connection, now: Seconds) -> list[Run]:
    """Runs of servers that have not said for too long that they live."""
    query = select(mitigation_run).where(_C.state == str(RunState.RUNNING), _C.lease_until < now)
    return _many(conn, query.with_for_update(skip_locked=True))


def to_check(conn: Connection, now: Seconds, limit: int = 50) -> list[Run]:
    """Runs of which the ledger is to be asked whether they helped."""
    query = select(mitigation_run).where(_C.check_at <= now).order_by(_C.check_at)
    return _many(conn, query.limit(limit).with_for_update(skip_locked=True))


def anything(conn: Connection, now: Seconds) -> bool:
    """True when a server must do something for a run now."""
    states = _C.state == str(RunState.REQUESTED), _C.lease_until < now
    return conn.execute(select(_C.id).where(or_(*states)).limit(1)).first() is not None


def anything_to_check(conn: Connection, now: Seconds) -> bool:
    """True when the ledger is to be asked of some run."""
    return conn.execute(select(_C.id).where(_C.check_at <= now).limit(1)).first() is not None


def save(conn: Connection, changed: Run) -> None:
    """Write a run that the caller has locked."""
    conn.execute(update(mitigation_run).where(_C.id == changed.id).values(**_values(changed)))


def keep_up(
    conn: Connection, run_id: int, owner: str, fence: int, until: Seconds, output: str | None
) -> bool:
    """Say that its server lives, with what was printed; False: it is not that server's any more."""
    values: dict[str, Any] = {"lease_until": until}
    if output is not None:
        values["output"] = output
    where = _C.id == run_id, _C.owner == owner, _C.fence == fence
    running = _C.state == str(RunState.RUNNING)
    return bool(
        conn.execute(update(mitigation_run).where(*where, running).values(**values)).rowcount
    )


def open_key(mitigation: str, dry_run: bool) -> str:
    """What two runs that are under way cannot both have."""
    return f"{'dry' if dry_run else 'run'}:{mitigation}"


def _values(made: Run) -> dict[str, Any]:
    values: dict[str, Any] = {n: getattr(made, n) for n in _FIELDS}
    values.update(
        state=str(made.state),
        values=json.dumps(dict(made.values)),
        data=json.dumps(dict(made.data)),
        helped=None if made.helped is None else str(made.helped),
        open_key=open_key(made.mitigation, made.dry_run) if made.state in UNDER_WAY else None,
    )
    return values


def _one(conn: Connection, query: Select[Any]) -> Run | None:
    found = _many(conn, query)
    return found[0] if found else None


def _many(conn: Connection, query: Select[Any]) -> list[Run]:
    return [_run(row) for row in conn.execute(query).mappings()]


def _run(row: RowMapping) -> Run:
    named: Mapping[str, Any] = {n: row[n] for n in Run.__slots__}
    return Run(
        **{
            **named,
            "state": RunState(row["state"]),
            "values": json.loads(row["values"]),
            "data": json.loads(row["data"]),
            "helped": None if row["helped"] is None else Help(row["helped"]),
        }
    )
