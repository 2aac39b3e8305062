"""The ledger equals a brute-force recount, whatever comes in whatever order."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.measure.model import Count, GroupKey
from watchkeeper.slo import ledger
from watchkeeper.store import Database

START = 29_000_000
KEYS = ("a", "b")
GROUPS: tuple[GroupKey, ...] = ((), (("route", "/x"),))

ages = st.sampled_from([0, 0, 0, 1, 2, 7, 59, 60, 61, 200, 1500, 9000])
counts = st.tuples(
    st.sampled_from(KEYS),
    st.sampled_from(GROUPS),
    ages,
    st.integers(-5, 50),
    st.integers(-5, 50),
    st.integers(0, 1),
)
steps = st.tuples(
    st.sampled_from([0, 1, 1, 5, 61, 240, 3000]),
    st.lists(counts, min_size=1, max_size=12),
    st.sampled_from([None, None, 0, 60, 180]),
)
Script = list[tuple[int, list[tuple[str, GroupKey, int, int, int, int]], int | None]]
scripts = st.lists(steps, min_size=1, max_size=8)


@dataclass
class Recount:
    """What a reader with a pencil would have."""

    minutes: dict[tuple[str, GroupKey], dict[int, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(lambda: [0, 0, 0]))
    )

    def add(self, count: Count) -> None:
        entry = self.minutes[count.sli, count.group][count.minute]
        entry[0] += count.good
        entry[1] += count.total
        entry[2] = min(1, entry[2] + count.seen)

    def before(self, row: tuple[str, GroupKey], minute: int) -> list[float]:
        mine = [v for m, v in self.minutes[row].items() if m < minute]
        return [sum(v[i] for v in mine) for i in range(3)]


def play(db: Database, script: Script, recount: Recount) -> int:
    now = START
    for leap, batch, keep in script:
        now += leap
        made = [Count(k, now - age, g, t, s, group) for k, group, age, g, t, s in batch]
        for count in made:
            recount.add(count)
        with db.write() as conn:
            ledger.record(conn, made, now * 60)
            if keep is not None:
                ledger.pack(conn, now * 60, keep)
    return now


def compare(db: Database, recount: Recount, now: int) -> None:
    with db.read() as conn:
        rows = ledger.find(conn, list(KEYS))
        for key, found in rows.items():
            for row in found:
                touched = sorted(recount.minutes[key, row.group])
                at = sorted({m + d for m in touched for d in (0, 1, 30, 60)} | {now + 1, now + 90})
                cum = ledger.edges(conn, np.asarray([row.id]), at)[:, 0, :]
                assert cum.tolist() == [recount.before((key, row.group), m) for m in at]


@settings(max_examples=60, deadline=None)
@given(script=scripts)
def test_every_edge_equals_a_recount_under_late_data_negative_amounts_and_packing(
    script: Script,
) -> None:
    db, recount = Database.open(":memory:"), Recount()
    compare(db, recount, play(db, script, recount))
    db.close()


@settings(max_examples=40, deadline=None)
@given(script=scripts, cuts=st.lists(st.integers(0, 9000), min_size=1, max_size=5))
def test_windows_add_up(script: Script, cuts: list[int]) -> None:
    db, recount = Database.open(":memory:"), Recount()
    now = play(db, script, recount)
    with db.read() as conn:
        for found in ledger.find(conn, list(KEYS)).values():
            ids = np.asarray([row.id for row in found])
            at = sorted({now - 12_000, now + 1, *(now - c for c in cuts)})
            parts = np.diff(ledger.edges(conn, ids, at), axis=0)
            whole = ledger.edges(conn, ids, [at[-1]]) - ledger.edges(conn, ids, [at[0]])
            assert np.array_equal(parts.sum(axis=0), whole[0])
    db.close()


@settings(max_examples=40, deadline=None)
@given(script=scripts)
def test_what_is_exported_and_imported_elsewhere_is_the_same_ledger(script: Script) -> None:
    db, other, recount = Database.open(":memory:"), Database.open(":memory:"), Recount()
    now = play(db, script, recount)
    with db.read() as conn:
        rows = list(ledger.export_rows(conn))
    with other.write() as conn:
        ledger.import_rows(conn, rows, now * 60)
    compare(other, recount, now)
    db.close()
    other.close()


@settings(max_examples=40, deadline=None)
@given(script=scripts)
def test_spans_are_the_first_and_last_minute_that_was_seen(script: Script) -> None:
    db, recount = Database.open(":memory:"), Recount()
    play(db, script, recount)
    with db.read() as conn:
        for key, found in ledger.find(conn, list(KEYS)).items():
            for row in found:
                seen = [m for m, v in recount.minutes[key, row.group].items() if v[2]]
                span = ledger.spans(conn, np.asarray([row.id]))[0].tolist()
                assert span == ([min(seen), max(seen)] if seen else [-1, -1])
    db.close()
