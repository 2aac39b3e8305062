"""Scores against incidents, recommendations, guards, histories from CSV, counts and sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.slo import calendar, rolling
from watchkeeper.alerting.backtest import chances
from watchkeeper.alerting.backtest.conditions import sliding_min
from watchkeeper.alerting.backtest.grid import DEFAULT_PLAN, burn, recommend, usual
from watchkeeper.alerting.backtest.history import (
    from_counts,
    from_csv,
    from_source,
    incidents_from_csv,
    incidents_of,
)
from watchkeeper.alerting.backtest.model import History, Incident, Plan, Report
from watchkeeper.alerting.backtest.run import run
from watchkeeper.alerting.backtest.windows import Counts, over
from watchkeeper.alerting.policies.evidence import chance_of
from watchkeeper.kernel.errors import UserError
from watchkeeper.measure.model import Batch, Count, Note
from watchkeeper.spec.duty import ConsumedRule, Guards, NoDataRule
from watchkeeper.spec.model import CountsSli, PushStream, SliDefinition

TARGET, MONTH = Decimal("0.999"), rolling("30d")
PAGE = Plan("page", (burn("1h", "5m", 14.4, "page"),))
DAY = 1440


def two_outages() -> History:
    """Three days; 30 minutes all bad on the second day and 20 minutes of 10 % on the third."""
    total = np.full(3 * DAY, 100.0)
    bad = np.zeros(3 * DAY)
    bad[DAY : DAY + 30] = 100
    bad[2 * DAY : 2 * DAY + 20] = 10
    return History.of(total - bad, total)


def tried(plans: Sequence[Plan], incidents: Sequence[Incident] | None = None) -> Report:
    return run(two_outages(), TARGET, MONTH, plans, incidents)


def minutes(first: int, last: int, name: str = "") -> Incident:
    return Incident(first * 60.0, last * 60.0, name)


def test_incidents_that_nobody_labelled_are_found_to_the_minute() -> None:
    report = tried([PAGE])
    assert report.inferred
    assert list(report.incidents) == [minutes(DAY, DAY + 30), minutes(2 * DAY, 2 * DAY + 20)]


def test_a_stretch_that_costs_less_than_two_percent_of_the_budget_is_no_incident() -> None:
    total, bad = np.full(DAY, 100.0), np.zeros(DAY)
    bad[600:608] = 10  # 80 bad; the budget of 30 days is 4,320, 2 % of it 86.4
    assert run(History.of(total - bad, total), TARGET, MONTH, [PAGE]).incidents == []
    bad[608] = 10
    assert len(run(History.of(total - bad, total), TARGET, MONTH, [PAGE]).incidents) == 1


def test_precision_recall_and_pages_a_week_are_those_of_hand_counting() -> None:
    labelled = [minutes(DAY, DAY + 30, "first"), minutes(100, 160, "quiet")]
    score = tried([PAGE], labelled).scores[0]
    assert (score.pages, score.tickets) == (2, 0)
    assert score.precision == 0.5  # the second page told of nothing that was labelled
    assert score.recall == 0.5
    assert score.pages_per_week == pytest.approx(2 * 7 / 3)


def test_detection_reset_and_budget_are_measured_from_the_incident() -> None:
    told = tried([PAGE], [minutes(DAY, DAY + 30)]).scores[0].told[0]
    # 86.4 bad of the hour's 6,000 are there after the first minute, with 100 bad ones.
    assert told.detection == 60
    assert told.reset == 5 * 60
    assert told.budget == pytest.approx(100 / 4320)


def test_a_missed_incident_says_what_it_cost() -> None:
    quiet = Plan("quiet", (ConsumedRule(50.0, "page"),))
    told = tried([quiet], [minutes(DAY, DAY + 30)]).scores[0].told[0]
    assert told.detection is None
    assert told.budget == pytest.approx(3000 / 4320)


def test_without_any_incident_there_is_no_precision_and_no_recommendation() -> None:
    report = tried([PAGE], [])
    assert report.scores[0].precision is None
    assert report.recommendation is None


def test_an_incident_outside_the_history_is_left_out_and_told() -> None:
    report = tried([PAGE], [minutes(DAY, DAY + 30), minutes(9 * DAY, 9 * DAY + 5)])
    assert len(report.incidents) == 1
    assert any("1 incident(s) lie outside" in note for note in report.notes)


def test_a_plan_that_finds_more_is_recommended_before_a_quieter_one() -> None:
    coarse = Plan("coarse", (burn("1h", "5m", 100.0, "page"),))
    best = tried([coarse, PAGE]).recommendation
    assert best is not None
    assert best.plan == "page"
    assert best.reason.startswith("it tells 2 of 2 incidents; 0 of 2 pages for nothing")
    assert "(coarse) tells 1" in best.reason


def test_of_equals_the_one_that_cries_wolf_less_is_recommended() -> None:
    wolf = Plan("wolf", (burn("5m", "5m", 1.0, "page"),))
    history = two_outages()
    bad = history.total - history.good
    bad[300:1200:60] = 2
    noisy = History.of(history.total - bad, history.total)
    report = run(noisy, TARGET, MONTH, [wolf, PAGE], [minutes(DAY, DAY + 30)])
    assert report.recommendation is not None
    assert report.recommendation.plan == "page"
    assert "is right in" in report.recommendation.reason


def test_nothing_to_choose_from_is_no_recommendation() -> None:
    assert recommend([]) is None


def test_history_before_the_beginning_fills_windows_and_judges_nothing() -> None:
    whole = two_outages()
    late = replace(whole, begin=DAY + 10)
    report = run(late, TARGET, MONTH, [PAGE])
    opened = [a.opened for a in report.scores[0].alarms]
    assert opened[0] == (DAY + 11) * 60  # at the first minute that is judged
    assert report.scores[0].weeks == pytest.approx((2 * DAY - 10) / (7 * DAY))


def test_silence_opens_an_alarm_after_its_time_and_closes_with_the_first_minute() -> None:
    history = two_outages()
    seen = np.ones(len(history.total))
    seen[500:600] = 0
    gone = History(0.0, history.good * seen, history.total * seen, seen)
    silent = Plan("silent", (NoDataRule(900.0, "ticket"),))
    alarm = run(gone, TARGET, MONTH, [silent]).scores[0].alarms[0]
    assert (alarm.opened, alarm.closed) == (515 * 60, 601 * 60)


def test_calendar_windows_are_only_tested_in_minutes() -> None:
    history = replace(two_outages(), step=1.0)
    plan = Plan("half", (ConsumedRule(0.5, "page"),))
    with pytest.raises(UserError, match="in minutes"):
        run(history, TARGET, calendar("1M"), [plan])


def test_a_calendar_window_begins_anew() -> None:
    # The second day spends the whole budget of its day; the third begins with a fresh one.
    plan = Plan("spent", (ConsumedRule(1.0, "page"),))
    midnight = 1_767_225_600.0  # 2026-01-01
    first = two_outages()
    good = np.where(np.arange(3 * DAY) < 2 * DAY, first.good, first.total)
    history = replace(first, start=midnight, good=good)
    found = run(history, Decimal("0.99"), calendar("1d"), [plan], []).scores[0].alarms
    assert [(a.opened - midnight) // 60 - DAY for a in found] == [1]
    assert (found[0].closed or 0) - midnight == (2 * DAY + 1) * 60


# ---------------------------------------------------------------- the mathematics


@settings(deadline=None, max_examples=60)
@given(
    values=st.lists(st.integers(-5, 5), min_size=1, max_size=40),
    width=st.integers(1, 12),
)
def test_a_sliding_minimum_is_the_least_of_each_stretch(values: list[int], width: int) -> None:
    width = min(width, len(values))
    slow = [min(values[i : i + width]) for i in range(len(values) - width + 1)]
    assert sliding_min(np.asarray(values, dtype=np.float64), width).tolist() == slow


@settings(deadline=None, max_examples=60)
@given(values=st.lists(st.integers(0, 9), min_size=1, max_size=40), steps=st.integers(1, 50))
def test_a_window_is_the_sum_of_its_last_steps(values: list[int], steps: int) -> None:
    cum = np.concatenate(([0.0], np.cumsum(values)))
    slow = [sum(values[max(0, i + 1 - steps) : i + 1]) for i in range(len(values))]
    assert over(cum, steps).tolist() == slow


@settings(deadline=None, max_examples=80)
@given(
    pairs=st.lists(
        st.tuples(st.integers(0, 400), st.integers(0, 200_000)), min_size=1, max_size=20
    ),
    allowed=st.sampled_from((0.001, 0.01, 0.05, 0.5)),
    level=st.sampled_from((0.5, 0.05, 0.01, 0.001, 1e-9)),
)
def test_many_binomial_tests_at_once_say_what_each_says_alone(
    pairs: list[tuple[int, int]], allowed: float, level: float
) -> None:
    bad = np.asarray([min(b, n) for b, n in pairs], dtype=np.float64)
    total = np.asarray([n for _, n in pairs], dtype=np.float64)
    alone = [chance_of(b, n, allowed) < level for b, n in zip(bad, total, strict=True)]
    assert chances.below(bad, total, allowed, level).tolist() == alone


@pytest.mark.parametrize("level", [0.3, 0.05, 0.01, 1e-3, 1e-6])
@pytest.mark.parametrize("allowed", [0.0005, 0.01, 0.3])
def test_the_bounds_of_the_binomial_test_never_decide_wrongly(allowed: float, level: float) -> None:
    sizes = [*range(1, 40), 100, 333, 1000, 20_000]
    pairs = [(k, n) for n in sizes for k in range(n + 1) if k <= n * allowed + 8 * n**0.5 + 8]
    bad, total = np.asarray(pairs, dtype=np.float64).T
    alone = [chance_of(k, n, allowed) < level for k, n in pairs]
    assert chances.below(bad, total, allowed, level).tolist() == alone


def test_log_gamma_is_the_library_one() -> None:
    from math import lgamma

    whole = np.asarray([1, 2, 3, 10, 15, 16, 17, 100, 12_345, 10**7], dtype=np.float64)
    assert chances.log_gamma(whole) == pytest.approx(
        [lgamma(x) for x in whole], rel=1e-13, abs=1e-13
    )


def test_guards_keep_a_quiet_night_from_waking_anybody() -> None:
    # Three requests an hour, one of them fails: 33 % bad, and no evidence of anything.
    total, bad = np.zeros(DAY), np.zeros(DAY)
    total[::20] = 1
    bad[600] = 1
    history = History.of(total - bad, total)
    bare = run(history, TARGET, MONTH, [PAGE]).scores[0]
    guarded = run(history, TARGET, MONTH, [replace(PAGE, guards=Guards(min_bad=2))]).scores[0]
    tested = run(history, Decimal("0.9"), MONTH, [replace(PAGE, guards=Guards(0, 0, 0.01))])
    assert (bare.pages, guarded.pages, tested.scores[0].pages) == (1, 0, 0)


def test_a_history_in_whose_tail_counts_are_products_is_still_exact() -> None:
    # A burn of exactly 14.4 over five minutes and an hour fires, one event less does not.
    for bad_a_minute, fires in ((144.0, True), (143.99, False)):
        total = np.full(120, 10_000.0)
        bad = np.full(120, bad_a_minute)
        found = run(History.of(total - bad, total), TARGET, MONTH, [PAGE]).scores[0]
        assert bool(found.pages) is fires


def test_the_usual_plans_have_names_of_their_own_and_ours_comes_first() -> None:
    names = [p.name for p in usual()]
    assert len(set(names)) == len(names) == 6
    assert usual()[0] == DEFAULT_PLAN


# ---------------------------------------------------------------- histories


CSV = "time,good,total\n2026-01-01T00:00:00Z,9,10\n2026-01-01T00:00:30Z,1,1\n1767225720,4,5\n"


def test_csv_is_read_by_its_heading_and_missing_minutes_are_unseen() -> None:
    history = from_csv(CSV, "c.csv", None, None)
    assert history.start == 1_767_225_600
    assert history.good.tolist() == [10, 0, 4]
    assert history.total.tolist() == [11, 0, 5]
    assert history.seen.tolist() == [1, 0, 1]


def test_bad_may_be_given_instead_of_good() -> None:
    history = from_csv("Minute,Bad,Total\n0,1,10\n60,0,3\n", "c.csv", None, None)
    assert history.good.tolist() == [9, 3]


def test_csv_before_the_start_fills_the_windows() -> None:
    text = "time,bad,total\n" + "".join(f"{i * 60},0,1\n" for i in range(100))
    history = from_csv(text, "c.csv", 3600.0, 5400.0, look_back=600.0)
    assert (history.start, history.begin, len(history.total)) == (3000, 10, 40)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the heading is empty"),
        ("a,b\n1,2\n", "the heading is a, b"),
        ("time,good,total\n", "no row"),
        ("time,good,total\nyesterday,1,2\n", r"c.csv:2: 'time' is 'yesterday'"),
        ("time,good,total\n0,x,2\n", r"c.csv:2: 'good' is 'x'"),
        ("time,good,total\n0,3,2\n", r"c.csv:2: 3 good of 2"),
        ("time,bad,total\n0,3,2\n", r"c.csv:2: -1 good of 2"),
        ("time,good,total\n0,1,nan\n", r"'total' is nan"),
        ("time,good,total\n0,1,1\n9e9,1,1\n", "longer than two years"),
        ("time,good,total\n1e30,1,1\n", "'time' is"),
    ],
)
def test_csv_that_is_wrong_is_told_with_its_line(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        from_csv(text, "c.csv", None, None)


def test_incidents_are_read_from_csv_and_from_mappings() -> None:
    found = incidents_from_csv("start,end,name\n120,180,b\n0,60,a\n", "i.csv")
    assert found == [Incident(0, 60, "a"), Incident(120, 180, "b")]
    assert incidents_of([{"start": "1970-01-01T00:00:00Z", "end": 60}], "x") == [Incident(0, 60)]


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"start": 1}, "no 'start' and 'end'"),
        ({"start": 5, "end": 5}, "ends before it starts"),
        ({"start": "then", "end": 5}, "'start' is 'then'"),
        (7, "no 'start' and 'end'"),
    ],
)
def test_incidents_that_are_wrong_are_told_by_number(item: Any, message: str) -> None:  # noqa: ANN401
    with pytest.raises(UserError, match=f"x: incident 1.*{message}"):
        incidents_of([item], "x")


def test_counts_outside_what_is_asked_are_left_out() -> None:
    counts = [Count("s", m, 1, 2) for m in range(10)] + [Count("s", 4, 1, 1, 0)]
    history = from_counts(counts, 180.0, 360.0, 60.0)
    assert history.total.tolist() == [2, 2, 3, 2]
    assert (history.begin, history.start) == (1, 120.0)
    assert history.seen.tolist() == [1, 1, 1, 1]


class Paged:
    """A source that gives a minute at a time, then an answer without more."""

    name = "paged"

    def __init__(self, batches: Sequence[Batch]) -> None:
        self.batches = list(batches)
        self.cursors: list[Mapping[str, Any] | None] = []

    def collect(
        self, slis: Sequence[SliDefinition], cursor: Mapping[str, Any] | None, now: float
    ) -> Batch:
        del slis, now
        self.cursors.append(cursor)
        return self.batches.pop(0)


SLI = SliDefinition("s", "paged", CountsSli(PushStream("s")))


def test_a_source_is_read_until_it_has_no_more() -> None:
    source = Paged(
        [
            Batch([Count("s", 0, 1, 1), Count("other", 0, 5, 5)], {"at": 1}, more=True),
            Batch([Count("s", 1, 2, 3)], {"at": 2}),
        ]
    )
    history = from_source(source, SLI, 0.0, 120.0)
    assert history.total.tolist() == [1, 3]
    assert source.cursors == [None, {"at": 1}]


def test_a_source_that_cannot_be_read_says_why() -> None:
    with pytest.raises(UserError, match="no route to host"):
        from_source(Paged([Batch((), None, [Note("error", "no route to host", 0)])]), SLI, 0, 60)


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(UserError, match="differ in length"):
        History(0.0, np.zeros(2), np.zeros(3), np.zeros(3))
    with pytest.raises(UserError, match="outside itself"):
        History(0.0, np.zeros(2), np.zeros(2), np.zeros(2), begin=3)


def test_counts_of_a_whole_window_are_kept_in_whole_numbers() -> None:
    counts = Counts(two_outages(), TARGET, MONTH)
    assert (counts.p, counts.q) == (1, 1000)
    assert counts.debt[-1] == 1000 * 3200 - 3 * DAY * 100
