"""A database with SLOs, and an independent recount of whatever was recorded into it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from watchkeeper.measure.model import Batch, Count
from watchkeeper.slo import ledger, work
from watchkeeper.slo.model import BURN_WINDOWS, Correction, SloDetail, SloStatus, TargetVersion
from watchkeeper.spec.model import Specs
from watchkeeper.store import Database

Bad = dict[int, tuple[int, int]]
"""minute → (bad, total)"""


@dataclass
class Room:
    """The mathematics over a real database file, driven as the engine drives it."""

    db: Database
    specs: Specs

    def load(self, specs: Specs, now: float) -> None:
        self.specs = specs
        with self.db.write() as conn:
            work.apply_specs(conn, specs, now)

    def record(self, counts: Iterable[Count], now: float) -> None:
        with self.db.write() as conn:
            work.record_batch(conn, self.specs, Batch(list(counts)), now)

    def pack(self, now: float) -> None:
        with self.db.write() as conn:
            ledger.pack(conn, now)

    def correct(self, slo: str, start: int, end: int, id: str = "c") -> None:
        with self.db.write() as conn:
            work.correct(conn, Correction(id, slo, start, end, "load test", "ada", 0.0))

    def statuses(self, now: float, names: Sequence[str] | None = None) -> Sequence[SloStatus]:
        with self.db.read() as conn:
            return work.evaluate_fleet(conn, self.specs, now, names).statuses

    def status(self, name: str, now: float) -> SloStatus:
        return self.statuses(now, [name])[0]

    def detail(self, name: str, now: float) -> SloDetail:
        with self.db.read() as conn:
            return work.detail(conn, self.specs, name, now)


@contextmanager
def room(folder: Path, specs: Specs, now: float = 0.0) -> Iterator[Room]:
    db = Database.open(str(folder / "slo.db"))
    try:
        found = Room(db, specs)
        found.load(specs, now)
        yield found
    finally:
        db.close()


def counts(key: str, events: Bad) -> list[Count]:
    """These minutes of one SLI, as a source hands them over."""
    return [Count(key, m, t - b, t) for m, (b, t) in sorted(events.items())]


@dataclass
class Recount:
    """The definition of everything, computed the slow way from a list of minutes."""

    events: Bad
    target: Fraction
    holes: list[tuple[int, int]] = field(default_factory=list)
    versions: list[TargetVersion] = field(default_factory=list)

    def share(self, minute: int) -> Fraction:
        """What may be bad in this minute."""
        ordered = sorted(self.versions, key=lambda v: v.since)
        past = [v for v in ordered if v.since <= minute] or ordered[:1]
        return 1 - (Fraction(past[-1].target) if past else self.target)

    def window(self, start: int, end: int) -> tuple[int, int, Fraction]:
        """(bad, total, allowed)."""
        bad, total, allowed = 0, 0, Fraction(0)
        for minute, (b, t) in self.events.items():
            excluded = any(a <= minute < z for a, z in self.holes)
            if start <= minute < end and not excluded:
                bad, total = bad + b, total + t
                allowed += t * self.share(minute)
        return bad, total, allowed

    def check(self, status: SloStatus) -> None:
        """Every count, budget and burn rate of a status is the recount's, to the event."""
        bad, total, allowed = self.window(status.window_start, status.window_end)
        assert (status.events.bad, status.events.total) == (bad, total)
        assert status.budget.consumed == bad
        assert status.budget.total == float(allowed)
        assert status.budget.remaining == float(allowed - bad)
        expected = None if not total else float(1 - Fraction(bad) / allowed)
        assert near(status.budget.remaining_ratio, expected)
        for name, minutes in BURN_WINDOWS:
            b, t, a = self.window(status.window_end - minutes, status.window_end)
            if name != status.window:
                assert near(status.burn_rate[name], None if not t else float(b / a)), name


def near(a: float | None, b: float | None) -> bool:
    """Equal but for the last bit or two of a quotient."""
    if a is None or b is None:
        return a is b
    return abs(a - b) <= 1e-13 * max(1.0, abs(b))
