"""The vectorised exhaustion of a backtest is that of the live search, minute by minute."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.slo import rolling
from watchkeeper.alerting.backtest.conditions import exhausting
from watchkeeper.alerting.backtest.model import History
from watchkeeper.alerting.backtest.windows import Counts
from watchkeeper.slo import exhaustion
from watchkeeper.slo.model import FloatArray, IntArray
from watchkeeper.spec.duty import ExhaustionRule

Stretch = tuple[int, int, int, int]
"""(minutes, bad a minute, total a minute, seen)"""


def history(stretches: list[Stretch]) -> History:
    rows = [(bad, total, seen) for n, bad, total, seen in stretches for _ in range(n)]
    bad, total, seen = np.asarray(rows, dtype=np.float64).T
    bad, total = np.minimum(bad, total) * seen, total * seen
    return History(0.0, total - bad, total, seen)


def searched(counts: Counts, e: int) -> float | None:
    """Minutes to exhaustion after minute e (exclusive end) as the live search finds it."""
    w, start = counts.length, max(0, e - counts.length)
    p, q = counts.p, counts.q

    def between(cum: FloatArray, a: int, b: int) -> float:
        return float(cum[max(b, 0)] - cum[max(a, 0)])

    hour = max(0, e - 60)
    if between(counts.seen, hour, e) <= 0 or between(counts.total, start, e) <= 0:
        return None
    rate = (
        between(counts.total, hour, e) * p,
        between(counts.bad, hour, e) * q,
        round(min(60.0, max(1.0, between(counts.seen, hour, e)))),
    )
    may, bad = between(counts.total, start, e) * p, between(counts.bad, start, e) * q
    falling = exhaustion.exhausts(may, bad, rate, lambda k: k.astype(np.float64))
    if bad > 0 and bad >= may:
        return 0.0

    def leaving(k: IntArray) -> exhaustion.Leaving:
        at = np.clip(e - w + k, 0, None)
        first = max(0, e - w)
        lost = (counts.total[at] - counts.total[first]) * p
        gained = (counts.bad[at] - counts.bad[first]) * q
        return lost, gained

    found = exhaustion.first(falling, np.asarray([0, w], dtype=np.int64), 0, leaving)
    return None if found is None else float(found)


def expected(rule: ExhaustionRule, counts: Counts) -> list[bool]:
    """The rule by the live search."""
    held: list[bool] = []
    for e in range(1, counts.n + 1):
        burns = [_burns(counts, e, n) for n in (60, 5)]
        left = searched(counts, e) if all(burns) else None
        soon = left is not None and 0 < left * 60 <= rule.within
        held.append(soon or (left == 0 and rule.urgency != "page"))
    return held


def _burns(counts: Counts, e: int, minutes: int) -> bool:
    a = max(0, e - minutes)
    total, bad = counts.total[e] - counts.total[a], counts.bad[e] - counts.bad[a]
    return bool(total > 0 and bad * counts.q >= total * counts.p)


# A burst of allowance leaves while slow spending goes on, and errors leave right after it: the
# budget is short only in between.
DIP: list[Stretch] = [(15, 0, 60, 1), (15, 60, 60, 1), (90, 0, 60, 1), (75, 7, 60, 1)]


@pytest.mark.parametrize("urgency", ["page", "ticket"])
@pytest.mark.parametrize("within", [600.0, 2400.0, 5400.0])
@settings(deadline=None, max_examples=25)
@given(
    stretches=st.lists(
        st.tuples(
            st.integers(1, 40),
            st.sampled_from((0, 0, 1, 7, 9, 15, 60)),
            st.sampled_from((0, 10, 60, 60, 60, 200)),
            st.sampled_from((1, 1, 1, 1, 0)),
        ),
        min_size=2,
        max_size=7,
    )
)
@example(stretches=DIP)
def test_a_rule_of_exhaustion_holds_when_the_live_search_says(
    urgency: str, within: float, stretches: list[Stretch]
) -> None:
    counts = Counts(history(stretches), Decimal("0.9"), rolling("2h"))
    rule = ExhaustionRule(within, urgency)
    assert exhausting(rule, counts).tolist() == expected(rule, counts)


def test_there_are_dips_that_only_a_search_of_every_minute_finds() -> None:
    rng = np.random.default_rng(5)
    dips = 0
    for trial in range(300):
        n, long = int(rng.integers(150, 320)), 1 + trial % 3 * 3
        total = np.repeat(rng.choice([5.0, 60.0, 403.0], n // long + 1), long)[:n]
        share = np.repeat(rng.choice([0.0, 0.0, 0.11, 0.2, 0.9], n // long + 1), long)[:n]
        bad = np.floor(total * share)
        counts = Counts(History.of(total - bad, total), Decimal("0.9"), rolling("2h"))
        rule = ExhaustionRule(5400.0, "page")
        found = exhausting(rule, counts).tolist()
        assert found == expected(rule, counts)
        for e in np.flatnonzero(found).tolist():
            k = searched(counts, e + 1)
            later = counts.debt[np.clip(e + 1 - 120 + np.arange(1, 91), 0, None)]
            rate = (counts.debt[e + 1] - counts.debt[max(0, e - 59)]) / min(60, e + 1)
            left = later - counts.debt[e + 1] - np.arange(1, 91) * rate
            dips += bool(k is not None and left[-1] > 0)
    assert dips >= 5
