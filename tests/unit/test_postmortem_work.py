"""Postmortems: opened, drafted, written by several, reviewed, published; on both databases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import pytest
from sqlalchemy import Connection

from tests.support.duty import SITE, World, to
from watchkeeper.incidents import store as incidents
from watchkeeper.incidents import work as incidents_work
from watchkeeper.incidents.keeping import By
from watchkeeper.incidents.model import EntryKind, Incident
from watchkeeper.kernel.errors import UserError
from watchkeeper.postmortems import items_work, rules, store, store_words, work
from watchkeeper.postmortems.checks import check
from watchkeeper.postmortems.model import Postmortem, PostmortemState
from watchkeeper.slo.model import Fleet
from watchkeeper.spec.duty import TargetKind
from watchkeeper.spec.response import Response
from watchkeeper.store import Database

T = TypeVar("T")
ANN = By("ann", "web")
HOUR = 3600.0
FLEET = Fleet((), 0.0, 0)


class Desk:
    """A world in which incidents end."""

    def __init__(self, db: Database) -> None:
        self.world = World(db)

    @property
    def now(self) -> float:
        return self.world.clock.now()

    def do(self, act: Callable[[Connection], T]) -> T:
        with self.world.db.write() as conn:
            return act(conn)

    def ended(self, severity: str = "SEV1", **more: object) -> Incident:
        """An incident of twenty minutes."""
        specs = self.world.specs
        made = self.do(
            lambda c: incidents_work.declare(
                c, specs, SITE, "Checkout fails", severity, ANN, self.now,
                services=("checkout",), **more,  # type: ignore[arg-type]
            )
        )  # fmt: skip
        self.world.clock.advance(1200)
        self.do(
            lambda c: incidents_work.say(
                c, made.id, EntryKind.DECISION, "We roll back", ANN, self.now
            )
        )
        return self.do(
            lambda c: incidents_work.set_state(
                c, specs, SITE, made.id, "resolved", "", ANN, self.now
            )
        )

    def opened(self) -> Postmortem:
        self.ended()
        self.do(lambda c: work.open_owed(c, self.world.specs, FLEET, SITE, self.now))
        return self.get(1)

    def get(self, number: int) -> Postmortem:
        with self.world.db.read() as conn:
            found = store.get(conn, number)
            assert found is not None
            return found.its

    def save(self, base: int, text: str, who: str = "ann") -> work.Saved:
        return self.do(lambda c: work.save(c, 1, base, text, who, self.now))

    def act(self, verb: str, who: str = "ann", why: str = "") -> Postmortem:
        return self.do(lambda c: work.act(c, self.world.specs, SITE, 1, verb, who, why, self.now))

    def told(self) -> list[tuple[str, str]]:
        self.world.run()
        return [
            (s.address.split("@")[0], s.message.title)
            for s in self.world.sent
            if s.message.title.startswith("Postmortem")
        ]


@pytest.fixture
def desk(db: Database) -> Desk:
    return Desk(db)


FILLED = """# Checkout fails

## Summary
Half of the payments failed for 20 minutes; a roll back ended it.

## Impact
1,000 of 20,000 requests failed.

## Timeline
All times in UTC.

- 2026-01-05 08:00 Release 4.2 goes out
- 08:20 Rolled back

## Root cause analysis
The connection pool was too small for the new query.

## Contributing factors
- No test with the pool of production

## Action items
- Test releases with the pool of production (owner: ann, due: 2026-02-01)
"""


def test_the_end_of_an_incident_opens_its_postmortem_with_a_draft(desk: Desk) -> None:
    over = desk.ended()
    assert desk.do(lambda c: work.open_owed(c, desk.world.specs, FLEET, SITE, desk.now)) == 1
    assert desk.do(lambda c: work.open_owed(c, desk.world.specs, FLEET, SITE, desk.now)) == 0
    made = desk.get(1)
    assert made.incident_id == over.id
    assert (made.owner, made.state) == ("ann", PostmortemState.DRAFT)
    assert made.due_at == over.resolved_at + 48 * HOUR if over.resolved_at else False
    assert "We roll back" in made.text
    assert "All times in UTC." in made.text
    assert desk.told() == [
        ("ann", "Postmortem 1 is yours to write, while it is fresh: Checkout fails")
    ]
    with desk.world.db.read() as conn:
        kinds = [e.text for e in incidents.entries(conn, over.id)]
    assert kinds[-1] == "Postmortem 1 opened; ann writes it"


@pytest.mark.parametrize(("severity", "more"), [("SEV3", {}), ("SEV1", {"drill": True})])
def test_minor_ones_and_drills_owe_none(desk: Desk, severity: str, more: dict[str, object]) -> None:
    desk.ended(severity, **more)
    assert desk.do(lambda c: work.open_owed(c, desk.world.specs, FLEET, SITE, desk.now)) == 0


def test_the_draft_lacks_only_what_people_must_think_about(desk: Desk) -> None:
    text = desk.opened().text
    errors = {(f.code, f.message) for f in check(text) if f.severity == "error"}
    assert {code for code, _ in errors} <= {"empty-section", "impact-without-numbers"}
    assert not any("Timeline" in message for _, message in errors)


def test_action_items_of_the_incident_are_in_the_draft(desk: Desk) -> None:
    over = desk.ended()
    specs = desk.world.specs
    desk.do(
        lambda c: items_work.add(
            c, specs, "Alert on full pools", "ann", desk.now, owner="ann", severity="SEV1",
            incident_id=over.id,
        )
    )  # fmt: skip
    desk.do(lambda c: work.open_owed(c, specs, FLEET, SITE, desk.now))
    assert "- Alert on full pools (prevent, owner: ann, due: 2026-01-20) #1" in desk.get(1).text


def test_two_who_write_at_once_lose_nothing(desk: Desk) -> None:
    desk.opened()
    assert desk.save(1, FILLED).its.version == 2
    one = FILLED.replace("Half of the payments", "About half of the payments")
    two = FILLED.replace("- No test with", "- No load test with")
    assert desk.save(2, one, "ann").its.version == 3
    second = desk.save(2, two, "ben")
    assert (second.its.version, second.merged, second.conflicts) == (4, True, 0)
    assert "About half" in second.text
    assert "No load test" in second.text
    third = desk.save(2, FILLED.replace("Half of the payments", "Most payments"), "cho")
    assert third.conflicts == 1
    assert "Most payments" in third.text
    assert "About half" in third.text
    assert desk.get(1).version == 4
    with pytest.raises(UserError, match="still marks a conflict"):
        desk.save(4, third.text, "cho")
    with desk.world.db.read() as conn:
        assert [v.author for v in store.versions(conn, 1)] == ["ben", "ann", "ann", "engine"]
        assert any("+About half" in line for line in work.diff(conn, 1, 2, 3))


def test_an_old_version_can_be_taken_back(desk: Desk) -> None:
    first = desk.opened().text
    desk.save(1, FILLED)
    after = desk.do(lambda c: work.take_back_text(c, 1, 1, "ann", desk.now))
    assert (after.text, after.version) == (first, 3)


def test_what_has_errors_is_published_only_with_a_reason(desk: Desk) -> None:
    desk.opened()
    with pytest.raises(UserError, match="It is not ready: line"):
        desk.act("publish")
    desk.save(1, FILLED)
    assert desk.act("publish").state is PostmortemState.PUBLISHED
    assert desk.get(1).next_at == desk.now + rules.YEAR
    with pytest.raises(UserError, match="needs a reason"):
        desk.act("reopen")
    assert desk.act("reopen", why="a number was wrong").state is PostmortemState.DRAFT


def test_a_review_is_by_somebody_else(desk: Desk) -> None:
    response = Response(reviewers=(to(TargetKind.SCHEDULE, "second"),))
    desk.world.specs = replace(desk.world.specs, response=response)
    made = desk.opened()
    assert made.reviewers == ("cho",)
    desk.save(1, FILLED)
    with pytest.raises(UserError, match="nobody has approved"):
        desk.act("publish")
    with pytest.raises(UserError, match="Ask for a review first"):
        desk.act("approve", "cho")
    desk.act("review")
    with pytest.raises(UserError, match="their own postmortem"):
        desk.act("approve", "ann")
    desk.act("approve", "cho")
    assert desk.act("publish").published_by == "ann"
    assert ("cho", "Postmortem 1 is to be reviewed: Checkout fails") in desk.told()


def test_owners_are_reminded_and_what_is_late_is_told_to_the_team_once_a_day(desk: Desk) -> None:
    desk.opened()
    assert len(desk.told()) == 1
    told: list[tuple[float, list[tuple[str, str]]]] = []
    start = desk.now
    for _ in range(4 * 24):
        desk.world.clock.advance(HOUR)
        desk.world.sent.clear()
        desk.do(lambda c: work.remind(c, desk.world.specs, SITE, desk.now))
        if found := desk.told():
            told.append(((desk.now - start) / HOUR, found))
    assert [(hours, sorted({u for u, _ in found})) for hours, found in told] == [
        (32.0, ["ann"]),
        (48.0, ["ann", "ben", "cho", "dee"]),
        (72.0, ["ann", "ben", "cho", "dee"]),
        (96.0, ["ann", "ben", "cho", "dee"]),
    ]
    assert told[0][1][0][1] == "Postmortem 1 is due in 16 hours: Checkout fails"
    assert told[2][1][0][1] == "Postmortem 1 is late by 1 day: Checkout fails"


def test_what_is_written_is_found_by_its_words(desk: Desk) -> None:
    desk.opened()
    desk.save(1, FILLED)

    def found(text: str, *states: str) -> list[int]:
        with desk.world.db.read() as conn:
            return [h.postmortem_id for h in store_words.search(conn, text, states)[0]]

    assert found("POOL rolled") == [1]
    assert found("pools, roll") == [1]  # by the stem
    assert found("payments conn") == [1]  # while one types
    assert found("pool kafka") == []
    assert found("100%") == []
    assert found('"connection pool"') == [1]
    assert found('"pool connection"') == []
    assert found("pool", "published") == []
    desk.act("publish")
    assert found("pool", "published") == [1]
    desk.save(3, FILLED.replace("pool", "queue"))
    assert found("pool") == []
    assert found("queue") == [1]


def test_what_has_the_words_in_its_title_comes_first(desk: Desk) -> None:
    def bring(title: str, text: str) -> None:
        desk.do(lambda c: work.bring(c, title, text, "ann", desk.now))

    bring("Search is stale", "# A\n\nThe kafka queue was full.\n")
    bring("Kafka is full", "# B\n\nDisks.\n")
    bring("Disks", "# C\n\nNothing of it.\n")
    with desk.world.db.read() as conn:
        assert [h.postmortem_id for h in store_words.search(conn, "kafka full")[0]] == [2, 1]


def test_one_written_elsewhere_is_brought(desk: Desk) -> None:
    made = desk.do(lambda c: work.bring(c, "", FILLED, "ann", desk.now, published_at=desk.now))
    assert (made.title, made.state) == ("Checkout fails", PostmortemState.PUBLISHED)
    with pytest.raises(UserError, match="no title"):
        desk.do(lambda c: work.bring(c, " ", "text", "ann", desk.now))
