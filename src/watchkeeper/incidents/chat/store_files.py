"""Files of incidents in the database."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import (
    Column,
    Connection,
    Double,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    func,
    insert,
    select,
)

from watchkeeper.incidents.chat.files import FileInfo
from watchkeeper.store import metadata
from watchkeeper.store.tables import ID

incident_file = Table(
    "incident_file",
    metadata,
    Column("id", ID, primary_key=True),
    Column("incident_id", ID, nullable=False),
    Column("number", Integer, nullable=False),
    Column("name", String(200), nullable=False),
    Column("type", String(100), nullable=False),
    Column("size", Integer, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("at", Double, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("content", LargeBinary, nullable=False),
    Index("ix_incident_file_incident", "incident_id", "id"),
    sqlite_autoincrement=True,
)
_INFO = [incident_file.c[n] for n in FileInfo.__slots__]


def add(conn: Connection, made: FileInfo, content: bytes) -> int:
    """Keep a file; its id."""
    values = {n: getattr(made, n) for n in FileInfo.__slots__ if n != "id"}
    query = insert(incident_file).values(**values, content=content).returning(incident_file.c.id)
    return int(conn.execute(query).scalar_one())


def held(conn: Connection, incident_id: int) -> int:
    """Bytes of all files of an incident."""
    c = incident_file.c
    query = select(func.coalesce(func.sum(c.size), 0)).where(c.incident_id == incident_id)
    return int(conn.execute(query).scalar_one())


def of_incident(conn: Connection, incident_id: int) -> list[FileInfo]:
    """The files of an incident, the oldest first, without their contents."""
    c = incident_file.c
    query = select(*_INFO).where(c.incident_id == incident_id).order_by(c.id)
    return [FileInfo(**row) for row in conn.execute(query).mappings()]


def get(conn: Connection, incident_id: int, file_id: int) -> tuple[FileInfo, bytes] | None:
    """A file with its content."""
    c = incident_file.c
    query = select(*_INFO, c.content).where(c.incident_id == incident_id, c.id == file_id)
    row = conn.execute(query).mappings().first()
    if row is None:
        return None
    info: Sequence[str] = FileInfo.__slots__
    return FileInfo(**{n: row[n] for n in info}), bytes(row["content"])
