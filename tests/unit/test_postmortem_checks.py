"""What a postmortem lacks, contradicts or should say otherwise, each with its line."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.faces.cli.main import cli
from watchkeeper.kernel.errors import UserError
from watchkeeper.postmortems import durations, whys
from watchkeeper.postmortems.blame import blames
from watchkeeper.postmortems.checks import check
from watchkeeper.postmortems.document import Part, parse
from watchkeeper.postmortems.model import Leaf, Why
from watchkeeper.postmortems.moments import timeline

GOOD = """\
# 2026-11-02: Checkout answered 503

## Summary

Checkout failed for nine minutes; the deployment was reverted.

## Impact

540 checkouts failed, 12 % of the budget of 28 days.

## Timeline

All times in UTC.

| Time | Event |
|---|---|
| 2026-11-02 14:02 | Deployment of 1.42 |
| 14:04 | The pager alerted |
| 14:11 | Service restored |

## Root cause

The deployment had no readiness check.

## Contributing factors

- Every replica is restarted at once.

## Five whys

- The checkout answered 503 [evidence: access log]
  - Every replica was restarted at once
    - The template has no readiness check (systemic)

## Action items

| Action | Owner | Due |
|---|---|---|
| Add a readiness check to the template | ann | 2026-11-16 |

## Stats

- Time to detection: 2 minutes
- Time to recovery: 9 minutes
"""


def codes(text: str) -> list[tuple[int, str]]:
    return [(f.line, f.code) for f in check(text)]


def changed(old: str, new: str) -> list[str]:
    assert old in GOOD
    return [f.code for f in check(GOOD.replace(old, new))]


def test_a_good_postmortem_has_no_findings() -> None:
    assert check(GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("## Impact", "## Elsewhere", "missing-section"),
        ("- Every replica is restarted at once.", "- TODO", "empty-section"),
        ("- Every replica is restarted at once.", "_What allowed it?_", "empty-section"),
        ("540 checkouts failed, 12 % of the budget of 28 days.", "Some failed.",
         "impact-without-numbers"),
        ("All times in UTC.", "See below.", "no-time-zone"),
        ("alerted |", "alerted |\n| 14:03 | Looked |", "out-of-order"),
        ("recovery: 9 minutes", "recovery: 12 minutes", "contradicts-timeline"),
        ("recovery: 9 minutes", "recovery: soon", "no-duration"),
        ("The deployment had no", "The engineer forgot to add a", "blame"),
        ("- Every replica is", "- @ann restarted; every replica is", "person-as-cause"),
        ("(systemic)", "(person)", "why-not-ended"),
        (" (systemic)", "", "why-not-ended"),
        ("| Add a readiness", "| Readiness", "no-verb"),
        ("| Add a readiness check to the template", "| Be more careful", "be-careful"),
        ("| ann |", "| |", "no-owner"),
        ("| 2026-11-16 |", "| TBD |", "no-due-date"),
    ],
)  # fmt: skip
def test_each_fault_is_found_alone(old: str, new: str, code: str) -> None:
    assert changed(old, new) == [code]


def test_findings_name_their_lines() -> None:
    lines = GOOD.split("\n")
    at = next(i for i, line in enumerate(lines) if "14:11" in line) + 1
    later = GOOD.replace("| 14:11", "| 14:03 | Looked |\n| 14:11")
    assert codes(later) == [(at, "out-of-order")]


@pytest.mark.parametrize(
    ("text", "blamed"),
    [
        ("The on-call engineer should have checked the graph.", True),
        ("She forgot to renew the certificate.", True),
        ("The cause was human error.", True),
        ("The developer broke the build.", True),
        ("We should have known that the disk was full.", True),
        ("It is nobody's fault but whose fault is it", True),
        ("Pods failed to start, and temporary users failed.", False),
        ("The job forgot no data; the deployment failed to roll out.", False),
        ("We should have an alert on full disks.", False),
        ("The engineer on call reverted the deployment.", False),
        ("The fault tolerance of the cluster was exceeded.", False),
    ],
)
def test_people_are_not_blamed_and_things_may_fail(text: str, blamed: bool) -> None:
    assert bool(list(blames(text))) == blamed


@pytest.mark.parametrize(
    ("lines", "times"),
    [
        ("### 2026-11-02 14:02\n\nx\n\n### 14:04 - alert", ["02 14:02", "02 14:04"]),
        ("- 14:02 a\n- 14:04: b", ["02 14:02", "02 14:04"]),
        ("- 2:02pm a\n- 12:04 am b", ["02 14:02", "03 00:04"]),
        ("- Nov 2 2026 23:50 a\n- 00:10 b", ["02 23:50", "03 00:10"]),
        ("- 3 November 2026, 09:00 a", ["03 09:00"]),
        ("1. 2026-11-02T14:02 a\n2. 2026-11-04 07:00 b", ["02 14:02", "04 07:00"]),
        ("- Mr Smith was called\n- 12 pods died", []),
    ],
)
def test_timelines_are_read_in_the_forms_that_people_write(lines: str, times: list[str]) -> None:
    told = timeline(parse(f"# 2026-11-02 x\n\n## Timeline (CET)\n\n{lines}\n"))
    assert told is not None
    assert told.zone == "CET"
    assert [m.at.strftime("%d %H:%M") for m in told.moments] == times


def test_a_day_without_a_time_orders_nothing() -> None:
    told = timeline(parse("## Timeline\n\n### 2026-11-02\n\n### 2026-11-03 08:00\n\n### 08:05\n"))
    assert told is not None
    assert [m.timed for m in told.moments] == [False, True, True]
    assert told.moments[2].at == datetime(2026, 11, 3, 8, 5)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("54 minutes", 54),
        ("1h50m", 110),
        ("2 hours and 5 min", 125),
        ("1.5 h", 90),
        ("1 day", 1440),
    ],
)
def test_durations_are_read(text: str, minutes: float) -> None:
    assert durations.seconds_of(text) == minutes * 60


@pytest.mark.parametrize("text", ["?", "soon", "", "XXX"])
def test_what_is_no_duration_is_none(text: str) -> None:
    assert durations.seconds_of(text) is None


trees = st.recursive(
    st.builds(Why, st.sampled_from(["a", "b c"]), st.sampled_from(["", "log"]),
              st.sampled_from([None, *Leaf])),
    lambda inner: st.builds(
        Why, st.sampled_from(["d", "e"]), st.just(""), st.none(),
        st.lists(inner, min_size=1, max_size=3).map(tuple),
    ),
    max_leaves=8,
)  # fmt: skip


@given(st.lists(trees, min_size=1, max_size=3))
def test_whys_survive_their_markdown(made: list[Why]) -> None:
    text = f"# x\n\n## Five whys\n\n{whys.to_markdown(made)}"
    assert [why for _, why in whys.of_document(parse(text))] == made
    ends = [leaf.leaf for why in made for leaf in whys.leaves(why)]
    assert whys.complete(made) == all(end in (Leaf.SYSTEMIC, Leaf.PROCESS) for end in ends)


@given(st.text(alphabet="#-|*`[](){}<>: \n0123456789abTimeline", max_size=300))
def test_no_text_makes_the_checks_fail(text: str) -> None:
    lines = max(1, text.count("\n") + 1)
    assert all(1 <= f.line <= lines for f in check(text))


def test_sections_are_found_under_the_names_that_people_give_them() -> None:
    titles = {
        "What happened?": Part.SUMMARY,
        "User impact": Part.IMPACT,
        "Chronology": Part.TIMELINE,
        "Root Cause Analysis": Part.ROOT_CAUSE,
        "Where we got lucky": Part.LUCKY,
        "What Went Wrong": Part.WRONG,
        "Follow-ups": Part.ACTIONS,
        "Lessons learnt": Part.LESSONS,
        "5 Whys": Part.WHYS,
        "Weather": None,
    }
    for title, part in titles.items():
        assert parse(f"## {title}\n\ntext\n").sections[0].part is part


# ---------------------------------------------------------------- the command


def test_the_command_says_where_what_and_how_and_ends_with_one_for_errors(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.md", tmp_path / "bad.md"
    good.write_text(GOOD)
    bad.write_text(GOOD.replace("## Impact", "## Elsewhere"))

    assert CliRunner().invoke(cli, ["postmortem", "check", str(good)]).exit_code == 0
    done = CliRunner().invoke(cli, ["postmortem", "check", str(tmp_path)])

    assert done.exit_code == 1
    assert done.stdout.startswith(f"{bad}:")
    assert "there is no section 'impact'" in done.stdout
    as_json = CliRunner().invoke(cli, ["postmortem", "check", str(bad), "--json"]).stdout
    assert [f["code"] for f in json.loads(as_json)[str(bad)]] == ["missing-section"]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.md cannot be read"):
        CliRunner().invoke(
            cli, ["postmortem", "check", str(tmp_path / "none.md")], catch_exceptions=False
        )
