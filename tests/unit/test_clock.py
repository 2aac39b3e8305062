"""The steady clock: it never jumps, comes back to the truth, and goes on after a restart."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.kernel.clock import BELIEVED, SLEW, SteadyClock, resumed
from watchkeeper.notify import beats
from watchkeeper.store import Database

START = 1_800_000_000.0
CLOSE = 1e-3
"""Seconds; floats of this size are exact to a quarter of a microsecond, and errors add up."""

waits = st.floats(0.0, 900.0)
jumps = st.sampled_from([0.0, 0.0, 0.0, 0.02, -0.3, 5.0, -60.0, 3600.0, -3600.0])
history = st.lists(st.tuples(waits, jumps), min_size=1, max_size=40)


class Bench:
    """A monotonic clock and a wall clock, both turned by hand."""

    def __init__(self) -> None:
        self.monotonic, self.wall = 50.0, START
        self.clock = SteadyClock(self.wall, lambda: self.monotonic)

    def wait(self, seconds: float) -> float:
        self.monotonic += seconds
        self.wall += seconds
        return self.clock.now()


@given(history)
@settings(deadline=None, max_examples=150)
def test_it_moves_on_by_what_elapsed_give_or_take_the_slew_whatever_the_wall_clock_does(
    events: list[tuple[float, float]],
) -> None:
    bench = Bench()
    readings = [(bench.monotonic, bench.clock.now())]
    for seconds, jump in events:
        bench.wait(seconds)
        bench.wall += jump
        readings.append((bench.monotonic, bench.clock.now()))
        bench.clock.observe(bench.wall)
        readings.append((bench.monotonic, bench.clock.now()))
    for (began, before), (ended, after) in pairwise(readings):
        passed = ended - began
        assert (1 - SLEW) * passed - CLOSE <= after - before <= (1 + SLEW) * passed + CLOSE


@given(history)
@settings(deadline=None, max_examples=150)
def test_it_comes_back_to_a_wall_clock_that_stays_as_it_is(
    events: list[tuple[float, float]],
) -> None:
    bench = Bench()
    for seconds, jump in events:
        bench.wait(seconds)
        bench.wall += jump
        bench.clock.observe(bench.wall)
    off = abs(bench.clock.now() - bench.wall)
    assert abs(bench.wait(off / SLEW) - bench.wall) <= CLOSE
    assert abs(bench.wait(86400.0) - bench.wall) <= CLOSE


@pytest.mark.parametrize("step", [3600.0, -3600.0])
def test_a_wait_of_five_minutes_takes_about_five_minutes_when_the_wall_clock_is_set_an_hour_off(
    step: float,
) -> None:
    bench = Bench()
    due = bench.clock.now() + 300.0
    bench.wall += step
    bench.clock.observe(bench.wall)
    waited = 0.0
    while bench.clock.now() < due:
        bench.wait(0.5)
        bench.clock.observe(bench.wall)
        waited += 0.5
    assert 270.0 <= waited <= 334.0


@given(history)
@settings(deadline=None, max_examples=100)
def test_replicas_that_are_told_the_same_wall_clock_agree_whatever_their_own_say(
    events: list[tuple[float, float]],
) -> None:
    bench = Bench()
    other = SteadyClock(bench.wall, lambda: bench.monotonic - 1e6)
    for seconds, jump in events:
        bench.wait(seconds)
        bench.wall += jump
        bench.clock.observe(bench.wall)
        other.observe(bench.wall)
        assert abs(other.now() - bench.clock.now()) <= CLOSE


@given(st.floats(-7200.0, 7200.0), st.floats(0.0, 7200.0))
@settings(deadline=None, max_examples=200)
def test_a_restart_goes_on_where_the_last_run_would_be_by_now(ahead: float, passed: float) -> None:
    monotonic = 0.0
    ran = SteadyClock(START, lambda: monotonic, START + ahead)
    monotonic += passed
    assert resumed(START + passed, START + ahead, START) == pytest.approx(ran.now(), abs=CLOSE)


@given(st.floats(-BELIEVED / 2, BELIEVED / 2), st.floats(-BELIEVED, BELIEVED))
@settings(deadline=None, max_examples=200)
def test_a_restart_is_never_before_what_was_written_last(ahead: float, passed: float) -> None:
    assert resumed(START + passed, START + ahead, START) >= START + ahead - CLOSE


def test_a_restart_believes_a_wall_clock_that_was_off_by_years_and_was_set_right() -> None:
    right = START
    assert resumed(right, START + 9 * 365 * 86400.0, START + 9 * 365 * 86400.0) == right


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_server_that_starts_takes_over_the_time_of_the_one_that_beat_last(
    kind: str, request: pytest.FixtureRequest
) -> None:
    url = ":memory:" if kind == "sqlite" else request.getfixturevalue("postgres_url")
    db = Database.open(url)
    try:
        with db.write() as conn:
            fresh, wall = beats.steady_clock(conn).now(), beats.wall(conn)
            assert abs(fresh - wall) < 5.0
            beats.beat(conn, "old", 7, 1, wall - 90000.0)  # an older version, which says nothing
            beats.beat(conn, "gone", 3, 1, wall - 100.0, 0.0)
            beats.beat(conn, "last", 9, 1, wall + 3600.0, 3600.0)
            started = beats.steady_clock(conn).now()
        assert started - wall == pytest.approx(3600.0, abs=5.0)
    finally:
        db.close()
