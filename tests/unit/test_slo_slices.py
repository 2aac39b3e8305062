from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.slo import slo
from watchkeeper.slo import composite, slices
from watchkeeper.slo.subjects import base_name, instance_name, row_key
from watchkeeper.spec.model import Composite, CompositePart, RatioTimeSlices, TimeSlices


def floats(*values: float) -> np.ndarray:
    return np.asarray(values, dtype=np.float64)


def test_a_slice_is_good_when_its_share_reaches_the_target_exactly() -> None:
    good, total, seen = slices.evidence(
        TimeSlices(5, Decimal("0.99")), floats(99, 98, 0), floats(100, 100, 0), floats(5, 5, 5)
    )

    assert good.tolist() == [1, 0, 0]
    assert total.tolist() == [1, 1, 0]
    assert seen.tolist() == [1, 1, 1]


def test_a_ratio_slice_counts_once_with_its_own_share_whatever_its_traffic() -> None:
    good, total, _ = slices.evidence(
        RatioTimeSlices(5), floats(1, 900, 0), floats(2, 1000, 0), floats(1, 1, 0)
    )

    assert good.tolist() == [0.5, 0.9, 0]
    assert total.tolist() == [1, 1, 0]


def test_a_slice_without_events_is_no_evidence_for_or_against() -> None:
    for method in (TimeSlices(1, Decimal("0.5")), RatioTimeSlices(1)):
        good, total, _ = slices.evidence(method, floats(0), floats(0), floats(1))
        assert (good[0], total[0]) == (0, 0)


@given(
    st.integers(0, 2**53),
    st.integers(-2, 2),
    st.sampled_from(["0.5", "0.9", "0.99", "0.999", "0.95"]),
)
@settings(deadline=None, max_examples=200)
def test_whether_a_slice_meets_its_target_is_decided_with_whole_numbers(
    total: int, off: int, target: str
) -> None:
    share = Fraction(Decimal(target))
    good = min(total, max(0, int(share * total) + off))

    met = slices.meets(floats(good), floats(total), Decimal(target))[0]

    assert met == (good >= share * total)


def test_slices_are_aligned_to_the_epoch() -> None:
    assert slices.starts_of(np.asarray([0, 4, 5, 12, 14]), 5).tolist() == [0, 5, 10]


def test_rows_are_named_by_all_that_their_values_depend_on() -> None:
    method = TimeSlices(5, Decimal("0.990"))

    assert row_key(slo(key="x")) == "x"
    assert row_key(slo(key="x", method=method)) == "x#slices/5/0.99"
    assert row_key(slo(key="x", method=RatioTimeSlices(10))) == "x#ratio/10"
    made = Composite((CompositePart("a"), CompositePart("b", Decimal("2.50"))))
    assert row_key(slo(composite=made)) == "#composite/weighted/a=1,b=2.5"
    worst = Composite(made.parts, "all_of")
    assert row_key(slo(composite=worst)) == "#composite/all_of/a,b"


def test_a_weighted_composite_minute_is_the_weighted_mean_of_its_parts_ratios() -> None:
    good, total, seen = composite.evidence(
        "weighted", floats(1, 3), np.asarray([[10.0], [1.0]]), np.asarray([[10.0], [2.0]]),
        np.ones((2, 1)),
    )  # fmt: skip

    assert good[0] == pytest.approx((1 * 1 + 3 * 0.5) / 4)
    assert (total[0], seen[0]) == (1, 1)


def test_an_all_of_composite_minute_is_as_good_as_its_worst_part() -> None:
    good, total, _ = composite.evidence(
        "all_of", floats(1, 1), np.asarray([[10.0], [1.0]]), np.asarray([[10.0], [2.0]]),
        np.ones((2, 1)),
    )  # fmt: skip

    assert (good[0], total[0]) == (0.5, 1)


def test_a_part_without_evidence_has_no_say_in_the_minute() -> None:
    good_events, total_events = np.asarray([[9.0, 0.0], [0.0, 0.0]]), np.asarray([[10.0, 0.0]] * 2)
    total_events[1] = 0

    for mode in ("weighted", "all_of"):
        good, total, _ = composite.evidence(
            mode, floats(1, 5), good_events, total_events, np.ones((2, 2))
        )
        assert good.tolist() == [0.9, 0]
        assert total.tolist() == [1, 0]


def test_an_instance_is_named_by_its_labels() -> None:
    assert instance_name("api", (("pod", "a"), ("zone", "b"))) == "api[pod=a,zone=b]"
    assert instance_name("api", ()) == "api"
    assert base_name("api[pod=a,zone=b]") == "api"
