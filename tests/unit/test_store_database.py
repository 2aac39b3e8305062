"""The database: snapshots, transactions, group commit, migrations, trouble."""

from __future__ import annotations

import importlib
import pkgutil
import sqlite3
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, select, text

import watchkeeper
from watchkeeper.kernel.errors import StoreError, UserError
from watchkeeper.store import Database, metadata, timeline
from watchkeeper.store.asking import among

ROOMS = [
    importlib.import_module(module.name)
    for module in pkgutil.walk_packages(watchkeeper.__path__, "watchkeeper.")
    if not module.name.startswith(("watchkeeper.faces", "watchkeeper.store.migrations"))
]


def write_event(conn: Connection, kind: str) -> None:
    timeline.append(conn, 1.0, kind, "s", "test", {"a": 1})


def kinds(db: Database) -> list[str]:
    with db.read() as conn:
        return [e.kind for e in timeline.read(conn)]


def test_migrations_make_exactly_the_tables_that_the_rooms_define(db: Database) -> None:
    assert ROOMS
    with db.read() as conn:
        assert compare_metadata(MigrationContext.configure(conn), metadata) == []


def test_a_migrated_database_opens_again_and_keeps_what_it_holds(tmp_path: Path) -> None:
    path = str(tmp_path / "a.db")
    first = Database.open(path)
    with first.write() as conn:
        write_event(conn, "kept")
    first.close()
    second = Database.open(path)
    assert kinds(second) == ["kept"]
    second.close()


def test_a_database_that_a_newer_version_has_prepared_opens_and_is_left_as_it_is(
    tmp_path: Path,
) -> None:
    path = str(tmp_path / "wk.db")
    with Database.open(path).write() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    again = Database.open(path)

    with again.write() as conn:
        timeline.append(conn, 5.0, "k", "s", "a", {})
        assert conn.execute(text("SELECT version_num FROM alembic_version")).scalar() == "9999"
    again.close()


def test_a_write_that_raises_leaves_nothing(db: Database) -> None:
    with pytest.raises(RuntimeError):
        _write_and_fail(db)
    assert kinds(db) == []


def _write_and_fail(db: Database) -> None:
    with db.write() as conn:
        write_event(conn, "lost")
        raise RuntimeError


def test_a_read_sees_one_snapshot_while_others_write(db: Database) -> None:
    with db.read() as reader:
        before = len(timeline.read(reader))
        writer = threading.Thread(target=lambda: _write_one(db))
        writer.start()
        writer.join()
        assert len(timeline.read(reader)) == before
    assert kinds(db) == ["other"]


def _write_one(db: Database) -> None:
    with db.write() as conn:
        write_event(conn, "other")


def test_nothing_can_be_kept_by_a_read(db: Database) -> None:
    try:
        with db.read() as conn:
            write_event(conn, "sneaked")
    except StoreError:
        pass  # PostgreSQL refuses outright; SQLite rolls back
    assert kinds(db) == []


def test_submitted_writes_are_all_there_once_their_futures_are_done(db: Database) -> None:
    futures = [db.submit(lambda c, n=n: write_event(c, f"k{n}")) for n in range(300)]  # type: ignore[misc]
    for future in futures:
        future.result(30)
    assert sorted(kinds(db)) == sorted(f"k{n}" for n in range(300))


def test_a_failing_submitted_write_fails_alone(db: Database) -> None:
    gate = threading.Event()

    def wait(conn: Connection) -> None:
        gate.wait(10)

    def fail(conn: Connection) -> None:
        write_event(conn, "undone")
        raise UserError("no")

    first = db.submit(wait)
    good, bad, also = (
        db.submit(lambda c: write_event(c, "one")),
        db.submit(fail),
        db.submit(lambda c: write_event(c, "two")),
    )
    gate.set()
    first.result(30)
    good.result(30)
    also.result(30)
    with pytest.raises(UserError):
        bad.result(30)
    assert sorted(kinds(db)) == ["one", "two"]


def test_many_submitted_writes_share_one_commit(tmp_path: Path) -> None:
    db = Database.open(str(tmp_path / "a.db"))
    commits = []
    from sqlalchemy import event

    event.listen(db.engine, "commit", lambda conn: commits.append(1))
    gate = threading.Event()
    first = db.submit(lambda c: gate.wait(10))
    rest = [db.submit(lambda c: write_event(c, "x")) for _ in range(100)]
    gate.set()
    first.result(10)
    for future in rest:
        future.result(10)
    assert len(commits) <= 3
    db.close()


def test_a_locked_database_says_so_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watchkeeper.store.database.BUSY_SECONDS", 0.2)
    path = tmp_path / "a.db"
    db = Database.open(str(path))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="held by another process"), db.write() as conn:
        write_event(conn, "never")
    other.execute("ROLLBACK")
    with db.write() as conn:
        write_event(conn, "later")
    assert kinds(db) == ["later"]
    other.close()
    db.close()


def test_a_full_disk_says_so_and_the_database_stays_sound(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    db = Database.open(str(path))
    with db.write() as conn:
        write_event(conn, "before")
        pages = int(conn.execute(text("PRAGMA page_count")).scalar_one())
    with pytest.raises(StoreError, match="full"):
        _overfill(db, pages)
    db.close()
    again = Database.open(str(path))
    assert kinds(again) == ["before"]
    with again.read() as conn:
        assert conn.execute(text("PRAGMA integrity_check")).scalar() == "ok"
    again.close()


def _overfill(db: Database, pages: int) -> None:
    with db.write() as conn:
        # What SQLite reports when it may not grow is what it reports on a full disk.
        conn.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        for n in range(2000):
            timeline.append(conn, 1.0, "x" * 90, "s" * 400, "t", {"n": n, "pad": "p" * 400})


def test_a_file_that_is_no_database_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes, not a database\n" * 100)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="not a database"):
        Database.open(str(path))
    assert path.read_bytes() == before


def test_a_server_that_is_not_there_is_a_clear_error() -> None:
    with pytest.raises(StoreError, match="cannot be reached"):
        Database.open("postgresql://wk@127.0.0.1:1/none")


def test_an_unknown_kind_of_database_is_refused() -> None:
    with pytest.raises(UserError, match="mysql"):
        Database.open("mysql://localhost/x")


def test_a_password_in_the_url_is_not_shown(postgres_url: str) -> None:
    db = Database.open(postgres_url.replace("wk@", "wk:hush@"))
    assert "hush" not in db.url
    db.close()


def test_rows_are_found_among_none_one_and_thousands_of_ids(db: Database) -> None:
    with db.write() as conn:
        for kind in ("a", "b", "c"):
            write_event(conn, kind)
    with db.read() as conn:
        first = timeline.read(conn)[0].id
        c = timeline.event.c
        for ids in ([], [first], [first + 2, first, first], range(first, first + 40_000)):
            query = select(c.id).where(among(conn, c.id, ids)).order_by(c.id)
            found = [int(i) for i in conn.execute(query).scalars()]
            assert found == sorted(i for i in set(ids) if i < first + 3)
