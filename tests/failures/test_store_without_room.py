"""A disk that is really full, and a database that others hold: said clearly, nothing damaged."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from tests.support.postgres import Cluster
from watchkeeper.kernel.errors import StoreError
from watchkeeper.measure.model import Count
from watchkeeper.slo import ledger
from watchkeeper.store import Database

NOW = 29_000_000


@contextlib.contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """A file system of so many megabytes."""
    assert os.getuid() == 0, (
        "a small file system can be mounted only as root: run the tests as root"
    )
    directory = Path(tempfile.mkdtemp(prefix="wk-disk-", dir="/tmp"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(directory)]
    subprocess.run(mount, check=True, capture_output=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)
        directory.rmdir()


def record(db: Database, n: int) -> None:
    """One transaction: a minute of 640 SLIs."""
    counts = [Count(f"s{i}", NOW + n, i, i + 1) for i in range(640)]
    with db.write() as conn:
        ledger.record(conn, counts, NOW * 60)


def fill(db: Database) -> int:
    """Record until there is no room; how many transactions were accepted."""
    for n in range(20_000):
        refused = refusal(db, n)
        if refused is not None:
            assert "full" in refused.message
            assert "Make room" in refused.hint
            return n
    raise AssertionError("the disk was never full")


def refusal(db: Database, n: int) -> StoreError | None:
    """What the database said when it refused; None when it accepted."""
    try:
        record(db, n)
    except StoreError as error:
        return error
    return None


def minutes(db: Database) -> float:
    """How many minutes of the first SLI the ledger holds."""
    with db.read() as conn:
        ids = ledger.find(conn, ["s1"])["s1"]
        return float(ledger.series(conn, ids[0].id, NOW, NOW + 20_000, 20_000).seen.sum())


def test_a_full_disk_refuses_what_it_cannot_keep_and_keeps_what_it_accepted() -> None:
    with small_disk(24) as directory:
        ballast = directory / "ballast"
        ballast.write_bytes(b"x" * (1 << 20))
        db = Database.open(str(directory / "wk.db"))
        accepted = fill(db)
        assert accepted > 0
        ballast.unlink()
        record(db, accepted)
        assert minutes(db) == accepted + 1
        with db.read() as conn:
            assert conn.execute(text("PRAGMA integrity_check")).scalar() == "ok"
        db.close()


def test_a_full_disk_of_postgresql_refuses_what_it_cannot_keep_and_keeps_what_it_accepted(
    postgres: Cluster,
) -> None:
    with small_disk(32) as directory:
        directory.chmod(0o755)
        ballast, home = directory / "ballast", directory / "pg"
        ballast.write_bytes(b"x" * (4 << 20))
        home.mkdir()
        url = postgres.new_database(home)
        db = Database.open(url)
        try:
            accepted = fill(db)
            assert accepted > 0
            ballast.unlink()
            record(db, accepted)
            assert minutes(db) == accepted + 1
        finally:
            db.close()
            postgres.drop(url)


def test_a_postgresql_that_another_session_holds_says_so(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watchkeeper.store.database.BUSY_SECONDS", 0.3)
    db = Database.open(postgres_url)
    with psycopg.connect(postgres_url) as other:
        other.execute("LOCK TABLE sli IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(StoreError, match="held by another session"):
            record(db, 0)
        other.rollback()
    record(db, 0)
    assert minutes(db) == 1
    db.close()
