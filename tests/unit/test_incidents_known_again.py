"""An incident is known again: what it resembles, what recurs in it, what has held."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from tests.support.duty import SITE, START, World
from watchkeeper.alerting import work as alerts_work
from watchkeeper.incidents import chain, store, work
from watchkeeper.incidents.keeping import By
from watchkeeper.incidents.model import Incident
from watchkeeper.kernel.errors import UserError
from watchkeeper.postmortems import items_work, knowing, marks, recurrence, similar, store_marks
from watchkeeper.postmortems.model import ActionItem, ActionState, ActionType
from watchkeeper.postmortems.recurrence import Kinship, Traits, Verdict
from watchkeeper.spec.response import DAY
from watchkeeper.store import Database

T = TypeVar("T")
ANN = By("ann", "web")


class Desk:
    """A world in which the same things happen again."""

    def __init__(self, db: Database) -> None:
        self.world = World(db)

    @property
    def now(self) -> float:
        return self.world.clock.now()

    def do(self, act: Callable[[Connection], T]) -> T:
        with self.world.db.write() as conn:
            return act(conn)

    def page(self, summary: str = "Pool exhausted", **labels: str) -> int:
        """A page of one alert, which is over at once."""
        key = f"k{self.now}"
        alert = self.world.signal(key, summary=summary, labels=labels)
        self.world.run()
        with self.world.db.read() as conn:
            found = alerts_work.get(conn, alert or 0)
        assert found is not None
        assert found.page_id is not None
        self.world.signal(key, summary=summary, action="resolve")
        self.world.run()
        return found.page_id

    def incident(
        self, title: str = "Checkout fails", causes: Sequence[str] = (), pages: Sequence[int] = (),
        **more: object,
    ) -> Incident:  # fmt: skip
        named: dict[str, object] = {"services": ("checkout",), **more}
        made = self.do(
            lambda c: work.declare(
                c, self.world.specs, SITE, title, "SEV2", ANN, self.now, page_ids=pages,
                **named,  # type: ignore[arg-type]
            )
        )  # fmt: skip
        if causes:
            self.name(made, *causes)
        self.look()
        return self.get(made.id)

    def name(self, incident: Incident, *causes: str) -> None:
        self.do(
            lambda c: work.describe(c, self.world.specs, incident.id, ANN, self.now, causes=causes)
        )

    def look(self) -> int:
        return self.do(lambda c: knowing.step(c, self.world.specs, SITE, self.now))

    def item(self, incident: Incident, text: str = "Size the pool", type_: str = "prevent") -> int:
        return self.do(
            lambda c: items_work.add(
                c, self.world.specs, text, "ann", self.now, owner="ben", type_=type_,
                incident_id=incident.id,
            )
        ).id  # fmt: skip

    def state(self, item_id: int) -> ActionState:
        with self.world.db.read() as conn:
            return items_work.must(conn, item_id).state

    def move(self, item_id: int, state: str) -> None:
        self.do(lambda c: items_work.move(c, item_id, state, "ben", self.now))

    def get(self, incident_id: int) -> Incident:
        with self.world.db.read() as conn:
            found = store.get(conn, incident_id)
            assert found is not None
            assert chain.check(found, store.entries(conn, incident_id)) == []
            return found

    def said(self, incident: Incident) -> list[str]:
        with self.world.db.read() as conn:
            entries = store.entries(conn, incident.id)
        return [e.text for e in entries if "recurrence" in e.text.casefold()]

    def kin(self, incident: Incident) -> list[tuple[int, str]]:
        with self.world.db.read() as conn:
            return [(r.of, str(r.kinship)) for r in store_marks.of_incident(conn, incident.id)]

    def proofs(self) -> dict[int, tuple[str, int]]:
        with self.world.db.read() as conn:
            found = knowing.proofs(conn, self.now)
        return {p.item.id: (str(p.held.verdict), p.held.before) for p in found}


@pytest.fixture
def desk(db: Database) -> Desk:
    return Desk(db)


def test_the_same_cause_after_its_item_was_done_opens_the_item_again(desk: Desk) -> None:
    first = desk.incident(causes=["bad deploy"])
    prevent, detect = desk.item(first), desk.item(first, "Alert on full pools", "detect")
    for each in (prevent, detect):
        desk.move(each, "done")
    desk.world.clock.advance(12 * DAY)
    desk.world.sent.clear()

    again = desk.incident("Payments are refused", causes=["Bad  Deploy"])

    assert desk.said(again) == [
        "Recurrence of incident 1, Checkout fails: the same cause bad deploy on checkout, 12 d"
        " after it. Action item #1, Size the pool, was done and is open again."
    ]
    assert desk.state(prevent) is ActionState.OPEN
    assert desk.state(detect) is ActionState.DONE
    desk.world.run()
    told = [s.message.title for s in desk.world.sent if s.address.startswith("ben")]
    assert "Action item is open again, it recurred in incident 2: Size the pool" in told
    assert desk.look() == 0
    assert len(desk.said(again)) == 1


def test_one_that_recurs_while_its_item_is_open_says_so(desk: Desk) -> None:
    first = desk.incident(causes=["bad deploy"])
    desk.item(first)
    again = desk.incident(causes=["bad deploy"])
    assert desk.said(again)[0].endswith("Action item #1, Size the pool, is still open.")
    third = desk.incident("Again", causes=["bad deploy"])
    assert desk.kin(third) == [(2, "sure"), (1, "sure")]
    assert "No action item promised to prevent it." in desk.said(third)[0] + desk.said(third)[1]


def test_the_same_alert_is_a_recurrence_until_the_causes_are_known_to_differ(desk: Desk) -> None:
    first = desk.incident(pages=[desk.page("Pool 17 exhausted on db-3")])
    desk.move(desk.item(first), "done")
    desk.world.clock.advance(DAY)
    again = desk.incident("Slow", pages=[desk.page("Pool 18 exhausted on db-3")])
    assert desk.kin(again) == [(1, "sure")]
    desk.name(first, "leak")
    desk.name(again, "traffic")
    desk.look()
    assert desk.kin(again) == [(1, "denied")]
    assert desk.said(again)[-1].startswith("No recurrence of incident 1 after all")


def test_a_burning_budget_only_may_be_the_same_until_a_person_says_so(desk: Desk) -> None:
    first = desk.incident(pages=[desk.page(slo="checkout-availability")])
    item = desk.item(first)
    desk.move(item, "done")
    desk.world.clock.advance(DAY)
    again = desk.incident("Slow", pages=[desk.page(slo="checkout-availability")])
    assert desk.kin(again) == [(1, "maybe")]
    assert desk.said(again)[0].startswith("Perhaps a recurrence of incident 1")
    assert desk.state(item) is ActionState.DONE

    desk.do(
        lambda c: knowing.decide(c, desk.world.specs, SITE, again.id, 1, True, "", ANN, desk.now)
    )
    assert desk.kin(again) == [(1, "sure")]
    assert desk.state(item) is ActionState.OPEN
    with pytest.raises(UserError, match="needs a reason"):
        desk.do(
            lambda c: knowing.decide(
                c, desk.world.specs, SITE, again.id, 1, False, "", ANN, desk.now
            )
        )


def test_exercises_recur_in_nothing(desk: Desk) -> None:
    desk.incident(causes=["bad deploy"], drill=True)
    again = desk.incident(causes=["bad deploy"])
    drill = desk.incident(causes=["bad deploy"], drill=True)
    assert desk.kin(again) == []
    assert desk.kin(drill) == []


def test_what_has_held_is_told_from_what_recurred_and_what_is_not_done(desk: Desk) -> None:
    first = desk.incident(causes=["bad deploy"])
    held, opened = desk.item(first), desk.item(first, "Canary releases")
    desk.world.clock.advance(10 * DAY)
    desk.incident(causes=["bad deploy"])
    desk.move(held, "done")
    unknown = desk.incident("Odd", services=())
    vague = desk.item(unknown, "Look into it")
    desk.move(vague, "done")
    desk.world.clock.advance(5 * DAY)
    assert desk.proofs() == {
        held: ("holds so far", 2), opened: ("not done yet", 1), vague: ("cannot be told", 1)
    }  # fmt: skip
    desk.world.clock.advance(20 * DAY)
    assert desk.proofs()[held] == ("proven", 2)
    desk.incident(causes=["bad deploy"])
    assert desk.proofs()[held] == ("recurred", 2)
    assert desk.state(held) is ActionState.OPEN


def test_the_chance_that_it_would_have_been_quiet_anyway_is_that_of_a_poisson_process() -> None:
    item = ActionItem(
        1, "x", ActionType.PREVENT, ActionState.DONE, "", None, 2, START, 0, done_at=START
    )
    came = [START - 30 * DAY, START - 20 * DAY, START - 10 * DAY]  # three in thirty days
    got = recurrence.held(item, True, came, [], START + 10 * DAY)
    assert got.chance == pytest.approx(0.36788, abs=1e-5)  # exp(-1)
    assert got.verdict is Verdict.HOLDS
    assert recurrence.held(item, True, came, [], START + 30 * DAY).verdict is Verdict.PROVEN
    assert recurrence.held(item, True, came[:1], [], START + 89 * DAY).verdict is Verdict.HOLDS
    assert recurrence.held(item, True, came[:1], [], START + 90 * DAY).verdict is Verdict.PROVEN


# ---------------------------------------------------------------- similar ones


def test_similar_ones_are_found_with_the_reason_why(desk: Desk) -> None:
    desk.incident("Connection pool exhausted in checkout", causes=["bad deploy"])
    desk.incident("Search shows stale results", services=("search",))
    desk.incident("Certificate expired", services=("payments",))
    with desk.world.db.read() as conn:
        found = knowing.like_new(
            conn, desk.world.specs, "Checkout: pool of connections is full", ("checkout",)
        )
    assert [f.incident.id for f in found] == [1]
    assert found[0].like.why == "Same service checkout; words: checkout, connection, pool"


def test_a_place_alone_resembles_nothing(desk: Desk) -> None:
    desk.incident("Connection pool exhausted")
    with desk.world.db.read() as conn:
        assert knowing.like_new(conn, desk.world.specs, "Bananas", ("checkout",)) == []


_MARKS = st.lists(
    st.sampled_from([f"{k}:{v}" for k in similar.WEIGHTS for v in ("a", "b", "c")]), unique=True
)


@given(own=_MARKS, past=st.lists(_MARKS, max_size=8))
def test_likeness_is_a_share_and_the_same_one_is_the_most_alike(
    own: list[str], past: list[list[str]]
) -> None:
    everyone = [own, *past]
    having = {m: sum(m in each for each in everyone) for m in own}
    hits = [(m, i) for i, each in enumerate(everyone) for m in own if m in each]
    found = similar.alike(own, having, len(everyone), hits, most=100)
    assert all(similar.LEAST <= f.likeness <= 1.0 + 1e-9 for f in found)
    assert all(set(f.shared) <= set(own) for f in found)
    if found and any(f.incident_id == 0 for f in found):
        assert found[0].likeness == pytest.approx(1.0)


_STRONG = st.frozensets(st.sampled_from(["alert:a/x", "cause:a/y", "cause:a/z", "burn:s"]))


@given(own=_STRONG, past=st.lists(_STRONG, max_size=6))
def test_a_cause_that_differs_is_never_a_recurrence_and_a_shared_one_always(
    own: frozenset[str], past: list[frozenset[str]]
) -> None:
    found = recurrence.matches(Traits(99, own), [Traits(i, m) for i, m in enumerate(past)])
    kin = {m.of: m.kinship for m in found}
    for i, each in enumerate(past):
        mine = {m for m in own if m.startswith("cause")}
        theirs = {m for m in each if m.startswith("cause")}
        if mine & theirs:
            assert kin[i] is Kinship.SURE
        elif (mine and theirs) or not own & each:
            assert i not in kin


def test_the_fingerprint_is_of_what_broke_and_not_of_words() -> None:
    one = ("word:a", "alert:checkout/x", "cause:checkout/y")
    two = ("cause:checkout/y", "alert:checkout/x", "service:checkout")
    assert marks.fingerprint(one) == marks.fingerprint(two) != ""
    assert marks.fingerprint(("word:a", "burn:s")) == ""
