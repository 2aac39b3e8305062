from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.support.slo import array_reader
from watchkeeper.slo import exhaustion
from watchkeeper.slo.view import MAY, TOTAL, Terms, View

_EVER = (-(2**60), 2**60)


def simulate(
    bad: list[int],
    total: list[int],
    rate: tuple[int, int, int],
    num: int,
    den: int,
    *,
    recover: bool,
) -> int | None:
    """Brute force: slide the window minute by minute and recount it each time, with fractions.

    ``rate`` is (bad, total, minutes). The k-th future minute has rate bad/minutes of total/minutes.
    """
    share = Fraction(num, den)
    new_bad = Fraction(0 if recover else rate[0], rate[2])
    new_total = Fraction(rate[1], rate[2])
    for k in range(1, len(total) + 1):
        spent = sum(bad[k:]) + k * new_bad
        may = share * (sum(total[k:]) + k * new_total)
        if recover and may > spent:
            return k
        if not recover and spent > 0 and spent >= may:
            return k
    return None


def spent(bad: list[int], total: list[int], num: int, den: int) -> bool:
    return sum(bad) > 0 and sum(bad) * den >= sum(total) * num


def search(
    bad: list[int], total: list[int], rate: tuple[int, int, int], num: int, den: int, *,
    recover: bool, start: int = 0, segments: int = 8,
) -> int | None:  # fmt: skip
    good = [t - b for b, t in zip(bad, total, strict=True)]
    view = View(array_reader(start, good, total), Terms((), ((_EVER, num),), den))
    first = view.cum([start])[0]

    def leaving(k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        gone = view.cum(start + k) - first
        return gone[:, MAY], (gone[:, TOTAL] - gone[:, 0]) * den

    make = exhaustion.recovers if recover else exhaustion.exhausts
    falling = make(
        float(sum(total) * num),
        float(sum(bad) * den),
        (float(rate[1] * num), float(rate[0] * den), rate[2]),
        exhaustion.counting_minutes((), start + len(total)),
    )
    grid = exhaustion.screen_grid(len(total), start, segments)
    return exhaustion.first(falling, grid, start, leaving)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[int], list[int], tuple[int, int, int], int, int, int]:
    length = draw(st.integers(1, 400))
    total = draw(st.lists(st.integers(0, 30), min_size=length, max_size=length))
    clean = draw(st.lists(st.booleans(), min_size=length, max_size=length))
    bad = [0 if c else t // 3 for t, c in zip(total, clean, strict=True)]
    rate_total = draw(st.integers(0, 900))
    rate = (draw(st.integers(0, rate_total)), rate_total, draw(st.integers(1, 60)))
    num, den = draw(st.sampled_from([(1, 10), (1, 2), (3, 20), (1, 100), (1, 5)]))
    return bad, total, rate, num, den, draw(st.integers(0, 200))


@given(histories(), st.integers(1, 12))
@settings(deadline=None, max_examples=250)
def test_exhaustion_with_roll_off_is_what_a_minute_by_minute_simulation_finds(
    history: tuple[list[int], list[int], tuple[int, int, int], int, int, int], segments: int
) -> None:
    bad, total, rate, num, den, start = history
    assume(not spent(bad, total, num, den))

    found = search(bad, total, rate, num, den, recover=False, start=start, segments=segments)

    assert found == simulate(bad, total, rate, num, den, recover=False)


@given(histories())
@settings(deadline=None, max_examples=150)
def test_recovery_is_what_a_minute_by_minute_simulation_finds(
    history: tuple[list[int], list[int], tuple[int, int, int], int, int, int],
) -> None:
    bad, total, rate, num, den, start = history
    assume(spent(bad, total, num, den))

    found = search(bad, total, rate, num, den, recover=True, start=start)

    assert found == simulate(bad, total, rate, num, den, recover=True)


@given(histories(), st.integers(1, 9))
@settings(deadline=None, max_examples=200)
def test_an_slo_that_the_screen_leaves_out_never_exhausts(
    history: tuple[list[int], list[int], tuple[int, int, int], int, int, int], segments: int
) -> None:
    bad, total, rate, num, den, start = history
    grid = exhaustion.screen_grid(len(total), start, segments)
    lost = np.concatenate(([0], np.cumsum(total)))[grid][:, None] * float(num)
    gained = np.concatenate(([0], np.cumsum(bad)))[grid][:, None] * float(den)
    gain = np.asarray([(rate[1] * num - rate[0] * den) / rate[2]])
    left = np.asarray([float(sum(total) * num - sum(bad) * den)])

    if not exhaustion.may_fall(left, gain, lost, gained, grid)[0]:
        assert simulate(bad, total, rate, num, den, recover=False) is None


def test_burning_below_1_exhausts_when_the_clean_minutes_leave() -> None:
    # 100 clean minutes, then 100 that spent 1.5 times their share: 25 % are left now.
    total, bad = [100] * 200, [0] * 100 + [15] * 100

    found = search(bad, total, (9 * 60, 100 * 60, 60), 1, 10, recover=False)

    # Each minute, one clean minute leaves (−10) and one at burn 0.9 comes (+1): 500 / 9 → 56.
    assert found == 56


def test_a_burn_above_1_that_began_long_ago_is_not_what_the_plain_figure_says() -> None:
    # Bad minutes leave as fast as new ones come: at an unchanged burn of 1.5 the plain figure
    # sees an end, while with roll-off the old errors leave first.
    total, bad = [100] * 200, [15] * 60 + [0] * 140

    found = search(bad, total, (15 * 60, 100 * 60, 60), 1, 10, recover=False)

    plain = (2000 - 900) / 5
    assert found is not None
    assert found != plain
    assert found == simulate(bad, total, (15 * 60, 100 * 60, 60), 1, 10, recover=False)


def test_planned_maintenance_neither_spends_nor_earns() -> None:
    counted = exhaustion.counting_minutes([(90, 105), (120, 130)], 100)

    assert counted(np.asarray([0, 5, 10, 20, 25, 30, 40])).tolist() == [0, 0, 5, 15, 15, 15, 25]


def test_without_traffic_and_without_errors_a_budget_lasts() -> None:
    assert search([0] * 50, [0] * 50, (0, 0, 60), 1, 10, recover=False) is None
