"""The cases that others get wrong: ours is the truth, event for event; theirs is as printed.

A real Prometheus serves each case's 30 days; our numbers come through the source, the ledger and
the evaluation, as a user's do.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import pytest

from benchmarks.cases import moments, peers, series
from benchmarks.cases.run import Answers, answer, shown, table
from benchmarks.cases.server import prometheus
from watchkeeper.slo.model import SloStatus

# What others say, of the budget used: Sloth's published rules, Pyrra's form.
SAID = {
    "peak": ("140 %", "408 %"),
    "night": ("138 %", "4.08 %"),
    "quiet": ("NaN", "25 %"),
    "first": ("67,026 %", "137 %"),
    "pods": ("0 %", "0 %"),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """A case, with everybody's answer and our full status."""

    case: series.Case
    answers: Answers
    status: SloStatus


@pytest.fixture(scope="module", params=series.CASES, ids=lambda make: make.__name__)
def outcome(request: pytest.FixtureRequest) -> Outcome:
    case: series.Case = request.param()
    answers, status = answer(case)
    return Outcome(case, answers, status)


def test_ours_is_the_truth_event_for_event(outcome: Outcome) -> None:
    truth, status = outcome.case.truth, outcome.status
    assert (status.events.total, status.events.bad) == (truth.total, truth.bad)
    assert status.budget.consumed == truth.bad
    assert status.budget.remaining_ratio == pytest.approx(1 - truth.consumed, rel=1e-12)
    assert status.attainment == pytest.approx(1 - truth.error_ratio, rel=1e-12)


def test_the_rules_that_we_generate_say_the_same(outcome: Outcome) -> None:
    assert outcome.answers.rules == pytest.approx(outcome.case.truth.consumed, rel=1e-12)


def test_what_others_say_is_what_we_print(outcome: Outcome) -> None:
    sloth, pyrra = SAID[outcome.case.key]
    assert (shown(outcome.answers.sloth), shown(outcome.answers.pyrra)) == (sloth, pyrra)
    assert f"| {sloth} | {pyrra} |" in table([outcome.answers])


@pytest.mark.parametrize("key", ["night", "quiet", "pods"])
def test_sloths_rules_as_published_say_so_in_promtool_too(key: str) -> None:
    case = next(c for c in (make() for make in series.CASES) if c.key == key)
    said = peers.sloth_in_promtool(case)
    if key == "quiet":
        assert said is not None
        assert math.isnan(said)
    else:
        assert said == pytest.approx({"night": 1.38, "pods": 0}[key], abs=0.01)


def test_the_truth_of_each_case_is_its_story() -> None:
    used = {c.key: c.truth.consumed for c in (make() for make in series.CASES)}
    assert used["peak"] == pytest.approx(4.08, abs=0.005)  # 12.24 % of a day's traffic
    assert used["night"] == pytest.approx(0.0408, abs=0.00005)
    assert used["quiet"] == 0.25
    assert used["first"] == pytest.approx(1000 / 720)  # one hour of 30 days of even traffic
    assert used["pods"] == pytest.approx(100 * 1000 / 434_480)


def test_ours_is_the_burn_rate_of_the_moment_asked_for_and_is_not_rounded() -> None:
    end = int(time.time()) // 60 * 60
    with prometheus(moments.samples(end)) as url:
        found = moments.watchkeeper(url, end)
    assert found == moments.TRUTH
