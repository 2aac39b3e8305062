"""PostgreSQL asked by the event loop itself, for the few statements that come thousands a second.

A statement by a thread is handed over twice, and each time waits for the interpreter; in a
transaction of its own it is three round trips (measured on two cores: a third of the alerts that
are accepted a second).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import AsyncConnection, Error
from sqlalchemy import URL

AFTER_TROUBLE = 5.0
"""Seconds after trouble in which the database is not asked in this way."""


class Direct:
    """One connection, used from one event loop. ``options``: as libpq knows them."""

    def __init__(self, url: URL, options: Mapping[str, Any]) -> None:
        self._url = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._options = options
        self._conn: AsyncConnection[Any] | None = None
        self._one_at_a_time = asyncio.Lock()
        self._not_before = 0.0

    async def rows(
        self, statement: str, values: Mapping[str, object]
    ) -> Sequence[tuple[Any, ...]] | None:
        """What one statement gives, committed by itself. Names in it are written ``%(name)s``.

        None: there was trouble, and whether it was done is not known. Ask again in the usual way,
        which says what the trouble is; so this is for statements that may be repeated.
        """
        if time.monotonic() < self._not_before:
            return None
        async with self._one_at_a_time:
            try:
                if self._conn is None:
                    self._conn = await AsyncConnection.connect(
                        self._url, autocommit=True, **self._options
                    )
                found = await self._conn.execute(statement, values, prepare=True)
                return await found.fetchall()
            except Error:
                self.close()
                self._not_before = time.monotonic() + AFTER_TROUBLE
                return None
            except BaseException:  # given up half way: nobody can go on with this connection
                self.close()
                raise

    def close(self) -> None:
        """Let go of the connection."""
        if self._conn is not None:
            self._conn.pgconn.finish()
            self._conn = None
