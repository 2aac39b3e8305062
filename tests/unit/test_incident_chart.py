"""An incident's chart tells what the ledger holds of it, minute by minute, and what happened."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.alert_place import NOW, SLO, Place
from tests.support.duty import SITE
from tests.support.status_place import PAGES
from tests.unit.test_cli_duty import Shell
from tests.unit.test_mitigation_faces import wk
from watchkeeper.changes.marks import Mark, Marked
from watchkeeper.faces.incidents import Incidents
from watchkeeper.faces.web.incident_chart import MOST_BARS, WIDTH, IncidentChart, incident_chart
from watchkeeper.incidents.assessing import AFTER, BEFORE, Course
from watchkeeper.incidents.keeping import By
from watchkeeper.incidents.mitigation.model import Run, RunState
from watchkeeper.incidents.mitigation.work import measured
from watchkeeper.incidents.model import Incident, IncidentState
from watchkeeper.kernel.clock import iso
from watchkeeper.measure.model import Batch, Count
from watchkeeper.slo import work as slo_work
from watchkeeper.spec import load_text
from watchkeeper.store import Database

ANN = By("ann", "web")
START = 29_460_000
AT = START * 60.0
NONE = Marked(0, (), ())


def course(total: list[float], bad: list[float]) -> Course:
    return Course("pay", "Payments succeed", "payments", START, total, bad)


def incident(**fields: Any) -> Incident:  # noqa: ANN401 - any field
    made = Incident(
        id=1, title="x", severity="SEV1", state=IncidentState.TRIGGERED, declared_at=AT,
        declared_by="ann", version=0,
    )  # fmt: skip
    return replace(made, **fields)


def chart(its: Course, changes: Marked = NONE, **fields: Any) -> IncidentChart:  # noqa: ANN401
    made = incident_chart(its, incident(**fields), changes, ())
    assert made is not None
    return made


def test_each_minute_with_failures_has_a_bar_and_every_minute_a_row() -> None:
    made = chart(course([100, 0, 50, 10], [0, 0, 25, 1]))
    assert len(re.findall("M", made.bars)) == 2
    assert [row[1:] for row in made.rows] == [
        ("10", "1", "10 %"), ("50", "25", "50 %"), ("0", "0", "no requests"), ("100", "0", "0 %"),
    ]  # fmt: skip
    assert made.sentence.startswith("At most 50 % of requests failed in one minute, at ")


def test_a_long_one_is_told_in_longer_steps_and_loses_no_request() -> None:
    made = chart(course([7.0] * 1000, [1.0] * 1000))
    assert len(made.rows) <= MOST_BARS
    assert made.step == "6 minutes"
    assert sum(int(row[1]) for row in made.rows) == 7000
    assert sum(int(row[2]) for row in made.rows) == 1000


def test_a_calm_time_looks_calm() -> None:
    made = chart(course([1000.0] * 10, [1.0] + [0.0] * 9))
    (height,) = re.findall(r"v-([\d.]+)", made.bars)
    assert float(height) <= 12.0
    assert chart(course([5.0], [0.0])).sentence == "No request failed in this time."


def test_where_nobody_asked_for_anything_there_is_no_chart() -> None:
    assert incident_chart(course([0.0, 0.0], [0.0, 0.0]), incident(), NONE, ()) is None


def test_what_happened_stands_where_it_happened_in_order() -> None:
    marks = Marked(1, [Mark(AT + 60, "deployment", 1, "Payments 1.6.1")], ())
    made = chart(
        course([9.0] * 10, [0.0] * 10), marks,
        began_at=AT + 120, detected_at=AT + 180, mitigated_at=AT + 300, resolved_at=AT + 9_999,
    )  # fmt: skip
    assert [(s.kind, s.label) for s in made.signs] == [
        ("change", "Payments 1.6.1"), ("time", "Trouble began"), ("time", "Detected"),
        ("time", "Mitigated"),
    ]  # fmt: skip
    assert [s.x for s in made.signs] == [WIDTH / 10 * m for m in (1, 2, 3, 5)]


def test_it_is_read_from_the_ledger_with_some_time_around_it(tmp_path: Path) -> None:
    place = Place(tmp_path)
    its = Incidents(place.db, place.board, place.world.clock, SITE)
    # Half of 100 requests a minute failed for 20 minutes, from minute 1500 of the history on.
    began = NOW - (2 * 1440 - 1500) * 60
    made = its.declare("Half fails", "SEV2", ANN, slos=(SLO,), began_at=began)
    times = {"detected_at": began + 60, "mitigated_at": began + 25 * 60}
    its.set_times(made.id, times, "the log", ANN)
    found = its.course(made.id)
    assert found is not None
    assert (found.slo, found.start * 60) == (SLO, began - BEFORE * 60)
    assert len(found.total) == BEFORE + 25 + AFTER
    assert sum(found.bad) == 1000
    assert found.bad[:BEFORE] == [0.0] * BEFORE
    assert its.course(its.declare("Else", "SEV3", ANN).id) is None
    place.db.close()


@pytest.fixture
def shell(db: Database, monkeypatch: pytest.MonkeyPatch) -> Shell:
    its = Shell(db, monkeypatch)
    specs = load_text(PAGES).specs
    assert specs is not None
    its.world.specs = replace(its.world.specs, slos=specs.slos, journeys=specs.journeys)
    its.board.post(specs=its.world.specs)
    sli = specs.slos[SLO].sli
    assert sli is not None
    minute = int(its.world.clock.now() // 60)
    with db.write() as conn:
        slo_work.apply_specs(conn, its.world.specs, its.world.clock.now())
        counts = [Count(sli.key, minute + m, 60 if m == -1 else 100, 100) for m in range(-9, 0)]
        slo_work.record_batch(conn, its.world.specs, Batch(counts), its.world.clock.now())
    return its


def test_programs_and_commands_read_the_same_minutes(shell: Shell) -> None:
    wk("incident", "declare", "Checkout fails", "--service", "checkout")
    wk("incident", "change", "1", "--began", iso(shell.world.clock.now() - 120), "--why", "the log")
    found = json.loads(wk("incident", "impact", "1", "--minutes", "--json"))

    assert found["course"]["objective"] == SLO
    minutes = {m["at"]: (m["total"], m["bad"]) for m in found["course"]["minutes"]}
    assert minutes[iso(shell.world.clock.now() // 60 * 60 - 60)] == (100.0, 40.0)
    assert sum(bad for _, bad in minutes.values()) == found["objectives"][SLO]["bad"] == 40.0
    printed = wk("incident", "impact", "1", "--minutes")
    assert re.search(r"Requests +Failed", printed)
    assert re.search(r" 100 +40$", printed, re.MULTILINE)
    assert "course" not in json.loads(wk("incident", "impact", "1", "--json"))


def test_of_an_objective_with_many_instances_the_one_that_was_hurt_most_is_told(
    shell: Shell, db: Database
) -> None:
    world, now = shell.world, shell.world.clock.now()
    plain = world.specs.slos[SLO]
    assert plain.sli is not None
    sli = replace(plain.sli, key="by-region", group_by=("region",))
    world.specs = replace(world.specs, slos={SLO: replace(plain, sli=sli)})
    shell.board.post(specs=world.specs)
    minute = int(now // 60)
    with db.write() as conn:
        slo_work.apply_specs(conn, world.specs, now)
        counts = [
            Count(sli.key, minute + m, 100 - bad, 100, group=(("region", region),))
            for m in range(-9, 0)
            for region, bad in (("eu", 2), ("us", 30))
        ]
        slo_work.record_batch(conn, world.specs, Batch(counts), now)
    wk("incident", "declare", "Checkout fails", "--service", "checkout")
    wk("incident", "change", "1", "--began", iso(now - 300), "--why", "the log")

    found = json.loads(wk("incident", "impact", "1", "--minutes", "--json"))
    assert "us" in found["course"]["objective"]
    assert sum(its["bad"] for its in found["objectives"].values()) == 5 * 32
    its = Incidents(db, shell.board, world.clock, SITE)
    assert its.suggest() is not None
    told = its.course(1)
    assert told is not None
    assert told.service == "checkout"

    run = Run(1, 1, "revert", "Roll back", "command", "revert", False, {}, RunState.SUCCEEDED,
              "ann", "web", now - 240, 60.0, ended_at=now - 240)  # fmt: skip
    with db.read() as conn:
        burns = measured(conn, world.specs, its.story(1).incident, run)
    assert sorted("us" in burn.slo for burn in burns) == [False, True]
