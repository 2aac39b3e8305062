"""Changes in the database. The room's only SQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Double,
    Index,
    String,
    Table,
    Text,
    and_,
    delete,
    func,
    or_,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.engine import RowMapping

from watchkeeper.changes.model import Change, ChangeKind, Intent, Outcome, Report, Told
from watchkeeper.changes.rules import MOST_REPORTS, until
from watchkeeper.kernel.clock import Seconds
from watchkeeper.store import metadata
from watchkeeper.store.tables import ID
from watchkeeper.store.writing import insert_new, insert_rows

LONGEST = 31 * 86400.0
"""Seconds before an interval in which a change that reaches into it may have begun."""
Cursor = tuple[Seconds, int]
"""(started_at, id) of the last one seen."""

change = Table(
    "change",
    metadata,
    Column("id", ID, primary_key=True),
    Column("key", String(700), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("intent", String(20), nullable=False),
    Column("services", Text, nullable=False),
    Column("environment", String(100), nullable=False),
    Column("summary", String(1000), nullable=False),
    Column("version", String(200), nullable=False),
    Column("previous_version", String(200), nullable=False),
    Column("started_at", Double, nullable=False),
    Column("ended_at", Double),
    Column("outcome", String(20), nullable=False),
    Column("links", Text, nullable=False),
    Column("source", String(500), nullable=False),
    Column("reported_by", String(200), nullable=False),
    Column("reported_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Index("ix_change_key", "key", unique=True),
    Index("ix_change_started", "started_at", "id"),
    Index("ix_change_kind", "kind", "started_at", "id"),
    sqlite_autoincrement=True,
)

change_service = Table(
    "change_service",
    metadata,
    Column("service", String(300), primary_key=True),
    Column("started_at", Double, primary_key=True),
    Column("change_id", ID, primary_key=True, autoincrement=False),
    Column("over_at", Double, nullable=False),
    Column("kind", String(20), nullable=False),
    Index("ix_change_service_change", "change_id"),
)

change_report = Table(
    "change_report",
    metadata,
    Column("change_id", ID, primary_key=True, autoincrement=False),
    Column("digest", String(40), primary_key=True),
    Column("by", String(200), nullable=False),
    Column("written_at", Double, nullable=False),
    Column("told", Text, nullable=False),
)

_FIELDS = tuple(n for n in Change.__slots__ if n != "id")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which changes; '' and () are all. [``start``, ``end``): those that began in it."""

    services: Sequence[str] = ()
    kinds: Sequence[str] = ()
    environment: str = ""
    outcome: str = ""
    text: str = ""
    start: Seconds | None = None
    end: Seconds | None = None


# ---------------------------------------------------------------- writing


def claim(conn: Connection, made: Change) -> tuple[int, bool]:
    """The id under this change's key, and whether it is new; held until the transaction ends."""
    new = insert_new(conn, change, values_of(made), unique=("key",))
    query = select(change.c.id).where(change.c.key == made.key).with_for_update()
    return int(conn.execute(query).scalar_one()), new


def add_report(conn: Connection, change_id: int, report: Report) -> bool:
    """Keep a report; False when the same was kept before."""
    values = {
        "change_id": change_id, "digest": report.digest, "by": report.by,
        "written_at": report.written_at, "told": json.dumps(asdict(report.told)),
    }  # fmt: skip
    return insert_new(conn, change_report, values)


def reports(conn: Connection, change_id: int) -> list[Report]:
    """What was told of a change, in the order in which it came."""
    c = change_report.c
    query = select(change_report).where(c.change_id == change_id)
    rows = conn.execute(query.order_by(c.written_at, c.digest)).mappings()
    return [_report(row) for row in rows]


def drop_reports(conn: Connection, change_id: int, kept: Sequence[Report]) -> list[Report]:
    """Of very many reports forget the oldest but one; those that are left."""
    gone = kept[1 : max(1, len(kept) - MOST_REPORTS + 1)]
    if not gone:
        return list(kept)
    c = change_report.c
    digests = [r.digest for r in gone]
    conn.execute(delete(change_report).where(c.change_id == change_id, c.digest.in_(digests)))
    return [r for r in kept if r.digest not in digests]


def save(conn: Connection, changed: Change) -> None:
    """Write what is known of it now."""
    values = values_of(changed)
    conn.execute(update(change).where(change.c.id == changed.id).values(**values))
    conn.execute(delete(change_service).where(change_service.c.change_id == changed.id))
    rows = [
        {"service": s, "started_at": changed.started_at, "change_id": changed.id,
         "over_at": until(changed), "kind": str(changed.kind)}
        for s in changed.services
    ]  # fmt: skip
    insert_rows(conn, change_service, rows)


def forget(conn: Connection, before: Seconds, limit: int) -> int:
    """Delete changes that began before this, oldest first, at most ``limit``; how many."""
    c = change.c
    query = select(c.id).where(c.started_at < before).order_by(c.started_at, c.id).limit(limit)
    ids = [int(i) for i in conn.execute(query).scalars()]
    if ids:
        conn.execute(delete(change_service).where(change_service.c.change_id.in_(ids)))
        conn.execute(delete(change_report).where(change_report.c.change_id.in_(ids)))
        conn.execute(delete(change).where(c.id.in_(ids)))
    return len(ids)


# ---------------------------------------------------------------- reading


def get(conn: Connection, change_id: int) -> Change | None:
    """One change."""
    row = conn.execute(select(change).where(change.c.id == change_id)).mappings().first()
    return _change(row) if row else None


def find(
    conn: Connection, wanted: Wanted, after: Cursor | None = None, limit: int = 100
) -> list[Change]:
    """Changes, those that began last first; ``after``: the one to go on after."""
    c = change.c
    query = select(change).where(_of(wanted)).order_by(c.started_at.desc(), c.id.desc())
    if after is not None:
        query = query.where(tuple_(c.started_at, c.id) < tuple_(*after))
    return [_change(row) for row in conn.execute(query.limit(limit)).mappings()]


def count(conn: Connection, wanted: Wanted) -> int:
    """How many there are."""
    query = select(func.count()).select_from(change).where(_of(wanted))
    return int(conn.execute(query).scalar_one())


def services(conn: Connection, limit: int = 500) -> list[str]:
    """Names of services that have changes, sorted."""
    query = select(change_service.c.service).distinct().order_by(change_service.c.service)
    return [str(s) for s in conn.execute(query.limit(limit)).scalars()]


def overlapping(
    conn: Connection, names: Sequence[str], start: Seconds, end: Seconds, limit: int
) -> list[Change]:
    """Changes of these services that were under way in [start, end), the latest start first."""
    c, s = change.c, change_service.c
    # The index alone says which are the latest; only those are read whole.
    last = select(s.started_at, s.change_id).where(_overlaps(names, start, end)).distinct()
    last = last.order_by(s.started_at.desc(), s.change_id.desc()).limit(limit)
    ids = [row.change_id for row in conn.execute(last)]
    query = select(change).where(c.id.in_(ids)).order_by(c.started_at.desc(), c.id.desc())
    return [_change(row) for row in conn.execute(query).mappings()]


def count_by_step(
    conn: Connection, names: Sequence[str], start: Seconds, end: Seconds, step: float
) -> dict[tuple[int, str], int]:
    """How many changes of these services began, by (step of the interval, kind).

    Those that began before it and reach into it count in step 0.
    """
    s = change_service.c
    place = func.floor((s.started_at - start) / step)
    query = (
        select(place, s.kind, func.count(s.change_id.distinct()))
        .where(_overlaps(names, start, end))
        .group_by(place, s.kind)
    )
    found: dict[tuple[int, str], int] = {}
    for at, kind, many in conn.execute(query):
        slot = max(0, int(at)), str(kind)
        found[slot] = found.get(slot, 0) + int(many)
    return found


def _overlaps(names: Sequence[str], start: Seconds, end: Seconds) -> Any:  # noqa: ANN401
    s = change_service.c
    return and_(
        s.service.in_(list(names)),
        s.started_at >= start - LONGEST,
        s.started_at < end,
        or_(s.started_at >= start, s.over_at > start),
    )


def _of(wanted: Wanted) -> Any:  # noqa: ANN401
    c = change.c
    asked: list[Any] = [true()]
    if wanted.services:
        asked.append(c.id.in_(_ids_of(wanted)))
    if wanted.kinds:
        asked.append(c.kind.in_(list(wanted.kinds)))
    for column, value in ((c.environment, wanted.environment), (c.outcome, wanted.outcome)):
        if value:
            asked.append(column == value)
    if wanted.text:
        low = wanted.text.lower()
        columns = (c.summary, c.version, c.services)
        asked.append(or_(*[func.lower(e).contains(low, autoescape=True) for e in columns]))
    if wanted.start is not None:
        asked.append(c.started_at >= wanted.start)
    if wanted.end is not None:
        asked.append(c.started_at < wanted.end)
    return and_(*asked)


def _ids_of(wanted: Wanted) -> Any:  # noqa: ANN401
    """The changes of the services wanted, in the interval, by the index that is made for it."""
    s = change_service.c
    query = select(s.change_id).where(s.service.in_(list(wanted.services)))
    if wanted.start is not None:
        query = query.where(s.started_at >= wanted.start)
    return query if wanted.end is None else query.where(s.started_at < wanted.end)


def values_of(made: Change) -> dict[str, Any]:
    """A change as a row, but for its id."""
    values: dict[str, Any] = {n: getattr(made, n) for n in _FIELDS}
    for name in ("kind", "intent", "outcome"):
        values[name] = str(values[name])
    for name in ("services", "links"):
        values[name] = json.dumps(values[name], ensure_ascii=False)
    return values


def _change(row: RowMapping) -> Change:
    named: dict[str, Any] = {n: row[n] for n in ("id", *_FIELDS)}
    named["kind"] = ChangeKind(row["kind"])
    named["intent"] = Intent(row["intent"])
    named["outcome"] = Outcome(row["outcome"])
    named["services"] = tuple(json.loads(row["services"]))
    named["links"] = _links(json.loads(row["links"]))
    return Change(**named)


def _report(row: RowMapping) -> Report:
    told = json.loads(row["told"])
    made = replace(
        Told(**told),
        kind=ChangeKind(told["kind"]),
        intent=Intent(told["intent"]),
        outcome=Outcome(told["outcome"]) if told["outcome"] else None,
        services=tuple(told["services"]),
        links=_links(told["links"]),
    )
    return Report(row["digest"], made, row["by"], row["written_at"])


def _links(found: Sequence[Sequence[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((str(text), str(url)) for text, url in found)
