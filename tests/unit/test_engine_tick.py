"""The tick: what counts is saved once, a broken change keeps the last good, trouble is shown."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from tests.support.processes import wait_until
from watchkeeper.engine.board import Board
from watchkeeper.engine.collect import Collector
from watchkeeper.engine.tick import BrokenSpecsError, Engine
from watchkeeper.faces.services import Services
from watchkeeper.kernel.clock import VirtualClock
from watchkeeper.measure import store as measure_store
from watchkeeper.measure.model import Batch, Count, Note
from watchkeeper.slo.model import Fleet
from watchkeeper.slo.work import evaluate_fleet
from watchkeeper.spec.model import SliDefinition, Specs
from watchkeeper.store import Database

NOW = 1_800_000_030.0
SPEC = """
apiVersion: openslo/v1
kind: DataSource
metadata: {name: metrics}
spec: {type: scrape, connectionDetails: {url: "http://127.0.0.1:1/metrics"}}
---
apiVersion: openslo/v1
kind: Service
metadata: {name: shop}
spec: {}
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: api}
spec:
  service: shop
  budgetingMethod: Occurrences
  timeWindow: [{duration: 30d, isRolling: true}]
  objectives: [{target: TARGET}]
  indicator:
    metadata: {name: api}
    spec:
      ratioMetric:
        counter: true
        bad: {metricSource: {metricSourceRef: metrics, type: scrape, spec: {selector: e_total}}}
        total: {metricSource: {metricSourceRef: metrics, type: scrape, spec: {selector: r_total}}}
"""


@dataclass
class Script:
    """A source that gives what the test lays out, once per cursor position."""

    name: str = "metrics"
    batches: list[Batch] = field(default_factory=list)
    gate: threading.Event | None = None
    fails: bool = False

    def collect(
        self, slis: Sequence[SliDefinition], cursor: Mapping[str, Any] | None, now: float
    ) -> Batch:
        if self.gate is not None:
            self.gate.wait(20)
        if self.fails:
            raise RuntimeError("a defect")
        at = int(cursor["n"]) if cursor else 0
        if at >= len(self.batches):
            return Batch(cursor=cursor)
        given = self.batches[at]
        return Batch(given.counts, {"n": at + 1}, given.notes, at + 1 < len(self.batches))


def batch(*counts: tuple[int, float, float]) -> Batch:
    key = "api"
    return Batch([Count(key, int(NOW // 60) - age, good, total) for age, good, total in counts])


class House:
    """An engine over a scripted source."""

    def __init__(self, directory: Path, db: Database, script: Script) -> None:
        self.directory, self.db, self.script, self.board = directory, db, script, Board()
        self.write("0.9")
        self.engine = self.make()

    def make(self) -> Engine:
        collector = Collector(lambda d, m: self.script)
        return Engine(self.db, [self.directory], collector, self.board, patience=20)

    def write(self, target: str) -> None:
        self.directory.mkdir(exist_ok=True)
        (self.directory / "slo.yaml").write_text(SPEC.replace("TARGET", target))

    @property
    def events(self) -> list[float]:
        status = self.board.posting.fleet.statuses[0]
        return [status.events.good, status.events.total]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    db = Database.open(str(tmp_path / "wk.db"))
    made = House(tmp_path / "specs", db, Script())
    yield made
    made.engine.collector.close()
    db.close()


def key_of(house: House) -> str:
    """The ledger key that the specs gave the SLI."""
    sli = house.board.posting.specs.slos["api"].sli
    assert sli is not None
    return sli.key


def started(house: House, *batches: Batch) -> House:
    house.engine.start(NOW)
    key = key_of(house)
    house.script.batches = [
        Batch([Count(key, c.minute, c.good, c.total) for c in b.counts], notes=b.notes)
        for b in batches
    ]
    return house


def test_a_tick_measures_records_and_posts(house: House) -> None:
    started(house, batch((1, 9, 10), (0, 5, 5))).engine.tick(NOW)
    assert house.events == [14, 15]
    assert house.board.posting.ticked_at == NOW


def test_a_source_that_has_more_is_asked_again_in_the_same_tick(house: House) -> None:
    started(house, batch((3, 1, 1)), batch((2, 1, 1)), batch((1, 1, 1))).engine.tick(NOW)
    assert house.events == [3, 3]


def test_an_engine_that_starts_anew_counts_nothing_twice(house: House) -> None:
    started(house, batch((1, 9, 10))).engine.tick(NOW)
    again = house.make()
    again.start(NOW + 10)
    again.tick(NOW + 10)
    assert house.events == [9, 10]


def test_two_replicas_that_read_the_same_events_record_them_once(house: House) -> None:
    started(house, batch((1, 9, 10)))
    definition = house.board.posting.specs.sources["metrics"]
    given = house.script.collect((), None, NOW)
    other = measure_store.save
    with house.db.write() as conn:
        assert other(conn, definition, given, NOW, expected_cursor=None)
    with house.db.write() as conn:
        assert not other(conn, definition, given, NOW, expected_cursor=None)


def test_a_slow_source_holds_up_no_tick_and_is_recorded_when_it_answers(house: House) -> None:
    started(house, batch((1, 9, 10)))
    house.script.gate = threading.Event()
    house.engine.patience = 0.1
    house.engine.tick(NOW)
    assert house.events == [0, 0]
    house.engine.patience = 20
    house.script.gate.set()
    house.engine.tick(NOW + 10)
    assert house.events == [9, 10]


def test_a_defect_in_an_adapter_is_a_note_and_stops_nothing(house: House) -> None:
    started(house).script.fails = True
    house.engine.tick(NOW)
    with house.db.read() as conn:
        (health,) = measure_store.health(
            conn, list(house.board.posting.specs.sources.values()), NOW
        )
    assert "a defect" in health.last_error
    assert house.board.posting.ticked_at == NOW


def test_a_changed_directory_is_taken_over_live(house: House) -> None:
    started(house).engine.tick(NOW)
    house.write("0.95")
    house.engine.tick(NOW + 10)
    assert str(house.board.posting.fleet.statuses[0].target) == "0.95"


def test_a_broken_change_keeps_the_last_good_one_and_says_so(house: House) -> None:
    started(house).engine.tick(NOW)
    house.write("banana")
    house.engine.tick(NOW + 10)
    posting = house.board.posting
    assert str(posting.fleet.statuses[0].target) == "0.9"
    assert posting.reload_problem
    house.write("0.95")
    house.engine.tick(NOW + 20)
    assert not house.board.posting.reload_problem
    assert str(house.board.posting.fleet.statuses[0].target) == "0.95"


def test_a_correction_made_while_a_tick_evaluates_is_not_undone_by_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(house, batch((1, 9, 10))).engine.tick(NOW)
    services = Services(house.db, house.board, VirtualClock(NOW))
    read, go_on = threading.Event(), threading.Event()

    def slowly(conn: Connection, specs: Specs, now: float) -> Fleet:
        fleet = evaluate_fleet(conn, specs, now)
        read.set()
        go_on.wait(20)
        return fleet

    with monkeypatch.context() as patch:
        patch.setattr("watchkeeper.engine.tick.slo_work.evaluate_fleet", slowly)
        ticking = threading.Thread(target=house.engine.publish, args=(NOW,))
        ticking.start()
        assert read.wait(20)
    correct = lambda: services.add_correction("api", NOW - 600, NOW, "a load test", "ada")  # noqa: E731
    correcting = threading.Thread(target=correct)
    correcting.start()
    wait_until(lambda: services.corrections("api"), 20, "the correction is kept")
    correcting.join(0.2)  # as far as it gets while the tick holds what it read before
    go_on.set()
    ticking.join(20)
    correcting.join(20)
    assert house.events == [0, 0]


def test_specs_that_never_were_good_are_refused_with_all_that_is_wrong(house: House) -> None:
    house.write("banana")
    with pytest.raises(BrokenSpecsError) as refused:
        house.engine.start(NOW)
    assert refused.value.exit_status == 2
    assert "slo.yaml:" in str(refused.value)


def test_trouble_with_the_database_is_shown_and_goes_away(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(house, batch((1, 9, 10)))
    from watchkeeper.kernel.errors import StoreError

    def full(*_: object) -> None:
        raise StoreError("The disk is full.", "Make room.")

    with monkeypatch.context() as patch:
        patch.setattr(house.db, "write", full)
        house.engine.tick(NOW)
    assert "full" in house.board.posting.trouble
    house.engine.tick(NOW + 10)
    assert house.board.posting.trouble == ""
    assert house.events == [9, 10]


def test_equal_notes_of_a_day_are_counted_together(house: House) -> None:
    note = Note("unparsable", "log:7: not a request", NOW, 3)
    started(house, Batch(notes=(note,)), Batch(notes=(note,))).engine.tick(NOW)
    with house.db.read() as conn:
        (kept,) = measure_store.notes(conn, "metrics")
    assert (kept.kind, kept.count) == ("unparsable", 6)
