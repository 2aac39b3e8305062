"""What each test would pay for again, paid for once: migrations and the slowness of passwords."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from argon2 import PasswordHasher
from sqlalchemy import Connection, event

from watchkeeper.access import passwords
from watchkeeper.store import migrate

SLOW_HASHER = passwords.HASHER
"""The one that people get."""


class Migrations:
    """The first database of a kind is really migrated; new ones are then told the same SQL.

    What the first was told is kept: an empty database becomes the same by hearing it again, without
    Alembic's part. One that holds anything is really migrated.
    """

    def __init__(self, real: Callable[[Connection], None]) -> None:
        self.real = real
        self.said: dict[str, list[tuple[str, Any]]] = {}

    def upgrade(self, conn: Connection) -> None:
        """In the place of ``migrate._upgrade``."""
        kind = conn.dialect.name
        if migrate.current(conn) is not None:
            self.real(conn)
        elif kind in self.said:
            for statement, parameters in self.said[kind]:
                conn.exec_driver_sql(statement, parameters)
        else:
            self.said[kind] = _heard(conn, self.real)


def _heard(conn: Connection, work: Callable[[Connection], None]) -> list[tuple[str, Any]]:
    """Do the work; every statement of it that changes something."""
    said: list[tuple[str, Any]] = []

    def hear(
        _c: object,
        _cursor: object,
        statement: str,
        parameters: Any,  # noqa: ANN401 - as the driver takes them
        _x: object,
        many: bool,
    ) -> None:
        assert not many
        if not statement.lstrip().upper().startswith(("SELECT", "PRAGMA", "SAVEPOINT")):
            said.append((statement, parameters or None))

    event.listen(conn, "before_cursor_execute", hear)
    try:
        work(conn)
    finally:
        event.remove(conn, "before_cursor_execute", hear)
    return said


@contextmanager
def quick() -> Iterator[None]:
    """For the length of the block: recorded migrations, and passwords that cost next to nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrate, "_upgrade", Migrations(migrate._upgrade).upgrade)
        cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        patch.setattr(passwords, "HASHER", cheap)
        yield
