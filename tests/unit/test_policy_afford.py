"""What changes have cost, how many more fit, what other targets would have meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.afford_room import BAD, CONFIGURED, RELEASES, afford_of, afford_room
from tests.support.causes_room import DAY, NOW, NOW_MINUTE, CausesRoom, quiet
from tests.support.slo import calendar, rolling
from watchkeeper.alerting.backtest.model import History, Plan
from watchkeeper.causes.model import Account, Entry, Episode, Hypothesis, Kind, Label, Verdict
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.policy import affordwords, ladder
from watchkeeper.policy.afford import (
    FEW,
    MOST_FIT,
    Fit,
    Group,
    Line,
    fit,
    fit_all,
    spent_of,
    spread,
)
from watchkeeper.policy.affording import Afford
from watchkeeper.policy.model import Terms
from watchkeeper.spec.budget import BudgetState, Combine

TERMS = Terms("p", "worst", 0.5, 0.0, {"depleted": ("feature",)})
costs_seen = st.lists(st.integers(0, 50).map(Fraction), min_size=0, max_size=12)
rooms = st.integers(-20, 400).map(Fraction)


def verdict(kind: Kind, change: str = "", start: int = 0) -> Verdict:
    its = Episode(start, start + 10, start, 50.0, 100.0)
    what = f"shop {change}" if change else str(kind)
    return Verdict(its, (Hypothesis(kind, 0.9, what, change=change),), 0.0)


def entry(bad: int, found: Verdict, label: Label | None = None) -> Entry:
    best = found.best
    kind, what = (label.kind, label.what) if label else (best.kind, best.what)
    return Entry(kind, what, Fraction(bad), found.episode, found, label)


def account(entries: Sequence[Entry], total: int = 100_000) -> Account:
    consumed = sum((e.bad for e in entries), Fraction(0))
    return Account("shop", 0, 1000, consumed, Fraction(total), tuple(entries), 1)


def said(kind: Kind, what: str = "", change: str = "") -> Label:
    return Label("l", "shop", 0, 10, kind, what, "", "ada", 0.0, Kind.UNKNOWN, change)


# ---------------------------------------------------------------- whose costs


def test_what_a_person_says_counts_and_agreeing_keeps_the_change() -> None:
    found = spent_of(
        account(
            [
                entry(10, verdict(Kind.DEPLOYMENT, "1")),
                entry(20, verdict(Kind.DEPLOYMENT, "1"), said(Kind.DEPLOYMENT, "shop 1")),
                entry(40, verdict(Kind.DEPLOYMENT, "1"), said(Kind.INFRASTRUCTURE, "A full disk")),
                entry(80, verdict(Kind.UNKNOWN), said(Kind.DEPLOYMENT, change="2")),
                entry(160, verdict(Kind.UNKNOWN), said(Kind.DEPLOYMENT, "Somebody's script")),
                entry(320, verdict(Kind.DEPLOYMENT, "99")),
            ]
        ),
        ["1", "2", "3"],
    )
    assert found.own == {"1": 30, "2": 80, "3": 0}
    assert [found.elsewhere, found.unnamed, found.other] == [320, 160, 40]


@given(
    st.lists(
        st.tuples(st.sampled_from(Kind), st.sampled_from(["", "1", "2", "9"]), st.integers(0, 99)),
        max_size=15,
    )
)
def test_costs_sum_to_exactly_what_the_causes_attributed(
    parts: list[tuple[Kind, str, int]],
) -> None:
    its = account([entry(bad, verdict(kind, change)) for kind, change, bad in parts])
    found = spent_of(its, ["1", "2"])
    sums = (sum(found.own.values()), found.elsewhere, found.unnamed, found.other)
    assert sum(sums) == its.consumed
    for change, cost in found.own.items():
        assert cost == sum(bad for _, named, bad in parts if named == change)


# ---------------------------------------------------------------- how many fit


def order(amount: int | None) -> float:
    return np.inf if amount is None else amount


@given(costs_seen, rooms, rooms)
def test_more_room_never_fits_fewer(costs: list[Fraction], one: Fraction, other: Fraction) -> None:
    less, more = (fit(costs, room) for room in sorted((one, other)))
    assert order(less.cautious) <= order(more.cautious)
    assert order(less.expected) <= order(more.expected)


@given(costs_seen, rooms)
def test_caution_never_promises_more_than_the_mean(costs: list[Fraction], room: Fraction) -> None:
    found = fit(costs, room)
    assert order(found.cautious) <= order(found.expected)
    if found.expected is not None and 0 < found.expected < MOST_FIT:
        assert found.expected * sum(costs) <= room * len(costs)
        assert (found.expected + 1) * sum(costs) > room * len(costs)


def test_equal_costs_leave_nothing_to_chance() -> None:
    assert fit([Fraction(10)] * 8, Fraction(35)) == Fit(3, 3)


def test_few_changes_give_no_number_but_the_costliest() -> None:
    assert fit([Fraction(10), Fraction(2)], Fraction(35)) == Fit(None, 3, few=True)
    assert spread([Fraction(10), Fraction(2)]).low is None


def test_changes_that_never_cost_set_no_limit_and_say_how_sure_that_is() -> None:
    assert fit([Fraction(0)] * 59, Fraction(1)) == Fit(None, None)
    assert spread([Fraction(0)] * 59).may_cost == pytest.approx(0.05, abs=0.001)


def test_what_is_not_known_is_not_called_a_limit() -> None:
    assert affordwords.limit(None, few=True) == "too few to say"
    assert affordwords.limit(None, few=False) == "no limit seen"
    assert affordwords.limit(MOST_FIT, few=False) == f"{MOST_FIT} or more"


def test_nothing_fits_into_nothing() -> None:
    assert fit([Fraction(0)] * 9, Fraction(0)) == Fit(0, 0)


def test_the_interval_holds_the_mean_of_what_the_costs_come_from() -> None:
    """Of a hundred histories of 30 changes, one in four costing 8: the mean is 2."""
    random = np.random.default_rng(7)
    held = 0
    for _ in range(100):
        costs = [Fraction(int(c)) for c in np.where(random.random(30) < 0.25, 8, 0)]
        found = spread(costs)
        held += found.low is not None and found.high is not None and found.low <= 2 <= found.high
    assert 80 <= held <= 97


def test_the_cautious_number_holds_in_nine_of_ten_futures() -> None:
    """Histories of 40 changes, one in four costing 8, and room for about 30."""
    random = np.random.default_rng(11)
    held = 0
    for _ in range(100):
        seen, future = (np.where(random.random(n) < 0.25, 8, 0) for n in (40, 200))
        found = fit([Fraction(int(c)) for c in seen], Fraction(60))
        held += found.cautious is not None and future[: found.cautious].sum() <= 60
    assert 84 <= held <= 99


def test_what_fits_must_fit_into_every_budget_and_a_mean_is_shared() -> None:
    group = Group("kind", "deployment", ("1", "2", "3", "4", "5"))
    shares = {
        "a": dict.fromkeys(group.changes, Fraction(1, 10)),
        "b": dict.fromkeys(group.changes, Fraction(1, 50)),
    }
    a, b = (Line(n, "p", 0.6, Fraction(6, 10), (n,)) for n in "ab")
    mean = Line("p", "p", 0.6, Fraction(6, 10), ("a", "b"))
    assert len(group.changes) == FEW
    assert fit_all(group, [a, b], shares) == Fit(6, 6)
    assert fit_all(group, [mean], shares) == Fit(10, 10)


# ---------------------------------------------------------------- other targets


def minutes_bad(random: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    total = random.integers(0, 30, n)
    bad = np.minimum(total, np.where(random.random(n) < 0.02, random.integers(0, 20, n), 0))
    return bad, total


@given(st.integers(0, 2**32 - 1), st.integers(0, 500), st.sampled_from(["0", "0.1", "0.5"]))
def test_the_ladder_equals_a_recount_minute_by_minute(seed: int, begin: int, limit: str) -> None:
    n, length, start = 1600, 240, 777 * 60.0
    bad, total = minutes_bad(np.random.default_rng(seed), n)
    history = History.of(total - bad, total, start=start, begin=begin)
    terms = Terms("p", "worst", 0.5, float(limit), {"depleted": ("feature",)})
    changes = [(start + 60.0 * i, "feature") for i in range(0, n, 97)]
    found = ladder.ladder(history, Decimal("0.99"), rolling("4h"), Plan("none", ()), terms, changes)

    before, after = np.maximum(np.arange(n) + 1 - length, 0), np.arange(n) + 1
    ends = np.concatenate(([0], np.cumsum(bad))), np.concatenate(([0], np.cumsum(total)))
    assert [r.target for r in found if r.now] == [Decimal("0.99")]
    for rung in found:
        allowed = (1 - Fraction(rung.target)) * (1 - Fraction(limit))
        its_bad, its_total = (e[after] - e[before] for e in ends)
        spent = {
            i
            for i, (b, t) in enumerate(zip(its_bad.tolist(), its_total.tolist(), strict=True))
            if i >= begin and t and b * allowed.denominator >= t * allowed.numerator
        }
        assert rung.depleted_days == len({(start + 60 * i) // 86_400 for i in spent})
        assert rung.halted == sum((at - start) // 60 in spent for at, _ in changes)
        assert rung.bad == int(ends[0][n] - ends[0][n - length])
        assert rung.budget == int(ends[1][n] - ends[1][n - length]) * (1 - Fraction(rung.target))


def test_rungs_are_around_the_present_target_even_an_odd_one() -> None:
    assert [str(t) for t in ladder.rungs_around(Decimal("0.9925"))] == [
        "0.98", "0.99", "0.9925", "0.995", "0.998", "0.999",
    ]  # fmt: skip


def test_a_target_of_all_is_spent_by_one_bad_event() -> None:
    history = History.of([5, 4, 5], [5, 5, 5])
    found = ladder.ladder(history, Decimal(1), rolling("1d"), Plan("none", ()), TERMS, [])
    assert [(str(r.target), r.depleted_days, r.consumed) for r in found][-1] == ("1", 1, None)


# ---------------------------------------------------------------- the next nine


def test_the_next_nine_names_the_costliest_causes_until_it_is_met() -> None:
    parts = [(600, 0), (300, 20), (90, 40), (10, 60)]
    its = account([entry(bad, verdict(Kind.UNKNOWN, start=at)) for bad, at in parts])
    found = ladder.next_nine(its, Decimal("0.99"))
    assert (str(found.target), found.met) == ("0.999", True)
    assert [found.budget, found.surplus] == [100, 900]
    assert [int(g.left) for g in found.causes] == [400, 100]
    assert "900 of 1" in affordwords.next_nine(found)


def test_the_next_nine_says_when_what_fails_steadily_is_too_much_alone() -> None:
    its = account(
        [entry(600, verdict(Kind.UNKNOWN)), Entry(Kind.UNKNOWN, "Everything else", Fraction(400))]
    )
    found = ladder.next_nine(its, Decimal("0.99"))
    assert (found.met, [int(g.left) for g in found.causes]) == (False, [400])
    assert "steadily" in affordwords.next_nine(found)


def test_the_worst_episode_is_counted_with_all_its_parts() -> None:
    first, second = verdict(Kind.DEPLOYMENT, "1"), verdict(Kind.UNKNOWN, start=50)
    demand = Entry(Kind.TRAFFIC_SPIKE, "More demand", Fraction(30), first.episode, first)
    found = ladder.worst(account([entry(60, second), entry(40, first), demand]))
    assert found == (first.episode, Fraction(70))


# ---------------------------------------------------------------- all together


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CausesRoom]:
    with afford_room(tmp_path_factory.mktemp("afford")) as made:
        yield made


def test_a_service_is_answered_by_its_policy(room: CausesRoom) -> None:
    found = afford_of(room)
    status = room.fleet().get("shop")
    assert status is not None
    # The worked example of docs/explanation/what-can-we-afford.md.
    said = "About 13 more feature releases fit in what is left now; cautiously 6."
    assert affordwords.answer(found) == said
    assert sorted(c.bad for c in found.changes)[-3:] == [4198, 5998, 8996]
    assert found.purse.left == status.budget.remaining_ratio
    assert {c.change.version: c.bad > 0 for c in found.changes} == {
        **{f"1.{i}": at in BAD for i, at in enumerate(RELEASES)}, "pool=20": False,
    }  # fmt: skip
    assert found.outage is not None
    assert found.outage.state is BudgetState.AT_RISK
    assert found.recovery.whole_at == NOW + 28 * DAY * 60
    lefts = [left for _, left in found.recovery.path]
    assert lefts == sorted(lefts)
    assert lefts[0] == pytest.approx(found.purse.left)
    assert lefts[-1] == 1


def test_a_shorter_history_knows_fewer_changes(room: CausesRoom) -> None:
    found = afford_of(room, days=10)
    assert [c.change.version for c in found.changes] == ["1.10", "1.11"]
    assert affordwords.answer(found).startswith("Too few feature releases are known (1)")
    assert found.since / 60 > CONFIGURED


def test_one_objective_can_be_asked_for_and_unknown_ones_are_refused(room: CausesRoom) -> None:
    assert [line.name for line in afford_of(room, slo="shop").lines] == ["shop"]
    with pytest.raises(NotFound, match="no objective of shop"):
        afford_of(room, slo="payments")
    with pytest.raises(UserError, match="No budget of stock has evidence"):
        afford_of(room, "stock")
    with pytest.raises(UserError, match="401 days"):
        afford_of(room, days=401)


def by_policy(room: CausesRoom, **changed: Any) -> Afford:  # noqa: ANN401 (fields of a policy)
    """What the shop can afford under a policy that differs in these."""
    policy = replace(room.specs.budgets["shop-budget"], **changed)
    specs = replace(room.specs, budgets={policy.name: policy})
    return afford_of(replace(room, specs=specs))


def test_a_policy_that_keeps_a_reserve_leaves_less_room(room: CausesRoom) -> None:
    reserved = by_policy(room, depleted=Decimal("0.3"))
    whole = afford_of(room)
    assert reserved.lines[0].room == whole.lines[0].room - Fraction(3, 10)
    for kept, free in zip(reserved.costs, whole.costs, strict=True):
        assert order(kept.fit.expected) <= order(free.fit.expected)
    spent = by_policy(room, depleted=Decimal("0.7"), at_risk=Decimal("0.8"))
    assert affordwords.answer(spent).startswith("Nothing more fits")
    assert spent.recovery.usable_at is not None
    assert "is no longer depleted on" in affordwords.answer(spent)


def test_a_policy_over_another_window_is_judged_by_that(room: CausesRoom) -> None:
    found = by_policy(room, window="7d")
    status = room.fleet().get("shop")
    assert status is not None
    burn = status.burn_rate["7d"]
    assert burn is not None
    assert found.purse.left == 1 - burn
    assert found.purse.budget == 7 * DAY * 100 / 100
    assert found.recovery.whole_at == NOW + 7 * DAY * 60
    assert found.recovery.path[0][1] == pytest.approx(found.purse.left)


def test_a_policy_by_the_mean_has_one_line_of_all_its_objectives(room: CausesRoom) -> None:
    room.record("web", quiet(NOW_MINUTE - 28 * DAY, NOW_MINUTE, 100, 40))
    found = by_policy(room, services=("shop", "web"), combine=Combine.MEAN)
    assert [(line.name, set(line.parts)) for line in found.lines] == [
        ("shop-budget", {"shop", "web"})
    ]
    lefts = [p.left for p in found.purses]
    assert found.lines[0].left == pytest.approx(sum(lefts) / 2)
    alone, shared = (
        next(c.fit.expected for c in f.costs if c.group.of == "feature")
        for f in (afford_of(room), found)
    )
    assert alone is not None
    assert shared is not None
    assert shared > alone


def test_a_calendar_period_says_until_when(room: CausesRoom) -> None:
    monthly = replace(room.specs.slos["shop"], window=calendar("1M", "2027-01-01 00:00:00"))
    specs = replace(room.specs, slos={**room.specs.slos, "shop": monthly})
    found = afford_of(replace(room, specs=specs))
    assert found.purse.until is not None
    assert " until 1 March; cautiously" in affordwords.answer(found)
    assert found.recovery.whole_at == found.purse.until
