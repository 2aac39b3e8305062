"""The figures of "The Site Reliability Workbook", chapter 5, from first principles.

Each is found by running its rule over events second by second: 99.9 % over 30 days, steady traffic.
"""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest

from tests.support.slo import rolling
from watchkeeper.alerting.backtest.alarms import alarms
from watchkeeper.alerting.backtest.grid import burn, workbook
from watchkeeper.alerting.backtest.model import Alarm, History, Incident, Plan, PlanRule, Score
from watchkeeper.alerting.backtest.score import score
from watchkeeper.alerting.backtest.windows import Counts
from watchkeeper.spec.duty import BurnRule

TARGET = Decimal("0.999")
MONTH = rolling("30d")
HOUR, DAY = 3600, 86_400
SIX = workbook(TARGET)


def outage(
    before: int, length: int, after: int, ratio: float = 1.0, a_second: int = 1000
) -> Counts:
    """Clean seconds, an outage with this error ratio, clean seconds."""
    seconds = before + length + after
    total = np.full(seconds, float(a_second))
    bad = np.zeros(seconds)
    bad[before : before + length] = round(a_second * ratio)
    return Counts(History.of(total - bad, total, step=1.0), TARGET, MONTH)


def judged(plan: Plan, before: int, length: int, after: int, ratio: float = 1.0) -> Score:
    counts = outage(before, length, after, ratio)
    incident = Incident(before, before + length)
    return score(plan, alarms(plan, counts), [incident], counts)


def one(rule: PlanRule) -> Plan:
    return Plan("one", (rule,))


RULES = [burn("1h", "5m", 14.4, "page"), burn("6h", "30m", 6.0, "page")]
TICKETS = [burn("1d", "2h", 3.0, "ticket"), burn("3d", "6h", 1.0, "ticket")]


@pytest.mark.parametrize("ratio", [1.0, 0.5, 0.1, 0.02])
@pytest.mark.parametrize("rule", [*RULES, *TICKETS], ids=lambda r: f"{r.factor:g}")
def test_detection_takes_window_times_factor_times_allowance_over_error_rate(
    rule: BurnRule, ratio: float
) -> None:
    long = int(rule.long.seconds)
    formula = long * Decimal(str(rule.factor)) * (1 - TARGET) / Decimal(str(ratio))
    told = judged(one(rule), long, long, 0, ratio).told[0]
    assert told.detection == math.ceil(formula)


def test_an_outage_is_detected_in_the_times_that_the_workbook_gives() -> None:
    seconds = [judged(plan, 36 * HOUR, 2 * HOUR, 0).told[0].detection for plan in SIX]
    # 0.6 s; 2 min 10 s; an hour (and the first sample); 2 min 10 s; 52 s; 52 s
    assert seconds[0] == 1
    assert seconds[1] == 130
    assert seconds[2] == pytest.approx(HOUR, abs=1)
    assert seconds[3:] == [130, 52, 52]


def test_alerts_reset_in_the_times_that_the_workbook_gives() -> None:
    times = {plan.name[0]: judged(plan, HOUR, 20 * 60, 2 * HOUR).told[0].reset for plan in SIX}
    assert times["4"] == pytest.approx(58 * 60, abs=10)  # "58 minutes"
    assert times["6"] == pytest.approx(30 * 60, abs=15)  # the slower page's short window
    fast = judged(one(RULES[0]), HOUR, 20 * 60, 2 * HOUR).told[0].reset
    assert fast == pytest.approx(5 * 60, abs=5)  # "stops firing after 5 minutes"
    slow = judged(one(burn("1h", "1h", 14.4, "page")), HOUR, 20 * 60, 2 * HOUR).told[0].reset
    assert slow == pytest.approx(HOUR, rel=0.02)  # without the short window: an hour


def test_a_ticket_without_a_short_window_stays_for_three_days() -> None:
    rule = burn("3d", "3d", 1.0, "ticket")
    told = judged(one(rule), 3 * DAY, 600, 3 * DAY + HOUR).told[0]
    assert told.reset == pytest.approx(3 * DAY, rel=0.002)


@pytest.mark.parametrize(
    ("rule", "share"),
    [
        (burn("1h", "5m", 14.4, "page"), 0.02),
        (burn("6h", "30m", 6.0, "page"), 0.05),
        (burn("1d", "2h", 3.0, "ticket"), 0.10),
        (burn("3d", "6h", 1.0, "ticket"), 0.10),
        (burn("1h", "1h", 36.0, "page"), 0.05),
    ],
    ids=lambda v: f"{v.factor:g}" if isinstance(v, BurnRule) else str(v),
)
def test_so_much_of_the_budget_is_used_when_an_alert_fires_at_its_threshold(
    rule: BurnRule, share: float
) -> None:
    long = int(rule.long.seconds)
    ratio = rule.factor * 0.001
    counts = outage(long, long, 0, ratio, a_second=10_000)
    told = score(one(rule), alarms(one(rule), counts), [Incident(long, 2 * long)], counts).told[0]
    assert told.detection == long
    assert told.budget == pytest.approx(share)


def test_one_event_a_window_less_than_the_threshold_never_fires() -> None:
    rule = burn("1h", "5m", 14.4, "page")
    counts = outage(HOUR, HOUR, 0, 0.0143, a_second=10_000)
    assert alarms(one(rule), counts) == []


def test_the_simplest_alert_pages_144_times_a_day_while_the_objective_is_met() -> None:
    total = np.full(4 * DAY, 1000.0)
    bad = np.zeros(4 * DAY)
    bad[3 * DAY :: 601] = 601.0  # 0.10017 % of ten minutes, 0.1 % of ten minutes and a second
    counts = Counts(History.of(total - bad, total, step=1.0, begin=3 * DAY), TARGET, MONTH)
    bursts = slice(3 * DAY, 3 * DAY + 143 * 601)
    assert bad[bursts].sum() / total[bursts].sum() <= 0.001
    assert len(alarms(SIX[0], counts)) == 144
    assert alarms(SIX[5], counts) == []


def test_a_duration_clause_is_restarted_by_one_good_moment() -> None:
    # Ten minutes all bad in every hour: the workbook's example against "for".
    total = np.full(12 * 60, 100.0)
    bad = np.where(np.arange(12 * 60) % 60 < 10, 100.0, 0.0)
    counts = Counts(History.of(total - bad, total), TARGET, MONTH)
    assert alarms(SIX[2], counts) == []
    assert [a.urgency for a in alarms(SIX[5], counts)][:1] == ["page"]


def test_what_is_open_at_the_end_is_said_to_be_open() -> None:
    found: list[Alarm] = alarms(one(RULES[0]), outage(HOUR, HOUR, 0))
    assert [a.closed for a in found] == [None]
