"""A process that does nothing but record, batch after batch, to be killed at any moment.

Batch n is the same whoever makes it, so a test can recount what n batches must have left.
Run as ``python -m tests.support.recorder URL FILE``: FILE gets a line with the number of batches
after each commit, so it never says more than was accepted.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from watchkeeper.measure import store
from watchkeeper.measure.model import Batch, Count
from watchkeeper.slo import ledger
from watchkeeper.spec.model import Place, SourceDefinition, SourceType
from watchkeeper.store import Database

SOURCE = SourceDefinition("recorder", SourceType.PUSH, {}, Place(""))
START = 29_000_000
KEYS = [f"k{i}" for i in (0, 1, 2, 70, 71, 72)]
"""In two chunks: every key from k0 to k79 is registered."""
_AGES = (0, 0, 0, 1, 5, 61, 200, 700, 3000)


def batch(n: int) -> list[Count]:
    """The counts of the n-th batch: of now, late, and sometimes taken back."""
    rng = random.Random(n)
    minute = START + n
    return [
        Count(rng.choice(KEYS), minute - rng.choice(_AGES), rng.randrange(-2, 9), rng.randrange(9))
        for _ in range(rng.randrange(1, 12))
    ]


def batches(db: Database) -> int:
    """How many batches were recorded, as the cursor says."""
    with db.read() as conn:
        cursor = store.cursors(conn, [SOURCE.name])[SOURCE.name]
    return 0 if cursor is None else int(cursor["n"])


def prepare(db: Database) -> None:
    """Register the keys, so that they fill two chunks."""
    with db.write() as conn:
        ledger.register(conn, [(f"k{i}", ()) for i in range(80)], 0.0)


def record(db: Database, n: int) -> None:
    """Record batch n and the cursor after it in one transaction; pack now and then."""
    now = (START + n) * 60
    made = batch(n)
    with db.write() as conn:
        before = None if n == 0 else {"n": n}
        assert store.save(conn, SOURCE, Batch(made, {"n": n + 1}), now, before)
        ledger.record(conn, made, now)
    if n % 25 == 24:
        with db.write() as conn:
            ledger.pack(conn, now)


def main(url: str, told: Path) -> None:
    """Record for ever."""
    db = Database.open(url)
    n = batches(db)
    with told.open("a") as out:
        while True:
            record(db, n)
            n += 1
            print(n, file=out, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
