"""A fleet's projections come from history kept in memory; it must never be a past that was."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import Connection

from tests.support.slo import rolling, slo, specs
from watchkeeper.measure.model import Batch, Count
from watchkeeper.slo import ledger, outlook, profiles, work
from watchkeeper.slo.profiles import profiles_of
from watchkeeper.spec.model import Specs
from watchkeeper.store import Database

END = 29_666_417
NOW = END * 60.0
MANY = 60
DAYS = 3
OLD = END - (DAYS - 1) * 1440 + 200
"""In the window's first hours, long packed."""


def fleet() -> Specs:
    window = rolling(f"{DAYS - 1}d")
    return specs(*(slo(f"s{i}", "0.9", window, key=f"k{i}") for i in range(MANY)))


def fill(db: Database, defined: Specs) -> None:
    """Some spent, some about to be, some calm; errors come and go by the hour."""
    rng = np.random.default_rng(11)
    minutes = np.arange(END - DAYS * 1440, END, dtype=np.int64)
    with db.write() as conn:
        work.apply_specs(conn, defined, NOW)
        ids = ledger.register(conn, [(f"k{i}", ()) for i in range(MANY)], NOW)
        total = rng.integers(0, 40, (len(minutes), MANY))
        hourly = rng.uniform(0, 0.2, (len(minutes) // 60 + 1, MANY))[np.arange(len(minutes)) // 60]
        bad = rng.binomial(total, hourly * rng.uniform(0.3, 1.3, MANY).clip(0, 1))
        rows, at = np.tile(ids, len(minutes)), np.repeat(minutes, MANY)
        good = (total - bad).ravel().astype(np.float64)
        ledger.record_arrays(
            conn, rows, at, good, total.ravel().astype(np.float64), np.ones(total.size)
        )
        ledger.pack(conn, NOW)


Outlooks = dict[str, tuple[float | None, float | None]]


def outlooks(db: Database, defined: Specs, now: float) -> Outlooks:
    with db.read() as conn:
        found = work.evaluate_fleet(conn, defined, now).statuses
    return {s.name: (s.time_to_exhaustion_seconds, s.recovers_in_seconds) for s in found}


def one_by_one(
    db: Database, defined: Specs, now: float, monkeypatch: pytest.MonkeyPatch
) -> Outlooks:
    """The same without anything kept."""
    with monkeypatch.context() as patched:
        patched.setattr(outlook, "MANY", 10**9)
        return outlooks(db, defined, now)


def test_a_fleet_seen_all_at_once_has_the_outlooks_of_each_seen_alone(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlook, "MANY", 2)
    defined = fleet()
    fill(db, defined)

    for later in (0, 15, 61, 3600, 3 * 3600):
        together = outlooks(db, defined, NOW + later)
        assert together == one_by_one(db, defined, NOW + later, monkeypatch)
        with db.read() as conn:
            assert profiles_of(conn), "or it was compared with itself"
        if not later:
            crossing = [s for s, v in together.items() if any(x for x in v)]
            assert len(crossing) >= 20, "the data must make most of them cross"


def test_only_a_snapshot_in_which_nothing_can_be_written_is_remembered(db: Database) -> None:
    with db.read() as conn:
        kept = profiles_of(conn)
    with db.write() as conn:
        assert profiles_of(conn) is None
    with db.read() as conn:
        assert kept is not None
        assert profiles_of(conn) is kept


def test_a_fleet_is_read_from_kept_history(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each hour is read once, not at each evaluation."""
    monkeypatch.setattr(outlook, "MANY", 2)
    defined = fleet()
    fill(db, defined)
    outlooks(db, defined, NOW)

    def again(*_: object) -> None:
        raise AssertionError("kept history was read again")

    monkeypatch.setattr(profiles, "_read", again)
    outlooks(db, defined, NOW + 15)


def record(db: Database, defined: Specs, good: dict[int, float]) -> None:
    with db.write() as conn:
        counts = [Count(f"k{i}", m, n, n, 0) for i in range(MANY) for m, n in good.items()]
        work.record_batch(conn, defined, Batch(counts), NOW)


def test_events_that_move_within_kept_history_move_the_outlook_though_no_total_differs(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlook, "MANY", 2)
    defined = fleet()
    fill(db, defined)
    record(db, defined, {OLD: 300})
    before = outlooks(db, defined, NOW)

    record(db, defined, {OLD: -300, OLD + 20: 200, OLD + 700: 100})

    after = outlooks(db, defined, NOW)

    assert after == one_by_one(db, defined, NOW, monkeypatch)
    assert after != before


def test_what_a_transaction_saw_that_was_rolled_back_is_not_remembered(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlook, "MANY", 2)
    defined = fleet()
    fill(db, defined)
    before = outlooks(db, defined, NOW)
    counts = [Count(f"k{i}", OLD, 0, 500, 0) for i in range(MANY)]

    def fail(conn: Connection) -> None:
        work.record_batch(conn, defined, Batch(counts), NOW)
        work.evaluate_fleet(conn, defined, NOW)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        db.submit(fail).result()

    assert outlooks(db, defined, NOW) == before
