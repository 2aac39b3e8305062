"""A real PostgreSQL for tests: one cluster a test process; each test has a database to itself."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from sqlalchemy import inspect

from tests.support.processes import free_port, wait_until
from watchkeeper.store import Database


def binaries() -> Path:
    """Where Debian keeps the server's programs; fails with what to install."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    assert found, "PostgreSQL is not installed: apt-get install postgresql"
    return found[-1].parent


END_OTHERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
RESTART_NUMBERS = "SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'"


def sessions(url: str, which: LiteralString, *values: str) -> int:
    """How many sessions of this database there are of which this condition is true."""
    with psycopg.connect(url) as conn:
        found = conn.execute(SESSIONS + which, values).fetchone()
    return int(found[0]) if found else 0


def end_others(url: str) -> int:
    """End all sessions of this database. How many there were."""
    with psycopg.connect(url) as conn:
        return conn.execute(END_OTHERS).rowcount


@functools.cache
def migrated_tables() -> set[str]:
    """The tables that every database of ours has."""
    db = Database.open(":memory:")
    try:
        return set(inspect(db.engine).get_table_names())
    finally:
        db.close()


class Cluster:
    """A running server on a loopback port."""

    def __init__(self, directory: Path, durable: bool = False) -> None:
        self.directory = directory
        self.port = free_port()
        self.durable = durable
        self.environment: dict[str, str] = {}
        self._names = itertools.count(1)
        self._clean: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Make the cluster when it is new, start it, wait until it answers."""
        if not (self.directory / "data").exists():
            self._own()
            self._run("initdb", "-D", str(self.directory / "data"), "-A", "trust", "-U", "wk", "-N")
        options = ["-c", f"port={self.port}", "-c", "listen_addresses=127.0.0.1"]
        options += ["-c", f"unix_socket_directories={self.directory}", "-c", "max_connections=200"]
        if not self.durable:
            options += ["-c", "fsync=off"]
        command = [str(binaries() / "postgres"), "-D", str(self.directory / "data"), *options]
        self._process = subprocess.Popen(
            command,
            stdout=(self.directory / "log").open("ab"),
            stderr=subprocess.STDOUT,
            user=self._user(),
            cwd=self.directory,
            env={**os.environ, **self.environment},
        )
        wait_until(self._answers, 30, "PostgreSQL answers")

    def stop(self) -> None:
        """Stop it at once; the cluster is thrown away anyway."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)  # immediate shutdown
            self._process.wait(20)

    def kill(self) -> None:
        """End every process of the server at once, as kill -9 would; ``start`` brings it back."""
        for pid in self._pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert self._process is not None
        self._process.wait(20)

    def spent(self) -> float:
        """Seconds of processor time that the processes which it now has have taken."""
        spent = 0
        for pid in self._pids():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                spent += int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
        return spent / 1e9

    def _pids(self) -> list[int]:
        assert self._process is not None
        its = self._process.pid
        children = Path(f"/proc/{its}/task/{its}/children").read_text().split()
        return [its, *map(int, children)]

    def new_database(self, directory: Path | None = None) -> str:
        """The URL of an empty database; with its files in ``directory`` when that is given."""
        name = f"t{os.getpid()}_{next(self._names)}"
        where = ""
        with psycopg.connect(self.url("postgres"), autocommit=True) as conn:
            if directory is not None:
                if os.getuid() == 0:
                    shutil.chown(directory, "postgres", "postgres")
                where = f' TABLESPACE "{name}"'
                conn.execute(f"CREATE TABLESPACE \"{name}\" LOCATION '{directory}'".encode())
            conn.execute(f'CREATE DATABASE "{name}"{where}'.encode())
        return self.url(name)

    def lend(self) -> str:
        """The URL of a database without rows; it may be migrated already."""
        return self._clean.pop() if self._clean else self.new_database()

    def take_back(self, url: str) -> None:
        """Empty a database that was lent, for the next test; forget one that has other tables.

        To make and to migrate one costs ten times as much.
        """
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(END_OTHERS)
            found = conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            tables = {str(row[0]) for row in found}
            if tables != migrated_tables():
                return
            emptied = "; ".join(f'DELETE FROM "{t}"' for t in tables - {"alembic_version"})
            # As a replica, so that foreign keys ask for no order.
            conn.execute(f"SET session_replication_role = replica; {emptied}".encode())
            conn.execute(RESTART_NUMBERS)
        self._clean.append(url)

    def drop(self, url: str) -> None:
        """Drop a database, and its tablespace of the same name."""
        name = url.rpartition("/")[2]
        with psycopg.connect(self.url("postgres"), autocommit=True) as conn:
            conn.execute(f'DROP DATABASE "{name}"'.encode())
            conn.execute(f'DROP TABLESPACE IF EXISTS "{name}"'.encode())

    def url(self, name: str) -> str:
        """The URL of a database."""
        return f"postgresql://wk@127.0.0.1:{self.port}/{name}"

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _user(self) -> str | None:
        # The server refuses to run as root.
        return "postgres" if os.getuid() == 0 else None

    def _own(self) -> None:
        if os.getuid() == 0:
            shutil.chown(self.directory, "postgres", "postgres")

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(binaries() / program), *arguments],
            check=True,
            capture_output=True,
            user=self._user(),
            cwd=self.directory,
        )


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A cluster for this test process."""
    # Not below pytest's own directory, which the server's user may not enter.
    directory = Path(tempfile.mkdtemp(prefix="wk-pg-", dir="/tmp"))
    cluster = Cluster(directory)
    cluster.start()
    yield cluster
    cluster.stop()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres: Cluster) -> Iterator[str]:
    """The URL of a database without rows."""
    url = postgres.lend()
    yield url
    postgres.take_back(url)
