"""What came in by each integration: counts, the last refusal, messages as they were received."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Connection, Double, Integer, String, Table, Text, select

from watchkeeper.kernel.clock import Seconds
from watchkeeper.store import metadata
from watchkeeper.store.tables import ID
from watchkeeper.store.writing import insert_new, insert_rows

intake_count = Table(
    "intake_count",
    metadata,
    Column("integration", String(200), primary_key=True),
    Column("accepted", BigInteger, nullable=False),
    Column("refused", BigInteger, nullable=False),
    Column("accepted_at", Double),
    Column("refused_at", Double),
    Column("refusal", String(1000), nullable=False),
)

received = Table(
    "received",
    metadata,
    Column("alert_id", ID, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("content_type", String(200), nullable=False),
    Column("size", Integer, nullable=False),
    Column("body", Text, nullable=False),
)

MOST_REFUSAL = 1000


@dataclass(slots=True)
class Tally:
    """Messages of one integration: how many were taken and refused, when last, and why not."""

    accepted: int = 0
    refused: int = 0
    accepted_at: Seconds | None = None
    refused_at: Seconds | None = None
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Received:
    """A message as it came, without its key; ``size`` is its whole length in bytes."""

    alert_id: int
    at: Seconds
    content_type: str
    size: int
    body: str


def count(conn: Connection, tallies: Mapping[str, Tally]) -> None:
    """Add these to what was counted before."""
    table = intake_count
    for name, more in sorted(tallies.items()):
        zero = {"integration": name, "accepted": 0, "refused": 0, "refusal": ""}
        insert_new(conn, table, zero)
        values: dict[str, object] = {
            "accepted": table.c.accepted + more.accepted,
            "refused": table.c.refused + more.refused,
        }
        if more.accepted_at is not None:
            values["accepted_at"] = more.accepted_at
        if more.refused_at is not None:
            values["refused_at"] = more.refused_at
            values["refusal"] = more.refusal[:MOST_REFUSAL]
        conn.execute(table.update().where(table.c.integration == name).values(**values))


def counts(conn: Connection) -> dict[str, Tally]:
    """What was counted, by integration."""
    rows = conn.execute(select(intake_count)).mappings()
    return {r["integration"]: Tally(**{n: r[n] for n in Tally.__slots__}) for r in rows}


def keep(conn: Connection, messages: Iterable[Received]) -> None:
    """Keep messages as they came; an alert has one, that which opened it."""
    rows = [{n: getattr(each, n) for n in Received.__slots__} for each in messages]
    insert_rows(conn, received, rows, unless_there=True)


def message_of(conn: Connection, alert_id: int) -> Received | None:
    """The message that opened this alert, if it was kept."""
    row = conn.execute(select(received).where(received.c.alert_id == alert_id)).mappings().first()
    return None if row is None else Received(**{n: row[n] for n in Received.__slots__})


def note(conn: Connection, tallies: Mapping[str, Tally], messages: Sequence[Received]) -> None:
    """Both, in the caller's transaction."""
    count(conn, tallies)
    keep(conn, messages)
