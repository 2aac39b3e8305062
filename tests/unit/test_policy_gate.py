"""The gate: states, rulings, exceptions by a second person, decisions that can be made again."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from tests.support.slo_room import Room, counts, room
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.oncall.model import Site
from watchkeeper.policy import gate, rules, store, work
from watchkeeper.policy.model import (
    Decision,
    Evidence,
    GateException,
    Ground,
    Kept,
    Question,
    Standing,
    Terms,
    Verdict,
)
from watchkeeper.spec import load_text
from watchkeeper.spec.budget import BudgetState, ReleaseKind
from watchkeeper.spec.model import Specs
from watchkeeper.store import Database, timeline

NOW = 1_767_600_000.0  # 2026-01-05T08:00:00Z
SECRET = b"a secret"
TERMS = Terms("shop", "worst", 0.5, 0.0, {"depleted": ("feature",)})
SPECS = """
apiVersion: openslo/v1
kind: DataSource
metadata: {name: pushed}
spec: {type: push}
---
apiVersion: watchkeeper/v1
kind: Service
metadata: {name: shop}
spec: {}
---
apiVersion: watchkeeper/v1
kind: Service
metadata: {name: lonely}
spec: {}
---
apiVersion: watchkeeper/v1
kind: Channel
metadata: {name: chat}
spec: {type: inbox}
---
apiVersion: watchkeeper/v1
kind: User
metadata: {name: ann}
spec: {contacts: [{channel: chat, address: ann}]}
---
apiVersion: watchkeeper/v1
kind: Journey
metadata: {name: checkout}
spec: {service: shop, source: pushed, window: 7d, availability: {target: 99%, total: checkout}}
---
apiVersion: watchkeeper/v1
kind: BudgetPolicy
metadata: {name: shop}
spec: {services: [shop], silverBullets: 1, announce: [{user: ann}]}
"""


def specs() -> Specs:
    loaded = load_text(SPECS)
    assert loaded.specs is not None, [str(f) for f in loaded.findings]
    return loaded.specs


def standing(left: float | None, terms: Terms = TERMS) -> Standing:
    return rules.judged(terms, [Evidence("checkout", "0.99", "7d", 0.0, 0.0, left)])


def question(kind: str = "feature", service: str = "shop") -> Question:
    return Question(service, ReleaseKind(kind), "v1", "", "ci")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Room]:
    with room(tmp_path, specs(), NOW) as made:
        yield made


def ask(db: Database, its: list[Standing], now: float = NOW, uid: str = "u1",
        asked: Question | None = None) -> Decision:  # fmt: skip
    with db.write() as conn:
        return work.check(conn, asked or question(), its, SECRET, uid, now)


# ---------------------------------------------------------------- states


@pytest.mark.parametrize(
    ("left", "state"),
    [(1.0, "healthy"), (0.500001, "healthy"), (0.5, "at_risk"), (0.01, "at_risk"),
     (0.0, "depleted"), (-0.3, "depleted"), (None, "no_data")],
)  # fmt: skip
def test_what_is_left_is_a_state_and_an_edge_counts_as_the_worse_one(
    left: float | None, state: str
) -> None:
    assert rules.state_of(left, TERMS) == BudgetState(state)


def test_several_objectives_are_judged_by_the_worst_or_by_their_mean() -> None:
    seen = [Evidence(n, "0.99", "7d", 0, 0, x) for n, x in (("a", 0.9), ("b", 0.3), ("c", None))]
    assert rules.judged(TERMS, seen).worst == "b"
    assert rules.judged(TERMS, seen).state is BudgetState.AT_RISK
    mean = rules.judged(replace(TERMS, combine="mean"), seen)
    assert mean.left == pytest.approx(0.6)
    assert mean.state is BudgetState.HEALTHY


def test_another_window_is_judged_by_the_burn_over_it(shop: Room) -> None:
    key = shop.specs.slos["checkout-availability"].sli
    assert key is not None
    first = int(NOW // 60) - 3 * 1440
    events = {first + m: (2 if m >= 2 * 1440 else 0, 100) for m in range(3 * 1440)}
    shop.record(counts(key.key, events), NOW)
    status = shop.status("checkout-availability", NOW)
    assert rules.left_of(status, "") == pytest.approx(1 - 2 / 3)
    assert rules.left_of(status, "1d") == pytest.approx(-1.0)


def test_a_worse_state_holds_at_once_and_a_better_one_after_it_has_lasted() -> None:
    kept = Kept("shop", BudgetState.HEALTHY, 0.0, 1.0, BudgetState.HEALTHY, 0.0)
    worse = rules.observed(kept, standing(0.2), 900, 60)
    assert (worse.state, worse.since) == (BudgetState.AT_RISK, 60)
    better = rules.observed(worse, standing(0.6), 900, 120)
    assert (better.state, better.seen_since) == (BudgetState.AT_RISK, 120)
    back = rules.observed(better, standing(0.4), 900, 600)
    assert (back.state, back.seen) == (BudgetState.AT_RISK, BudgetState.AT_RISK)
    again = rules.observed(back, standing(0.6), 900, 700)
    assert rules.observed(again, standing(0.6), 900, 1599).state is BudgetState.AT_RISK
    assert rules.observed(again, standing(0.6), 900, 1600).state is BudgetState.HEALTHY
    assert rules.observed(worse, standing(None), 900, 9999).state is BudgetState.AT_RISK


def test_a_change_of_state_is_announced_once_and_put_on_the_timeline(shop: Room) -> None:
    policy = shop.specs.budgets["shop"]

    def look(left: float, now: float) -> int:
        with shop.db.write() as conn:
            return work.step(conn, shop.specs, Site("http://wk", b"s"), [(policy, standing(left))],
                             now)  # fmt: skip

    assert [look(0.9, NOW), look(-0.1, NOW + 10), look(-0.2, NOW + 20)] == [0, 1, 0]
    with shop.db.read() as conn:
        (told,) = timeline.read(conn, subject="budget/shop")
    assert (told.data["from"], told.data["to"]) == ("healthy", "depleted")
    with shop.db.read() as conn:
        rows = conn.exec_driver_sql("SELECT content FROM delivery").scalars().all()
    assert len(rows) == 1
    assert "is depleted; it was healthy" in rows[0]


# ---------------------------------------------------------------- rulings


@pytest.mark.parametrize("kind", list(ReleaseKind))
@pytest.mark.parametrize("left", [0.9, 0.2, -0.1])
def test_only_features_halt_and_only_when_nothing_is_left(kind: ReleaseKind, left: float) -> None:
    ruling = gate.ruling_of(question(kind), [standing(left)], [], NOW)
    halted = kind is ReleaseKind.FEATURE and left < 0
    assert ruling.verdict is (Verdict.HALT if halted else Verdict.ALLOW)


def test_one_policy_that_halts_is_enough() -> None:
    strict = replace(TERMS, policy="strict", halt={"healthy": ("feature",)})
    ruling = gate.ruling_of(question(), [standing(0.9), standing(0.9, strict)], [], NOW)
    assert (ruling.verdict, ruling.policy) == (Verdict.HALT, "strict")


def test_without_evidence_it_fails_open_or_closed_as_the_policy_says_and_says_so() -> None:
    open_ = gate.ruling_of(question(), [standing(None)], [], NOW)
    assert open_.verdict is Verdict.ALLOW
    assert "without evidence" in open_.why
    closed = replace(TERMS, halt={"no_data": ("feature",)})
    assert gate.ruling_of(question(), [standing(None, closed)], [], NOW).verdict is Verdict.HALT


def test_a_halt_says_why_and_what_may_still_go_out() -> None:
    why = gate.ruling_of(question(), [standing(-0.3)], [], NOW).why
    assert why == (
        "The budget of checkout is 30 % over. It is depleted, so feature "
        "releases halt by the policy shop. reliability and security releases may go out; for this "
        "one somebody may ask for an exception, and somebody else may give it."
    )


def test_a_service_without_a_policy_is_ruled_by_the_default_over_its_objectives() -> None:
    (policy,) = rules.policies_for(specs(), "lonely")
    assert policy.name == "default"
    its = rules.standing(policy, specs(), {})
    assert gate.ruling_of(question(service="lonely"), [its], [], NOW).verdict is Verdict.ALLOW
    with pytest.raises(NotFound, match="no service 'shp'"):
        work.standings_for(specs(), "shp", {})


# ---------------------------------------------------------------- exceptions


def excepted(db: Database, by: str = "ben", **more: object) -> GateException:
    with db.write() as conn:
        made = work.ask_exception(conn, specs(), "shop", Ground.SECURITY, "CVE", "ann", NOW,
                                  **more)  # type: ignore[arg-type] # fmt: skip
        return work.approve(conn, specs(), made.id, by, NOW) if by else made


def test_an_exception_is_given_by_somebody_else_and_ends(shop: Room) -> None:
    asked = excepted(shop.db, by="")
    assert ask(shop.db, [standing(-0.1)]).ruling.verdict is Verdict.HALT
    with shop.db.write() as conn:
        with pytest.raises(UserError, match="Nobody gives themselves"):
            work.approve(conn, specs(), asked.id, "ann", NOW)
        work.approve(conn, specs(), asked.id, "ben", NOW)
    passed = ask(shop.db, [standing(-0.1)], NOW + 1, "u2")
    assert (passed.ruling.verdict, passed.ruling.exception) == (Verdict.ALLOW, asked.id)
    assert "asked for by ann, given by ben" in passed.ruling.why
    late = ask(shop.db, [standing(-0.1)], NOW + 86_400, "u3")
    assert late.ruling.verdict is Verdict.HALT
    with shop.db.read() as conn:
        kinds = [e.kind for e in timeline.read(conn, subject="service/shop")]
    assert kinds == [
        "exception.asked",
        "gate.halted",
        "exception.given",
        "gate.excepted",
        "gate.halted",
    ]


def test_an_exception_lets_only_its_kind_and_its_service_pass(shop: Room) -> None:
    leave = excepted(shop.db, kind="security")
    assert not gate.applies(leave, question("feature"), NOW)
    assert gate.applies(leave, question("security"), NOW)
    assert not gate.applies(leave, question("security", "lonely"), NOW)


def test_an_exception_that_is_taken_back_lets_nothing_pass(shop: Room) -> None:
    leave = excepted(shop.db)
    with shop.db.write() as conn:
        work.revoke(conn, leave.id, "ben", NOW)
    assert ask(shop.db, [standing(-0.1)]).ruling.verdict is Verdict.HALT


def test_an_exception_may_not_last_longer_than_the_policy_allows(shop: Room) -> None:
    with pytest.raises(UserError, match="lasts 7 d"):
        excepted(shop.db, by="", lasts=8 * 86_400.0)
    with pytest.raises(UserError, match="needs a reason"), shop.db.write() as conn:
        work.ask_exception(conn, specs(), "shop", Ground.OTHER, " ", "ann", NOW)


def test_a_silver_bullet_is_used_once_and_there_are_so_many_a_quarter(shop: Room) -> None:
    with shop.db.write() as conn:
        one, two = (
            work.ask_exception(conn, specs(), "shop", Ground.SILVER_BULLET, "launch", "ann", NOW)
            for _ in range(2)
        )
        work.approve(conn, specs(), one.id, "ben", NOW)
        with pytest.raises(UserError, match="no silver bullet left this quarter"):
            work.approve(conn, specs(), two.id, "ben", NOW)
        spring = 1_775_001_600.0  # 2026-04-01
        three = work.ask_exception(conn, specs(), "shop", Ground.SILVER_BULLET, "x", "ann", spring)
        work.approve(conn, specs(), three.id, "ben", spring)
    first = ask(shop.db, [standing(-0.1)])
    again = ask(shop.db, [standing(-0.1)], NOW, "u2")
    assert (first.ruling.verdict, again.ruling.verdict) == (Verdict.ALLOW, Verdict.HALT)


def test_two_at_once_do_not_use_one_silver_bullet_twice(db: Database) -> None:
    with db.write() as conn:
        made = work.ask_exception(conn, specs(), "shop", Ground.SILVER_BULLET, "x", "ann", NOW)
        work.approve(conn, specs(), made.id, "ben", NOW)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda i: ask(db, [standing(-0.1)], NOW, f"u{i}"), range(8)))
    assert sum(d.ruling.verdict is Verdict.ALLOW for d in found) == 1


# ---------------------------------------------------------------- decisions that are kept

lefts = st.none() | st.floats(-3, 1, allow_nan=False)


@given(
    st.lists(lefts, min_size=1, max_size=4),
    st.sampled_from(list(ReleaseKind)),
    st.sampled_from(["worst", "mean"]),
    st.lists(st.tuples(st.sampled_from(["", "feature", "security"]), st.floats(-1e5, 1e5)),
             max_size=3),
)  # fmt: skip
def test_what_was_decided_follows_again_from_what_was_kept(
    seen: list[float | None], kind: ReleaseKind, combine: str, leaves: list[tuple[str, float]]
) -> None:
    terms = replace(
        TERMS, combine=combine, halt={"depleted": ("feature",), "at_risk": ("security",)}
    )
    its = rules.judged(terms, [Evidence(f"s{i}", "0.9", "7d", 1, 2, x) for i, x in enumerate(seen)])
    given = [
        GateException(i, "shop", k, Ground.OTHER, "x", "ann", NOW, NOW + ends, "ben", NOW)
        for i, (k, ends) in enumerate(leaves)
    ]
    ruling = gate.ruling_of(question(kind), [its], given, NOW)
    inputs = gate.inputs_of(question(kind), [its], given, NOW)
    assert gate.made_again(orjson.loads(gate.canonical(inputs))) == ruling


def test_a_decision_proves_itself_until_somebody_alters_it(shop: Room) -> None:
    ask(shop.db, [standing(-0.1)])
    with shop.db.read() as conn:
        proof = work.prove(work.must_decision(conn, "u1"), SECRET)
    assert (proof.signed, proof.same) == (True, True)
    with shop.db.write() as conn:
        conn.execute(update(store.gate_decision).values(verdict="allow"))
    with shop.db.read() as conn:
        forged = work.prove(work.must_decision(conn, "u1"), SECRET)
    assert (forged.signed, forged.same) == (False, False)
    assert not work.prove(proof.decision, b"another secret").signed


@pytest.mark.parametrize(
    ("left", "said"),
    [(0.184, "18 % left"), (0.0, "0 % left"), (-0.004, "1 % over"), (-0.305, "31 % over"),
     (None, "no evidence")],
)  # fmt: skip
def test_what_is_left_never_sounds_better_than_it_is(left: float | None, said: str) -> None:
    assert rules.share_words(left) == said
