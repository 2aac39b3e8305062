"""When an SLO's budget is worth a person's time, and when it is not."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.alerting.model import SignalAction, Urgency
from watchkeeper.alerting.policies.evidence import chance_of
from watchkeeper.alerting.policies.rules import (
    DEFAULT_GUARDS,
    DEFAULT_RULES,
    PolicyState,
    decide,
    step,
)
from watchkeeper.kernel.duration import parse_duration
from watchkeeper.slo.model import Budget, Events, Fleet, Look, SloStatus, State
from watchkeeper.spec.duty import AlertRule, BurnRule, ConsumedRule, ExhaustionRule, Guards
from watchkeeper.spec.model import Specs

NOW = 1_767_600_000.0
NONE: dict[str, float | None] = dict.fromkeys(
    ("5m", "30m", "1h", "2h", "6h", "1d", "3d", "7d"), 0.0
)


def status(
    burn: float = 0.0, left: float = 0.5, gone_in: float | None = None, **more: object
) -> SloStatus:
    rates: dict[str, float | None] = dict.fromkeys(NONE, burn)
    named: dict[str, object] = {
        "name": "checkout",
        "display_name": "Check out",
        "service": "shop",
        "journey": None,
        "team": None,
        "aspect": None,
        "target": Decimal("0.999"),
        "window": "30d",
        "window_start": 0,
        "window_end": 43_200,
        "period_end": 43_200,
        "attainment": 0.999,
        "events": Events(1e6, 1e6, 43_200),
        "budget": Budget(1000.0, 500.0, 500.0, left, 43.2, 21.6, 21.6),
        "burn_rate": rates,
        "time_to_exhaustion_seconds": gone_in,
        "time_to_exhaustion_plain_seconds": gone_in,
        "recovers_in_seconds": None,
        "even_spend_left": None,
        "state": State.OK,
        "look": Look.OK,
        "as_of": NOW,
        **more,
    }
    return SloStatus(**named)  # type: ignore[arg-type]


def busy(_: str, __: int) -> Events:
    """Plenty of evidence."""
    return Events(9_000.0, 10_000.0, 60)


def run(
    given_status: SloStatus,
    state: PolicyState = PolicyState(),
    now: float = NOW,
    rules: tuple[AlertRule, ...] = DEFAULT_RULES,
    guards: Guards = DEFAULT_GUARDS,
    events: Events | None = None,
) -> tuple[PolicyState, list[tuple[str, str]]]:
    def lookup(_: str, __: int) -> Events:
        return events or Events(9_000.0, 10_000.0, 60)

    after, signals = decide(given_status, rules, guards, state, now, lookup)
    return after, [(str(s.action), str(s.urgency)) for s in signals]


def test_a_budget_that_is_gone_within_the_hour_pages() -> None:
    assert run(status(5.0, gone_in=3500.0))[1] == [("trigger", "page")]


def test_a_budget_that_is_gone_within_the_day_is_a_ticket() -> None:
    assert run(status(2.0, gone_in=80_000.0))[1] == [("trigger", "ticket")]


def test_a_fast_burn_pages_and_the_page_includes_the_ticket() -> None:
    assert run(status(15.0))[1] == [("trigger", "page")]


def test_a_spent_budget_with_a_trickle_of_errors_wakes_nobody() -> None:
    after, said = run(status(0.5, left=-0.2, gone_in=0.0))

    assert said == []
    assert after == PolicyState()


def test_an_open_alert_is_not_opened_again_but_told_its_new_numbers_now_and_then() -> None:
    state, _ = run(status(15.0))

    state, soon = run(status(16.0), state, NOW + 60)
    _, later = run(status(17.0), state, NOW + 301)

    assert (soon, later) == ([], [("trigger", "page")])


def test_an_alert_closes_only_after_the_hold() -> None:
    state, _ = run(status(15.0))
    state, first = run(status(0.0), state, NOW + 60)
    state, second = run(status(0.0), state, NOW + 100)
    state, third = run(status(0.0), state, NOW + 180)

    assert (first, second, third) == ([], [], [("resolve", "page")])
    assert state == PolicyState()


def test_a_condition_that_comes_back_within_the_hold_is_no_new_alert() -> None:
    state, _ = run(status(15.0))
    state, _ = run(status(0.0), state, NOW + 60)
    state, said = run(status(15.0), state, NOW + 120)
    assert said == []

    assert run(status(0.0), state, NOW + 230)[1] == []


def test_a_page_that_calms_down_becomes_a_ticket() -> None:
    state, _ = run(status(15.0))
    calmer = status(4.0)
    state, _ = run(calmer, state, NOW + 10)

    _, said = run(calmer, state, NOW + 140)

    assert said == [("trigger", "ticket"), ("resolve", "page")]


def test_one_error_in_a_quiet_hour_wakes_nobody() -> None:
    assert run(status(100.0), events=Events(9.0, 10.0, 60))[1] == []


def test_few_errors_that_luck_does_not_explain_do() -> None:
    assert run(status(100.0), events=Events(8.0, 10.0, 60))[1] == [("trigger", "page")]


def test_budget_consumed_fires_exactly_at_its_share() -> None:
    rules = (ConsumedRule(0.5, "ticket"),)
    assert run(status(left=0.5), rules=rules)[1] == [("trigger", "ticket")]
    assert run(status(left=0.5000001), rules=rules)[1] == []


def test_a_window_of_ones_own_is_computed_from_its_events() -> None:
    rule = BurnRule(parse_duration("45m"), parse_duration("10m"), 14.4, "page")
    high, low = Events(9_856.0, 10_000.0, 45), Events(9_857.0, 10_000.0, 45)

    assert run(status(0.0), rules=(rule,), events=high)[1] == [("trigger", "page")]
    assert run(status(0.0), rules=(rule,), events=low)[1] == []


def test_an_slo_that_is_gone_takes_its_alerts_with_it() -> None:
    empty = Specs({}, {}, {}, {}, {}, {})
    fleet = Fleet((status(15.0),), NOW, 1)
    kept, _ = step(fleet, empty, {}, NOW, busy)

    changed, signals = step(Fleet((), NOW, 1), empty, kept, NOW, busy)

    assert changed == {"checkout": None}
    assert [(s.key, s.action) for s in signals] == [("checkout#page", SignalAction.RESOLVE)]


def test_the_alert_explains_itself_with_its_numbers() -> None:
    _, signals = decide(
        status(21.0, gone_in=2400.0), DEFAULT_RULES, DEFAULT_GUARDS, PolicyState(), NOW,
        lambda _n, _m: Events(19_208.0, 19_620.0, 60),
    )  # fmt: skip

    said = signals[0].summary
    assert said.startswith("Check out: 2.09 % bad in the last hour (412 of 19,620), 21× too fast")
    assert "gone in 40 m" in said
    assert signals[0].urgency is Urgency.PAGE


def test_rules_without_roll_off_use_the_plain_figure() -> None:
    rule = ExhaustionRule(3600.0, "page", roll_off=False)
    found = replace(status(5.0, gone_in=99_999.0), time_to_exhaustion_plain_seconds=1800.0)

    assert run(found, rules=(rule,))[1] == [("trigger", "page")]


@settings(deadline=None, max_examples=200)
@given(st.integers(1, 60), st.integers(0, 60), st.floats(0.001, 0.999))
def test_the_binomial_test_is_exact(total: int, bad: int, allowed: float) -> None:
    bad = min(bad, total)
    plain = sum(
        comb(total, i) * allowed**i * (1 - allowed) ** (total - i) for i in range(bad, total + 1)
    )
    assert chance_of(bad, total, allowed) == pytest.approx(plain, rel=1e-9, abs=1e-12)


def test_the_binomial_test_holds_for_large_counts() -> None:
    # Mean 10,000, standard deviation 99.9: three of them above is about one in 750.
    assert chance_of(10_300, 10_000_000, 0.001) == pytest.approx(0.00139, rel=0.05)
