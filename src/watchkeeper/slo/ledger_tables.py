"""The ledger's tables: SLIs by number, hot minutes, packed hours."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
)

from watchkeeper.store import metadata

sli = Table(
    "sli",
    metadata,
    # Numbered by ourselves, without holes: 64 in a row share a chunk.
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("key", String(500), nullable=False),
    Column("labels", String(2000), nullable=False),
    Column("created_at", Double, nullable=False),
    UniqueConstraint("key", "labels", name="uq_sli_key_labels"),
)

chunk_head = Table(
    "ledger_chunk",
    metadata,
    Column("chunk", Integer, primary_key=True, autoincrement=False),
    Column("hot_start", BigInteger, nullable=False),
    Column("head", BigInteger, nullable=False),
    Column("spans", LargeBinary, nullable=False),
)

hot = Table(
    "ledger_hot",
    metadata,
    Column("chunk", Integer, primary_key=True, autoincrement=False),
    Column("minute", BigInteger, primary_key=True, autoincrement=False),
    Column("cum", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

hours = Table(
    "ledger_hour",
    metadata,
    Column("chunk", Integer, primary_key=True, autoincrement=False),
    Column("hour", BigInteger, primary_key=True, autoincrement=False),
    # base first: an edge on the hour then reads only the head of the row.
    Column("base", LargeBinary, nullable=False),
    Column("deltas", LargeBinary, nullable=False),
)

state = Table(
    "ledger_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("revision", BigInteger, nullable=False),
)
