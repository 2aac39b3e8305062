from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.slo import array_reader, readings, same_everywhere
from watchkeeper.slo import checks, detail, fleet
from watchkeeper.slo.model import TargetVersion
from watchkeeper.slo.view import MAY, SEEN, TOTAL, View, terms
from watchkeeper.slo.windows import union

ONE_IN_TEN = Decimal("0.9")


def view_of(
    bad: list[int],
    total: list[int],
    *,
    holes: list[tuple[int, int]] | None = None,
    versions: list[TargetVersion] | None = None,
    start: int = 0,
) -> View:
    whole = (start, start + len(total))
    its = terms(ONE_IN_TEN, versions or [], union(holes or []), whole)
    good = [t - b for b, t in zip(bad, total, strict=True)]
    return View(array_reader(start, good, total), its)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(5, 20)), min_size=1, max_size=80),
    st.lists(st.tuples(st.integers(0, 80), st.integers(0, 80)), max_size=5),
    st.lists(st.tuples(st.integers(0, 80), st.sampled_from(["0.9", "0.5", "0.99"])), max_size=4),
    st.integers(0, 80),
    st.integers(0, 80),
)
@settings(deadline=None, max_examples=250)
def test_a_window_through_corrections_and_targets_is_what_a_recount_gives(
    events: list[tuple[int, int]],
    holes: list[tuple[int, int]],
    changes: list[tuple[int, str]],
    a: int,
    b: int,
) -> None:
    a, b = sorted((a, b))
    bad, total = [e[0] for e in events], [e[1] for e in events]
    versions = [TargetVersion(since, Decimal(t)) for since, t in dict(changes).items()]
    view = view_of(bad, total, holes=holes, versions=versions)

    got = np.diff(view.cum([a, b]), axis=0)[0]

    ordered = sorted(versions, key=lambda v: v.since)
    counted = [m for m in range(a, min(b, len(events))) if not any(s <= m < e for s, e in holes)]
    allowed = sum(total[m] * (1 - _target_at(ordered, m)) for m in counted)
    assert got[TOTAL] == sum(total[m] for m in counted)
    assert got[SEEN] == len(counted)
    assert got[MAY] == float(allowed * view.terms.scale)


def _target_at(ordered: list[TargetVersion], minute: int) -> Decimal:
    past = [v for v in ordered if v.since <= minute]
    return past[-1].target if past else ordered[0].target if ordered else ONE_IN_TEN


@given(st.integers(0, 200), st.integers(1, 400))
@settings(deadline=None, max_examples=100)
def test_the_hours_of_a_window_cover_it_without_gap_or_overlap(start: int, span: int) -> None:
    edges = detail.hours(start, start + span)

    assert (edges[0], edges[-1]) == (start, start + span)
    assert np.all(np.diff(edges) > 0)
    assert np.all(edges[1:-1] % 60 == 0)
    assert np.all(np.diff(edges) <= 60)


def test_the_burn_down_starts_whole_and_ends_at_what_is_left() -> None:
    view = view_of([0] * 60 + [6] * 60, [20] * 120)
    edges = detail.hours(0, 120)

    chart = detail.burn_down(edges, view.cum(edges), view.terms.scale)

    assert chart.left.tolist() == [1, 1, -0.5]
    assert chart.even.tolist() == [1, 0.5, 0]


def test_a_burn_down_without_evidence_draws_nothing() -> None:
    view = view_of([0] * 60, [0] * 60)
    edges = detail.hours(0, 60)

    assert np.isnan(detail.burn_down(edges, view.cum(edges), view.terms.scale).left).all()


def test_costly_hours_next_to_each_other_are_one_episode() -> None:
    may = np.full(10, 1.0)
    bad = np.asarray([0, 5, 0, 5, 0, 0, 0, 1, 0, 2], dtype=np.float64)

    assert detail.episodes(bad, may) == [(1, 4), (9, 10)]


def test_an_episode_is_cut_to_the_minutes_that_cost() -> None:
    assert detail.trim(np.arange(100, 106), np.asarray([0.0, 2, 0, 1, 0])) == (101, 104)


# ---------------------------------------------------------------- SLIs that look broken


def warned(events: dict[int, tuple[float, float]], seen: float = 10_000) -> str:
    found = readings(events)
    found.seen[:] = seen
    return " ".join(checks.suspects(found, np.ones(1)).get(0, []))


def test_more_good_than_total_is_pointed_out() -> None:
    assert "good exceeds total (11 of 10)" in warned(same_everywhere(11, 10))


def test_a_total_that_never_moves_is_pointed_out_after_a_day() -> None:
    assert "total never moves" in warned(same_everywhere(0, 0))
    assert warned(same_everywhere(0, 0), seen=100) == ""
    assert warned(same_everywhere(0, 0), seen=0) == ""


def test_a_total_that_stopped_moving_is_pointed_out() -> None:
    events = {**same_everywhere(0, 0), fleet.OWN: (99.0, 100.0)}

    assert "has not moved for a day" in warned(events)


def test_an_sli_that_cannot_see_errors_is_pointed_out() -> None:
    assert "can this SLI see errors" in warned(same_everywhere(10_000_000, 10_000_000))
    assert warned(same_everywhere(1000, 1000)) == ""
    assert warned(same_everywhere(9_999_999, 10_000_000)) == ""


def test_an_ordinary_sli_is_left_in_peace() -> None:
    assert warned(same_everywhere(995, 1000)) == ""


def test_the_same_share_of_errors_every_hour_for_three_days_is_constant() -> None:
    good, total = np.full(72, 98.0), np.full(72, 100.0)

    assert checks.is_constant(good, total)
    assert checks.is_constant(good * np.arange(1, 73), total * np.arange(1, 73))


@pytest.mark.parametrize(
    ("good", "total"),
    [
        (np.full(72, 100.0), np.full(72, 100.0)),
        (np.full(71, 98.0), np.full(71, 100.0)),
        (np.concatenate((np.full(71, 98.0), [97.0])), np.full(72, 100.0)),
        (np.zeros(72), np.zeros(72)),
    ],
    ids=["no errors", "too short", "one hour differs", "no traffic"],
)
def test_what_varies_or_is_too_short_or_has_no_errors_is_not_called_constant(
    good: np.ndarray, total: np.ndarray
) -> None:
    assert not checks.is_constant(good, total)


def test_constant_burn_is_screened_before_it_is_read_hour_by_hour() -> None:
    assert checks.may_be_constant(readings(same_everywhere(98, 100)))[0]
    assert not checks.may_be_constant(readings(same_everywhere(100, 100)))[0]
    uneven = {**same_everywhere(98, 100), fleet.WINDOW_ROW["1h"]: (97.0, 100.0)}
    assert not checks.may_be_constant(readings(uneven))[0]


def test_data_that_stopped_is_said_with_how_long_ago() -> None:
    assert checks.stale(1000, 995) is None
    assert "no data for 1 h 39 m" in (checks.stale(1000, 900) or "")
    assert checks.stale(1000, -1) is None
