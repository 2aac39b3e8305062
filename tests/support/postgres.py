"""A real PostgreSQL for tests: one cluster a test process, one fresh database a test."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support.processes import free_port, wait_until


def binaries() -> Path:
    """Where Debian keeps the server's programs; fails with what to install."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    assert found, "PostgreSQL is not installed: apt-get install postgresql"
    return found[-1].parent


class Cluster:
    """A running server on a loopback port."""

    def __init__(self, directory: Path, durable: bool = False) -> None:
        self.directory = directory
        self.port = free_port()
        self.durable = durable
        self.environment: dict[str, str] = {}
        self._names = itertools.count(1)
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
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        for pid in [str(self._process.pid), *children.read_text().split()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        self._process.wait(20)

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
def postgres_url(postgres: Cluster) -> str:
    """The URL of a fresh database."""
    return postgres.new_database()
