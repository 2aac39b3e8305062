"""The demo's replayed history and traffic: the same shape, the same seed, the same numbers."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demo import changes, history
from demo.shape import BASE_RATE, SHARES, daily, requests_per_second, weekly
from demo.traffic import arrivals, next_request

NOW = 1_795_000_000.0
DAYS = 30


@pytest.fixture(scope="module")
def drawn() -> tuple[history.Ints, dict[str, tuple[history.Ints, history.Ints]]]:
    return history.draw(NOW, DAYS, seed=20)


Drawn = tuple[history.Ints, dict[str, tuple[history.Ints, history.Ints]]]


@given(st.floats(0, 4e9))
@settings(deadline=None, max_examples=200)
def test_the_shop_always_has_some_traffic_and_never_too_much(at: float) -> None:
    assert 0.4 * BASE_RATE < requests_per_second(at) < 1.5 * BASE_RATE


def test_a_day_averages_to_the_base_rate_and_weekends_are_quieter() -> None:
    hours = [daily(3600.0 * h) for h in range(24)]
    assert sum(hours) / 24 == pytest.approx(1.0)
    saturday, monday = 2 * 86400.0, 4 * 86400.0  # the epoch was a Thursday
    assert (weekly(saturday), weekly(monday)) == (0.8, 1.0)


def test_the_shares_of_the_pages_add_up_to_all_traffic() -> None:
    assert sum(SHARES.values()) == pytest.approx(1.0)


def test_arrivals_come_at_the_rate_of_the_shape() -> None:
    due = list(itertools.islice(arrivals(NOW, random.Random(5)), 5000))
    assert due == sorted(due)
    assert 5000 / (due[-1] - NOW) == pytest.approx(requests_per_second(NOW), rel=0.06)


def test_users_ask_for_pages_in_their_shares() -> None:
    rng = random.Random(5)
    paths = [next_request(rng)[1] for _ in range(4000)]
    assert paths.count("/checkout") / 4000 == pytest.approx(SHARES["checkout"], abs=0.02)
    assert paths.count("/") / 4000 == pytest.approx(SHARES["home"], abs=0.03)


def test_the_same_seed_and_time_give_the_same_history(drawn: Drawn) -> None:
    minutes, counts = history.draw(NOW, DAYS, seed=20)
    assert np.array_equal(minutes, drawn[0])
    for name, (good, total) in counts.items():
        assert np.array_equal(good, drawn[1][name][0])
        assert np.array_equal(total, drawn[1][name][1])


def test_history_ends_before_the_minute_that_is_measured_live(drawn: Drawn) -> None:
    minutes = drawn[0]
    assert minutes[-1] == NOW // 60 - 1
    assert minutes[0] == NOW // 60 - DAYS * 1440


def test_good_is_never_more_than_total(drawn: Drawn) -> None:
    for good, total in drawn[1].values():
        assert (good >= 0).all()
        assert (good <= total).all()


def test_only_orders_that_were_made_are_checked_for_correctness(drawn: Drawn) -> None:
    made = drawn[1]["checkout/availability"][0]
    checked = drawn[1]["checkout/correctness"][1]
    assert np.array_equal(made, checked)


def test_the_monitoring_outage_leaves_minutes_without_any_count(drawn: Drawn) -> None:
    minutes = drawn[0]
    assert len(minutes) == DAYS * 1440 - history.UNSEEN[1]
    assert int(np.diff(minutes).max()) == history.UNSEEN[1] + 1


def consumed(drawn: Drawn, name: str, target: float) -> float:
    good, total = drawn[1][name]
    return float((total - good).sum() / (total.sum() * (1 - target)))


def test_the_story_leaves_one_budget_spent_one_at_risk_and_others_healthy(drawn: Drawn) -> None:
    assert consumed(drawn, "checkout/correctness", 0.9995) > 1.0
    assert 0.5 < consumed(drawn, "checkout/availability", 0.999) < 0.9
    assert consumed(drawn, "browse/availability", 0.999) < 0.5
    assert consumed(drawn, "checkout/latency", 0.99) < 0.5


def test_bad_events_are_as_many_as_the_incident_says_while_it_lasts(drawn: Drawn) -> None:
    incident = history.STORY[0]
    start = int((NOW - incident.days_ago * 86400) // 60)
    inside = (drawn[0] >= start) & (drawn[0] < start + incident.minutes)
    good, total = (a[inside] for a in drawn[1]["checkout/availability"])
    share = 1 - good.sum() / total.sum()
    assert share == pytest.approx(incident.bad["checkout/availability"], abs=0.02)


def test_the_changes_of_the_month_are_over_by_now_and_some_stand_just_before_an_incident() -> None:
    month = list(changes.month(NOW))
    assert len(month) > 10
    starts = [t.started_at for t in month if t.started_at is not None]
    assert all(NOW - 30 * 86400 < s < NOW for s in starts)
    assert all(t.ended_at is not None and t.ended_at < NOW for t in month)
    for incident in history.STORY[:4]:
        began = NOW - incident.days_ago * 86400
        assert any(0 < began - s < 600 for s in starts), incident.what
