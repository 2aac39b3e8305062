"""Marks of incidents, and which incident is another again, in the database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    Connection,
    Double,
    Index,
    Integer,
    String,
    Table,
    Text,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.engine import RowMapping

from watchkeeper.incidents.store import incident as incident_table
from watchkeeper.kernel.clock import Seconds
from watchkeeper.postmortems.marks import STRONG
from watchkeeper.postmortems.recurrence import Kinship, Traits
from watchkeeper.store import metadata
from watchkeeper.store.asking import among
from watchkeeper.store.tables import ID
from watchkeeper.store.writing import insert_new, insert_rows, upsert

incident_mark = Table(
    "incident_mark",
    metadata,
    Column("mark", String(300), primary_key=True),
    Column("incident_id", ID, primary_key=True, autoincrement=False),
    Index("ix_incident_mark_incident", "incident_id"),
    # So that its index leads from an incident to its marks without a look at the table.
    sqlite_with_rowid=False,
)

# At which version of an incident its marks were taken.
incident_marked = Table(
    "incident_marked",
    metadata,
    Column("incident_id", ID, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
)

recurrence = Table(
    "recurrence",
    metadata,
    Column("incident_id", ID, primary_key=True, autoincrement=False),
    Column("of", ID, primary_key=True, autoincrement=False),
    Column("kinship", String(10), nullable=False),
    Column("at", Double, nullable=False),
    Column("shared", Text, nullable=False),
    Column("items", Text, nullable=False),
    Column("decided_by", String(200), nullable=False),
    Column("why", String(2000), nullable=False),
    Index("ix_recurrence_of", "of"),
)


_CAME = func.coalesce(
    incident_table.c.began_at, incident_table.c.detected_at, incident_table.c.declared_at
).label("came")


@dataclass(frozen=True, slots=True)
class Recurrence:
    """An incident that is another again. ``at``: when it was detected.

    ``items``: action items of the other, each with ``id`` and ``was`` (its state before it was
    opened again). ``decided_by``, ``why``: of the person who confirmed or denied it.
    """

    incident_id: int
    of: int
    kinship: Kinship
    at: Seconds
    shared: tuple[str, ...]
    items: tuple[Mapping[str, Any], ...] = ()
    decided_by: str = ""
    why: str = ""


class Past(NamedTuple):
    """An incident, as far as is told of it a thousand times on one page. ``came``: when it began,
    or was seen first."""

    id: int
    title: str
    came: Seconds
    drill: bool


# ---------------------------------------------------------------- marks


def unmarked(conn: Connection, limit: int = 50) -> list[int]:
    """Incidents that changed since their marks were taken, the oldest first."""
    c, m = incident_table.c, incident_marked.c
    joined = incident_table.outerjoin(incident_marked, m.incident_id == c.id)
    query = select(c.id).select_from(joined)
    query = query.where(or_(m.version.is_(None), m.version != c.version))
    return [int(i) for i in conn.execute(query.order_by(c.id).limit(limit)).scalars()]


def save_marks(conn: Connection, incident_id: int, version: int, found: Sequence[str]) -> bool:
    """Write the marks of an incident; True when they are others than before."""
    upsert(conn, incident_marked, [{"incident_id": incident_id, "version": version}])
    if set(marks(conn, incident_id)) == set(found):
        return False
    conn.execute(delete(incident_mark).where(incident_mark.c.incident_id == incident_id))
    rows = [{"mark": mark, "incident_id": incident_id} for mark in found]
    insert_rows(conn, incident_mark, rows)
    return True


def marks(conn: Connection, incident_id: int) -> list[str]:
    """The marks of an incident."""
    c = incident_mark.c
    query = select(c.mark).where(c.incident_id == incident_id).order_by(c.mark)
    return list(conn.execute(query).scalars())


def having(conn: Connection, wanted: Sequence[str]) -> dict[str, int]:
    """How many incidents have each of these marks."""
    c = incident_mark.c
    query = select(c.mark, func.count()).where(c.mark.in_(list(wanted))).group_by(c.mark)
    return {str(mark): int(n) for mark, n in conn.execute(query)}


def hits(conn: Connection, wanted: Sequence[str], but: int = 0) -> list[tuple[str, int]]:
    """(mark, incident) wherever one of these marks is, without the incident ``but``."""
    c = incident_mark.c
    query = select(c.mark, c.incident_id).where(c.mark.in_(list(wanted)), c.incident_id != but)
    return [(str(mark), int(i)) for mark, i in conn.execute(query)]


def total(conn: Connection) -> int:
    """How many incidents have marks."""
    return int(conn.execute(select(func.count()).select_from(incident_marked)).scalar_one())


def earlier(conn: Connection, incident_id: int, wanted: Sequence[str]) -> list[Traits]:
    """Incidents before this one with one of these marks, with all that these kinds tell of them.

    Exercises and those that were merged into another are none.
    """
    if not wanted:
        return []
    c, m = incident_table.c, incident_mark.c
    some = select(m.incident_id).where(m.mark.in_(list(wanted)), m.incident_id < incident_id)
    query = select(m.incident_id, m.mark).join(incident_table, c.id == m.incident_id)
    query = query.where(m.incident_id.in_(some), c.drill.is_(False), c.merged_into.is_(None))
    kinds = [m.mark.startswith(f"{kind}:") for kind in ("alert", "cause", "burn")]
    found: dict[int, set[str]] = {}
    for number, mark in conn.execute(query.where(or_(*kinds))):
        found.setdefault(int(number), set()).add(str(mark))
    return [Traits(number, frozenset(each)) for number, each in sorted(found.items())]


# ---------------------------------------------------------------- recurrences


def add(conn: Connection, made: Recurrence) -> bool:
    """Keep one; False when it is kept already."""
    return insert_new(conn, recurrence, _values(made))


def save(conn: Connection, made: Recurrence) -> None:
    """Write one that is kept."""
    c = recurrence.c
    where = c.incident_id == made.incident_id, c.of == made.of
    conn.execute(update(recurrence).where(*where).values(**_values(made)))


def of_incident(conn: Connection, incident_id: int) -> list[Recurrence]:
    """What an incident is again, the newest first."""
    query = select(recurrence).where(recurrence.c.incident_id == incident_id)
    return _found(conn.execute(query.order_by(recurrence.c.of.desc())).mappings())


def since(conn: Connection, incident_ids: Sequence[int]) -> list[Recurrence]:
    """Incidents that are one of these again, the oldest first."""
    query = select(recurrence).where(among(conn, recurrence.c.of, incident_ids))
    return _found(conn.execute(query.order_by(recurrence.c.incident_id)).mappings())


def between(conn: Connection, since: Seconds, until: Seconds) -> list[Recurrence]:
    """Incidents that came in [since, until) and are others again, the oldest first."""
    c = recurrence.c
    query = select(recurrence).where(c.at >= since, c.at < until)
    return _found(conn.execute(query.order_by(c.at, c.incident_id)).mappings())


def past(conn: Connection, incident_ids: Sequence[int]) -> dict[int, Past]:
    """These incidents, by id."""
    c = incident_table.c
    query = select(c.id, c.title, _CAME, c.drill).where(among(conn, c.id, incident_ids))
    return {row.id: Past(*row) for row in conn.execute(query).all()}


def of_incidents(conn: Connection, incident_ids: Sequence[int]) -> list[tuple[Recurrence, Seconds]]:
    """What these are again, each with the time at which that one came."""
    query = select(recurrence, _CAME).join(incident_table, incident_table.c.id == recurrence.c.of)
    query = query.where(among(conn, recurrence.c.incident_id, incident_ids))
    rows = list(conn.execute(query).mappings())
    return list(zip(_found(rows), (float(r["came"]) for r in rows), strict=True))


def with_strong_marks(conn: Connection, incident_ids: Sequence[int]) -> set[int]:
    """Those of these incidents that would be known again for sure."""
    c = incident_mark.c
    strong = or_(*(c.mark.like(f"{kind}:%") for kind in STRONG))
    query = select(c.incident_id).where(among(conn, c.incident_id, incident_ids), strong)
    return set(conn.execute(query.distinct()).scalars())


def _values(made: Recurrence) -> dict[str, Any]:
    values: dict[str, Any] = {n: getattr(made, n) for n in Recurrence.__slots__}
    values["kinship"] = str(made.kinship)
    values["shared"] = json.dumps(list(made.shared))
    values["items"] = json.dumps([dict(i) for i in made.items])
    return values


def _found(rows: Iterable[RowMapping]) -> list[Recurrence]:
    found = []
    for row in rows:
        named: dict[str, Any] = {n: row[n] for n in Recurrence.__slots__}
        named["kinship"] = Kinship(row["kinship"])
        named["shared"] = tuple(json.loads(row["shared"]))
        named["items"] = tuple(json.loads(row["items"]))
        found.append(Recurrence(**named))
    return found
