"""Hours ahead are added up by person, so that a rotation can be made fair before it is walked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_schedule_rules import change, hours, layer, minute, schedule
from watchkeeper.oncall.schedule.rules import shifts
from watchkeeper.oncall.shares import Share, even, shares
from watchkeeper.spec.duty import ScheduleDefinition

WEEK = 7 * 86_400.0
START = minute("2026-06-01T00:00") * 60.0  # a Monday; no clock changes in the twelve weeks after


def rota(zone: str = "UTC") -> ScheduleDefinition:
    """Ann and Ben by the week, Cho every night."""
    return schedule(
        zone,
        layer("weeks", ["ann", "ben"], start="2026-01-05T00:00"),
        layer("nights", ["cho"], start="2026-01-05T00:00",
              restrictions=(hours("22:00", "06:00"),)),
    )  # fmt: skip


def test_the_example_of_the_explanation() -> None:
    found = shares(rota(), [], START, START + 12 * WEEK)

    assert found == [Share("ann", 672, 402), Share("ben", 672, 402), Share("cho", 672, 672)]
    assert not even(found)


def test_an_override_moves_hours_from_one_to_the_other() -> None:
    late = change("override", "2026-06-02T09:00", "2026-06-02T20:00", "ben", "ann")

    before = {s.user: s for s in shares(rota(), [], START, START + WEEK)}
    after = {s.user: s for s in shares(rota(), [late], START, START + WEEK)}

    assert before["ben"].hours + before["ann"].hours == 7 * 16
    moved = {u: after[u].hours - before[u].hours for u in after}
    outs = {u: after[u].out_of_hours - before[u].out_of_hours for u in after}
    assert sorted(moved.values()) == [-11, 0, 11]
    assert sorted(outs.values()) == [-2, 0, 2]


@given(st.integers(0, 200 * 24), st.integers(1, 60 * 24))
@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe"])
def test_the_shares_add_up_to_the_shifts(zone: str, start: int, length: int) -> None:
    begin = START + start * 1800.0
    end = begin + length * 1800.0

    found = shares(rota(zone), [], begin, end)

    taken = [s for s in shifts(rota(zone), [], begin, end) if s.users]
    assert sum(s.hours for s in found) == pytest.approx(sum(s.end - s.start for s in taken) / 3600)
    assert all(0 <= s.out_of_hours <= s.hours + 1e-9 for s in found)


def test_hours_within_a_tenth_of_the_most_are_even() -> None:
    assert even([Share("a", 100, 50), Share("b", 91, 46)])
    assert not even([Share("a", 100, 50), Share("b", 100, 40)])
    assert even([])
