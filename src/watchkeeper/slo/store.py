"""Corrections and target versions. With the ledger's modules, the room's only SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    Index,
    Select,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
)

from watchkeeper.kernel.errors import NotFound
from watchkeeper.slo.model import Correction, TargetVersion
from watchkeeper.store import metadata
from watchkeeper.store.writing import upsert

correction = Table(
    "slo_correction",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("slo", String(500), nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("end", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("author", String(200), nullable=False),
    Column("created_at", Double, nullable=False),
    Index("ix_slo_correction_slo", "slo"),
)

target_version = Table(
    "slo_target",
    metadata,
    Column("slo", String(500), primary_key=True),
    Column("since", BigInteger, primary_key=True, autoincrement=False),
    # As text: a decimal comes back as it was written, on every database.
    Column("target", String(60), nullable=False),
)


def versions(conn: Connection, slo: str) -> Mapping[str, Sequence[TargetVersion]]:
    """All targets that an SLO has had, the oldest first."""
    return _versions(conn, select(target_version).where(target_version.c.slo == slo))


def targets(conn: Connection) -> Mapping[str, Decimal]:
    """The latest target of each SLO."""
    c = target_version.c
    rows = conn.execute(select(c.slo, c.target).order_by(c.slo, c.since)).all()
    return {slo: Decimal(target) for slo, target in rows}  # the last of each stays


def changed_versions(conn: Connection) -> Mapping[str, Sequence[TargetVersion]]:
    """As ``versions``, of only those SLOs whose target has changed since it was first known."""
    table = target_version
    changed = select(table.c.slo).group_by(table.c.slo).having(func.count() > 1)
    return _versions(conn, select(table).where(table.c.slo.in_(changed)))


def _versions(
    conn: Connection, query: Select[tuple[str, int, str]]
) -> Mapping[str, Sequence[TargetVersion]]:
    found: dict[str, list[TargetVersion]] = {}
    for row in conn.execute(query.order_by(target_version.c.slo, target_version.c.since)):
        found.setdefault(row.slo, []).append(TargetVersion(row.since, Decimal(row.target)))
    return found


def add_versions(conn: Connection, since: int, of: Mapping[str, Decimal]) -> None:
    """From this minute on these are the targets; a second change in one minute replaces."""
    rows = [{"slo": slo, "since": since, "target": str(target)} for slo, target in of.items()]
    upsert(conn, target_version, rows)


def corrections_by_slo(conn: Connection) -> Mapping[str, Sequence[Correction]]:
    """All corrections, by SLO, the oldest first."""
    found: dict[str, list[Correction]] = {}
    for row in conn.execute(select(correction).order_by(correction.c.created_at, correction.c.id)):
        found.setdefault(row.slo, []).append(
            Correction(row.id, row.slo, row.start, row.end, row.reason, row.author, row.created_at)
        )
    return found


def add_correction(conn: Connection, added: Correction) -> None:
    """Keep a correction."""
    conn.execute(
        insert(correction).values(
            id=added.id,
            slo=added.slo,
            start=added.start,
            end=added.end,
            reason=added.reason,
            author=added.author,
            created_at=added.created_at,
        )
    )


def remove_correction(conn: Connection, correction_id: str) -> None:
    """Forget a correction. Raises NotFound."""
    gone = conn.execute(delete(correction).where(correction.c.id == correction_id))
    if not gone.rowcount:
        raise NotFound(f"There is no correction {correction_id!r}.", "List them first.")
