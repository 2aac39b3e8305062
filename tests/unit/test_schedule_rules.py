"""Schedules equal an independent reading of each minute: zones, calendars, layers, changes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.schedule_oracle import final
from watchkeeper.oncall.schedule.model import Change
from watchkeeper.oncall.schedule.rules import gaps, on_call, shifts
from watchkeeper.spec.duty import LayerDefinition, Restriction, RotationKind, ScheduleDefinition
from watchkeeper.spec.findings import Place

PEOPLE = ("ann", "ben", "cho", "dee")
HERE = Place("schedule.yaml")
CHANGES_OF_THE_CLOCK = {
    "Berlin, forward": ("Europe/Berlin", "2026-03-29"),
    "Berlin, back": ("Europe/Berlin", "2026-10-25"),
    "New York, forward": ("America/New_York", "2026-03-08"),
    "New York, back": ("America/New_York", "2026-11-01"),
    "Lord Howe, forward by half an hour": ("Australia/Lord_Howe", "2026-10-04"),
    "Lord Howe, back by half an hour": ("Australia/Lord_Howe", "2026-04-05"),
    "Sao Paulo, forward at midnight": ("America/Sao_Paulo", "2018-11-04"),
    "Sao Paulo, back to the day before": ("America/Sao_Paulo", "2018-02-18"),
    "Apia, a day that never was": ("Pacific/Apia", "2011-12-30"),
    "Casablanca, back for a month": ("Africa/Casablanca", "2026-02-15"),
}


def layer(
    name: str = "l",
    users: Sequence[str] = PEOPLE,
    kind: RotationKind = RotationKind.DAILY,
    start: str = "2026-01-05T09:00",
    every: int = 1,
    **more: object,
) -> LayerDefinition:
    return LayerDefinition(name, tuple(users), kind, every, start, **more)  # type: ignore[arg-type]


def schedule(zone: str, *layers: LayerDefinition, **more: object) -> ScheduleDefinition:
    return ScheduleDefinition("s", "S", HERE, zone, layers=layers, **more)  # type: ignore[arg-type]


def hours(start: str, end: str, *days: int) -> Restriction:
    def minutes(text: str) -> int:
        hour, minute = text.split(":")
        return int(hour) * 60 + int(minute)

    return Restriction(days, minutes(start), minutes(end))


def minute(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() // 60)


def change(kind: str, start: str, end: str, user: str, replaces: str = "") -> Change:
    return Change(
        kind + start,
        "s",
        kind,  # type: ignore[arg-type]
        minute(start) * 60.0,
        minute(end) * 60.0,
        user,
        replaces,
        "",
        "",
    )


def agree(its: ScheduleDefinition, changes: Sequence[Change], start: int, end: int) -> None:
    """The final schedule says the same as the oracle of every minute, and is well made."""
    expected = final(its, changes, start, end)
    found = shifts(its, changes, start * 60.0, end * 60.0)
    assert (found[0].start, found[-1].end) == (start * 60.0, end * 60.0)
    for one, two in pairwise(found):
        assert one.end == two.start
        assert (one.users, one.shadows, one.layer, one.reason) != (
            two.users,
            two.shadows,
            two.layer,
            two.reason,
        )
    said = [
        (shift.users, shift.shadows)
        for shift in found
        for _ in range(int(shift.start // 60), int(shift.end // 60))
    ]
    wrong = [i for i, (a, b) in enumerate(zip(said, expected, strict=True)) if a != b]
    assert not wrong, (
        f"{len(wrong)} minutes differ, the first at "
        f"{datetime.fromtimestamp((start + wrong[0]) * 60, UTC)}: "
        f"{said[wrong[0]]}, by the oracle {expected[wrong[0]]}"
    )
    holes = [(g.start, g.end) for g in gaps(its, changes, start * 60.0, end * 60.0)]
    assert sum(e - s for s, e in holes) == 60 * sum(1 for users, _ in expected if not users)


@pytest.mark.parametrize("case", sorted(CHANGES_OF_THE_CLOCK))
@pytest.mark.parametrize("at", ["00:00", "00:30", "01:45", "02:15", "02:30", "03:00", "09:00"])
def test_handovers_and_hours_hold_through_a_change_of_the_clock(case: str, at: str) -> None:
    zone, day = CHANGES_OF_THE_CLOCK[case]
    moment = datetime.fromisoformat(day)
    begun = (moment - timedelta(days=9)).date().isoformat()
    its = schedule(
        zone,
        layer("days", start=f"{begun}T{at}"),
        layer("nights", ["dee", "cho"], start=f"{begun}T{at}", restrictions=(hours("22:00", at),)),
        layer("hours", ["ann", "ben", "-"], RotationKind.HOURLY, f"{begun}T{at}", 5,
              restrictions=(hours("02:00", "03:30"),)),
    )  # fmt: skip
    start = minute((moment - timedelta(days=3)).date().isoformat())
    agree(its, (), start, start + 6 * 1440)


def test_a_weekly_handover_keeps_its_hour_through_a_year_of_changing_clocks() -> None:
    its = schedule("Europe/Berlin", layer(kind=RotationKind.WEEKLY, start="2026-01-05T09:00"))

    found = shifts(its, (), minute("2026-01-05T08:00") * 60.0, minute("2027-01-04T08:00") * 60.0)

    assert len(found) == 52
    assert {s.end - s.start for s in found} == {604_800.0, 601_200.0, 608_400.0}


@pytest.mark.parametrize("start", ["2028-01-31T09:00", "2027-12-29T09:00", "2028-02-29T09:00"])
def test_monthly_turns_meet_leap_days_and_the_end_of_the_year(start: str) -> None:
    its = schedule("America/New_York", layer(kind=RotationKind.MONTHLY, start=start))
    agree(its, (), minute("2028-02-20"), minute("2028-05-05"))
    agree(its, (), minute("2028-12-20"), minute("2029-03-03"))


def test_daily_turns_meet_a_leap_day_and_new_year() -> None:
    its = schedule("Asia/Kolkata", layer(start="2027-12-01T00:00", every=2))
    agree(its, (), minute("2027-12-30"), minute("2028-01-03"))
    agree(its, (), minute("2028-02-27"), minute("2028-03-03"))


def test_hours_across_midnight_belong_to_the_day_on_which_they_begin() -> None:
    friday_night = hours("22:00", "06:00", 4)
    its = schedule("Europe/Berlin", layer(restrictions=(friday_night,)))

    agree(its, (), minute("2026-01-05"), minute("2026-01-19"))
    found = [s for s in shifts(its, (), minute("2026-01-05") * 60.0, minute("2026-01-12") * 60.0)
             if s.users]  # fmt: skip
    assert [(s.start, s.end) for s in found] == [
        (minute("2026-01-09T21:00") * 60.0, minute("2026-01-10T05:00") * 60.0)
    ]


def test_overlapping_overrides_are_taken_in_order_and_the_last_one_wins() -> None:
    its = schedule("UTC", layer())
    changes = [
        change("override", "2026-01-06T00:00", "2026-01-07T00:00", "dee"),
        change("override", "2026-01-06T06:00", "2026-01-06T12:00", "cho"),
        change("swap", "2026-01-06T10:00", "2026-01-06T20:00", "ann", "dee"),
    ]

    agree(its, changes, minute("2026-01-05"), minute("2026-01-09"))
    assert on_call(its, changes, minute("2026-01-06T08:00") * 60.0).users == ("cho",)
    assert on_call(its, changes, minute("2026-01-06T13:00") * 60.0).users == ("ann",)


def test_a_shift_that_ends_at_midnight_is_not_on_call_after_it() -> None:
    its = schedule("Europe/Berlin", layer(restrictions=(hours("09:00", "24:00"),)))
    midnight = minute("2026-01-06T23:00") * 60.0  # in Berlin it is midnight

    assert on_call(its, (), midnight - 1).users
    assert on_call(its, (), midnight).users == ()


def test_who_is_on_leave_is_replaced_by_the_next_in_the_rotation() -> None:
    its = schedule("UTC", layer())
    away = change("leave", "2026-01-05T09:00", "2026-01-08T00:00", "", "ann")

    assert on_call(its, [away], minute("2026-01-05T10:00") * 60.0).users == ("ben",)
    agree(its, [away], minute("2026-01-05"), minute("2026-01-12"))


def test_a_rotation_that_is_all_on_leave_is_a_gap() -> None:
    its = schedule("UTC", layer(users=["ann"]))
    away = change("leave", "2026-01-06T00:00", "2026-01-07T00:00", "", "ann")

    (hole,) = gaps(its, [away], minute("2026-01-05T09:00") * 60.0, minute("2026-01-09") * 60.0)

    assert (hole.start, hole.end) == (away.start, away.end)


def test_holidays_are_local_days() -> None:
    its = schedule("America/New_York", layer(), holidays=("2026-03-08",), holiday_users=("dee",))

    agree(its, (), minute("2026-03-07"), minute("2026-03-10"))
    found = [s for s in shifts(its, (), minute("2026-03-07") * 60.0, minute("2026-03-10") * 60.0)
             if s.reason == "holiday"]  # fmt: skip
    assert [s.end - s.start for s in found] == [23 * 3600.0]


# ---------------------------------------------------------------- any schedule at all

ZONES = sorted(CHANGES_OF_THE_CLOCK.values())
clocks = st.sampled_from(["00:00", "00:30", "02:00", "02:30", "03:00", "06:00", "12:15", "22:00"])


@st.composite
def layers(draw: st.DrawFn, day: datetime) -> LayerDefinition:
    begun = day - timedelta(days=draw(st.integers(0, 12)))
    end = draw(st.none() | st.integers(-2, 3))
    entries = st.sampled_from([*PEOPLE, "ann+ben", "-"])
    restricted = st.builds(
        lambda a, b, days: hours(a, b, *days),
        clocks,
        clocks,
        st.sets(st.integers(0, 6), max_size=3),
    )
    start = f"{begun.date().isoformat()}T{draw(clocks)}"
    last = (
        None if end is None else f"{(day + timedelta(days=end)).date().isoformat()}T{draw(clocks)}"
    )
    return layer(
        draw(st.sampled_from(["a", "b"])),
        draw(st.lists(entries, min_size=1, max_size=4)),
        draw(st.sampled_from(list(RotationKind))),
        start,
        draw(st.integers(1, 3)),
        end=last if last is not None and last > start else None,
        restrictions=tuple(draw(st.lists(restricted, max_size=2))),
        shadow=draw(st.booleans()) and draw(st.booleans()),
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[ScheduleDefinition, list[Change], int]:
    zone, text = draw(st.sampled_from(ZONES))
    day = datetime.fromisoformat(text)
    start = minute((day - timedelta(days=1)).date().isoformat())
    made = [
        Change(
            str(i),
            "s",
            draw(st.sampled_from(["override", "swap", "leave"])),
            (start + begin) * 60.0,
            (start + begin + lasts) * 60.0,
            draw(st.sampled_from(["", *PEOPLE])),
            draw(st.sampled_from(["", *PEOPLE])),
            "",
            "",
        )
        for i, (begin, lasts) in enumerate(
            draw(st.lists(st.tuples(st.integers(0, 4000), st.integers(1, 3000)), max_size=3))
        )
    ]
    sound = [c for c in made if c.user or (c.kind == "leave" and c.replaces)]
    sound = [c for c in sound if c.kind == "override" or c.replaces]
    days = [(day + timedelta(days=k)).date().isoformat() for k in (0, 1)]
    its = schedule(
        zone,
        *draw(st.lists(layers(day), min_size=1, max_size=3)),
        holidays=tuple(draw(st.lists(st.sampled_from(days), max_size=2, unique=True))),
        holiday_users=draw(st.sampled_from([(), ("dee",)])),
    )
    return its, sound, start


@settings(max_examples=60, deadline=None)
@given(cases())
def test_any_schedule_says_what_the_oracle_says_of_each_minute(
    case: tuple[ScheduleDefinition, list[Change], int],
) -> None:
    its, changes, start = case
    agree(its, changes, start, start + 4 * 1440)
