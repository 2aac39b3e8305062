"""Watching a release: it is stopped for harm, and not for bad luck."""

from __future__ import annotations

import numpy as np
import pytest

from watchkeeper.policy.watching import Advice, compare, concluded


def advice(before: tuple[float, float], since: tuple[float, float], allowed: float = 0.001) -> str:
    return str(compare("checkout", before, since, allowed).advice)


@pytest.mark.parametrize(
    ("before", "since", "expected"),
    [
        ((6, 6000), (40, 1000), "stop"),  # 40 times what may be
        ((6, 6000), (1, 1000), "go_on"),
        ((600, 6000), (100, 1000), "go_on"),  # it was as bad before
        ((600, 6000), (300, 1000), "stop"),  # and this is worse
        ((0, 0), (2, 10), "wait"),  # two errors may be bad luck
        ((0, 0), (0, 5), "wait"),
        ((0, 0), (10, 10), "stop"),  # ten of ten are not
    ],
)
def test_a_release_is_stopped_when_errors_are_more_than_before_and_more_than_luck(
    before: tuple[float, float], since: tuple[float, float], expected: str
) -> None:
    assert advice(before, since) == expected


def test_a_single_error_stops_what_must_never_fail() -> None:
    assert advice((0, 1000), (1, 1000), 0.0) == "stop"


def test_one_harmed_objective_is_enough_and_is_named_with_its_numbers() -> None:
    fine = compare("search", (1, 6000), (0, 1000), 0.001)
    harmed = compare("checkout", (6, 6000), (40, 1000), 0.001)
    found = concluded("shop", 0.0, 60.0, [fine, harmed])
    assert found.advice is Advice.STOP
    assert found.why == (
        "checkout burns 40.0×, before 1.0×: 40 of 1,000 requests failed since then, 6 of 6,000 in "
        "the hour before."
    )
    assert concluded("shop", 0.0, 60.0, []).advice is Advice.WAIT
    assert concluded("shop", 0.0, 60.0, [fine]).advice is Advice.GO_ON


def test_who_watches_an_hour_stops_a_good_release_in_a_hundred_at_most() -> None:
    random = np.random.default_rng(20260105)
    stopped = 0
    for _ in range(1000):
        bad = np.cumsum(random.binomial(200, 0.001, 60))
        stopped += any(
            compare("x", (6, 6000), (float(b), 200.0 * (i + 1)), 0.001).advice is Advice.STOP
            for i, b in enumerate(bad)
        )
    assert stopped <= 10
