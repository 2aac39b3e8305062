from __future__ import annotations

import re
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.kernel import text
from watchkeeper.kernel.duration import parse_duration

NOON = 1_795_435_200.0  # 2026-11-23T12:00:00Z, a Monday


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (0.4, "< 1 s"),
        (45, "45 s"),
        (445, "7 m 25 s"),
        (420, "7 m"),
        (30_060, "8 h 21 m"),
        (28_800, "8 h"),
        (3_605, "1 h"),
        (273_600, "3 d 4 h"),
        (3_599.9, "59 m 59 s"),
        (-90, "−1 m 30 s"),
        (None, "never"),
        (float("inf"), "never"),
        (float("nan"), "–"),
    ],
)
def test_a_duration_reads_in_its_two_largest_units(seconds: float | None, said: str) -> None:
    assert text.duration(seconds) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "0"),
        (999, "999"),
        (1_000, "1 k"),
        (12_345, "12.3 k"),
        (999_999, "999 k"),
        (41_250_000, "41.2 M"),
        (2_000_000_000, "2 G"),
        (0.25, "0.2"),
        (0.01, "< 0.1"),
        (-1_500, "−1.5 k"),
        (None, "–"),
    ],
)
def test_a_count_reads_in_three_digits_and_is_never_rounded_up(
    value: float | None, said: str
) -> None:
    assert text.count(value) == said


@pytest.mark.parametrize(
    ("ratio", "said"),
    [
        (0.99918, "99.918 %"),
        (0.999996, "99.9996 %"),
        (0.9999999, "99.99999 %"),
        (1.0, "100 %"),
        (0.0, "0 %"),
        (0.5, "50 %"),
        (0.0000041, "0.0004 %"),
        (-0.3, "−30 %"),
        (None, "–"),
        (Decimal("0.999"), "99.9 %"),
    ],
)
def test_a_percentage_keeps_the_digits_that_matter(ratio: float | None, said: str) -> None:
    assert text.percent(ratio) == said


@given(st.floats(min_value=0, max_value=1, exclude_max=True, exclude_min=True))
@settings(deadline=None, max_examples=300)
def test_no_share_but_all_reads_as_100_percent_and_none_but_nothing_as_0(ratio: float) -> None:
    said = text.percent(ratio)

    assert said not in ("100 %", "0 %")
    shown = re.sub(r"[^\d.]", "", said)
    assert Decimal(shown) <= Decimal(repr(ratio)) * 100 or said.startswith("<")


@pytest.mark.parametrize(
    ("ratio", "said"),
    [
        (0.184, "18 % left"),
        (0.9999, "> 99 % left"),
        (0.001, "< 1 % left"),
        (1.0, "100 % left"),
        (0.0, "spent"),
        (-0.3, "30 % over"),
        (-0.301, "31 % over"),
        (None, "no evidence"),
    ],
)
def test_what_is_left_of_a_budget_reads_as_a_person_says_it(ratio: float | None, said: str) -> None:
    assert text.left(ratio) == said


@pytest.mark.parametrize(
    ("rate", "said"),
    [(14.39999, "14.3×"), (14.8, "14.8×"), (0.94, "0.94×"), (0.0, "0×"), (0.001, "< 0.01×"),
     (139.7, "139×"), (None, "–")],
)  # fmt: skip
def test_a_burn_rate_never_reads_as_the_threshold_it_has_not_reached(
    rate: float | None, said: str
) -> None:
    assert text.times(rate) == said


def test_exhaustion_is_told_by_the_clock() -> None:
    assert text.gone_by(30_060, NOON) == "gone by 20:21"
    assert text.gone_by(30_060, NOON, ZoneInfo("Europe/Berlin")) == "gone by 21:21"
    assert text.gone_by(86_400, NOON) == "gone by Tue 12:00"
    assert text.gone_by(10 * 86_400, NOON) == "gone by 3 Dec 12:00"
    assert text.gone_by(90 * 86_400, NOON) == "gone by 21 Feb 2027"
    assert text.gone_by(0, NOON) == "gone"
    assert text.gone_by(None, NOON) == "lasts"


def test_a_plain_number_has_thin_spaces_between_thousands() -> None:
    assert text.number(1_234_567.0) == "1\u2009234\u2009567"
    assert text.number(43.829, 1) == "43.8"
    assert text.number(None) == "–"


@pytest.mark.parametrize(
    ("written", "said", "lately"),
    [
        ("1h", "1 hour", "hour"),
        ("45m", "45 minutes", "45 minutes"),
        ("28d", "28 days", "28 days"),
        ("1M", "1 month", "month"),
        ("1Q", "1 quarter", "quarter"),
        ("6M", "2 quarters", "2 quarters"),
        ("1Y", "1 year", "year"),
        ("1h30m", "1h30m", "1h30m"),
        ("90m", "90 minutes", "90 minutes"),
    ],
)
def test_a_length_is_said_in_words(written: str, said: str, lately: str) -> None:
    assert text.length(parse_duration(written)) == said
    assert text.lately(parse_duration(written)) == lately


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0, "0 seconds"), (0.5, "less than a second"), (61.0, "1 minute 1 second"),
        (38 * 60.0, "38 minutes"), (26 * 3600.0, "1 day 2 hours"), (9.4 * 86_400, "9 days"),
    ],
)  # fmt: skip
def test_a_time_is_said_in_words_that_anybody_reads(seconds: float, said: str) -> None:
    assert text.spoken(seconds) == said


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("1.53 % bad, gone in 12 h 32 m", "1.53\u00a0% bad, gone in 12\u00a0h 32\u00a0m"),
        ("< 1 % of 9.56 M", "<\u00a01\u00a0% of 9.56\u00a0M"),
        ("3 more than 2 shifts", "3 more than 2 shifts"),
    ],
)
def test_a_line_never_ends_between_a_number_and_its_unit(said: str, shown: str) -> None:
    assert text.together(said) == shown
