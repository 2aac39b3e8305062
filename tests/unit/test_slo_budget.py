from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.slo import readings, same_everywhere
from watchkeeper.kernel.duration import parse_duration
from watchkeeper.kernel.errors import UserError
from watchkeeper.slo import allow, budget, fleet, versions
from watchkeeper.slo.budget import state
from watchkeeper.slo.model import Events, Look, State, TargetVersion

_STATES = (State.OK, State.AT_RISK, State.DEPLETED, State.NO_DATA)


def judged(good: float, total: float, target: str = "0.999") -> fleet.Verdicts:
    return fleet.judge(readings(same_everywhere(good, total), target))


def state_of(good: float, total: float, target: str = "0.999") -> State:
    return _STATES[int(judged(good, total, target).state[0])]


def test_999_of_1000_allowed_errors_leave_a_budget_of_exactly_one_event() -> None:
    found = judged(1_000_000 - 999, 1_000_000)

    assert found.allowed[0] == 1000
    assert found.remaining[0] == 1
    assert state_of(1_000_000 - 999, 1_000_000) is State.AT_RISK


def test_the_thousandth_bad_event_of_a_million_spends_a_999_budget() -> None:
    assert judged(1_000_000 - 1000, 1_000_000).remaining[0] == 0
    assert state_of(1_000_000 - 1000, 1_000_000) is State.DEPLETED


def test_an_overspent_budget_is_negative_and_not_clamped() -> None:
    found = judged(1_000_000 - 1300, 1_000_000)

    assert found.remaining[0] == -300
    assert found.ratio[0] == pytest.approx(-0.3, abs=1e-15)


def test_half_the_budget_is_at_risk_and_one_event_more_is_not() -> None:
    assert state_of(1_000_000 - 500, 1_000_000) is State.AT_RISK
    assert state_of(1_000_000 - 499, 1_000_000) is State.OK


def test_nothing_over_nothing_is_no_evidence() -> None:
    found = judged(0, 0)

    assert _STATES[int(found.state[0])] is State.NO_DATA
    assert np.isnan(found.attainment[0])
    assert np.isnan(found.ratio[0])
    assert np.isnan(found.burn).all()


def test_a_target_of_100_percent_is_kept_until_the_first_bad_event() -> None:
    assert state_of(10, 10, "1") is State.OK
    assert judged(10, 10, "1").ratio[0] == 1
    assert state_of(9, 10, "1") is State.DEPLETED
    assert judged(9, 10, "1").ratio[0] == 0
    assert np.isnan(judged(9, 10, "1").burn[0, 0])


def test_more_good_than_total_adds_to_the_budget_instead_of_hiding() -> None:
    assert judged(11, 10, "0.5").remaining[0] == 6
    assert state_of(11, 10, "0.5") is State.OK


def test_a_burn_rate_of_exactly_14_4_pages_and_one_event_less_does_not() -> None:
    # 14.4 × 0.1 % of 10,000 = 144 bad events.
    assert judged(10_000 - 144, 10_000).paging[0]
    assert not judged(10_000 - 59, 10_000).paging[0]
    only_fast = readings({**same_everywhere(9_941, 10_000), 1: (9_856, 10_000), 3: (9_857, 10_000)})
    assert not fleet.judge(only_fast).paging[0]


def test_a_page_needs_both_its_windows() -> None:
    calm, hot = (10_000.0, 10_000.0), (9_000.0, 10_000.0)
    hour, five_minutes = fleet.WINDOW_ROW["1h"], fleet.WINDOW_ROW["5m"]
    everywhere = dict.fromkeys(range(fleet.WINDOWS), calm)

    assert not fleet.judge(readings({**everywhere, hour: hot})).paging[0]
    assert not fleet.judge(readings({**everywhere, five_minutes: hot})).paging[0]
    assert fleet.judge(readings({**everywhere, hour: hot, five_minutes: hot})).paging[0]


@given(
    st.integers(0, 2**40),
    st.integers(-3, 3),
    st.sampled_from(["0.9", "0.99", "0.995", "0.999", "0.9999", "0.99999", "0.987654321"]),
    st.sampled_from([Fraction(1), Fraction(1, 2)]),
)
@settings(deadline=None, max_examples=300)
def test_the_vectorised_state_is_the_one_that_fractions_give(
    total: int, off: int, target: str, boundary: Fraction
) -> None:
    may = versions.allowance(Decimal(target)) * total
    bad = min(total, max(0, int(may * boundary) + off))

    assert state_of(total - bad, total, target) is state(may, Fraction(bad), total)


@given(st.integers(2**53, 2**60), st.integers(-2, 2))
@settings(deadline=None, max_examples=100)
def test_counts_too_large_for_exact_floats_are_decided_by_fractions(total: int, off: int) -> None:
    events = float(total)
    bad = float(int(events) // 1000 + off)
    good = events - bad
    really_bad = Fraction(events) - Fraction(good)

    expected = state(Fraction(events) / 1000, really_bad, events)

    assert state_of(good, events) is expected


def test_a_change_of_target_leaves_the_past_as_it_was() -> None:
    history = [TargetVersion(0, Decimal("0.99")), TargetVersion(100, Decimal("0.999"))]

    parts = versions.phases(history, Decimal("0.999"), (50, 150))

    assert parts == [((50, 100), Decimal("0.99")), ((100, 150), Decimal("0.999"))]
    evidence = [(Events(0, 1000), Decimal("0.99")), (Events(0, 1000), Decimal("0.999"))]
    assert budget.allowed(evidence) == 11


def test_the_first_target_also_holds_for_what_was_measured_before_it() -> None:
    history = [TargetVersion(100, Decimal("0.99"))]

    assert versions.at(history, Decimal("0.99"), 5) == Decimal("0.99")


def test_three_nines_allow_43_8_minutes_of_outage_in_an_average_month() -> None:
    assert allow.month_minutes(Decimal("0.999")) == pytest.approx(43.829, abs=5e-4)


def test_a_budget_in_minutes_is_full_outage_at_the_average_traffic() -> None:
    whole, used = budget.minutes(1000, 250, 1_000_000, 43_200)

    assert (whole, used) == (43.2, 10.8)


@pytest.mark.parametrize(
    ("written", "target"),
    [("99.9%", "0.999"), ("99.9", "0.999"), ("0.999", "0.999"), (" 95 % ", "0.95"), ("1", "1")],
)
def test_a_target_is_read_as_people_write_it(written: str, target: str) -> None:
    assert allow.parse_target(written) == Decimal(target)


@pytest.mark.parametrize("written", ["three nines", "101%", "-1", "NaN", ""])
def test_an_impossible_target_is_refused_with_the_way_out(written: str) -> None:
    with pytest.raises(UserError) as raised:
        allow.parse_target(written)

    assert raised.value.hint


def test_calc_says_what_a_target_allows_in_events_and_in_time_and_what_pages() -> None:
    found = allow.calculate(Decimal("0.999"), parse_duration("30d"), events=1_000_000)

    assert found.window.events == 1000
    assert found.window.seconds == 2592
    assert found.paces[0].spends_all_in_seconds == 180_000  # 30 d / 14.4 = 50 h
    assert found.paces[0].spent_when_paged == pytest.approx(0.02)
    assert found.paces[0].error_ratio == pytest.approx(0.0144)


def test_burning_shows_before_spent_and_silence_before_both() -> None:
    assert fleet.look(State.DEPLETED, True, False) is Look.BURN
    assert fleet.look(State.DEPLETED, False, False) is Look.SPENT
    assert fleet.look(State.AT_RISK, False, False) is Look.WATCH
    assert fleet.look(State.OK, False, False) is Look.OK
    assert fleet.look(State.OK, True, True) is Look.NONE
    assert fleet.look(State.NO_DATA, False, False) is Look.NONE
