"""Counter arithmetic: what counts, and what does not."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.measure.counters import (
    Birth,
    Tally,
    first_value_counts,
    guided_increments,
    increments,
    newest,
)

VALUES = st.lists(st.one_of(st.integers(0, 1000).map(float), st.just(math.nan)), max_size=80)


def brute(values: list[float], last: float | None) -> tuple[list[float], int]:
    deltas, resets = [], 0
    for value in values:
        if math.isnan(value):
            deltas.append(0.0)
            continue
        if last is not None and value < last:
            resets += 1
            deltas.append(value)
        else:
            deltas.append(0.0 if last is None else value - last)
        last = value
    return deltas, resets


@settings(deadline=None, max_examples=200)
@given(VALUES, st.one_of(st.none(), st.integers(0, 1000).map(float)))
def test_short_and_long_runs_equal_the_definition(values: list[float], last: float | None) -> None:
    assert increments(values, last) == brute(values, last)
    longer = values + [math.nan] * 30
    assert increments(longer, last)[0][: len(values)] == brute(values, last)[0]


@settings(deadline=None, max_examples=200)
@given(VALUES, st.integers(0, 80), st.one_of(st.none(), st.integers(0, 1000).map(float)))
def test_cutting_a_run_anywhere_changes_nothing(
    values: list[float], cut: int, last: float | None
) -> None:
    whole, resets = increments(values, last)
    first, resets_first = increments(values[:cut], last)
    rest, resets_rest = increments(values[cut:], newest(values[:cut], last))
    assert first + rest == whole
    assert resets_first + resets_rest == resets


def test_a_counter_reset_counts_the_events_after_it() -> None:
    assert increments([110.0, 4.0, 6.0], 100.0) == ([10.0, 4.0, 2.0], 1)


def test_the_first_value_is_a_baseline_when_nothing_is_known() -> None:
    assert increments([5_000_000.0, 5_000_002.0], None) == ([0.0, 2.0], 0)


def test_the_share_of_a_histogram_may_dip_without_being_a_reset() -> None:
    assert guided_increments([98.0, 3.0], 100.0, [210.0, 5.0], 200.0) == [0.0, 3.0]


def test_the_first_error_of_a_known_target_counts() -> None:
    assert first_value_counts(Birth(1000.0, target_read_before=True))


def test_a_new_pod_beside_old_ones_counts_in_full() -> None:
    assert first_value_counts(Birth(1000.0, siblings_before=True))


def test_a_young_process_counts_in_full_even_when_it_is_the_first() -> None:
    assert first_value_counts(Birth(1000.0, process_start=990.0))


def test_a_process_older_than_its_measurement_is_a_baseline() -> None:
    assert not first_value_counts(Birth(1_000_000.0, process_start=1000.0, siblings_before=True))


def test_an_old_process_that_started_while_its_siblings_were_watched_counts() -> None:
    assert first_value_counts(Birth(9000.0, process_start=1000.0, siblings_at_start=True))


def test_at_the_beginning_of_history_a_value_is_a_baseline() -> None:
    assert not first_value_counts(Birth(1000.0))


def test_a_tally_adds_within_a_minute_and_leaves_out_what_is_nothing() -> None:
    tally = Tally()
    tally.add("a", (), 7, 1.0, 2.0, True)
    tally.add("a", (), 7, 1.0, 1.0, False)
    tally.add("b", (), 6, 0.0, 0.0, False)
    tally.add("c", (), 5, 0.0, 0.0, True)
    shown = [(c.sli, c.minute, c.good, c.total, c.seen) for c in tally.counts()]
    assert shown == [("c", 5, 0.0, 0.0, 1), ("a", 7, 2.0, 3.0, 1)]
