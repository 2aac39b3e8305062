"""Replicas share one PostgreSQL: whatever two of them do at once, every event counts once."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from sqlalchemy import Connection

from tests.support.postgres import sessions
from tests.support.processes import wait_until
from tests.support.slo import rolling, slo, specs
from watchkeeper.kernel.errors import StoreError, UserError
from watchkeeper.measure import store as measure_store
from watchkeeper.measure.model import Batch, Count
from watchkeeper.slo import ledger
from watchkeeper.slo import store as slo_store
from watchkeeper.slo import work as slo_work
from watchkeeper.slo.model import TargetVersion
from watchkeeper.spec.model import Place, RatioTimeSlices, SourceDefinition, SourceType
from watchkeeper.store import Database

ROOT = Path(__file__).parents[2]
NOW = 29_000_000
SOURCE = SourceDefinition("s", SourceType.PUSH, {}, Place(""))
LATER = "an insertion, an update, or a lock of the other replica waits"


@pytest.fixture
def replicas(postgres_url: str) -> Iterator[tuple[Database, Database]]:
    """Two databases as two processes would open them."""
    one, two = Database.open(postgres_url), Database.open(postgres_url)
    yield one, two
    one.close()
    two.close()


def add(conn: Connection, *keys: str) -> None:
    ledger.record(conn, [Count(key, NOW, 1, 2) for key in keys], NOW * 60)


def total(db: Database, key: str) -> float:
    with db.read() as conn:
        ids = [row.id for row in ledger.find(conn, [key])[key]]
        return float(ledger.edges(conn, np.asarray(ids), [NOW + 1])[0, 0, 1])


def in_its_own(db: Database, work: Callable[[Connection], object]) -> object:
    with db.write() as conn:
        return work(conn)


def waits(url: str) -> bool:
    """True when a session of this database waits for a lock."""
    return sessions(url, "wait_event_type = 'Lock'") > 0


def meanwhile(
    replicas: tuple[Database, Database],
    url: str,
    first: Callable[[Connection], object],
    other: Callable[[Connection], object],
    then: Callable[[Connection], object] = lambda conn: None,
) -> object:
    """One replica does ``first``; before it commits the other starts, and waits for it; then one
    does ``then`` and commits. What the other returned."""
    with ThreadPoolExecutor(1) as pool:
        with replicas[0].write() as conn:
            first(conn)
            started: Future[object] = pool.submit(in_its_own, replicas[1], other)
            wait_until(lambda: waits(url), 10, LATER)
            then(conn)
        return started.result(20)


def test_two_replicas_that_begin_the_same_chunk_at_once_lose_no_event(
    replicas: tuple[Database, Database], postgres_url: str
) -> None:
    with replicas[0].write() as conn:
        ledger.register(conn, [("a", ()), ("b", ())], 0.0)
    meanwhile(replicas, postgres_url, lambda c: add(c, "a"), lambda c: add(c, "a", "b"))
    assert (total(replicas[0], "a"), total(replicas[0], "b")) == (4, 2)


def test_two_replicas_that_register_the_same_slis_give_them_the_same_numbers(
    replicas: tuple[Database, Database], postgres_url: str
) -> None:
    numbers = []
    one = [("a", ()), ("b", ())]
    other = [("b", ()), ("c", ())]
    found = meanwhile(
        replicas,
        postgres_url,
        lambda c: numbers.extend(ledger.register(c, one, 0.0)),
        lambda c: ledger.register(c, other, 0.0),
    )
    assert isinstance(found, list)
    assert found[0] == numbers[1]
    assert len({*numbers, *found}) == 3


def test_replicas_that_record_into_the_same_chunks_in_opposite_order_do_not_block_each_other(
    replicas: tuple[Database, Database], postgres_url: str
) -> None:
    low, high = "k0", "k99"
    with replicas[0].write() as conn:
        add(conn, *[f"k{i}" for i in range(100)])

    def upwards(conn: Connection) -> None:
        add(conn, low)

    def downwards(conn: Connection) -> None:
        add(conn, high)
        add(conn, low)

    meanwhile(replicas, postgres_url, upwards, downwards, lambda c: add(c, high))
    assert (total(replicas[0], low), total(replicas[0], high)) == (6, 6)


def test_packing_and_recording_side_by_side_do_not_block_each_other(
    replicas: tuple[Database, Database], postgres_url: str
) -> None:
    with replicas[0].write() as conn:
        add(conn, *[f"k{i}" for i in range(100)])
    later = (NOW + 600) * 60
    packed = meanwhile(
        replicas,
        postgres_url,
        lambda c: add(c, "k99"),
        lambda c: ledger.pack(c, later),
        lambda c: add(c, "k0"),
    )
    assert packed
    assert (total(replicas[0], "k0"), total(replicas[0], "k99")) == (4, 4)


def test_a_push_that_reaches_two_replicas_at_once_is_taken_by_one(
    replicas: tuple[Database, Database], postgres_url: str
) -> None:
    taken = []

    def claim(conn: Connection) -> bool:
        return measure_store.claim_push(conn, "key", 1.0, 100)

    other = meanwhile(replicas, postgres_url, lambda c: taken.append(claim(c)), claim)
    assert [*taken, other] == [True, False]


def test_a_batch_that_two_replicas_collected_is_saved_by_one(
    replicas: tuple[Database, Database], postgres_url: str
) -> None:
    saved = []

    def save(conn: Connection) -> bool:
        return measure_store.save(conn, SOURCE, Batch(cursor={"at": 1}), 1.0, None)

    other = meanwhile(replicas, postgres_url, lambda c: saved.append(save(c)), save)
    assert [*saved, other] == [True, False]


def test_two_replicas_that_load_a_new_target_at_once_note_it_once(
    replicas: tuple[Database, Database], postgres_url: str
) -> None:
    def note(conn: Connection) -> None:
        slo_store.add_versions(conn, NOW, {"checkout": Decimal("0.9")})

    meanwhile(replicas, postgres_url, note, note)
    with replicas[0].read() as conn:
        found = slo_store.versions(conn, "checkout")
    assert found == {"checkout": [TargetVersion(NOW, Decimal("0.9"))]}


def test_two_replicas_that_load_a_sliced_objective_again_at_once_make_up_its_slices_once(
    replicas: tuple[Database, Database], postgres_url: str
) -> None:
    without = specs(slo("a"))
    sliced = specs(slo("a", window=rolling("1d"), method=RatioTimeSlices(10)))
    start = NOW - 30
    with replicas[0].write() as conn:
        slo_work.apply_specs(conn, sliced, start * 60)
        first = Batch([Count("a-sli", start, 1, 2)])
        slo_work.record_batch(conn, sliced, first, start * 60)
        rest = Batch([Count("a-sli", start + age, 9, 10) for age in range(1, 30)])
        slo_work.record_batch(conn, without, rest, NOW * 60)

    def load(conn: Connection) -> None:
        slo_work.apply_specs(conn, sliced, NOW * 60)

    meanwhile(replicas, postgres_url, load, load)
    with replicas[0].read() as conn:
        (found,) = slo_work.evaluate_fleet(conn, sliced, NOW * 60).statuses
    assert found.events.total == 3
    assert found.events.good == pytest.approx(82 / 92 + 0.9 + 0.9)


def test_submitted_work_that_meets_a_deadlock_is_done_again(
    replicas: tuple[Database, Database], postgres_url: str
) -> None:
    """Each holds what the other wants next: PostgreSQL ends one of the two transactions."""
    tried = []

    def claim(conn: Connection, key: str) -> bool:
        return measure_store.claim_push(conn, key, 1.0, 100)

    has_b = Event()

    def both(conn: Connection) -> list[bool]:
        tried.append(1)
        first = claim(conn, "b")
        has_b.set()
        if len(tried) == 1:
            wait_until(lambda: waits(postgres_url), 10, LATER)
        # It closes the circle, and looks for it sooner: it is the one that is ended.
        conn.exec_driver_sql("SET LOCAL deadlock_timeout = '100ms'")
        return [first, claim(conn, "a")]

    with ThreadPoolExecutor(1) as pool:
        with replicas[0].write() as conn:
            conn.exec_driver_sql("SET LOCAL deadlock_timeout = '20s'")
            assert claim(conn, "a")
            future = replicas[1].submit(both)
            assert has_b.wait(10)
            assert pool.submit(claim, conn, "b").result(10)
        assert future.result(20) == [False, False]
    # More than twice when it took "b" again before the one that waited for it woke.
    assert len(tried) >= 2


def test_submitted_work_that_breaks_a_rule_of_the_database_fails_alone(db: Database) -> None:
    def twice(conn: Connection) -> None:
        statement = "INSERT INTO push_key (key, at) VALUES ('k', 1)"
        conn.exec_driver_sql(statement)
        conn.exec_driver_sql(statement)

    def fail(conn: Connection) -> None:
        raise UserError("no")

    good, bad, also, last = db.submit(sized), db.submit(twice), db.submit(fail), db.submit(sized)
    assert (good.result(20), last.result(20)) == (0, 0)
    with pytest.raises(StoreError):
        bad.result(20)
    with pytest.raises(UserError):
        also.result(20)


def sized(conn: Connection) -> int:
    return int(conn.exec_driver_sql("SELECT count(*) FROM push_key").scalar_one())


WRITER = """
import random, sys
from watchkeeper.measure.model import Count
from watchkeeper.slo import ledger
from watchkeeper.store import Database

url, seed = sys.argv[1], int(sys.argv[2])
rng = random.Random(seed)
db = Database.open(url)
for n in range(30):
    ages = [0, 0, 0, 3, 70, 400]
    counts = [
        Count(f"k{rng.randrange(150)}", {now} + n - rng.choice(ages), rng.randrange(9), 10)
        for _ in range(rng.randrange(1, 20))
    ]
    with db.write() as conn:
        ledger.record(conn, counts, 0.0)
        if rng.random() < 0.2:
            ledger.pack(conn, ({now} + n) * 60, 60)
    for c in counts:
        print(c.sli, c.minute, int(c.good), int(c.total))
"""


def test_what_three_processes_record_at_once_equals_their_recount(postgres_url: str) -> None:
    seeds = [random.randrange(10**6) for _ in range(3)]
    print("seeds", seeds)
    script = WRITER.replace("{now}", str(NOW))
    commands = [[sys.executable, "-c", script, postgres_url, str(seed)] for seed in seeds]
    writers = [subprocess.Popen(c, stdout=subprocess.PIPE, text=True, cwd=ROOT) for c in commands]
    expected: dict[tuple[str, int], list[float]] = {}
    for writer in writers:
        out, _ = writer.communicate(timeout=60)
        assert writer.returncode == 0
        for line in out.splitlines():
            key, minute, good, events = line.split()
            entry = expected.setdefault((key, int(minute)), [0, 0, 1])
            entry[0], entry[1] = entry[0] + int(good), entry[1] + int(events)
    db = Database.open(postgres_url)
    with db.read() as conn:
        found = {(r.sli, r.minute): [r.good, r.total, r.seen] for r in ledger.export_rows(conn)}
    db.close()
    assert found == expected
