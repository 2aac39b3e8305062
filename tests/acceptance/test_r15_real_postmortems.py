"""R15: postmortems that three organisations published are read, and recounted, as they stand."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.support.documents import ROOT
from watchkeeper.postmortems import durations
from watchkeeper.postmortems.checks import check
from watchkeeper.postmortems.document import Part, parse
from watchkeeper.postmortems.moments import timeline

DATA = ROOT.parent / "shared" / "data" / "postmortems"
FILES = sorted(p for p in DATA.rglob("*.md") if "emplate" not in p.name)
with (DATA / "dfds_stated_stats.csv").open(encoding="utf-8") as _file:
    STATED = list(csv.DictReader(_file))


def test_the_data_is_there() -> None:
    assert len(FILES) >= 23
    assert len(STATED) == 11


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem[:20])
def test_every_postmortem_has_its_parts_and_findings_on_its_lines(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    document = parse(text)

    assert document.title
    for part in (Part.SUMMARY, Part.TIMELINE, Part.ACTIONS):
        assert document.of(part), f"{part} of {path.name}"
    assert all(1 <= f.line <= text.count("\n") + 1 for f in check(text))


@pytest.mark.parametrize("row", STATED, ids=lambda r: r["file"][:10])
def test_first_and_last_entry_are_those_that_were_tabulated_by_hand(row: dict[str, str]) -> None:
    told = timeline(parse((DATA / "dfds" / row["file"]).read_text(encoding="utf-8")))
    assert told is not None
    seen = [f"{m.at:%Y-%m-%d %H:%M}" for m in told.moments]
    assert [*seen[:1], *seen[-1:]] == [
        t for t in (row["first_event_utc"], row["last_event_utc"]) if t
    ]


@pytest.mark.parametrize("row", STATED, ids=lambda r: r["file"][:10])
def test_stated_durations_are_found_in_the_timeline_or_are_no_numbers(row: dict[str, str]) -> None:
    document = parse((DATA / "dfds" / row["file"]).read_text(encoding="utf-8"))
    told = timeline(document)
    assert told is not None
    found = {s.kind: s.seconds for s in durations.stated(document)}
    columns = {"detect": "stated_time_to_detection", "recover": "stated_time_to_recovery"}
    for kind, column in columns.items():
        seconds = durations.seconds_of(row[column])
        assert found.get(kind) == seconds
        if seconds is not None:
            assert durations.agrees(seconds, told.moments, kind)
            assert not durations.agrees(seconds + 7 * 60 + 13, told.moments, kind)


def test_blame_is_pointed_out_where_people_found_it_and_nowhere_else() -> None:
    places = {
        (path.name, f.line)
        for path in FILES
        for f in check(path.read_text(encoding="utf-8"))
        if f.code == "blame"
    }
    assert places == {("2018-01-04-failed-staging-deploy.md", 21)}
