"""Running a query: DuckDB by itself, every other database through SQLAlchemy. To read only."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from watchkeeper.kernel.clock import MINUTE, Minute
from watchkeeper.kernel.errors import UserError, WatchkeeperError
from watchkeeper.measure.sql.rows import Table

MOST_ROWS = 2_000_000
BINDS = ("from", "to", "from_epoch", "to_epoch")

# Text, quoted names and comments, which may hold colons; then the bind itself, as :from or $from.
_PIECES = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/"""
    r"""|(?<![:\w$\\])(?::(\w+)|\$(from_epoch|to_epoch|from|to))(?![:\w$])""",
    re.DOTALL,
)
_SELECT = re.compile(
    r"\s*(?:--[^\n]*\s+|/\*.*?\*/\s*)*\(*\s*(?:select|with|values)\b", re.IGNORECASE | re.DOTALL
)


class Reader(Protocol):
    """Runs queries against one database."""

    def run(self, sql: str, start: Minute, end: Minute) -> Table:
        """The rows for [start, end). Raises WatchkeeperError when the database refuses."""
        ...


def open_reader(url: str, timeout: float) -> Reader:
    """A reader for a database URL; nothing is connected yet. Raises UserError for a wrong URL."""
    if url.startswith("duckdb:"):
        return DuckReader(url, timeout)
    return AlchemyReader(url, timeout)


def place_binds(sql: str, written: Callable[[str], str], other: Callable[[str], str]) -> str:
    """The SQL with our binds written as a driver wants them, and any other ``:name`` as ``other``.

    ``:from`` and ``$from`` are the same. What stands inside of text, quoted names and comments is
    no bind.
    """

    def put(found: re.Match[str]) -> str:
        name = found.group(1) or found.group(2)
        if name in BINDS:
            return written(name)
        return other(found.group(0))

    return _PIECES.sub(put, sql)


def used_binds(sql: str) -> set[str]:
    """Which of our binds a query uses."""
    names = (m.group(1) or m.group(2) for m in _PIECES.finditer(sql))
    return {name for name in names if name in BINDS}


def bound(sql: str, start: Minute, end: Minute) -> dict[str, Any]:
    """The values of the binds that a query uses, times as naive UTC."""
    values = {
        "from": datetime.fromtimestamp(start * MINUTE, UTC).replace(tzinfo=None),
        "to": datetime.fromtimestamp(end * MINUTE, UTC).replace(tzinfo=None),
        "from_epoch": start * MINUTE,
        "to_epoch": end * MINUTE,
    }
    used = used_binds(sql)
    return {name: value for name, value in values.items() if name in used}


class DuckReader:
    """A DuckDB file, or one in memory for queries over CSV and Parquet files."""

    def __init__(self, url: str, timeout: float) -> None:
        path = re.sub(r"^duckdb:(//)?/?", "", url)
        self._path = path if path and path != ":memory:" else ":memory:"
        self._timeout = timeout

    def run(self, sql: str, start: Minute, end: Minute) -> Table:
        """See Reader."""
        import duckdb

        written = place_binds(sql, lambda name: f"${name}", lambda text: text)
        try:
            # Opened for one query only: an open file keeps others from writing to it.
            with self._connect() as conn, _interrupted(conn.interrupt, self._timeout) as late:
                self._only_select(conn, written)
                try:
                    result = conn.execute(written, bound(sql, start, end) or None)
                    return _fetched([c[0] for c in result.description], result.fetchmany)
                except duckdb.InterruptException:
                    if late.is_set():
                        raise _late(self._timeout) from None
                    raise
        except duckdb.Error as error:
            raise WatchkeeperError(f"DuckDB: {_first_line(error)}") from None

    def _connect(self) -> Any:  # noqa: ANN401 - duckdb has no types
        import duckdb

        # No extension is fetched from the network on our behalf.
        conn = duckdb.connect(
            self._path,
            read_only=self._path != ":memory:",
            config={"autoinstall_known_extensions": "false", "threads": "2"},
        )
        conn.execute("SET TimeZone='UTC'")
        return conn

    @staticmethod
    def _only_select(conn: Any, sql: str) -> None:  # noqa: ANN401
        import duckdb

        statements = conn.extract_statements(sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise UserError("the query is not one SELECT", "sources only read")


class AlchemyReader:
    """Any database that SQLAlchemy reaches."""

    def __init__(self, url: str, timeout: float) -> None:
        self._timeout = timeout
        try:
            self._url = _with_driver(make_url(url))
            self._engine = self._create()
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            hint = "write e.g. duckdb:///file, sqlite:///file or postgresql://host/name"
            raise UserError(
                f"the database URL cannot be used: {_first_line(error)}", hint
            ) from None

    def run(self, sql: str, start: Minute, end: Minute) -> Table:
        """See Reader."""
        if not _SELECT.match(sql):
            raise UserError("the query is not a SELECT", "sources only read")
        written = place_binds(sql, lambda name: f":{name}", lambda text: text.replace(":", r"\:"))
        values = bound(sql, start, end)
        if self._engine.dialect.name in ("sqlite",):
            values = {k: str(v) if isinstance(v, datetime) else v for k, v in values.items()}
        if self._engine.dialect.name == "postgresql":
            values = {
                k: v.replace(tzinfo=UTC) if isinstance(v, datetime) else v
                for k, v in values.items()
            }
        try:
            with self._engine.connect() as conn:
                return self._read(conn, sa.text(written), values)
        except SQLAlchemyError as error:
            raise WatchkeeperError(self._shown(error)) from None

    def _create(self) -> sa.Engine:
        # No pool: a reading a minute is no reason to hold a connection of somebody's database.
        if self._url.get_backend_name() == "sqlite":
            return sa.create_engine(
                "sqlite://", creator=self._sqlite, poolclass=sa.NullPool, hide_parameters=True
            )
        return sa.create_engine(self._url, poolclass=sa.NullPool, hide_parameters=True)

    def _sqlite(self) -> sqlite3.Connection:
        """To read only, and never to make a new file where there was none."""
        path = Path(self._url.database or "")
        uri = f"file:{quote(str(path))}?mode=ro"
        return sqlite3.connect(uri, uri=True, timeout=5.0, check_same_thread=False)

    def _read(self, conn: sa.Connection, query: sa.TextClause, values: Mapping[str, Any]) -> Table:
        milliseconds = int(self._timeout * 1000)
        match self._engine.dialect.name:
            case "postgresql":
                conn.exec_driver_sql("SET TRANSACTION READ ONLY")
                conn.exec_driver_sql("SET LOCAL TIME ZONE 'UTC'")
                conn.exec_driver_sql(f"SET LOCAL statement_timeout = {milliseconds}")
            case "mysql" | "mariadb":
                conn.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")
                conn.exec_driver_sql("SET SESSION time_zone = '+00:00'")
        stop = getattr(conn.connection.dbapi_connection, "interrupt", None)
        with _interrupted(stop, self._timeout) as late:
            try:
                result = conn.execute(query, values)
                return _fetched(list(result.keys()), result.fetchmany)
            except DBAPIError:
                if late.is_set():
                    raise _late(self._timeout) from None
                raise
            finally:
                conn.rollback()

    def _shown(self, error: SQLAlchemyError) -> str:
        """What the database said, without what it should not say."""
        cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        text = f"{self._engine.dialect.name}: {_first_line(cause)}"
        password = self._url.password
        return text.replace(str(password), "…") if password else text


def _with_driver(url: URL) -> URL:
    """PostgreSQL by the driver that comes with Watchkeeper, unless another is named."""
    if url.drivername in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    return url


def _fetched(columns: list[str], fetchmany: Callable[[int], Any]) -> Table:
    rows: list[Any] = []
    while part := fetchmany(50_000):
        rows += part
        if len(rows) > MOST_ROWS:
            raise UserError(
                f"the query returns more than {MOST_ROWS} rows", "group by minute in the query"
            )
    return Table(columns, rows)


@contextmanager
def _interrupted(stop: Callable[[], Any] | None, timeout: float) -> Iterator[threading.Event]:
    """Calls ``stop`` when the block takes longer than ``timeout`` seconds; the event tells."""
    late = threading.Event()

    def ring() -> None:
        late.set()
        if stop is not None:
            stop()

    timer = threading.Timer(timeout, ring)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()


def _late(timeout: float) -> WatchkeeperError:
    return WatchkeeperError(f"the query took longer than {timeout:g} s", "raise `timeout`")


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
