"""The audit log: the timeline, searched. Only reads."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, select

from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.store.timeline import Event, event

COLUMNS = ("id", "at", "kind", "subject", "actor", "data")
MOST_EXPORTED = 100_000


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for; '' and None: anything.

    ``actor`` is a whole name. ``subject`` and ``kind`` are whole ones, or beginnings when they end
    in ``*``: ``user/*``, ``session.*``. Times are half-open: [start, end).
    """

    actor: str = ""
    subject: str = ""
    kind: str = ""
    start: Seconds | None = None
    end: Seconds | None = None


def find(
    conn: Connection, search: Search, before: int | None = None, limit: int = 100
) -> Sequence[Event]:
    """Events, the newest first: at most ``limit``, with numbers below ``before``."""
    query = select(event).where(_matching(search)).order_by(event.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(event.c.id < before)
    return [
        Event(r["id"], r["at"], r["kind"], r["subject"], r["actor"], json.loads(r["data"]))
        for r in conn.execute(query).mappings()
    ]


def rows(events: Sequence[Event]) -> Iterator[dict[str, object]]:
    """Events as plain values, times as UTC RFC 3339."""
    for e in events:
        yield {
            "id": e.id,
            "at": iso(e.at),
            "kind": e.kind,
            "subject": e.subject,
            "actor": e.actor,
            "data": e.data,
        }


def to_csv(events: Sequence[Event]) -> str:
    """Events as CSV with a head line; cells that a spreadsheet would run as formulas are quoted."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows(events):
        row["data"] = json.dumps(row["data"], ensure_ascii=False, sort_keys=True)
        writer.writerow([_harmless(row[name]) for name in COLUMNS])
    return out.getvalue()


def to_json(events: Sequence[Event]) -> str:
    """Events as a JSON array."""
    return json.dumps(list(rows(events)), ensure_ascii=False)


def _harmless(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" and value else value


def _matching(search: Search) -> ColumnElement[bool]:
    wanted: list[ColumnElement[bool]] = [event.c.id > 0]
    if search.actor:
        wanted.append(event.c.actor == search.actor)
    for column, text in ((event.c.subject, search.subject), (event.c.kind, search.kind)):
        if text.endswith("*"):
            wanted.append(column.startswith(text[:-1], autoescape=True))
        elif text:
            wanted.append(column == text)
    if search.start is not None:
        wanted.append(event.c.at >= search.start)
    if search.end is not None:
        wanted.append(event.c.at < search.end)
    return and_(*wanted)
