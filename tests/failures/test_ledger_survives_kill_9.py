"""kill -9 of a process that records, and of PostgreSQL under it: all of a batch or none of it."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.support import recorder
from tests.support.postgres import Cluster
from tests.support.processes import wait_until
from watchkeeper.slo import ledger
from watchkeeper.store import Database

ROOT = Path(__file__).parents[2]
KILLS = 10


@dataclass
class Victim:
    """The recorder as a child process, and what must be in the ledger it writes."""

    url: str
    told: Path
    counted: int = 0
    expected: dict[tuple[str, int], list[float]] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.support.recorder", self.url, str(self.told)]
        out = self.told.with_suffix(".out").open("ab")
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out)
        out.close()

    def lines(self) -> int:
        return self.told.read_bytes().count(b"\n") if self.told.exists() else 0

    def works(self) -> None:
        """Wait until it has recorded something since it started."""
        before = self.lines()
        wait_until(lambda: self.lines() > before, 30, "the recorder records")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def accepted(self) -> int:
        lines = self.told.read_text().split("\n") if self.told.exists() else [""]
        return int(lines[-2]) if len(lines) > 1 else 0

    def check(self) -> int:
        """The ledger holds exactly the batches that the cursor says, and none accepted is lost."""
        db = Database.open(self.url)
        try:
            done = recorder.batches(db)
            self._recount(done)
            with db.read() as conn:
                rows = ledger.export_rows(conn)
                found = {(r.sli, r.minute): [r.good, r.total, r.seen] for r in rows}
                if db.dialect == "sqlite":
                    assert conn.execute(text("PRAGMA integrity_check")).scalar() == "ok"
        finally:
            db.close()
        assert found == {at: v for at, v in self.expected.items() if any(v)}
        assert done >= self.accepted()
        return done

    def _recount(self, done: int) -> None:
        for n in range(self.counted, done):
            for c in recorder.batch(n):
                entry = self.expected.setdefault((c.sli, c.minute), [0, 0, 1])
                entry[0], entry[1] = entry[0] + c.good, entry[1] + c.total
        self.counted = done


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_kills_at_random_moments_leave_whole_batches_only(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    moments = random.Random(seed)
    url = str(tmp_path / "wk.db")
    if kind == "postgresql":
        url = request.getfixturevalue("postgres_url")
    db = Database.open(url)
    recorder.prepare(db)
    db.close()
    victim = Victim(url, tmp_path / "told")
    for _ in range(KILLS):
        victim.start()
        if moments.random() < 0.9:  # else it may be killed while it starts
            victim.works()
        time.sleep(moments.uniform(0, 0.3))  # the moment of the kill is the test's input
        victim.kill()
        victim.check()
    assert victim.counted > KILLS


@pytest.fixture
def durable() -> Iterator[Cluster]:
    """A PostgreSQL that syncs, as in production."""
    directory = Path(tempfile.mkdtemp(prefix="wk-pg-", dir="/tmp"))
    cluster = Cluster(directory, durable=True)
    cluster.start()
    yield cluster
    cluster.stop()
    shutil.rmtree(directory, ignore_errors=True)


def test_a_postgresql_that_is_killed_comes_back_with_every_accepted_batch(
    durable: Cluster, tmp_path: Path
) -> None:
    url = durable.new_database()
    db = Database.open(url)
    recorder.prepare(db)
    db.close()
    victim = Victim(url, tmp_path / "told")
    for moment in (0.1, 0.4):
        victim.start()
        victim.works()
        time.sleep(moment)
        durable.kill()
        assert victim.process is not None
        assert victim.process.wait(20) != 0  # it says so and ends, it does not carry on
        assert "StoreError" in victim.told.with_suffix(".out").read_text()
        durable.start()
        victim.check()
    assert victim.counted > 2
