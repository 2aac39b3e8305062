"""Every alert explains itself in a sentence with its numbers, and holds them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from tests.unit.test_policies import NOW, status
from watchkeeper.alerting.model import Signal
from watchkeeper.alerting.policies.rules import PolicyState, decide
from watchkeeper.kernel.duration import parse_duration
from watchkeeper.slo.model import Budget, Events, SloStatus
from watchkeeper.spec.duty import (
    AlertRule,
    BurnRule,
    ConsumedRule,
    ExhaustionRule,
    Guards,
    NoDataRule,
)

HOUR_RULE = BurnRule(parse_duration("1h"), parse_duration("5m"), 14.4, "page")
OWN = BurnRule(parse_duration("45m"), parse_duration("7m"), 14.4, "page")
COUNTS = Events(19_208.0, 19_620.0, 60)


def signal(rule: AlertRule, its: SloStatus, events: Events = COUNTS) -> Signal:
    _, (only,) = decide(its, (rule,), Guards(), PolicyState(), NOW, lambda _, __: events)
    return only


def test_a_burn_says_share_counts_factor_and_when_the_budget_is_gone() -> None:
    # NOW is 08:00 UTC.
    said = signal(HOUR_RULE, status(21.0, gone_in=8 * 3600 + 23 * 60)).summary
    assert said == (
        "Check out: 2.09 % bad in the last hour (412 of 19,620), 21× too fast; "
        "the budget of 30 days is gone in 8 h 23 m, at 16:23 UTC"
    )


def test_a_budget_that_lasts_past_today_says_the_day() -> None:
    said = signal(HOUR_RULE, status(21.0, gone_in=40 * 3600.0)).summary
    assert said.endswith("is gone in 1 d 16 h, at Wed 00:00 UTC")


def test_errors_that_have_stopped_are_not_said_to_go_on() -> None:
    rule = BurnRule(parse_duration("1d"), parse_duration("2h"), 3.0, "ticket")
    left = Budget(1000, 610, 390, 0.39, 43.2, 26.4, 16.8)
    its = status(6.6, gone_in=6_000.0, budget=left)
    calm = replace(its, burn_rate={**its.burn_rate, "5m": 0.2})
    assert signal(rule, calm).summary.endswith(
        "; the last 5 minutes were fine; 39 % of the budget is left"
    )
    assert "is gone in" in signal(rule, its).summary


@pytest.mark.parametrize(
    ("rule", "its", "events", "said"),
    [
        (ExhaustionRule(3600, "page"), status(5.0, gone_in=1800.0), COUNTS, "gone in 30 m"),
        (HOUR_RULE, status(21.0, gone_in=0.0), COUNTS, "the budget of 30 days is spent"),
        (HOUR_RULE, status(21.0), COUNTS, "the budget of 30 days lasts"),
        (
            ConsumedRule(0.9, "ticket"),
            status(left=0.08, budget=Budget(1000, 920, 80, 0.08, 43.2, 39.7, 3.5)),
            COUNTS,
            "92 % of the budget of 30 days is consumed",
        ),
        (
            ConsumedRule(1.0, "ticket"),
            status(left=-0.28, budget=Budget(1000, 1276, -276, -0.27609, 43.2, 55.1, -11.9)),
            COUNTS,
            "Check out: the budget of 30 days is spent, 28 % over",
        ),
        (
            NoDataRule(900, "ticket"),
            status(burn_rate={}),
            Events(0, 0, 0),
            "nothing was measured for 15 m",
        ),
    ],
    ids=["exhaustion", "spent", "lasts", "consumed", "over", "no data"],
)
def test_each_rule_has_a_sentence(
    rule: AlertRule, its: SloStatus, events: Events, said: str
) -> None:
    found = signal(rule, its, events)
    assert said in found.summary
    assert found.details["explanation"]


def test_the_details_hold_every_number() -> None:
    details = signal(HOUR_RULE, status(21.0, gone_in=600.0)).details
    assert details["evidence"] == [{"bad": 412.0, "total": 19_620.0, "seen_minutes": 60}]
    assert details["explanation"] == (
        "burn over 1 hour and 5 minutes is 21.0× and 21.0×, at least 14.4×"
    )
    assert details["time_to_exhaustion_seconds"] == 600.0
    assert details["burn_rate"]["6h"] == 21.0
    assert details["target"] == 0.999


def quiet(its: SloStatus, rule: AlertRule, answer: Callable[[str, int], Events | None]) -> bool:
    return decide(its, (rule,), Guards(), PolicyState(), NOW, answer) == (PolicyState(), [])


def test_a_target_of_all_has_no_burn_rate_and_breaks_nothing() -> None:
    all_good = status(target=Decimal(1), burn_rate={})
    for events in (Events(100.0, 100.0, 45), Events(50.0, 100.0, 45)):
        assert quiet(all_good, OWN, lambda _, __, e=events: e)  # type: ignore[misc]


def test_a_window_of_ones_own_is_judged_by_its_own_events() -> None:
    assert signal(OWN, status(0.0), Events(9_856.0, 10_000.0, 45)).summary.startswith(
        "Check out: 1.44 % bad in the last 45 minutes (144 of 10,000), 14.4× too fast"
    )
    assert quiet(status(50.0), OWN, lambda _, __: Events(9_857.0, 10_000.0, 45))
    assert quiet(status(50.0), OWN, lambda _, __: Events(0.0, 0.0, 45))
    assert quiet(status(50.0), OWN, lambda _, __: None)


def test_the_budget_of_a_calendar_period_is_told_as_such() -> None:
    left = Budget(1000, 900, 100, 0.1, 43.2, 38.9, 4.3)
    its = replace(status(2.0), window="1M calendar", budget=left)
    said = signal(ConsumedRule(0.9, "ticket"), its).summary
    assert said == "Check out: 90 % of the budget of this month is consumed"
