"""Figures of incidents: medians, means, counts, closure; checked against a plain recount."""

from __future__ import annotations

import statistics
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.incidents.durations import Durations
from watchkeeper.postmortems.figures import Happened, Promised, closure, figures, months
from watchkeeper.postmortems.model import ActionState
from watchkeeper.spec.response import DAY

JAN = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
_SECONDS = st.none() | st.floats(0, 1e6)
_HAPPENED = st.builds(
    Happened,
    st.floats(JAN, JAN + 89 * DAY),
    st.sampled_from(["SEV1", "SEV2", "SEV3"]),
    st.builds(Durations, _SECONDS, _SECONDS, _SECONDS, _SECONDS),
    st.lists(st.sampled_from(["checkout", "search"]), unique=True).map(tuple),
    st.lists(st.sampled_from(["deploy", "capacity", "network"]), unique=True).map(tuple),
)


@given(st.lists(_HAPPENED, max_size=30))
def test_every_group_is_the_median_and_mean_of_its_incidents(happened: list[Happened]) -> None:
    found = figures(happened, [], ["SEV1", "SEV2", "SEV3"], JAN, JAN + 89 * DAY)
    assert found.all.count == len(happened)
    assert sum(g.count for g in found.by_severity) == len(happened)
    assert sum(g.count for g in found.by_month) == len(happened)
    assert [g.name for g in found.by_month] == ["2026-01", "2026-02", "2026-03"]
    for group in found.by_cause:
        its = [h for h in happened if group.name in (h.causes or ("not named",))]
        known = [h.took.resolve for h in its if h.took.resolve is not None]
        time = group.times["resolve"]
        assert (group.count, time.n) == (len(its), len(known))
        if known:
            assert time.median is not None
            assert abs(time.median - statistics.median(known)) < 1e-6
            assert time.mean is not None
            assert abs(time.mean - statistics.fmean(known)) < 1e-6
    few = figures(happened, [], ["SEV1", "SEV2", "SEV3"], JAN, JAN + 89 * DAY, most=1)
    assert list(few.by_cause) == list(found.by_cause)[:1]
    assert few.left_out["cause"] == max(0, len(found.by_cause) - 1)


def test_items_are_counted_by_what_became_of_them() -> None:
    def item(state: ActionState, due: float | None, done: float | None) -> Promised:
        return Promised(JAN, state, due, done, "prevent")

    found = closure("all", [
        item(ActionState.DONE, JAN + 10 * DAY, JAN + 4 * DAY),
        item(ActionState.DONE, JAN + 10 * DAY, JAN + 20 * DAY),
        item(ActionState.DONE, None, JAN + 6 * DAY),
        item(ActionState.DROPPED, JAN, JAN),
        item(ActionState.OPEN, JAN + 29 * DAY, None),
        item(ActionState.OPEN, JAN + 60 * DAY, None),
    ], JAN + 30 * DAY)  # fmt: skip
    assert (found.made, found.done, found.dropped, found.late) == (6, 3, 1, 1)
    assert (found.in_time, found.due) == (1, 3)
    assert found.days == 6 * DAY


def test_months_go_on_over_the_turn_of_the_year() -> None:
    assert months(JAN - 40 * DAY, JAN + 40 * DAY) == ["2025-11", "2025-12", "2026-01", "2026-02"]
