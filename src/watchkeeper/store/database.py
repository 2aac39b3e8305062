"""The database: opened by URL, read in snapshots, written in transactions."""

from __future__ import annotations

import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Literal, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    DisconnectionError,
    IntegrityError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool, StaticPool

from watchkeeper.kernel.errors import StoreError, UserError, WatchkeeperError
from watchkeeper.store.direct import Direct

T = TypeVar("T")

BUSY_SECONDS = 5.0
"""How long a write waits for another process that holds the database."""
UNASKED_SECONDS = 0.5
"""How long after its last use a connection is taken to live without being asked."""
MOST_TOGETHER = 500
"""How many submitted writes share one transaction at most."""

MOST_ATTEMPTS = 3
"""How often submitted writes are tried that meet a deadlock with another replica."""


def only_reads(conn: Connection) -> bool:
    """Whether nothing can be written in this transaction, so that what it reads is there to stay
    and may be remembered."""
    return bool(conn.get_execution_options().get("wk_reads"))


_Job = tuple[Callable[[Connection], Any], "Future[Any]"]
_Outcome = tuple["Future[Any]", Any, BaseException | None]
# As with SQLite, a write that others hold up gives up and says so.
_LOCKS = f"-c lock_timeout={BUSY_SECONDS:g}s"
# A plan kept from when a table was small would read all of it when it has grown.
_OPTIONS: Mapping[str, Any] = {
    "connect_timeout": 5,
    "options": _LOCKS + " -c plan_cache_mode=force_custom_plan",
}
# What is asked in this way must need no other plan when tables grow: it is planned once (measured:
# to plan the insertion of eight alerts takes half as long as to insert them).
_DIRECT = {**_OPTIONS, "options": _LOCKS + " -c plan_cache_mode=force_generic_plan"}
_HARMLESS = (IntegrityError, DataError, ProgrammingError)
"""What the database may refuse of one piece of work while the transaction stays sound."""


class Database:
    """A database that is open. Safe for use by many threads."""

    def __init__(self, engine: Engine, url: str, shared: bool) -> None:
        self.url = url
        self.dialect: Literal["sqlite", "postgresql"] = (
            "sqlite" if engine.dialect.name == "sqlite" else "postgresql"
        )
        self.engine = engine
        # SQLite has one writer at a time: threads queue here instead of polling the file's lock.
        self._writing = threading.RLock()
        # An in-memory database is one connection, so its readers must queue as well.
        self._shared = shared
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._starting = threading.Lock()

    @classmethod
    def open(cls, url: str | None = None, *, migrate: bool = True) -> Database:
        """Open, and bring the tables up to date.

        None is SQLite in ./watchkeeper.db; a plain path, ``sqlite:///path``, ``:memory:`` and
        ``postgresql://…`` are understood. Raises UserError for other URLs and StoreError when the
        database cannot be used.
        """
        where = url or "watchkeeper.db"
        if where.startswith(("postgresql://", "postgres://", "postgresql+psycopg://")):
            engine, shared = _postgresql(where), False
        elif "://" in where and not where.startswith("sqlite://"):
            raise UserError(
                f"{where.split('://')[0]!r} is not a database we know.",
                "Give a path (SQLite) or postgresql://user@host/name.",
            )
        else:
            engine, shared = _sqlite(where.removeprefix("sqlite:///").removeprefix("sqlite://"))
        db = cls(engine, engine.url.render_as_string(hide_password=True), shared)
        try:
            if migrate:
                from watchkeeper.store.migrate import migrate as bring_up_to_date

                bring_up_to_date(db)
        except BaseException:
            db.close()
            raise
        return db

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent snapshot for the length of the block; nothing can be written in it."""
        queue = self._queue_if_shared()
        with queue, _translated(), self.engine.connect() as conn, conn.begin() as transaction:
            self._begin(conn, write=False)
            conn.execution_options(wk_reads=True)
            yield conn
            transaction.rollback()

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: committed at the end of the block, rolled back when it raises."""
        with self._queue_if_sqlite(), _translated(), self.engine.connect() as conn, conn.begin():
            self._begin(conn, write=True)
            yield conn

    def submit(self, work: Callable[[Connection], T]) -> Future[T]:
        """Have ``work`` done in a transaction shared with others; resolved once committed.

        Work that raises undoes only itself and gives its error to its own future. Work may be run
        again after a deadlock rolled everything back, so it must have no effect but on ``conn``.
        """
        future: Future[T] = Future()
        with self._starting:
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_all, name="writer", daemon=True)
                self._writer.start()
        self._jobs.put((work, future))
        return future

    def direct(self) -> Direct | None:
        """PostgreSQL for statements of the event loop itself; None on SQLite. Close it."""
        return Direct(self.engine.url, _DIRECT) if self.dialect == "postgresql" else None

    def close(self) -> None:
        """Finish submitted work and let go of all connections."""
        if self._writer is not None:
            self._jobs.put(None)
            self._writer.join(30)
            self._writer = None
        self.engine.dispose()

    def _begin(self, conn: Connection, *, write: bool) -> None:
        """Begin as the driver would not. Not an event of the engine: that makes each statement
        look for listeners, which idle replicas would pay for many times a second."""
        if self.dialect == "sqlite":
            _begin_sqlite(conn, write)
        elif not write:
            conn.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

    def _queue_if_sqlite(self) -> contextlib.AbstractContextManager[object]:
        return self._writing if self.dialect == "sqlite" else contextlib.nullcontext()

    def _queue_if_shared(self) -> contextlib.AbstractContextManager[object]:
        return self._writing if self._shared else contextlib.nullcontext()

    def _write_all(self) -> None:
        while (first := self._jobs.get()) is not None:
            jobs = [first]
            last = False
            while len(jobs) < MOST_TOGETHER and not last:
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
                last = job is None
                if job is not None:
                    jobs.append(job)
            self._write_together(jobs)
            if last:
                return

    def _write_together(self, jobs: list[_Job]) -> None:
        wanted = [job for job in jobs if job[1].set_running_or_notify_cancel()]
        try:
            outcomes = self._try_together(wanted)
        except Exception as error:
            outcomes = [(future, None, error) for _, future in wanted]
        for future, result, refused in outcomes:
            if refused is None:
                future.set_result(result)
            else:
                future.set_exception(refused)

    def _try_together(self, jobs: list[_Job]) -> list[_Outcome]:
        for attempt in range(1, MOST_ATTEMPTS + 1):
            try:
                with self.write() as conn:
                    if len(jobs) == 1:  # alone, it undoes only itself without a savepoint
                        work, future = jobs[0]
                        return [(future, work(conn), None)]
                    return [_in_savepoint(conn, work, future) for work, future in jobs]
            except StoreError as error:
                if attempt == MOST_ATTEMPTS or not _may_repeat(error):
                    raise
        raise AssertionError("unreachable")


def _in_savepoint(
    conn: Connection, work: Callable[[Connection], Any], future: Future[Any]
) -> _Outcome:
    try:
        with conn.begin_nested():
            return future, work(conn), None
    except _HARMLESS as error:
        return future, None, translate(error)
    except DBAPIError:
        raise  # the transaction itself may be broken: nobody's work is done
    except Exception as error:
        return future, None, error


def _may_repeat(error: StoreError) -> bool:
    """True when PostgreSQL ended the transaction only because it stood in another's way."""
    cause = error.__cause__
    state = getattr(getattr(cause, "orig", None), "sqlstate", None)
    return state in ("40001", "40P01")  # serialization failure, deadlock


def _sqlite(path: str) -> tuple[Engine, bool]:
    memory = path in ("", ":memory:")
    if not memory:
        parent = Path(path).resolve().parent
        if not parent.is_dir():
            raise UserError(f"There is no directory {parent}.", "Make it, or give another --db.")
    engine = create_engine(
        "sqlite://" if memory else f"sqlite:///{path}",
        poolclass=StaticPool if memory else QueuePool,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
        **({} if memory else {"pool_size": 8, "max_overflow": 56, "pool_use_lifo": True}),
    )

    @event.listens_for(engine, "connect")
    def _connected(raw: sqlite3.Connection, _: object) -> None:
        # We begin transactions ourselves: the driver's own BEGIN comes too late for a snapshot.
        raw.isolation_level = None
        raw.execute("PRAGMA journal_mode=WAL")
        # FULL: a commit is on disk before anyone is told, even when the power goes.
        raw.execute("PRAGMA synchronous=FULL")
        raw.execute("PRAGMA foreign_keys=ON")
        raw.execute("PRAGMA cache_size=-16000")

    return engine, memory


def _begin_sqlite(conn: Connection, write: bool) -> None:
    raw = conn.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    try:
        raw.execute("BEGIN IMMEDIATE" if write else "BEGIN")
    except sqlite3.Error as error:
        raise OperationalError("BEGIN", None, error) from error


def _postgresql(url: str) -> Engine:
    plain = url.split("://", 1)[1]
    engine = create_engine(
        f"postgresql+psycopg://{plain}",
        pool_size=8,
        max_overflow=24,
        pool_use_lifo=True,
        connect_args=dict(_OPTIONS),
    )

    @event.listens_for(engine, "checkin")
    def _returned(_: object, record: ConnectionPoolEntry) -> None:
        record.info["returned"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _taken(raw: object, record: ConnectionPoolEntry, _: object) -> None:
        # One that has just worked need not be asked whether it lives: that is a round trip.
        if time.monotonic() - record.info.get("returned", time.monotonic()) < UNASKED_SECONDS:
            return
        try:
            alive = engine.dialect.do_ping(raw)  # type: ignore[arg-type]
        except DBAPIError as error:
            raise DisconnectionError from error
        if not alive:
            raise DisconnectionError

    return engine


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turn the drivers' errors into ours, which say what to do."""
    try:
        yield
    except WatchkeeperError:
        raise
    except DBAPIError as error:
        raise translate(error) from error
    except PoolTimeout as error:
        message = "All connections to the database are in use."
        raise StoreError(message, "Nothing was written. Try again; fewer at once helps.") from error


def translate(error: DBAPIError) -> StoreError:
    """A driver's error as one that says what to do about it."""
    said = str(error.orig).strip().splitlines()[0] if error.orig else str(error)
    low = said.lower()
    for sign, message, hint in _SIGNS:
        if sign in low:
            return StoreError(f"{message} ({said})", hint)
    return StoreError(f"The database refused: {said}", "Nothing was written by this transaction.")


_SIGNS = (
    (
        "disk is full",
        "The disk of the database is full.",
        "Nothing was written. Make room; work goes on by itself then.",
    ),
    (
        "disk i/o error",
        "The disk of the database fails or is full.",
        "Nothing was written. Check the disk and its free space.",
    ),
    (
        "lock timeout",
        "The database is held by another session.",
        f"Nothing was written after {BUSY_SECONDS:g} s of waiting. End the session that holds it.",
    ),
    (
        "locked",
        "The database is held by another process.",
        f"Nothing was written after {BUSY_SECONDS:g} s of waiting. End the process that holds it.",
    ),
    (
        "readonly",
        "The database cannot be written.",
        "Check the owner and mode of the file and of its directory.",
    ),
    (
        "malformed",
        "The database file is damaged.",
        "Stop the server, keep a copy, and restore a backup or run sqlite3's .recover.",
    ),
    (
        "not a database",
        "That file is not a database.",
        "Give another path with --db; this file was not touched.",
    ),
    (
        "unable to open",
        "The database file cannot be opened.",
        "Check the path, and the mode of its directory.",
    ),
    (
        "no space left",
        "The disk of the database is full.",
        "Nothing was written. Make room; work goes on by itself then.",
    ),
    (
        "connection",
        "The database server cannot be reached.",
        "Check that PostgreSQL runs and that the URL is right; work goes on by itself then.",
    ),
)
