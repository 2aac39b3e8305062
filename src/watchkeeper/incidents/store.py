"""Incidents, their roles and timelines in the database: the room's SQL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.engine import RowMapping

from watchkeeper.incidents import chain
from watchkeeper.incidents.model import (
    Entry,
    EntryKind,
    Incident,
    IncidentState,
    NewEntry,
    RoleHolding,
)
from watchkeeper.kernel.clock import Seconds
from watchkeeper.store import metadata
from watchkeeper.store.asking import among
from watchkeeper.store.tables import ID
from watchkeeper.store.writing import insert_rows, upsert

incident = Table(
    "incident",
    metadata,
    Column("id", ID, primary_key=True),
    Column("title", String(300), nullable=False),
    Column("severity", String(50), nullable=False),
    Column("state", String(20), nullable=False),
    Column("declared_at", Double, nullable=False),
    Column("declared_by", String(200), nullable=False),
    Column("version", Integer, nullable=False),
    Column("summary", Text, nullable=False),
    Column("began_at", Double),
    Column("detected_at", Double),
    Column("acknowledged_at", Double),
    Column("mitigated_at", Double),
    Column("resolved_at", Double),
    Column("last_update_at", Double),
    Column("update_due_at", Double),
    Column("due_at", Double),
    Column("merged_into", ID),
    Column("drill", Boolean, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("entries", Integer, nullable=False),
    Column("head", String(64), nullable=False),
    Column("data", Text, nullable=False),
    Index("ix_incident_due", "due_at"),
    Index("ix_incident_state", "state", "id"),
    Index("ix_incident_declared", "declared_at"),
    Index("ix_incident_fingerprint", "fingerprint"),
    sqlite_autoincrement=True,
)

incident_part = Table(
    "incident_part",
    metadata,
    Column("incident_id", ID, primary_key=True, autoincrement=False),
    Column("kind", String(20), primary_key=True),  # service, slo, journey, page, cause
    Column("name", String(300), primary_key=True),
    Index("ix_incident_part_name", "kind", "name", "incident_id"),
)

incident_role = Table(
    "incident_role",
    metadata,
    Column("incident_id", ID, primary_key=True, autoincrement=False),
    Column("role", String(100), primary_key=True),
    Column("user", String(200), nullable=False),
    Column("since", Double, nullable=False),
    Column("offered_to", String(200), nullable=False),
    Column("offered_at", Double),
)

incident_entry = Table(
    "incident_entry",
    metadata,
    Column("id", ID, primary_key=True),
    Column("incident_id", ID, nullable=False),
    Column("number", Integer, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("at", Double, nullable=False),
    Column("written_at", Double, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("source", String(20), nullable=False),
    Column("text", Text, nullable=False),
    Column("data", Text, nullable=False),
    Column("amends", Integer),
    Column("previous", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Index("ix_incident_entry_number", "incident_id", "number", unique=True),
    sqlite_autoincrement=True,
)

PARTS = {"services": "service", "slos": "slo", "journeys": "journey", "pages": "page",
         "causes": "cause"}  # fmt: skip
"""Fields of `Incident` that hold several names, and what they are called in `incident_part`."""
_FIELDS = tuple(n for n in Incident.__slots__ if n != "id" and n not in PARTS)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which incidents; '' and () are all. ``text``: in title or summary. Times: of declaration."""

    states: Sequence[str] = ()
    severities: Sequence[str] = ()
    service: str = ""
    slo: str = ""
    journey: str = ""
    cause: str = ""
    text: str = ""
    since: Seconds | None = None
    until: Seconds | None = None
    drills: bool = True


# ---------------------------------------------------------------- incidents


def add(conn: Connection, made: Incident) -> Incident:
    """Keep a new incident; it comes back with its id."""
    query = insert(incident).values(**_values(made)).returning(incident.c.id)
    kept = replace(made, id=int(conn.execute(query).scalar_one()))
    _save_parts(conn, kept)
    return kept


def save(conn: Connection, changed: Incident) -> Incident | None:
    """Write one that was read at ``changed.version``; None when another was quicker.

    How far its timeline goes is left alone: `append` alone writes that.
    """
    values = {**_values(changed), "version": changed.version + 1}
    del values["entries"], values["head"]
    where = incident.c.id == changed.id, incident.c.version == changed.version
    if not conn.execute(update(incident).where(*where).values(**values)).rowcount:
        return None
    conn.execute(delete(incident_part).where(incident_part.c.incident_id == changed.id))
    _save_parts(conn, changed)
    return replace(changed, version=changed.version + 1)


def get(conn: Connection, incident_id: int, *, lock: bool = False) -> Incident | None:
    """One incident; ``lock`` keeps others from changing it until the transaction ends."""
    query = select(incident).where(incident.c.id == incident_id)
    found = _incidents(conn, query.with_for_update() if lock else query)
    return found[0] if found else None


def by_ids(conn: Connection, ids: Sequence[int]) -> dict[int, Incident]:
    """Those of these that there are, by id."""
    return {its.id: its for its in some(conn, ids)}


def find(
    conn: Connection, wanted: Wanted, *, before: int | None = None, limit: int = 100
) -> list[Incident]:
    """Incidents, newest first; ``before``: the id to go on after."""
    query = _where(select(incident), wanted).order_by(incident.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(incident.c.id < before)
    return _incidents(conn, query)


def count(conn: Connection, wanted: Wanted) -> int:
    """How many there are."""
    return int(conn.execute(_where(select(func.count(incident.c.id)), wanted)).scalar_one())


def count_open(conn: Connection) -> int:
    """How many incidents are not over."""
    query = select(func.count()).select_from(incident)
    query = query.where(incident.c.state != str(IncidentState.RESOLVED))
    return int(conn.execute(query).scalar_one())


def of_page(conn: Connection, page_id: int) -> list[Incident]:
    """Incidents to which a page belongs, newest first."""
    named = incident_part.c.kind == "page", incident_part.c.name == str(page_id)
    ids = select(incident_part.c.incident_id).where(*named)
    query = select(incident).where(incident.c.id.in_(ids)).order_by(incident.c.id.desc())
    return _incidents(conn, query)


def note_fingerprint(conn: Connection, incident_id: int, fingerprint: str) -> None:
    """Keep by what an incident is known again; that is no change that people make."""
    query = update(incident).where(incident.c.id == incident_id)
    conn.execute(query.values(fingerprint=fingerprint))


def due(conn: Connection, now: Seconds, limit: int = 100) -> list[Incident]:
    """Incidents at which the engine must look; no other replica looks at them meanwhile."""
    query = select(incident).where(incident.c.due_at <= now).order_by(incident.c.due_at)
    return _incidents(conn, query.limit(limit).with_for_update(skip_locked=True))


def some(conn: Connection, ids: Sequence[int]) -> list[Incident]:
    """These incidents, in order of their ids."""
    query = select(incident).where(among(conn, incident.c.id, ids))
    return _incidents(conn, query.order_by(incident.c.id))


def every(conn: Connection) -> list[Incident]:
    """All incidents, the oldest first."""
    return _incidents(conn, select(incident).order_by(incident.c.id))


def anything_due(conn: Connection, now: Seconds) -> bool:
    """True when some incident must be looked at."""
    query = select(incident.c.id).where(incident.c.due_at <= now).limit(1)
    return conn.execute(query).first() is not None


# ---------------------------------------------------------------- roles


def roles(conn: Connection, incident_id: int) -> list[RoleHolding]:
    """Who has which role, in the order in which roles were given."""
    c = incident_role.c
    query = select(incident_role).where(c.incident_id == incident_id).order_by(c.since, c.role)
    return [RoleHolding(**row) for row in conn.execute(query).mappings()]


def roles_of(conn: Connection, ids: Sequence[int]) -> dict[int, list[RoleHolding]]:
    """Who has which role in each of these incidents."""
    found: dict[int, list[RoleHolding]] = {}
    c = incident_role.c
    query = select(incident_role).where(among(conn, c.incident_id, ids))
    for row in conn.execute(query.order_by(c.since, c.role)).mappings():
        found.setdefault(int(row["incident_id"]), []).append(RoleHolding(**row))
    return found


def save_role(conn: Connection, holding: RoleHolding) -> None:
    """Write who has a role. ``user`` '' leaves it empty."""
    row = {n: getattr(holding, n) for n in RoleHolding.__slots__}
    upsert(conn, incident_role, [row])


# ---------------------------------------------------------------- the timeline


def append(conn: Connection, incident_id: int, new: NewEntry, now: Seconds) -> Entry:
    """Write the next entry of a timeline, in the caller's transaction.

    The incident's row is locked meanwhile, so that numbers and digests follow one another.
    Raises LookupError when there is no such incident.
    """
    found = get(conn, incident_id, lock=True)
    if found is None:
        raise LookupError(f"incident {incident_id}")
    made = chain.link(found, new, now)
    query = insert(incident_entry).values(**entry_values(made)).returning(incident_entry.c.id)
    entry_id = int(conn.execute(query).scalar_one())
    note_head(conn, incident_id, made)
    return replace(made, id=entry_id)


def note_head(conn: Connection, incident_id: int, last: Entry) -> None:
    """Keep how far a timeline goes."""
    head = {"entries": last.number, "head": last.digest}
    conn.execute(update(incident).where(incident.c.id == incident_id).values(**head))


def entry_values(made: Entry) -> dict[str, Any]:
    """An entry as its row; whoever writes rows by themselves keeps the chain (see `chain`)."""
    values = {n: getattr(made, n) for n in Entry.__slots__ if n != "id"}
    return {**values, "kind": str(made.kind), "data": json.dumps(dict(made.data))}


def entries(
    conn: Connection,
    incident_id: int,
    *,
    after: int = 0,
    kinds: Sequence[EntryKind] = (),
    limit: int | None = None,
) -> list[Entry]:
    """Entries by number. ``after``: only those with a higher number."""
    c = incident_entry.c
    query = select(incident_entry).where(c.incident_id == incident_id, c.number > after)
    if kinds:
        query = query.where(c.kind.in_([str(k) for k in kinds]))
    if limit is not None:
        query = query.limit(limit)
    return [_entry(row) for row in conn.execute(query.order_by(c.number)).mappings()]


def entries_of(
    conn: Connection, ids: Sequence[int], kinds: Sequence[EntryKind]
) -> dict[int, list[Entry]]:
    """Entries of these kinds by incident, in order of their numbers."""
    found: dict[int, list[Entry]] = {}
    c, wanted = incident_entry.c, [str(k) for k in kinds]
    query = select(incident_entry).where(among(conn, c.incident_id, ids), c.kind.in_(wanted))
    for row in conn.execute(query.order_by(c.incident_id, c.number)).mappings():
        found.setdefault(int(row["incident_id"]), []).append(_entry(row))
    return found


def entry(conn: Connection, incident_id: int, number: int) -> Entry | None:
    """One entry."""
    found = entries(conn, incident_id, after=number - 1, limit=1)
    return found[0] if found and found[0].number == number else None


# ---------------------------------------------------------------- rows


def _values(made: Incident) -> dict[str, Any]:
    values: dict[str, Any] = {n: getattr(made, n) for n in _FIELDS}
    return {**values, "state": str(made.state), "data": json.dumps(dict(made.data))}


def _save_parts(conn: Connection, made: Incident) -> None:
    rows = [
        {"incident_id": made.id, "kind": kind, "name": str(name)}
        for field, kind in PARTS.items()
        for name in dict.fromkeys(getattr(made, field))
    ]
    insert_rows(conn, incident_part, rows)


def _where(query: Select[Any], wanted: Wanted) -> Select[Any]:
    c = incident.c
    if wanted.states:
        query = query.where(c.state.in_(list(wanted.states)))
    if wanted.severities:
        query = query.where(c.severity.in_(list(wanted.severities)))
    for kind in ("service", "slo", "journey", "cause"):
        if name := getattr(wanted, kind):
            named = incident_part.c.kind == kind, incident_part.c.name == name
            query = query.where(c.id.in_(select(incident_part.c.incident_id).where(*named)))
    if wanted.text:
        like = f"%{wanted.text.lower()}%"
        query = query.where(or_(func.lower(c.title).like(like), func.lower(c.summary).like(like)))
    if wanted.since is not None:
        query = query.where(c.declared_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(c.declared_at < wanted.until)
    return query if wanted.drills else query.where(c.drill.is_(False))


def _incidents(conn: Connection, query: Select[Any]) -> list[Incident]:
    # By position: looking each column up by its name takes longer than all else, for a thousand.
    names = query.selected_columns.keys()
    rows = [dict(zip(names, row, strict=True)) for row in conn.execute(query).all()]
    parts = _parts(conn, [row["id"] for row in rows]) if rows else {}
    return [_incident(row, parts.get(row["id"], {})) for row in rows]


def _parts(conn: Connection, ids: Sequence[int]) -> dict[int, dict[str, list[str]]]:
    found: dict[int, dict[str, list[str]]] = {}
    c = incident_part.c
    query = select(c.incident_id, c.kind, c.name).where(among(conn, c.incident_id, ids))
    for number, kind, name in conn.execute(query.order_by(*query.selected_columns)).all():
        found.setdefault(number, {}).setdefault(kind, []).append(name)
    return found


def _incident(row: Mapping[str, Any], parts: Mapping[str, Sequence[str]]) -> Incident:
    named = {**row, "state": IncidentState(row["state"]), "data": json.loads(row["data"])}
    named.update({field: tuple(parts.get(kind, ())) for field, kind in PARTS.items()})
    named["pages"] = tuple(sorted(int(p) for p in parts.get("page", ())))
    return Incident(**named)


def _entry(row: RowMapping) -> Entry:
    named: dict[str, Any] = {n: row[n] for n in Entry.__slots__}
    return Entry(**{**named, "kind": EntryKind(row["kind"]), "data": json.loads(row["data"])})
