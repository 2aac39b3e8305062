"""R3: budget, burn and time to exhaustion are exact to the event, whatever happens to the data."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.slo import calendar, rolling, slo, specs
from tests.support.slo_room import Bad, Recount, counts, room
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.measure.model import Count
from watchkeeper.slo import composite, slices, work
from watchkeeper.slo.model import Look, State, TargetVersion
from watchkeeper.spec.model import Composite, CompositePart, RatioTimeSlices, TimeSlices

END = 29_666_400  # minutes: a whole hour in 2026
NOW = END * 60.0
GOAL = Fraction(9, 10)


def steady(minutes: int, bad: int, total: int, end: int = END) -> Bad:
    return dict.fromkeys(range(end - minutes, end), (bad, total))


# ---------------------------------------------------------------- laws


@dataclass(frozen=True)
class Life:
    """What happens to an SLI: batches in any order, corrections, changes of target."""

    batches: list[Bad]
    pack_after: set[int]
    holes: list[tuple[int, int]]
    changes: list[tuple[int, str]]


_EVENTS = st.tuples(st.integers(0, 3), st.integers(3, 9))
_BATCH = st.dictionaries(st.integers(END - 700, END - 1), _EVENTS, max_size=40)
_HOLE = st.tuples(st.integers(END - 700, END + 30), st.integers(1, 200))
_CHANGE = st.tuples(st.integers(END - 600, END - 1), st.sampled_from(["0.5", "0.99"]))
LIVES = st.builds(
    Life,
    st.lists(_BATCH, min_size=1, max_size=4),
    st.sets(st.integers(0, 3)),
    st.lists(_HOLE.map(lambda h: (h[0], h[0] + h[1])), max_size=3),
    st.lists(_CHANGE, max_size=2, unique_by=lambda c: c[0]).map(sorted),
)


@given(LIVES, st.integers(0, 59), st.sampled_from([61, 360, 480, 600]))
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_every_figure_equals_a_recount_under_late_data_corrections_and_changes_of_target(
    life: Life, seconds: int, window: int
) -> None:
    now = NOW - 60 + seconds + 1
    definition = slo(target="0.9", window=rolling(f"{window}m"))
    events: Bad = {}
    with tempfile.TemporaryDirectory() as folder, room(Path(folder), specs(definition)) as it:
        for i, batch in enumerate(life.batches):
            it.record(counts("checkout-sli", batch), now)
            for minute, (bad, total) in batch.items():
                b, t = events.get(minute, (0, 0))
                events[minute] = (b + bad, t + total)
            if i in life.pack_after:
                it.pack(now)
        for since, target in life.changes:
            it.load(specs(slo(target=target, window=rolling(f"{window}m"))), since * 60.0)
        for i, (start, end) in enumerate(life.holes):
            it.correct("checkout", start, end, str(i))
        versions = [TargetVersion(0, Decimal("0.9"))]
        versions += [TargetVersion(since, Decimal(target)) for since, target in life.changes]
        recount = Recount(events, GOAL, life.holes, versions)

        status = it.status("checkout", now)
        detail = it.detail("checkout", now)

    recount.check(status)
    found = simulate(recount, status.window_end, window)
    spent = status.state is State.DEPLETED
    seconds_left = None if found is None else (status.window_end + found) * 60 - now
    assert (status.recovers_in_seconds if spent else status.time_to_exhaustion_seconds) == (
        seconds_left
    )
    assert sum(s.bad for s in detail.spends) + detail.elsewhere == status.budget.consumed
    assert sum(detail.per_hour.total) == status.events.total
    assert sum(detail.per_hour.total - detail.per_hour.good) == status.events.bad


def simulate(recount: Recount, end: int, window: int) -> int | None:
    """Minute by minute: until a budget is spent at the present rate, or a spent one is back."""
    seen = [
        m
        for m in range(end - 60, end)
        if m in recount.events and not any(a <= m < z for a, z in recount.holes)
    ]
    bad, total, allowed = recount.window(end - window, end)
    spent = bad > 0 and bad >= allowed
    if not total or (not seen and not spent):
        return None
    now_bad, _, now_allowed = recount.window(end - 60, end)
    h = max(1, len(seen))
    future = Fraction(0)
    for k in range(1, window + 1):
        old_bad, _, old_allowed = recount.window(end - window + k, end)
        future += not any(a <= end + k - 1 < z for a, z in recount.holes)
        left = old_allowed + future * now_allowed / h - old_bad
        left -= 0 if spent else future * now_bad / h
        if spent and left > 0:
            return k
        some_bad = old_bad + future * now_bad > 0
        if not spent and left <= 0 and some_bad:
            return k
    return None


@given(
    st.lists(
        st.dictionaries(
            st.integers(END - 240, END - 1),
            st.tuples(st.integers(0, 4), st.integers(4, 9)),
            max_size=30,
        ),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from([1, 5, 7, 30]),
)
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_slices_and_composites_equal_a_recount_in_whatever_order_minutes_arrive(
    batches: list[Bad], length: int
) -> None:
    method, ratio = TimeSlices(length, Decimal("0.8")), RatioTimeSlices(length)
    parts = (CompositePart("a"), CompositePart("sliced", Decimal(2)))
    defined = specs(
        slo("a", window=rolling("1d")),
        slo("sliced", key="a-sli", method=method, window=rolling("1d")),
        slo("ratio", key="a-sli", method=ratio, window=rolling("1d")),
        slo("both", composite=Composite(parts), window=rolling("1d")),
        slo("worst", composite=Composite(parts, "all_of"), window=rolling("1d")),
    )
    events: Bad = {}
    with tempfile.TemporaryDirectory() as folder, room(Path(folder), specs(slo("a"))) as it:
        for i, batch in enumerate(batches):
            if i == 1:
                it.load(defined, NOW)  # history comes before the slices that are made from it
            it.record(counts("a-sli", batch), NOW)
            for minute, (bad, total) in batch.items():
                b, t = events.get(minute, (0, 0))
                events[minute] = (b + bad, t + total)
        it.load(defined, NOW)
        got = {s.name: s.events for s in it.statuses(NOW)}

    expected = by_hand(events, length, method)
    for name, (good, events_total) in expected.items():
        assert got[name].total == events_total, name
        assert got[name].good == pytest.approx(good, abs=1e-9), name


def by_hand(events: Bad, length: int, method: TimeSlices) -> dict[str, tuple[float, float]]:
    sums: dict[int, list[int]] = {}
    for minute, (bad, total) in events.items():
        entry = sums.setdefault(minute // length * length, [0, 0])
        entry[0], entry[1] = entry[0] + total - bad, entry[1] + total
    good_slices = {s: g / t >= float(method.slice_target) for s, (g, t) in sums.items()}
    both = worst = 0.0
    minutes = {m for s in sums for m in range(s, s + length) if m < END}
    for minute in minutes:
        ratios = [(2, float(good_slices[minute // length * length]))]
        if minute in events:
            bad, total = events[minute]
            ratios.append((1, (total - bad) / total))
        both += sum(w * r for w, r in ratios) / sum(w for w, _ in ratios)
        worst += min(r for _, r in ratios)
    return {
        "sliced": (sum(good_slices.values()), len(sums)),
        "ratio": (sum(g / t for g, t in sums.values()), len(sums)),
        "both": (both, len(minutes)),
        "worst": (worst, len(minutes)),
    }


# ---------------------------------------------------------------- stories


def test_the_budget_is_spent_by_exactly_the_event_that_spends_it(tmp_path: Path) -> None:
    with room(tmp_path, specs(slo(window=rolling("1d")))) as it:
        it.record(counts("checkout-sli", {END - 600: (999, 1_000_000)}), NOW)
        before = it.status("checkout", NOW)
        it.record([Count("checkout-sli", END - 599, -1, 0, 0)], NOW)
        after = it.status("checkout", NOW)

    assert (before.budget.remaining, before.state) == (1, State.AT_RISK)
    assert (after.budget.remaining, after.state) == (0, State.DEPLETED)
    assert after.time_to_exhaustion_seconds == 0


def test_data_that_is_three_weeks_late_counts_where_it_happened(tmp_path: Path) -> None:
    late = END - 21 * 1440
    with room(tmp_path, specs(slo())) as it:
        it.record(counts("checkout-sli", steady(300, 0, 100)), NOW)
        it.pack(NOW)
        it.record(counts("checkout-sli", {late: (30, 50)}), NOW)
        month, week = it.status("checkout", NOW), it.status("checkout", NOW).burn_rate["7d"]
        then = it.status("checkout", (late + 1) * 60.0)

    assert (month.events.bad, month.events.total) == (30, 30_050)
    assert week == 0
    assert (then.events.bad, then.events.total) == (30, 50)


def test_a_gap_is_shown_as_unseen_and_counts_neither_good_nor_bad(tmp_path: Path) -> None:
    events = {m: e for m, e in steady(300, 1, 100).items() if not END - 200 <= m < END - 150}
    with room(tmp_path, specs(slo())) as it:
        it.record(counts("checkout-sli", events), NOW)
        detail = it.detail("checkout", NOW)

    assert detail.unseen_minutes == 50
    assert detail.status.events.total == 250 * 100
    assert detail.status.events.seen == 250


def test_minutes_without_requests_are_no_evidence_but_seen(tmp_path: Path) -> None:
    with room(tmp_path, specs(slo())) as it:
        it.record(counts("checkout-sli", steady(200, 0, 0)), NOW)
        detail = it.detail("checkout", NOW)

    assert detail.status.state is State.NO_DATA
    assert detail.status.attainment is None
    assert set(detail.status.burn_rate.values()) == {None}
    assert detail.unseen_minutes == 0
    assert np.isnan(detail.burn_down.left).all()


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-11-01", 24)]
)
def test_a_calendar_day_counts_every_event_between_two_local_midnights(
    tmp_path: Path, day: str, hours: int
) -> None:
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("Europe/Berlin"))
    start = round(midnight.timestamp()) // 60
    whole = dict.fromkeys(range(start - 120, start + hours * 60 + 120), (0, 1))
    with room(tmp_path, specs(slo(window=calendar("1d", zone="Europe/Berlin")))) as it:
        it.record(counts("checkout-sli", whole), NOW)
        status = it.status("checkout", (start + hours * 60) * 60.0)

    assert status.events.total == hours * 60
    assert (status.window_start, status.period_end) == (start, start + hours * 60)


def test_a_calendar_budget_that_outlasts_its_period_never_runs_out(tmp_path: Path) -> None:
    first = 29_655_360  # minutes: 2026-05-21 00:00 UTC
    window = calendar("1w", "2026-05-21")
    with room(tmp_path, specs(slo(target="0.9", window=window))) as it:
        events = dict.fromkeys(range(first, first + 1440), (0, 10))
        events |= dict.fromkeys(range(first + 1440, first + 1500), (2, 10))
        it.record(counts("checkout-sli", events), NOW)
        status = it.status("checkout", (first + 1500) * 60.0)

    # 1,500 events earned, 120 spent: 1,380 left, one less each minute; the week has 8,580 to go.
    assert status.time_to_exhaustion_seconds == 1380 * 60
    other = tmp_path / "other"
    other.mkdir()
    with room(other, specs(slo(target="0.9", window=calendar("1d", "2026-05-21")))) as it:
        events = dict.fromkeys(range(first, first + 1300), (0, 10))
        events |= dict.fromkeys(range(first + 1300, first + 1360), (2, 10))
        it.record(counts("checkout-sli", events), NOW)
        assert it.status("checkout", (first + 1360) * 60.0).time_to_exhaustion_seconds is None


def test_a_spent_budget_says_when_it_comes_back(tmp_path: Path) -> None:
    with room(tmp_path, specs(slo(target="0.9", window=rolling("1000m")))) as it:
        events = steady(1000, 0, 10) | {END - 900: (1500, 1500)}
        it.record(counts("checkout-sli", events), NOW)
        status = it.status("checkout", NOW)

    assert status.state is State.DEPLETED
    assert status.look is Look.SPENT
    assert status.recovers_in_seconds == 101 * 60  # when the bad minute has left


def test_what_was_spent_under_an_old_target_stays_as_it_was(tmp_path: Path) -> None:
    with room(tmp_path, specs(slo(target="0.99")), (END - 1000) * 60.0) as it:
        it.record(counts("checkout-sli", steady(1000, 0, 1000)), NOW)
        it.load(specs(slo(target="0.999")), (END - 400) * 60.0)
        status = it.status("checkout", NOW)
        versions = it.detail("checkout", NOW).versions

    assert status.budget.total == 600 * 10 + 400 * 1
    assert [str(v.target) for v in versions] == ["0.99", "0.999"]


def test_overlapping_corrections_count_once_and_can_be_taken_back(tmp_path: Path) -> None:
    with room(tmp_path, specs(slo(window=rolling("1d")))) as it:
        it.record(counts("checkout-sli", steady(100, 1, 10)), NOW)
        it.correct("checkout", END - 50, END - 20, "x")
        it.correct("checkout", END - 30, END + 10, "y")
        with_both = it.status("checkout", NOW)
        with it.db.write() as conn:
            work.uncorrect(conn, "x")
        with_one = it.status("checkout", NOW)

    assert (with_both.events.total, with_both.events.bad) == (500, 50)
    assert with_one.events.total == 700


def test_a_correction_needs_a_reason_and_a_length(tmp_path: Path) -> None:
    with room(tmp_path, specs(slo())) as it:
        with pytest.raises(UserError):
            it.correct("checkout", 10, 10)
        with pytest.raises(NotFound, match="chekout"):
            it.status("chekout", NOW)


def test_the_largest_episode_is_listed_first_and_everything_adds_up(tmp_path: Path) -> None:
    events = steady(3000, 0, 100) | steady(30, 20, 100, END - 1000) | steady(10, 50, 100, END - 400)
    events |= steady(1, 3, 100, END - 2000)
    with room(tmp_path, specs(slo())) as it:
        it.record(counts("checkout-sli", events), NOW)
        detail = it.detail("checkout", NOW)

    first, second = detail.spends[:2]
    assert (first.start, first.end, first.bad) == (END - 1030, END - 1000, 600)
    assert (second.start, second.end, second.bad) == (END - 410, END - 400, 500)
    assert sum(s.bad for s in detail.spends) + detail.elsewhere == 1103
    assert detail.burn_down.left[-1] == pytest.approx(detail.status.budget.remaining_ratio)


def test_each_label_set_of_a_grouped_slo_is_judged_by_itself(tmp_path: Path) -> None:
    grouped = slo(group_by=("pod",))
    with room(tmp_path, specs(grouped)) as it:
        assert [s.name for s in it.statuses(NOW)] == ["checkout"]
        it.record(
            [
                Count("checkout-sli", END - 1, 5, 10, group=(("pod", "b"),)),
                Count("checkout-sli", END - 1, 10, 10, group=(("pod", "a"),)),
            ],
            NOW,
        )
        found = it.statuses(NOW)
        detail = it.detail("checkout[pod=b]", NOW)

    assert [(s.name, s.attainment) for s in found] == [
        ("checkout[pod=a]", 1.0),
        ("checkout[pod=b]", 0.5),
    ]
    assert found[0].labels == {"pod": "a"}
    assert found[0].team == "payments"
    assert detail.status.events.bad == 5


def test_data_that_stops_is_warned_of_and_shows_as_no_data_while_the_budget_stays(
    tmp_path: Path,
) -> None:
    with room(tmp_path, specs(slo())) as it:
        it.record(counts("checkout-sli", steady(500, 1, 100)), NOW)
        soon, later = it.status("checkout", NOW + 1200), it.status("checkout", NOW + 7200)

    assert soon.look is not Look.NONE
    assert any("no data for 20 m" in w for w in soon.warnings)
    assert later.look is Look.NONE
    assert later.state is State.DEPLETED
    assert later.time_to_exhaustion_seconds == 0


def test_a_slice_row_that_was_out_of_use_is_brought_up_to_date_when_it_is_used_again(
    tmp_path: Path,
) -> None:
    method = TimeSlices(5, Decimal("0.9"))
    sliced = specs(slo("a", key="k", method=method, window=rolling("1d")))
    with room(tmp_path, sliced) as it:
        it.record(counts("k", steady(100, 0, 10, END - 200)), NOW)
        it.load(specs(slo("b", key="k")), NOW)
        it.record(counts("k", steady(100, 5, 10)), NOW)
        it.load(sliced, NOW)
        status = it.status("a", NOW)

    assert (status.events.bad, status.events.total) == (20, 40)


def test_rows_are_told_apart_by_method() -> None:
    assert slices.suffix(TimeSlices(5, Decimal("0.9"))) != slices.suffix(RatioTimeSlices(5))
    many = Composite(tuple(CompositePart(f"a-rather-long-name-of-a-part-{i}") for i in range(40)))
    other = Composite((*many.parts[:-1], CompositePart("another")))
    assert len(composite.row_key(many)) < 200
    assert composite.row_key(many) != composite.row_key(other)
