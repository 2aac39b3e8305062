"""The ledger on real databases: reopening, replicas, amounts that are not whole."""

from __future__ import annotations

import threading
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from tests.support.slo import slo, specs
from watchkeeper.measure.model import Count
from watchkeeper.slo import ledger, store, work
from watchkeeper.store import Database, timeline

NOW = 29_000_000


def total(db: Database, key: str, until: int = NOW + 10_000) -> list[float]:
    with db.read() as conn:
        ids = np.asarray([row.id for row in ledger.find(conn, [key])[key]])
        cum: list[float] = ledger.edges(conn, ids, [until])[0, 0].tolist()
        return cum


def record(db: Database, *counts: Count) -> None:
    with db.write() as conn:
        ledger.record(conn, counts, NOW * 60)


def test_late_events_of_a_packed_hour_reach_every_later_window(db: Database) -> None:
    record(db, *[Count("a", NOW - 3000 + m, 9, 10) for m in range(0, 3000, 7)])
    with db.write() as conn:
        ledger.pack(conn, NOW * 60, 60)
    before = total(db, "a")
    record(db, Count("a", NOW - 2500, 3, 5, 0))
    assert total(db, "a") == [before[0] + 3, before[1] + 5, before[2]]
    assert total(db, "a", NOW - 2499)[1] - total(db, "a", NOW - 2500)[1] in (5, 15)


def test_sixty_four_slis_share_a_chunk_and_the_next_one_starts_another(db: Database) -> None:
    record(db, *[Count(f"s{i}", NOW, i, 200) for i in range(130)])
    assert [total(db, f"s{i}") for i in range(130)] == [[i, 200, 1] for i in range(130)]


def test_amounts_that_are_not_whole_survive_packing_unrounded(db: Database) -> None:
    record(db, *[Count("a", NOW - 600 + m, 0.1 * m, 0.3 * m) for m in range(300)])
    with db.read() as conn:
        before = ledger.edges(conn, np.asarray([1]), list(range(NOW - 600, NOW - 300)))
    with db.write() as conn:
        ledger.pack(conn, NOW * 60, 0)
    with db.read() as conn:
        after = ledger.edges(conn, np.asarray([1]), list(range(NOW - 600, NOW - 300)))
    np.testing.assert_allclose(after, before, rtol=1e-13)


def test_counts_beyond_32_bits_stay_exact(db: Database) -> None:
    many = 2**40 + 1
    record(db, Count("a", NOW - 500, many, many + 7))
    with db.write() as conn:
        ledger.pack(conn, NOW * 60, 0)
    record(db, Count("a", NOW, 1, 1))
    assert total(db, "a") == [many + 1, many + 8, 2]


def test_an_sli_that_was_never_counted_reads_as_zero(db: Database) -> None:
    with db.write() as conn:
        (number,) = ledger.register(conn, [("a", ())], 0.0)
    with db.read() as conn:
        assert ledger.edges(conn, np.asarray([number]), [NOW]).tolist() == [[[0, 0, 0]]]
        assert ledger.spans(conn, np.asarray([number])).tolist() == [[-1, -1]]


def test_the_revision_grows_with_each_recording_and_with_nothing_else(db: Database) -> None:
    with db.read() as conn:
        before = ledger.revision(conn)
    record(db, Count("a", NOW, 1, 1))
    record(db, Count("a", NOW, 1, 1))
    with db.write() as conn:
        ledger.pack(conn, NOW * 60, 0)
    with db.read() as conn:
        assert ledger.revision(conn) == before + 2


def test_the_ledger_is_the_same_after_reopening(tmp_path: Path) -> None:
    path = str(tmp_path / "a.db")
    first = Database.open(path)
    record(first, Count("a", NOW - 700, 1, 2), Count("a", NOW, 3, 4))
    first.close()
    second = Database.open(path)
    assert total(second, "a") == [4, 6, 2]
    second.close()


@pytest.mark.parametrize("writers", [4])
def test_writers_side_by_side_lose_no_event(db: Database, writers: int) -> None:
    """Each writer has its own connections, as replicas have."""
    failures: list[BaseException] = []

    def work(n: int) -> None:
        try:
            for i in range(25):
                counts = [Count(f"k{j}", NOW - (i * 7 + j) % 400, 1, 2) for j in range(0, 100, 9)]
                with db.write() as conn:
                    ledger.record(conn, [*counts, Count(f"own{n}", NOW + i, 1, 1)], NOW * 60)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sum(total(db, f"k{j}")[1] for j in range(0, 100, 9)) == writers * 25 * 12 * 2
    assert [total(db, f"own{n}")[1] for n in range(writers)] == [25] * writers


def test_a_target_is_noted_only_when_its_value_is_new_and_told_only_when_it_was_another(
    db: Database,
) -> None:
    def load(minute: int, **targets: str) -> None:
        with db.write() as conn:
            defined = specs(*(slo(name, target=target) for name, target in targets.items()))
            work.apply_specs(conn, defined, minute * 60)

    load(NOW, a="0.99", b="0.9")
    load(NOW + 1, a="0.990", b="0.9")
    load(NOW + 2, a="0.999", b="0.9")
    load(NOW + 3, a="0.99", b="0.9", c="0.5")

    with db.read() as conn:
        kept = store.versions(conn, "a")["a"]
        assert [(v.since - NOW, str(v.target)) for v in kept] == [
            (0, "0.99"), (2, "0.999"), (3, "0.99")]  # fmt: skip
        assert store.targets(conn) == {
            "a": Decimal("0.99"), "b": Decimal("0.9"), "c": Decimal("0.5")}  # fmt: skip
        told = [(e.subject, e.data["target"]) for e in timeline.read(conn)]
    assert told == [("slo/a", "0.999"), ("slo/a", "0.99")]
