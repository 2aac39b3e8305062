"""Bring the tables up to date, once, whoever comes first.

Alembic is imported only when there is something to do, so that opening a current database is quick.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from watchkeeper.store.database import Database

log = logging.getLogger("watchkeeper.store")

HERE = Path(__file__).with_name("migrations")
_LOCK = 7_202_611  # any number that other programs are unlikely to lock


def newest() -> str:
    """The newest revision: the last of the version files, which sort by number."""
    return sorted(p.stem for p in (HERE / "versions").glob("[0-9]*.py"))[-1].split("_")[0]


def current(conn: Connection) -> str | None:
    """The revision of this database; None when it is empty."""
    try:
        with conn.begin_nested():
            return conn.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except DBAPIError as error:
        said = str(error.orig).lower()
        if "no such table" in said or "does not exist" in said:
            return None
        raise


def migrate(db: Database) -> None:
    """Run the migrations that are missing, in one transaction; replicas wait for each other.

    A newer version may have been here already, while replicas are exchanged one by one or after a
    step back: what it added is left alone, so that this version can start as well.
    """
    with db.read() as conn:
        found = current(conn)
    if found == newest():
        return
    if found is not None and found.isdigit() and int(found) > int(newest()):
        log.warning("a newer version has prepared this database: %s, ours is %s", found, newest())
        return
    with db.write() as conn:
        if db.dialect == "postgresql":
            conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        _upgrade(conn)


def _upgrade(conn: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.attributes["connection"] = conn
    command.upgrade(config, "head")
