from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.kernel.duration import parse_duration
from watchkeeper.kernel.errors import UserError
from watchkeeper.slo.windows import bounds, in_words, label, length, period, union, without
from watchkeeper.spec.model import CalendarWindow, RollingWindow


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def minute(text: str, zone: str = "UTC") -> int:
    return round(at(text, zone)) // 60


def calendar(duration: str, start: str, zone: str = "UTC") -> CalendarWindow:
    return CalendarWindow(parse_duration(duration), start, zone)


def test_a_rolling_window_ends_with_the_minute_in_progress() -> None:
    window = RollingWindow(parse_duration("30d"))

    exact, running = bounds(window, 6_000_000.0), bounds(window, 6_000_001.0)

    assert (exact.start, exact.end) == (100_000 - 43_200, 100_000)
    assert (running.start, running.end) == (100_001 - 43_200, 100_001)
    assert exact.length == exact.elapsed == 43_200


def test_a_calendar_month_runs_from_local_midnight_to_local_midnight() -> None:
    found = bounds(calendar("1M", "2026-01-01", "Europe/Berlin"), at("2026-11-23 12:00"))

    assert found.start == minute("2026-11-01", "Europe/Berlin")
    assert found.end == minute("2026-11-23 12:00")
    assert found.period_end == minute("2026-12-01", "Europe/Berlin")


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)]
)
def test_a_calendar_day_has_as_many_hours_as_the_wall_clock_gives_it(day: str, hours: int) -> None:
    window = calendar("1d", "2026-01-01", "Europe/Berlin")

    start, end = period(window, minute(f"{day} 12:00", "Europe/Berlin"))

    assert end - start == hours * 60


def test_a_month_that_starts_on_the_31st_starts_on_the_last_day_of_shorter_months() -> None:
    window = calendar("1M", "2023-12-31")

    assert period(window, minute("2024-02-15")) == (minute("2024-01-31"), minute("2024-02-29"))
    assert period(window, minute("2024-03-15")) == (minute("2024-02-29"), minute("2024-03-31"))
    assert period(window, minute("2025-02-28")) == (minute("2025-02-28"), minute("2025-03-31"))


def test_a_year_from_a_leap_day_returns_to_it_when_there_is_one() -> None:
    window = calendar("1Y", "2024-02-29")

    assert period(window, minute("2025-06-01")) == (minute("2025-02-28"), minute("2026-02-28"))
    assert period(window, minute("2028-06-01")) == (minute("2028-02-29"), minute("2029-02-28"))


def test_quarters_and_weeks_count_from_the_start() -> None:
    quarter, week = calendar("1Q", "2026-01-01"), calendar("1w", "2026-01-05")

    assert period(quarter, minute("2026-05-10")) == (minute("2026-04-01"), minute("2026-07-01"))
    assert period(week, minute("2026-11-23 00:00")) == (minute("2026-11-23"), minute("2026-11-30"))


def test_a_day_in_hours_is_a_length_of_time_and_not_a_day_of_the_wall_clock() -> None:
    window = calendar("24h", "2026-03-28", "Europe/Berlin")

    start, end = period(window, minute("2026-03-29 12:00", "Europe/Berlin"))

    assert end - start == 1440
    assert start == minute("2026-03-29", "Europe/Berlin")
    assert end == minute("2026-03-30 01:00", "Europe/Berlin")


def test_a_start_that_the_clock_skips_moves_on_by_the_gap() -> None:
    window = calendar("1d", "2026-03-01 02:30", "Europe/Berlin")

    start, _ = period(window, minute("2026-03-29 12:00", "Europe/Berlin"))

    assert start == minute("2026-03-29 03:30", "Europe/Berlin")


def test_asked_at_the_very_end_of_a_month_the_answer_is_about_that_month() -> None:
    window = calendar("1M", "2026-01-01")

    ended, begun = bounds(window, at("2026-12-01")), bounds(window, at("2026-12-01") + 1)

    assert (ended.start, ended.end) == (minute("2026-11-01"), minute("2026-12-01"))
    assert (begun.start, begun.end) == (minute("2026-12-01"), minute("2026-12-01 00:01"))


def test_before_the_first_start_periods_are_counted_backwards() -> None:
    assert period(calendar("1M", "2026-01-01"), minute("2025-11-10")) == (
        minute("2025-11-01"),
        minute("2025-12-01"),
    )


@pytest.mark.parametrize(
    ("start", "zone", "says"),
    [("2026-01-01", "Europe/Berlni", "time zone"), ("first of May", "UTC", "start")],
)
def test_an_impossible_calendar_is_refused_with_the_way_out(
    start: str, zone: str, says: str
) -> None:
    with pytest.raises(UserError, match=says) as raised:
        bounds(calendar("1M", start, zone), 0.0)

    assert raised.value.hint


def test_windows_are_named_so_that_rolling_and_calendar_cannot_be_confused() -> None:
    assert label(RollingWindow(parse_duration("7d"))) == "7d"
    assert label(calendar("7d", "2026-01-01")) == "7d calendar"


@given(
    st.sampled_from(["1d", "2d", "1w", "4w", "1M", "2M", "1Q", "1Y", "12h", "90m"]),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    st.datetimes(datetime(2019, 1, 1), datetime(2026, 12, 31)),
    st.datetimes(datetime(2019, 1, 1), datetime(2030, 1, 1)),
)
@settings(deadline=None, max_examples=150)
def test_calendar_periods_follow_each_other_without_gap_or_overlap(
    duration: str, zone: str, start: datetime, moment: datetime
) -> None:
    window = calendar(duration, start.isoformat(), zone)
    inside = int(moment.replace(tzinfo=UTC).timestamp()) // 60

    first, end = period(window, inside)

    assert first <= inside < end
    assert period(window, first) == (first, end)
    assert period(window, end - 1) == (first, end)
    assert period(window, end)[0] == end


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=8),
    st.integers(0, 30),
    st.integers(0, 40),
)
@settings(deadline=None, max_examples=200)
def test_excluded_intervals_count_once_however_they_overlap(
    raw: list[tuple[int, int]], start: int, span: int
) -> None:
    holes, whole = union(raw), (start, start + span)

    left = without(whole, holes)

    outside = {m for m in range(*whole) if not any(a <= m < b for a, b in raw)}
    assert {m for a, b in left for m in range(a, b)} == outside
    assert length(left) == len(outside)


def test_a_leap_day_belongs_to_february() -> None:
    start, end = period(calendar("1M", "2024-01-01"), minute("2024-02-29 23:59"))

    assert end - start == timedelta(days=29) // timedelta(minutes=1)


@pytest.mark.parametrize(
    ("name", "said"),
    [("30d", "30 days"), ("1d", "1 day"), ("1M calendar", "a calendar month"),
     ("3M calendar", "a calendar quarter"), ("2w calendar", "2 calendar weeks")],
)  # fmt: skip
def test_the_label_of_a_window_can_be_said_in_words(name: str, said: str) -> None:
    assert in_words(name) == said
