"""SQL sources: equal to a recount on every database, late rows included, and never a write."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from watchkeeper.measure.model import Batch
from watchkeeper.measure.sql.source import SqlSource
from watchkeeper.spec.model import (
    CountsSli,
    Place,
    SliDefinition,
    SourceDefinition,
    SourceType,
    SqlQuery,
)

START = 30_000_000
NOW = START * 60.0 + 5
EVENTS = [(START * 60 - 7200 + i * 37, i % 5 != 0) for i in range(190)]
PER_MINUTE = """select date_trunc('minute', ts) as minute, count(*) filter (where ok) as good,
    count(*) as total from ev where ts >= :from and ts < :to group by 1"""

Minutes = dict[int, tuple[float, float]]


def source(url: str, **more: Any) -> SqlSource:  # noqa: ANN401
    definition = SourceDefinition("s", SourceType.SQL, {"url": url, **more}, Place("x.yaml"))
    return SqlSource(definition, backfill_minutes=600)


def sli(sql: str) -> SliDefinition:
    return SliDefinition("a", "s", CountsSli(SqlQuery(sql)))


def text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def recount(events: Sequence[tuple[int, bool]]) -> Minutes:
    found: Minutes = {}
    for at, ok in events:
        good, total = found.get(at // 60, (0, 0))
        found[at // 60] = (good + ok, total + 1)
    return found


def add(ledger: Minutes, batch: Batch) -> None:
    for count in batch.counts:
        good, total = ledger.get(count.minute, (0, 0))
        ledger[count.minute] = (good + count.good, total + count.total)


def read(reader: SqlSource, sql: str) -> Minutes:
    batch = reader.collect([sli(sql)], None, NOW)
    assert [n.message for n in batch.notes] == []
    ledger: Minutes = {}
    add(ledger, batch)
    return {minute: value for minute, value in ledger.items() if value != (0, 0)}


def refused(reader: SqlSource, sql: str) -> str:
    batch = reader.collect([sli(sql)], None, NOW)
    assert batch.cursor is None
    assert list(batch.counts) == []
    (note,) = batch.notes
    assert note.kind == "error"
    return note.message


def test_a_duckdb_file_is_counted_event_for_event(tmp_path: Path) -> None:
    file = tmp_path / "e.duckdb"
    with duckdb.connect(str(file)) as made:
        made.execute("create table ev(ts timestamp, ok boolean)")
        made.executemany("insert into ev values (?, ?)", [(text(a), ok) for a, ok in EVENTS])
    assert read(source(f"duckdb:///{file}"), PER_MINUTE) == recount(EVENTS)
    dollars = PER_MINUTE.replace(":from", "$from").replace(":to", "$to")
    assert read(source(f"duckdb:///{file}"), dollars) == recount(EVENTS)
    refused(source(f"duckdb:///{file}"), "drop table ev")
    assert read(source(f"duckdb:///{file}"), PER_MINUTE) == recount(EVENTS)


def test_a_csv_file_is_counted_event_for_event(tmp_path: Path) -> None:
    file = tmp_path / "e.csv"
    lines = [f"{text(a)},{str(ok).lower()}\n" for a, ok in EVENTS]
    file.write_text("ts,ok\n" + "".join(lines))
    query = PER_MINUTE.replace("from ev", f"from read_csv('{file}')")
    assert read(source("duckdb://"), query) == recount(EVENTS)


def test_a_parquet_file_is_counted_event_for_event(tmp_path: Path) -> None:
    file = tmp_path / "e.parquet"
    with duckdb.connect() as made:
        made.execute("create table ev(ts timestamp, ok boolean)")
        made.executemany("insert into ev values (?, ?)", [(text(a), ok) for a, ok in EVENTS])
        made.execute(f"copy ev to '{file}' (format parquet)")
    query = PER_MINUTE.replace("from ev", f"from read_parquet('{file}')")
    assert read(source("duckdb://"), query) == recount(EVENTS)


def test_sqlite_with_times_as_text_is_counted_event_for_event(tmp_path: Path) -> None:
    file = tmp_path / "e.db"
    with sqlite3.connect(file) as made:
        made.execute("create table ev(at text, ok int)")
        made.executemany("insert into ev values (?, ?)", [(text(a), ok) for a, ok in EVENTS])
    query = """select strftime('%Y-%m-%d %H:%M:00', at) as minute, sum(ok) as good,
        count(*) as total from ev where at >= :from and at < :to group by 1"""
    assert read(source(f"sqlite:///{file}"), query) == recount(EVENTS)
    dollars = query.replace(":from", "$from").replace(":to", "$to")
    assert "$from" in dollars
    assert read(source(f"sqlite:///{file}"), dollars) == recount(EVENTS)
    refused(source(f"sqlite:///{file}"), "with x as (select 1) delete from ev")
    assert read(source(f"sqlite:///{file}"), query) == recount(EVENTS)


@pytest.mark.parametrize("kind", ["timestamp", "timestamptz"])
def test_postgresql_is_counted_event_for_event(postgres_url: str, kind: str) -> None:
    engine = sa.create_engine(postgres_url.replace("postgresql://", "postgresql+psycopg://"))
    zone = "+00" if kind == "timestamptz" else ""
    rows = [{"at": text(a) + zone, "ok": ok} for a, ok in EVENTS]
    with engine.begin() as conn:
        conn.exec_driver_sql(f"create table ev(ts {kind}, ok boolean)")
        conn.execute(sa.text("insert into ev values (:at, :ok)"), rows)
    engine.dispose()
    assert read(source(postgres_url), PER_MINUTE) == recount(EVENTS)
    refused(
        source(postgres_url), "with d as (delete from ev returning 1) select 0, 0, count(*) from d"
    )
    assert read(source(postgres_url), PER_MINUTE) == recount(EVENTS)


def test_a_database_that_is_not_there_is_said_and_not_made(tmp_path: Path) -> None:
    assert refused(source(f"sqlite:///{tmp_path}/none.db"), "select 1")
    assert list(tmp_path.iterdir()) == []


def test_a_query_that_takes_too_long_is_ended(postgres_url: str) -> None:
    began = time.monotonic()
    assert refused(source(postgres_url, timeout="1s"), "select pg_sleep(30), 0, 0")
    assert time.monotonic() - began < 15


late = st.lists(st.tuples(st.integers(0, 55), st.booleans()), max_size=5)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(st.tuples(st.integers(0, 3), late), min_size=1, max_size=8))
def test_late_rows_are_counted_once_in_whatever_order_they_come(
    tmp_path: Path, steps: list[tuple[int, list[tuple[int, bool]]]]
) -> None:
    file = tmp_path / "late.db"
    file.unlink(missing_ok=True)
    writer = sqlite3.connect(file)
    writer.execute("create table ev(at int, ok int)")
    query = """select at / 60 * 60 as minute, sum(ok) as good, count(*) as total from ev
        where at >= :from_epoch and at < :to_epoch group by 1"""
    now, ledger, events = (
        START * 60 + 30,
        dict[int, tuple[float, float]](),
        list[tuple[int, bool]](),
    )
    cursor: Mapping[str, Any] | None = None
    for minutes, rows in [*steps, (1, [])]:
        now += minutes * 60
        for ago, ok in rows:
            events.append((now - ago * 60, ok))
            writer.execute("insert into ev values (?, ?)", (now - ago * 60, int(ok)))
        writer.commit()
        batch = source(f"sqlite:///{file}").collect([sli(query)], cursor, now)
        assert not batch.notes
        add(ledger, batch)
        cursor = json.loads(json.dumps(batch.cursor))
    writer.close()
    assert {m: v for m, v in ledger.items() if v != (0, 0)} == recount(events)
