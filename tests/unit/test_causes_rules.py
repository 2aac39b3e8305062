"""The pure part of causes: onset, episodes, root cause, slices, changes, demand, shares."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.causes import graph, traffic, weighing
from watchkeeper.causes.accuracy import accuracy
from watchkeeper.causes.episodes import Steps, cut
from watchkeeper.causes.graph import Excess, Suspect
from watchkeeper.causes.judging import THIN, Demand, Facts, Failing, Saturated, hypotheses
from watchkeeper.causes.model import Change, Kind, Label
from watchkeeper.causes.onset import split
from watchkeeper.causes.shares import apportion
from watchkeeper.causes.slices import Leaf, carriers

HOUR = 3600.0
ONSET = 100 * HOUR


def split_slowly(values: list[float], weights: list[float]) -> int | None:
    """The definition: try every cut."""
    best: tuple[float, int] | None = None
    y, w = np.asarray(values), np.asarray(weights)
    for k in range(1, len(y)):
        if w[:k].sum() <= 0 or w[k:].sum() <= 0:
            continue
        low, high = np.average(y[:k], weights=w[:k]), np.average(y[k:], weights=w[k:])
        stays = np.mean(y[k:][w[k:] > 0] > (low + high) / 2)
        if high <= low or stays < 2 / 3:
            continue
        cost = (w[:k] * (y[:k] - low) ** 2).sum() + (w[k:] * (y[k:] - high) ** 2).sum()
        if best is None or cost < best[0] - 1e-9:
            best = (float(cost), k)
    return best[1] if best else None


@given(st.lists(st.tuples(st.sampled_from([0, 1, 5, 9]), st.sampled_from([1, 2, 7])), max_size=25))
@settings(deadline=None, max_examples=200)
def test_the_onset_is_the_cut_of_least_squares_after_which_it_stays_worse(
    samples: list[tuple[int, int]],
) -> None:
    values, weights = [float(v) for v, _ in samples], [float(w) for _, w in samples]

    got, expected = split(np.asarray(values), np.asarray(weights)), split_slowly(values, weights)

    def cost(k: int) -> float:
        y, w = np.asarray(values), np.asarray(weights)
        parts = [(y[:k], w[:k]), (y[k:], w[k:])]
        return sum(float((b * (a - np.average(a, weights=b)) ** 2).sum()) for a, b in parts)

    assert (got is None) == (expected is None)
    if got is not None and expected is not None:
        assert cost(got) == pytest.approx(cost(expected), abs=1e-6)  # equally good cuts may differ


def test_a_blip_that_recovered_does_not_draw_the_onset_to_itself() -> None:
    values = np.asarray([0.02, 0.02, 0.25, 0.02, 0.02, 0.02, 0.02, 0.11, 0.12, 0.11])

    assert split(values, np.ones(10)) == 7


def test_without_a_step_up_there_is_no_onset() -> None:
    assert split(np.asarray([0.5, 0.4, 0.1, 0.0]), np.ones(4)) is None
    assert split(np.asarray([0.3, 0.3, 0.3]), np.ones(3)) is None
    assert split(np.asarray([0.3]), np.ones(1)) is None


# ---------------------------------------------------------------- episodes


def steps_of(bad: list[int], total: int = 1000, one_in: int = 100) -> Steps:
    n = len(bad)
    may = np.full(n, total / one_in)
    return Steps(np.arange(n + 1), np.asarray(bad, float), np.full(n, float(total)), may)


def test_two_bursts_with_a_quiet_half_hour_between_them_are_two_episodes() -> None:
    found = cut(steps_of([2] * 100 + [200] * 10 + [2] * 30 + [300] * 5 + [2] * 20), 60)

    assert [(e.start, e.onset, e.end, e.bad) for e in found] == [
        (100, 100, 110, 2000.0),
        (140, 140, 145, 1500.0),
    ]
    assert not any(e.ongoing for e in found)


def test_bursts_with_a_short_pause_are_one_episode_with_all_events_in_it() -> None:
    (found,) = cut(steps_of([0] * 100 + [200] * 10 + [2] * 10 + [300] * 5), 60)

    assert (found.start, found.end, found.bad) == (100, 125, 2000 + 20 + 1500)
    assert found.ongoing


def test_a_slow_burn_without_a_bad_minute_is_one_episode() -> None:
    (found,) = cut(steps_of([0] * 120 + [15] * 180), 120)

    assert (found.start, found.end, found.bad) == (120, 300, 15 * 180)


def test_a_single_failure_of_a_quiet_service_is_no_episode() -> None:
    assert cut(steps_of([0] * 120 + [0] * 30 + [1] + [0] * 29, total=3), 120) == []


@given(st.lists(st.integers(0, 60), min_size=130, max_size=300))
@settings(deadline=None, max_examples=80)
def test_episodes_are_in_order_do_not_overlap_and_hold_what_their_minutes_hold(
    bad: list[int],
) -> None:
    found = cut(steps_of(bad), 120)

    assert all(a.end <= b.start for a, b in pairwise(found))
    for e in found:
        assert e.start <= e.onset < e.end
        assert e.bad == sum(bad[e.start : e.end])


# ---------------------------------------------------------------- the service graph

CALLS = {
    "web": ["shop"],
    "shop": ["payments", "stock"],
    "payments": ["bank"],
    "a": ["b"],
    "b": ["a"],
}


def test_callers_failures_are_explained_by_those_of_the_callee() -> None:
    found = graph.suspects(
        {
            "web": Excess(100, 9.0),
            "shop": Excess(110, 9.0),
            "payments": Excess(120, 9.0),
            "bank": Excess(2, 0.5),
            "stock": Excess(5, 40.0),
        },
        CALLS,
        "web",
    )

    assert [s.service for s in found][:2] == ["payments", "stock"]
    assert found[0].own == 120  # the bank's excess is noise
    assert found[1].standing == pytest.approx(5 / 120)


def test_services_that_cannot_be_reached_are_no_suspects_and_cycles_end() -> None:
    failing = {"a": Excess(50, 9.0), "b": Excess(50, 9.0), "web": Excess(50, 9.0)}

    assert [s.service for s in graph.suspects(failing, CALLS, "web")] == ["web"]
    assert {s.service for s in graph.suspects(failing, CALLS, "a")} == {"a", "b"}


def test_a_single_failure_is_never_beyond_noise() -> None:
    assert graph.excess_of_counts(1, 10, 0, 0).sigmas < graph.BEYOND_NOISE
    assert graph.excess_of_counts(50, 1000, 2, 1000).sigmas > graph.BEYOND_NOISE


# ---------------------------------------------------------------- slices


def leaf(bad: int, total: int, usual_bad: int = 10, usual_total: int = 1000, **labels: str) -> Leaf:
    return Leaf(labels, bad, total, usual_bad, usual_total)


def test_the_slice_that_carries_the_burn_is_named_neither_wider_nor_narrower() -> None:
    leaves = [
        leaf(
            80 if (region, version) == ("eu", "2") else 1,
            100,
            region=region,
            version=version,
            route=r,
        )
        for region in ("eu", "us", "ap")
        for version in ("1", "2")
        for r in ("/pay", "/cart")
    ]

    best = carriers(leaves)[0]

    assert best.labels == (("region", "eu"), ("version", "2"))
    assert best.text == "region=eu, version=2"
    assert best.carries > 0.99
    assert best.traffic == pytest.approx(1 / 6)
    assert best.lift > 0.98


def test_when_everything_fails_alike_no_slice_lifts() -> None:
    leaves = [leaf(50, 100, region=r, version=v) for r in "abc" for v in "12"]

    assert all(s.lift < 0.05 for s in carriers(leaves))


def test_one_failure_of_a_label_never_seen_before_proves_nothing() -> None:
    leaves = [leaf(2, 200, region="eu"), leaf(1, 1, 0, 0, region="xx")]

    assert all(s.labels != (("region", "xx"),) for s in carriers(leaves))
    assert carriers([]) == []


# ---------------------------------------------------------------- changes


def change(
    name: str, service: str, minutes_before: float, lasted: float = 0, **more: str
) -> Change:
    at = ONSET - minutes_before * 60
    kind = more.get("kind", "deployment")
    return Change(name, (service,), kind, at, at + lasted * 60, name, more.get("version", ""))


def test_an_older_change_of_the_failing_service_outweighs_a_later_one_of_a_bystander() -> None:
    found = weighing.weigh(
        [change("guilty", "shop", 20), change("later", "stock", 1), change("after", "shop", -30)],
        ONSET,
        {"shop": 1.0, "stock": weighing.BYSTANDER},
    )

    assert [w.change.id for w in found] == ["guilty", "later"]  # what came after is no cause


def test_a_roll_out_that_was_under_way_has_no_gap() -> None:
    (found,) = weighing.weigh([change("slow", "shop", 50, lasted=60)], ONSET, {"shop": 1.0})

    assert (found.gap, found.score) == (0.0, 1.0)


@given(st.floats(0, 1e5), st.floats(0, 1e5), st.floats(0, 1))
def test_a_change_counts_less_the_longer_ago_it_was(a: float, b: float, stands: float) -> None:
    near, far = sorted((a, b))
    changes = [change("near", "x", near), change("far", "x", far)]

    scores = {w.change.id: w.score for w in weighing.weigh(changes, ONSET, {"x": stands})}

    assert 0 <= scores["far"] <= scores["near"] <= 1


def test_the_standing_of_what_is_not_measured_shrinks_with_its_distance_from_what_fails() -> None:
    depth = {"shop": 0, "payments": 1, "stock": 1, "bank": 2}

    def of(own: dict[str, float], measured: list[str], callers: list[str]) -> dict[str, float]:
        return weighing.standings("shop", own, measured, depth, CALLS, callers)

    alone = of({"shop": 1.0}, ["shop", "stock"], ["web"])
    explained = of({"payments": 1.0}, ["shop", "payments"], [])

    bystander = weighing.BYSTANDER
    assert alone == {
        "shop": 1.0, "payments": 0.5, "bank": 0.25, "stock": bystander, "web": weighing.CALLER,
    }  # fmt: skip
    assert explained == {"shop": bystander, "payments": 1.0, "stock": bystander, "bank": 0.5}


# ---------------------------------------------------------------- judging


def facts(**known: object) -> Facts:
    return Facts("shop", int(ONSET / 60), **known)  # type: ignore[arg-type]


def weighed(*changes: Change, **standing: float) -> list[weighing.Weighed]:
    return weighing.weigh(changes, ONSET, standing or {"shop": 1.0})


def failing(service: str, minutes_before: int, covers: float = 1.0) -> Failing:
    suspect = Suspect(service, 100.0, 1.0, Excess(100.0, 20.0))
    return Failing(suspect, int(ONSET / 60) - minutes_before, covers)


def test_without_evidence_the_answer_is_unknown() -> None:
    (only,) = hypotheses(facts())
    old = hypotheses(facts(changes=weighed(change("last week", "shop", 10_000))))

    assert only.kind is Kind.UNKNOWN
    assert only.evidence
    assert old[0].kind is Kind.UNKNOWN
    assert old[1].what == "last week"  # shown as what else it might have been


def test_a_change_just_before_is_the_answer_with_its_evidence() -> None:
    best = hypotheses(facts(changes=weighed(change("shop 2.1", "shop", 3))))[0]

    assert (best.kind, best.what, best.change) == (Kind.DEPLOYMENT, "shop 2.1", "shop 2.1")
    assert best.evidence == (
        "It got worse 3 m after this was rolled out.",
        "It changed the service itself, whose failures no dependency explains.",
    )


def test_evidence_says_when_nothing_is_measured_of_what_was_changed() -> None:
    bank = weighed(change("bank 7", "bank", 3), bank=0.5)

    found = hypotheses(facts(changes=bank, measured=frozenset(("shop",))))

    assert found[1].evidence[1] == (
        "It changed bank, of which nothing is measured: it may have failed."
    )


def test_maintenance_is_infrastructure() -> None:
    moved = change("moved to new racks", "shop", 1, kind="maintenance")

    assert hypotheses(facts(changes=weighed(moved)))[0].kind is Kind.INFRASTRUCTURE


def test_a_dependency_that_failed_first_is_the_answer_one_that_failed_later_is_not() -> None:
    first = hypotheses(facts(failing=[failing("bank", 5)]))[0]
    later = hypotheses(facts(failing=[failing("bank", -20)]))[0]
    little = hypotheses(facts(failing=[failing("bank", 5, covers=0.1)]))[0]

    assert (first.kind, first.what) == (Kind.DEPENDENCY, "bank failed")
    assert "5 m earlier" in first.evidence[0]
    assert later.kind is little.kind is Kind.UNKNOWN


def test_a_change_of_the_failing_dependency_says_more_than_that_it_failed() -> None:
    found = hypotheses(
        facts(
            failing=[failing("bank", 0)],
            changes=weighed(change("bank 7", "bank", 10), bank=1.0),
        )
    )

    assert [h.kind for h in found[:2]] == [Kind.DEPLOYMENT, Kind.DEPENDENCY]


def test_a_slice_by_place_is_infrastructure_and_one_by_version_a_deployment() -> None:
    def only(name: str, value: str) -> Facts:
        leaves = [
            Leaf({name: value}, 90, 100, 10, 1000),
            Leaf({name: "other"}, 1, 300, 10, 1000),
        ]
        return facts(slices=carriers(leaves))

    assert hypotheses(only("zone", "eu-1b"))[0].kind is Kind.INFRASTRUCTURE
    assert hypotheses(only("version", "2"))[0].kind is Kind.DEPLOYMENT
    assert hypotheses(only("route", "/pay"))[0].kind is Kind.UNKNOWN


def test_the_version_that_carries_the_burn_points_at_its_change_though_it_is_hours_old() -> None:
    leaves = [leaf(90, 100, version="2"), leaf(1, 300, version="1")]
    canary = change("shop 2", "shop", 300, version="2")

    best = hypotheses(facts(slices=carriers(leaves), changes=weighed(canary)))[0]

    assert best.kind is Kind.DEPLOYMENT
    assert any("version=2 carries" in line for line in best.evidence)


def test_a_crossed_level_when_it_began_is_infrastructure() -> None:
    best = hypotheses(facts(saturated=[Saturated("cpu", "shop", int(ONSET / 60) - 10)]))[0]

    assert (best.kind, best.what) == (Kind.INFRASTRUCTURE, "shop was saturated")


def test_demand_that_left_its_band_counts_only_as_far_as_the_failures_follow_it() -> None:
    follows = hypotheses(facts(demand=Demand(3000, 1000, 1200, 0.95)))[0]
    apart = hypotheses(facts(demand=Demand(3000, 1000, 1200, 0.2)))[0]
    inside = hypotheses(facts(demand=Demand(1100, 1000, 1200, 0.95)))[0]

    assert (follows.kind, follows.what) == (Kind.TRAFFIC_SPIKE, "Demand rose to 3×")
    assert apart.kind is inside.kind is Kind.UNKNOWN


@given(st.lists(st.floats(0, 1), max_size=8))
def test_what_stands_before_unknown_has_evidence_and_what_stands_behind_it_is_thin(
    standing: list[float],
) -> None:
    changes = [change(f"c{i}", f"s{i}", 0) for i in range(len(standing))]
    stands = {f"s{i}": s for i, s in enumerate(standing)} or {"shop": 1.0}

    found = hypotheses(facts(changes=weighed(*changes, **stands)))

    at = [h.kind for h in found].index(Kind.UNKNOWN)
    assert all(h.score > THIN for h in found[:at])
    assert all(h.score <= THIN for h in found[at:])


# ---------------------------------------------------------------- demand and shares


@given(st.integers(0, 10**7), st.lists(st.fractions(0, 1000), min_size=1, max_size=6))
def test_parts_of_whole_events_are_whole_and_add_up_exactly(
    total: int, weights: list[Fraction]
) -> None:
    parts = apportion(Fraction(total), weights)

    assert sum(parts) == total
    assert all(p.denominator == 1 and p >= 0 for p in parts)
    if weight := sum(weights):
        assert all(abs(p - total * w / weight) < 1 for p, w in zip(parts, weights, strict=True))


@given(
    st.integers(0, 10**6), st.integers(1, 10**6), st.floats(0, 1), st.floats(0, 1), st.booleans()
)
def test_volume_rate_and_interaction_add_up_to_the_bad_events(
    bad: int, good: int, usual_rate: float, usual_demand: float, half: bool
) -> None:
    events = Fraction(bad) + (Fraction(1, 2) if half else 0)

    parts = traffic.split(events, float(events) + good, usual_rate, usual_demand)

    assert parts.usual + parts.volume + parts.rate + parts.interaction == events
    assert min(parts.usual, parts.volume, parts.rate, parts.interaction) >= 0


def test_the_worked_example_of_the_three_effects() -> None:
    # Usually 1,000 requests at 1 %; now 3,000 at 5 %: 150 bad.
    parts = traffic.split(Fraction(150), 3000, 0.01, 1 / 3)

    assert [int(p) for p in (parts.usual, parts.volume, parts.rate, parts.interaction)] == [
        10, 20, 40, 80,
    ]  # fmt: skip


def test_a_band_needs_three_comparable_intervals_and_is_never_too_narrow() -> None:
    assert traffic.band([100.0, 0.0, 100.0]) is None
    found = traffic.band([100.0, 100.0, 100.0, 100.0])
    assert found == traffic.Band(100.0, 120.0)


def test_whether_failures_follow_the_load() -> None:
    load = np.asarray([100.0] * 10 + [200.0, 300, 400, 400, 400])

    step = np.asarray([100.0] * 10 + [300.0] * 12)

    assert traffic.follows(load * (load / 4000), load) > 0.95
    assert traffic.follows(step * (step / 4000), step, 10) == traffic.FLAT  # as any step would
    assert traffic.follows(load * np.arange(15) / 50, load[::-1].copy()) < 0
    assert traffic.follows(np.ones(15), np.full(15, 100.0)) == 0.0
    assert traffic.follows(np.ones(3), np.asarray([1.0, 2, 3])) == 0.0


def label(said: Kind, true: Kind, start: int, at: float = 0.0) -> Label:
    return Label(f"l{start}-{at}", "shop", start, start + 5, true, "", "", "ada", at, said)


def test_precision_and_recall_count_the_latest_word_on_each_episode() -> None:
    unsure, deployed, traffic_ = Kind.UNKNOWN, Kind.DEPLOYMENT, Kind.TRAFFIC_SPIKE
    said = [
        label(deployed, deployed, 1, at=9.0),
        label(deployed, traffic_, 2, at=8.0),
        label(unsure, deployed, 3, at=7.0),
        label(deployed, unsure, 1, at=1.0),  # said before, and corrected since
    ]

    found = {a.kind: a for a in accuracy(said)}

    assert (found[deployed].precision, found[deployed].recall) == (0.5, 0.5)
    assert (found[traffic_].precision, found[traffic_].recall) == (None, 0.0)
