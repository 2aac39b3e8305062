from __future__ import annotations

import numpy as np

from tests.support.slo import rolling, slo, specs
from watchkeeper.measure.model import Batch, Count
from watchkeeper.slo import ledger, work
from watchkeeper.slo.ledger_bulk import edges_many
from watchkeeper.store import Database

END = 29_666_417
NOW = END * 60.0


def filled(db: Database, days: int, slis: int) -> list[int]:
    """Rows with gaps of minutes, of hours and of a whole day, packed and hot."""
    rng = np.random.default_rng(5)
    minutes = np.arange(END - days * 1440, END, dtype=np.int64)
    kept = minutes[(minutes // 60 % 7 != 0) & (minutes // 1440 % 3 != 0) & (minutes % 11 != 0)]
    with db.write() as conn:
        ids = ledger.register(conn, [(f"k{i}", ()) for i in range(slis)], NOW)
        total = rng.integers(0, 50, (len(kept), slis)).astype(np.float64)
        good = np.floor(total * rng.random(total.shape))
        rows, at = np.tile(ids, len(kept)), np.repeat(kept, slis)
        ledger.record_arrays(conn, rows, at, good.ravel(), total.ravel(), np.ones(total.size))
        ledger.pack(conn, NOW)
    return ids


def test_reading_each_slis_own_minutes_gives_the_ledgers_edges(db: Database) -> None:
    ids = filled(db, 5, 70)
    rng = np.random.default_rng(6)
    asked = [
        (ids[0], np.arange(END - 6 * 1440, END + 90, 60, dtype=np.int64)),
        (ids[1], np.unique(rng.integers(END - 7000, END + 5, 40)) // 60 * 60),
        (ids[69], np.sort(rng.integers(END - 9000, END + 200, 60))),
        (ids[68], np.arange(END - 4000, END - 3940, dtype=np.int64)),
        (ids[3], np.asarray([END - 100_000, END - 5 * 1440, END], dtype=np.int64)),
        (ids[4], np.zeros(0, dtype=np.int64)),
        (-1, np.asarray([END], dtype=np.int64)),
        (99_999, np.asarray([END], dtype=np.int64)),
    ]
    with db.read() as conn:
        together = edges_many(conn, asked)
        alone = [
            ledger.edges(conn, np.asarray([i], dtype=np.int64), m.tolist())[:, 0] for i, m in asked
        ]

    for (sli_id, _), got, expected in zip(asked, together, alone, strict=True):
        assert np.array_equal(got, expected), sli_id


def test_an_sli_that_is_new_since_the_last_evaluation_is_judged_in_the_next(db: Database) -> None:
    grouped = specs(slo(group_by=("pod",), window=rolling("1d")))
    seen = []
    for pod in ("a", "b"):
        with db.write() as conn:
            batch = Batch([Count("checkout-sli", END - 1, 1, 1, group=(("pod", pod),))])
            work.record_batch(conn, grouped, batch, NOW)
        with db.read() as conn:
            seen.append([s.name for s in work.evaluate_fleet(conn, grouped, NOW).statuses])

    assert seen == [["checkout[pod=a]"], ["checkout[pod=a]", "checkout[pod=b]"]]


def test_specs_that_change_are_judged_as_they_are_now(db: Database) -> None:
    with db.write() as conn:
        first = specs(slo("a", key="k"))
        work.record_batch(conn, first, Batch([Count("k", END - 1, 1, 2)]), NOW)
    with db.read() as conn:
        before = work.evaluate_fleet(conn, first, NOW).statuses
        after = work.evaluate_fleet(conn, specs(slo("b", "0.4", key="k")), NOW).statuses

    assert [(s.name, s.budget.remaining > 0) for s in before] == [("a", False)]
    assert [(s.name, s.budget.remaining > 0) for s in after] == [("b", True)]


def test_sparklines_show_the_share_of_good_events_in_each_part(db: Database) -> None:
    defined = specs(slo("a", key="k", window=rolling("1d")))
    with db.write() as conn:
        counts = [Count("k", END - 10, 1, 2), Count("k", END - 1000, 4, 4)]
        work.record_batch(conn, defined, Batch(counts), NOW)
    with db.read() as conn:
        drawn = work.sparklines(conn, defined, ["a"], NOW, points=4)
        counted = work.counters(conn, defined, NOW)

    assert drawn == {"a": [None, 1.0, None, 0.5]}
    assert counted == {"a": (5.0, 6.0)}
