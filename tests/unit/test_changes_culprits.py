"""What to look at first: which change, which dependency, and why in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_changes import NOW, SPECS, deploy, patient
from watchkeeper.changes import culprits as suspects
from watchkeeper.changes import rules, work
from watchkeeper.changes.culprits import Burning, Scene
from watchkeeper.changes.model import Change, ChangeKind, Outcome, Report, Told
from watchkeeper.slo.model import Fleet
from watchkeeper.store import Database

GRAPH = {"web": ["checkout"], "checkout": ["payments", "stock"], "payments": ["bank"]}
MINUTE = 60.0


def scene(*burning: Burning, **more: Any) -> Scene:  # noqa: ANN401
    named: dict[str, Any] = {
        "services": ("checkout",), "depends_on": GRAPH, "burning": burning,
        "measured": frozenset({"checkout", "payments", "stock"}), "onset": NOW, "names": {},
        **more,
    }  # fmt: skip
    return Scene(**named)


CHECKOUT = Burning("checkout-availability", "checkout", "availability", 15.0)
PAYMENTS = Burning("payments-availability", "payments", "availability", 12.0)


def change(service: str, minutes: float, version: str = "1.4.2", **more: Any) -> Change:  # noqa: ANN401
    told = deploy(service, NOW - minutes * MINUTE, version)
    made = rules.folded("k", [Report("d", replace(told, **more), "ci", NOW)])
    return made


def test_the_change_of_a_failing_dependency_comes_before_a_later_innocent_one() -> None:
    guilty, innocent = change("payments", 3), change("checkout", 1, "9.0")
    first, second = suspects.rank(scene(CHECKOUT, PAYMENTS), [innocent, guilty])
    assert (first.change, second.change) == (guilty, innocent)
    assert first.why == (
        "payments 1.4.2 went out 3 m before the trouble began, and checkout depends on payments, "
        "whose availability burns 12×."
    )
    assert second.why == "checkout 9.0 went out 1 m before the trouble began, and its " + (
        "availability burns 15×."
    )


def test_the_last_change_of_the_service_itself_comes_first_when_its_dependencies_are_well() -> None:
    own, healthy = change("checkout", 5), change("stock", 2)
    found = suspects.rank(scene(CHECKOUT), [healthy, own])
    assert [c.change for c in found] == [own, healthy]
    assert "depends on stock, which is within its objectives" in found[1].why


def test_of_trouble_that_is_over_what_burned_then_is_told_whatever_burns_now() -> None:
    past = scene(CHECKOUT, PAYMENTS, over=True)
    first, *_ = suspects.rank(past, [change("payments", 3)])
    assert first.why.endswith("whose availability burned 12×.")
    assert first.slo == "payments-availability"


def test_a_mitigation_is_no_suspect_of_what_it_was_run_against_but_of_what_comes_later() -> None:
    guilty = change("payments", 1.2)
    answer = change("payments", -1.5, "", source="mitigation", summary="Roll payments back")
    assert [c.change for c in suspects.rank(scene(PAYMENTS), [answer, guilty])] == [guilty]
    earlier = change("payments", 5, "", source="mitigation", summary="Roll payments back")
    assert suspects.rank(scene(PAYMENTS), [earlier])[0].change == earlier


def test_a_failing_dependency_without_a_change_is_offered_too() -> None:
    (only,) = suspects.rank(scene(CHECKOUT, PAYMENTS), [])
    assert (only.service, only.change) == ("payments", None)
    assert only.why == "Checkout depends on payments, whose availability burns 12×."
    assert only.reasons[1] == "No change to it is known from just before."


def test_a_dependency_that_nobody_measures_may_be_it() -> None:
    unmeasured, healthy = change("bank", 4), change("stock", 4)
    found = suspects.rank(scene(CHECKOUT), [healthy, unmeasured])
    assert [c.change for c in found] == [unmeasured, healthy]


def test_changes_of_callers_and_strangers_are_not_offered() -> None:
    assert suspects.rank(scene(CHECKOUT), [change("web", 1), change("other", 1)]) == []


def test_what_came_after_the_trouble_began_is_not_offered_but_for_a_little_slack() -> None:
    found = suspects.rank(scene(CHECKOUT), [change("checkout", -10), change("checkout", -1)])
    assert [c.change.started_at - NOW for c in found if c.change] == [MINUTE]
    assert "went out 1 m after the trouble seemed to begin" in found[0].why


def test_staging_and_what_was_rolled_back_before_stand_last_and_say_why() -> None:
    staging = change("checkout", 2, environment="staging")
    undone = change("checkout", 9, outcome=Outcome.ROLLED_BACK, ended_at=NOW - 300)
    plain = change("checkout", 30)
    found = suspects.rank(scene(CHECKOUT), [staging, undone, plain])
    assert [c.change for c in found] == [plain, undone, staging]
    assert found[1].reasons[-1] == "It was rolled back before."
    assert found[2].reasons[-1] == "It went to staging, where no user is."


def test_a_change_that_was_under_way_says_so() -> None:
    long = change("checkout", 30, kind=ChangeKind.MAINTENANCE, ended_at=NOW + 600)
    (only,) = suspects.rank(scene(CHECKOUT), [long])
    assert "began 30 m before the trouble and was still under way" in only.why


def test_a_change_without_a_version_is_named_by_its_summary() -> None:
    flag = change("checkout", 2, "", summary="New basket for 10 %", kind=ChangeKind.FLAG)
    (only,) = suspects.rank(scene(CHECKOUT), [flag])
    assert only.why.startswith("New basket for 10 % was switched 2 m before the trouble began")


@patient
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["web", "checkout", "payments", "stock", "bank"]),
            st.integers(-5, 2000),
            st.sampled_from(ChangeKind),
        ),
        max_size=12,
    ),
    st.lists(st.sampled_from([CHECKOUT, PAYMENTS]), unique=True),
)
def test_scores_are_in_order_within_bounds_and_every_culprit_says_why(
    made: list[tuple[str, int, ChangeKind]], burning: list[Burning]
) -> None:
    changes = [change(s, m, f"1.{i}", kind=k) for i, (s, m, k) in enumerate(made)]
    found = suspects.rank(scene(*burning), changes, limit=4)
    scores = [c.score for c in found]
    assert scores == sorted(scores, reverse=True)
    assert all(suspects.LEAST <= s <= 1 for s in scores)
    assert len(found) <= 4
    assert all(c.why.endswith(".") and c.reasons for c in found)


@patient
@given(st.integers(0, 1000), st.integers(1, 1000))
def test_of_two_changes_of_one_service_the_nearer_comes_first(near: int, further: int) -> None:
    one, two = change("checkout", near), change("checkout", near + further, "1.0")
    found = suspects.rank(scene(CHECKOUT), [two, one])
    assert not found or found[0].change == one


def test_dependencies_may_go_in_circles() -> None:
    steps = suspects.reach(["a"], {"a": ["b"], "b": ["c", "a"], "c": ["a"]})
    assert steps == {"a": 0, "b": 1, "c": 2}


def test_culprits_are_found_in_the_database_for_a_service_and_what_it_needs(db: Database) -> None:
    with db.write() as conn:
        for told in (deploy("payments", NOW - 300), deploy("search", NOW - 60), Told("x", at=NOW)):
            work.record(conn, told, work.OURS, "ci", SPECS, NOW)
    with db.read() as conn:
        found = work.culprits(conn, SPECS, Fleet((), NOW, 0), ["checkout"], NOW)
    assert [c.service for c in found] == ["payments"]
    assert "Check-out depends on payments" in found[0].why
