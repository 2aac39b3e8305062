"""Budget policies in the database: states, exceptions, decisions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlalchemy import (
    Column,
    Connection,
    Double,
    Index,
    Integer,
    String,
    Table,
    Text,
    bindparam,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.engine import RowMapping

from watchkeeper.kernel.clock import Seconds
from watchkeeper.policy import gate
from watchkeeper.policy.model import (
    Decision,
    GateException,
    Ground,
    Kept,
    Question,
    Ruling,
    Verdict,
)
from watchkeeper.spec.budget import BudgetState, ReleaseKind
from watchkeeper.store import metadata
from watchkeeper.store.tables import ID
from watchkeeper.store.writing import insert_new, insert_rows

budget_state = Table(
    "budget_state",
    metadata,
    Column("policy", String(200), primary_key=True),
    Column("state", String(20), nullable=False),
    Column("since", Double, nullable=False),
    Column("left", Double),
    Column("seen", String(20), nullable=False),
    Column("seen_since", Double, nullable=False),
    Column("version", Integer, nullable=False),
)
gate_exception = Table(
    "gate_exception",
    metadata,
    Column("id", ID, primary_key=True),
    Column("service", String(200), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("ground", String(20), nullable=False),
    Column("reason", String(2000), nullable=False),
    Column("requested_by", String(200), nullable=False),
    Column("requested_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("approved_by", String(200), nullable=False),
    Column("approved_at", Double),
    Column("revoked_by", String(200), nullable=False),
    Column("revoked_at", Double),
    Column("uses", Integer, nullable=False),
    Column("most_uses", Integer),
    Column("version", Integer, nullable=False),
    Index("ix_gate_exception_service", "service", "expires_at"),
    sqlite_autoincrement=True,
)
gate_decision = Table(
    "gate_decision",
    metadata,
    Column("id", ID, primary_key=True),
    Column("uid", String(40), nullable=False),
    Column("at", Double, nullable=False),
    Column("service", String(200), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("verdict", String(10), nullable=False),
    Column("state", String(20), nullable=False),
    Column("why", Text, nullable=False),
    Column("policy", String(200), nullable=False),
    Column("exception_id", ID),
    Column("inputs", Text, nullable=False),
    Column("signature", String(64), nullable=False),
    Index("ix_gate_decision_uid", "uid", unique=True),
    Index("ix_gate_decision_service", "service", "id"),
    Index("ix_gate_decision_at", "at"),
    sqlite_autoincrement=True,
)

_EXCEPTION = tuple(n for n in GateException.__slots__ if n != "id")


# ---------------------------------------------------------------- states


def states(conn: Connection) -> dict[str, Kept]:
    """What is known of each policy's state."""
    rows = conn.execute(select(budget_state)).mappings()
    return {
        r["policy"]: Kept(
            r["policy"], BudgetState(r["state"]), r["since"], r["left"], BudgetState(r["seen"]),
            r["seen_since"], r["version"],
        )
        for r in rows
    }  # fmt: skip


def keep_state(conn: Connection, kept: Kept) -> bool:
    """Write what is known; False when another replica was quicker."""
    values = {n: getattr(kept, n) for n in Kept.__slots__}
    values |= {"state": str(kept.state), "seen": str(kept.seen), "version": kept.version + 1}
    if kept.version == 0:
        return insert_new(conn, budget_state, values)
    c = budget_state.c
    where = c.policy == kept.policy, c.version == kept.version
    return bool(conn.execute(update(budget_state).where(*where).values(**values)).rowcount)


# ---------------------------------------------------------------- exceptions


def add_exception(conn: Connection, made: GateException) -> GateException:
    """Keep a new exception; it comes back with its id."""
    query = insert(gate_exception).values(**_values(made)).returning(gate_exception.c.id)
    return replace(made, id=int(conn.execute(query).scalar_one()))


def save_exception(conn: Connection, changed: GateException) -> GateException | None:
    """Write an exception read at ``changed.version``; None when another was quicker."""
    after = replace(changed, version=changed.version + 1)
    c = gate_exception.c
    query = update(gate_exception).where(c.id == changed.id, c.version == changed.version)
    return after if conn.execute(query.values(**_values(after))).rowcount else None


def exception(conn: Connection, exception_id: int) -> GateException | None:
    """One exception."""
    query = select(gate_exception).where(gate_exception.c.id == exception_id)
    row = conn.execute(query).mappings().first()
    return _exception(row) if row else None


_GIVEN = (
    select(gate_exception)
    .where(
        gate_exception.c.service.in_(bindparam("services", expanding=True)),
        gate_exception.c.expires_at > bindparam("now"),
        gate_exception.c.approved_at.is_not(None),
        gate_exception.c.revoked_at.is_(None),
    )
    .order_by(gate_exception.c.id)
)
_GIVEN_HELD = _GIVEN.with_for_update()


def exceptions(
    conn: Connection, service: str = "", alive_at: Seconds | None = None, limit: int = 200
) -> list[GateException]:
    """Exceptions, newest first. ``alive_at``: only those neither over nor revoked by then."""
    c = gate_exception.c
    query = select(gate_exception).order_by(c.id.desc()).limit(limit)
    if service:
        query = query.where(c.service == service)
    if alive_at is not None:
        query = query.where(c.expires_at > alive_at, c.revoked_at.is_(None))
    return [_exception(r) for r in conn.execute(query).mappings()]


def given(conn: Connection, services: Iterable[str], now: Seconds) -> dict[int, GateException]:
    """The exceptions that may let releases of these services pass now, by id.

    One that may be used a number of times is locked, so that no replica counts past it.
    """
    which = {"services": sorted(services), "now": now}
    found = {r["id"]: _exception(r) for r in conn.execute(_GIVEN, which).mappings()}
    if conn.dialect.name != "postgresql" or all(e.most_uses is None for e in found.values()):
        return found
    return {r["id"]: _exception(r) for r in conn.execute(_GIVEN_HELD, which).mappings()}


def bullets(conn: Connection, services: Sequence[str], since: Seconds) -> int:
    """How many silver bullets were given for these services since then; unused ones that were
    taken back do not count."""
    c = gate_exception.c
    query = select(func.count()).where(
        c.service.in_(list(services)), c.ground == str(Ground.SILVER_BULLET),
        c.approved_at >= since, c.revoked_at.is_(None) | (c.uses > 0),
    )  # fmt: skip
    return int(conn.execute(query).scalar_one())


def _values(made: GateException) -> dict[str, object]:
    return {**{n: getattr(made, n) for n in _EXCEPTION}, "ground": str(made.ground)}


def _exception(row: RowMapping) -> GateException:
    return GateException(**{**row, "ground": Ground(row["ground"])})


# ---------------------------------------------------------------- decisions


def add_decisions(conn: Connection, made: Sequence[Decision]) -> None:
    """Keep decisions, their inputs in the form that was signed."""
    rows = [
        {
            "uid": d.uid, "at": d.at, "service": d.question.service, "kind": str(d.question.kind),
            "verdict": str(d.ruling.verdict), "state": str(d.ruling.state), "why": d.ruling.why,
            "policy": d.ruling.policy, "exception_id": d.ruling.exception,
            "inputs": gate.canonical(d.inputs).decode(), "signature": d.signature,
        }
        for d in made
    ]  # fmt: skip
    insert_rows(conn, gate_decision, rows)


def decision(conn: Connection, uid: str) -> Decision | None:
    """One decision."""
    row = conn.execute(select(gate_decision).where(gate_decision.c.uid == uid)).mappings().first()
    return _decision(row) if row else None


def decisions(
    conn: Connection,
    service: str = "",
    verdict: str = "",
    since: Seconds | None = None,
    until: Seconds | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[Decision]:
    """Decisions, newest first; ``before`` is the id to go on after."""
    c = gate_decision.c
    query = select(gate_decision).order_by(c.id.desc()).limit(limit)
    for column, value in ((c.service, service), (c.verdict, verdict)):
        if value:
            query = query.where(column == value)
    if since is not None:
        query = query.where(c.at >= since)
    if until is not None:
        query = query.where(c.at < until)
    if before is not None:
        query = query.where(c.id < before)
    return [_decision(r) for r in conn.execute(query).mappings()]


def counts(conn: Connection, since: Seconds, until: Seconds) -> dict[tuple[str, str], int]:
    """How many decisions there were: (service, verdict) → number."""
    c = gate_decision.c
    query = select(c.service, c.verdict, func.count()).where(c.at >= since, c.at < until)
    rows = conn.execute(query.group_by(c.service, c.verdict))
    return {(service, verdict): int(number) for service, verdict, number in rows}


def _decision(row: RowMapping) -> Decision:
    inputs = json.loads(row["inputs"])
    asked = inputs["question"]
    return Decision(
        row["id"], row["uid"], row["at"],
        Question(**{**asked, "kind": ReleaseKind(asked["kind"])}),
        Ruling(Verdict(row["verdict"]), BudgetState(row["state"]), row["why"], row["policy"],
               row["exception_id"]),
        inputs, row["signature"],
    )  # fmt: skip
