"""Following files: rotation, truncation, compression, part lines; nothing lost, nothing twice."""

from __future__ import annotations

import gzip
import json
import random
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from watchkeeper.measure.accesslog import AccessLogSource, import_files, source
from watchkeeper.measure.model import Batch
from watchkeeper.spec.model import (
    CountsSli,
    LogQuery,
    Place,
    SliDefinition,
    SourceDefinition,
    SourceType,
)

NOW = 1_431_857_103.0  # 17 May 2015 10:05:03 UTC
SLI = SliDefinition("all", "log", CountsSli(LogQuery(), bad=LogQuery(status=("5xx",))))


def definition(path: Path, **settings: Any) -> SourceDefinition:  # noqa: ANN401
    found = {"path": str(path), "format": "common", **settings}
    return SourceDefinition("log", SourceType.ACCESS_LOG, found, Place("x.yaml"))


def line(n: int, status: int = 200, at: float = NOW) -> str:
    when = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(at))
    return f'10.0.{n // 250 % 250}.{n % 250} - - [{when}] "GET /{n} HTTP/1.1" {status} 5\n'


class Follower:
    """Collects as the engine does: cursor through JSON, sums kept."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cursor: Mapping[str, Any] | None = None
        self.good = self.total = 0.0
        self.seen: set[int] = set()
        self.notes: list[str] = []
        self.open()

    def open(self) -> None:
        self.source = AccessLogSource(definition(self.path))

    def collect(self, now: float = NOW) -> Batch:
        batch = self.source.collect([SLI], self.cursor, now)
        self.cursor = json.loads(json.dumps(batch.cursor))
        self.total += sum(c.total for c in batch.counts)
        self.good += sum(c.good for c in batch.counts)
        self.seen |= {c.minute for c in batch.counts if c.seen}
        self.notes += [f"{n.kind}: {n.message}" for n in batch.notes]
        return batch


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


def append(path: Path, *lines: str) -> None:
    with path.open("a") as f:
        f.write("".join(lines))


def test_new_lines_are_counted_once(log: Path) -> None:
    append(log, line(1), line(2, 500))
    follower = Follower(log)
    follower.collect()
    follower.collect()
    append(log, line(3))
    follower.collect()
    assert (follower.good, follower.total) == (2, 3)


def test_a_part_line_waits_for_its_end(log: Path) -> None:
    follower = Follower(log)
    append(log, line(1), line(2)[:20])
    follower.collect()
    assert follower.total == 1
    append(log, line(2)[20:])
    follower.collect()
    assert follower.total == 2
    assert not follower.notes


@pytest.mark.parametrize("packed", [False, True])
def test_a_rotated_log_is_read_to_its_end_and_not_again_when_it_is_packed(
    log: Path, packed: bool
) -> None:
    append(log, line(1), line(2))
    follower = Follower(log)
    follower.collect()
    append(log, line(3))
    rotated = log.with_name("access.log.1")
    log.rename(rotated)
    if packed:
        with gzip.open(f"{rotated}.gz", "wb") as out:
            out.write(rotated.read_bytes())
        rotated.unlink()
    append(log, line(4), line(5))
    follower.collect()
    assert follower.total == 5
    if not packed:
        with gzip.open(f"{rotated}.gz", "wb") as out:
            out.write(rotated.read_bytes())
        rotated.unlink()
    follower.collect()
    follower.open()
    follower.collect()
    assert follower.total == 5


def test_a_log_that_is_copied_and_truncated_is_counted_once(log: Path) -> None:
    append(log, line(1), line(2))
    follower = Follower(log)
    follower.collect()
    shutil.copy(log, log.with_name("access.log.1"))
    log.write_text("")
    follower.collect()
    append(log, line(3))
    follower.collect()
    assert follower.total == 3


def test_older_files_that_were_never_followed_are_not_history_unless_named(log: Path) -> None:
    append(log.with_name("access.log.1"), line(1))
    append(log, line(2))
    follower = Follower(log)
    follower.collect()
    assert follower.total == 1
    named = Follower(log.with_name("access.log*"))
    named.collect()
    assert named.total == 2


def test_random_writing_rotating_packing_and_restarting_counts_every_line_once(log: Path) -> None:
    for seed in range(12):
        rng = random.Random(seed)
        for old in log.parent.iterdir():
            old.unlink()
        log.touch()
        follower, written, errors = Follower(log), 0, 0
        for _ in range(60):
            action = rng.choice(["write", "write", "write", "rotate", "pack", "collect", "restart"])
            if action == "write":
                for _ in range(rng.randrange(1, 20)):
                    bad = rng.random() < 0.3
                    append(log, line(seed * 10_000 + written, 500 if bad else 200))
                    written += 1
                    errors += bad
            elif action == "rotate" and log.stat().st_size:
                # A log is only rotated away when it was looked at under its own name before.
                follower.collect()
                append(log, line(written))
                written += 1
                log.rename(log.with_name(f"access.log.{written}"))
                log.touch()
            elif action == "pack":
                for plain in log.parent.glob("access.log.*[0-9]"):
                    with gzip.open(f"{plain}.gz", "wb") as out:
                        out.write(plain.read_bytes())
                    plain.unlink()
            elif action == "collect":
                follower.collect()
            else:
                follower.open()
        follower.collect()
        assert (follower.total, follower.good) == (written, written - errors), f"seed {seed}"


def test_silence_while_the_log_is_followed_is_no_traffic_and_not_no_data(log: Path) -> None:
    append(log, line(1, at=NOW))
    follower = Follower(log)
    follower.collect(NOW + 5)
    follower.collect(NOW + 600)
    minute = int(NOW // 60)
    assert set(range(minute, minute + 10)) <= follower.seen
    assert minute + 11 not in follower.seen


def test_an_old_log_was_watched_from_its_first_line_to_its_last(log: Path) -> None:
    append(log, line(1, at=NOW - 86400 * 30), line(2, at=NOW - 86400 * 30 + 300))
    follower = Follower(log)
    follower.collect(NOW)
    first = int((NOW - 86400 * 30) // 60)
    assert follower.seen == set(range(first, first + 6))


def test_lines_that_are_no_requests_are_shown_and_not_fatal(log: Path) -> None:
    append(log, "what is this\n", line(1))
    follower = Follower(log)
    follower.collect()
    assert follower.total == 1
    assert follower.notes == [f"unparsable: not a request: {log}:1: 'what is this'"]


def test_a_log_that_is_not_there_is_said(log: Path) -> None:
    follower = Follower(log)
    batch = follower.collect()
    assert batch.cursor is None
    assert follower.notes == [f"error: no file fits {log}"]


def test_a_large_log_is_read_in_parts_each_safe_to_stop_after(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "BLOCK_BYTES", 5000)
    monkeypatch.setattr(source, "MOST_BYTES", 20_000)
    append(log, *[line(n) for n in range(2000)])
    follower = Follower(log)
    rounds = 1
    while follower.collect().more:
        rounds += 1
    assert rounds > 3
    assert follower.total == 2000


def test_old_files_are_imported_in_bulk_with_progress(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.log", tmp_path / "b.log.gz"
    append(plain, *[line(n) for n in range(100)])
    with gzip.open(packed, "wt") as out:
        out.write("".join(line(n) for n in range(50)))
    batches = list(import_files([plain, packed], [SLI], definition(plain)))
    assert sum(c.total for b in batches for c in b.counts) == 150
