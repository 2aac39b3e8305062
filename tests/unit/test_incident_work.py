"""Incidents in a small world: declared, led, told, handed over, ended; on both databases."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest
from sqlalchemy import Connection

from tests.support.duty import SITE, World
from watchkeeper.incidents import chain, leading, store, telling, work
from watchkeeper.incidents.keeping import By
from watchkeeper.incidents.model import EntryKind, Incident, IncidentState
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.oncall import work as pages_work
from watchkeeper.store import Database

T = TypeVar("T")
ANN, BEN = By("ann", "web"), By("ben", "web")
MINUTE = 60.0


class Room:
    """A world with incidents in it."""

    def __init__(self, db: Database) -> None:
        self.world = World(db)

    @property
    def now(self) -> float:
        return self.world.clock.now()

    def do(self, act: Callable[[Connection], T]) -> T:
        with self.world.db.write() as conn:
            return act(conn)

    def declare(self, severity: str = "SEV1", **more: object) -> Incident:
        named: dict[str, object] = {"services": ("checkout",), **more}
        return self.do(
            lambda c: work.declare(
                c, self.world.specs, SITE, "Checkout fails", severity, ANN, self.now,
                **named,  # type: ignore[arg-type]
            )
        )  # fmt: skip

    def run(self, minutes: float) -> None:
        """Time passes; the engine looks each half minute."""
        for _ in range(round(minutes * 2)):
            self.world.run(30.0, every=30.0)
            self.do(lambda c: telling.remind(c, self.world.specs, SITE, self.now))
        self.world.run()

    def roles(self, incident: Incident) -> dict[str, str]:
        with self.world.db.read() as conn:
            return {h.role: h.user for h in store.roles(conn, incident.id)}

    def told(self) -> list[tuple[str, str]]:
        """(user, title) of what was sent, in order."""
        return [(s.address.split("@")[0], s.message.title) for s in self.world.sent]

    def entries(self, incident: Incident) -> list[tuple[str, str]]:
        with self.world.db.read() as conn:
            found = store.entries(conn, incident.id)
            kept = store.get(conn, incident.id)
            assert kept is not None
            assert chain.check(kept, found) == []
            return [(str(e.kind), e.text) for e in found]

    def get(self, incident: Incident) -> Incident:
        with self.world.db.read() as conn:
            found = store.get(conn, incident.id)
            assert found is not None
            return found


@pytest.fixture
def room(db: Database) -> Room:
    return Room(db)


def test_one_step_declares_fills_the_roles_from_the_rota_and_tells_each(room: Room) -> None:
    made = room.declare()
    room.world.run(1.0)
    assert room.roles(made) == {"commander": "ann", "comms": "cho"}
    assert ("cho", f"You are Communications Lead: incident {made.id}, SEV1, Checkout fails") in (
        room.told()
    )
    assert [k for k, _ in room.entries(made)] == ["state", "role", "role"]


def test_a_minor_incident_needs_only_somebody_who_leads(room: Room) -> None:
    assert room.roles(room.declare("3")) == {
        "commander": "ann", "comms": "ann", "ops": "ann"
    }  # fmt: skip


def test_a_page_gives_its_services_times_and_alerts_to_the_incident(room: Room) -> None:
    alert = room.world.signal()
    assert alert is not None
    room.world.run(10.0)
    with room.world.db.write() as conn:
        page = pages_work.acknowledge(conn, 1, "ann", SITE, room.now)
    made = room.declare("SEV2", services=(), page_ids=(page.id,))
    assert made.services == ("checkout",)
    assert made.pages == (page.id,)
    assert made.began_at is not None
    assert made.detected_at == page.opened_at
    assert made.acknowledged_at == page.acked_at
    assert ("detected", f"Page #{page.id}: {page.title}") in room.entries(made)


def test_a_reminder_comes_before_an_update_is_due_and_more_people_when_it_is_late(
    room: Room,
) -> None:
    made = room.declare()
    room.do(lambda c: work.update(c, room.world.specs, SITE, made.id, "We look.", ANN, room.now,
                                  public=True))  # fmt: skip
    room.run(9.5)
    room.world.sent.clear()
    room.run(1)
    named = f"incident {made.id}, SEV1, Checkout fails"
    soon = [t for t in room.told() if "is due in" in t[1]]
    assert soon == [("cho", f"The next status update is due in 5 m: {named}")]
    room.run(4)
    late = [t for t in room.told() if "The status update" in t[1]]
    assert late == []
    room.run(1)
    late = [t for t in room.told() if "The status update" in t[1]]
    assert sorted({u for u, _ in late}) == ["ann", "cho"]
    room.do(lambda c: work.update(c, room.world.specs, SITE, made.id, "Found.", ANN, room.now))
    room.world.sent.clear()
    room.run(9)
    assert [t for t in room.told() if "status update" in t[1]] == []


def test_an_update_says_when_the_next_one_is_due(room: Room) -> None:
    made = room.declare("SEV2")
    assert made.update_due_at == room.now + 30 * MINUTE
    room.run(10)
    after = room.do(lambda c: work.update(c, room.world.specs, SITE, made.id, "x", ANN, room.now))
    assert after.update_due_at == room.now + 30 * MINUTE


def test_a_role_changes_hands_when_the_other_accepts(room: Room) -> None:
    made = room.declare()
    world = room.world
    room.do(lambda c: leading.offer(c, world.specs, SITE, made.id, "IC", "ben", ANN, room.now))
    world.run(1.0)
    assert room.roles(made)["commander"] == "ann"
    assert any(u == "ben" and "asks you to be Incident Commander" in t for u, t in room.told())
    room.do(lambda c: leading.accept(c, world.specs, SITE, made.id, "commander", BEN, room.now))
    assert room.roles(made)["commander"] == "ben"
    assert room.entries(made)[-1] == ("role", "Incident Commander: ben, handed over by ann")
    with pytest.raises(UserError, match="not offered to ann"):
        room.do(lambda c: leading.accept(c, world.specs, SITE, made.id, "comms", ANN, room.now))


def test_an_offer_that_nobody_accepts_comes_back(room: Room) -> None:
    made = room.declare()
    world = room.world
    room.do(lambda c: leading.offer(c, world.specs, SITE, made.id, "IC", "ben", ANN, room.now))
    room.run(5.5)
    back = [t for t in room.told() if "was offered and not accepted" in t[1]]
    assert [u for u, _ in back] == ["ann"]


def test_a_role_that_nobody_has_is_told(room: Room) -> None:
    made = room.declare()
    room.run(3)
    empty = [t for t in room.told() if t[1].startswith("Nobody is Operations Lead")]
    assert empty != []
    assert made.id


def test_a_higher_severity_fills_what_it_needs_and_shortens_the_clock(room: Room) -> None:
    made = room.declare("SEV3")
    assert made.update_due_at is None
    after = room.do(
        lambda c: work.set_severity(c, room.world.specs, SITE, made.id, "1", "all fail", ANN,
                                    room.now)
    )  # fmt: skip
    assert after.severity == "SEV1"
    assert after.update_due_at == room.now + 15 * MINUTE
    assert ("severity", "SEV3 → SEV1: all fail") in room.entries(made)


def test_states_set_the_times_and_going_back_takes_them_back(room: Room) -> None:
    made = room.declare()
    specs = room.world.specs
    for state in ("investigating", "identified", "mitigated"):
        room.world.run(60.0, every=60.0)
        room.do(
            lambda c, s=state: work.set_state(c, specs, SITE, made.id, s, "", ANN, room.now)  # type: ignore[misc]
        )
    assert room.get(made).mitigated_at == room.now
    with pytest.raises(UserError, match="needs a reason"):
        room.do(lambda c: work.set_state(c, specs, SITE, made.id, "identified", "", ANN, room.now))
    room.do(lambda c: work.set_state(c, specs, SITE, made.id, "identified", "fails again", ANN,
                                     room.now))  # fmt: skip
    assert room.get(made).mitigated_at is None
    room.do(lambda c: work.set_state(c, specs, SITE, made.id, "resolved", "", ANN, room.now))
    over = room.get(made)
    assert (over.state, over.due_at, over.update_due_at) == (IncidentState.RESOLVED, None, None)


def test_times_are_set_with_a_reason_and_in_order(room: Room) -> None:
    room.world.run(600.0, every=600.0)
    made = room.declare()
    specs = room.world.specs
    set_times = work.set_times
    with pytest.raises(UserError, match="needs a reason"):
        room.do(lambda c: set_times(c, specs, made.id, {"began_at": 1.0}, "", ANN, room.now))
    with pytest.raises(UserError, match="is in the future"):
        room.do(lambda c: set_times(c, specs, made.id, {"began_at": room.now + 9}, "x", ANN,
                                    room.now))  # fmt: skip
    with pytest.raises(UserError, match="mitigated_at is before detected_at"):
        room.do(lambda c: set_times(c, specs, made.id, {"mitigated_at": room.now - 60}, "x", ANN,
                                    room.now))  # fmt: skip
    room.do(lambda c: set_times(c, specs, made.id, {"began_at": room.now - 300}, "log", ANN,
                                room.now))  # fmt: skip
    assert room.get(made).began_at == room.now - 300


def test_a_merged_incident_goes_on_in_the_other(room: Room) -> None:
    one = room.declare(services=("checkout",))
    two = room.declare("SEV2", services=("payments",))
    specs = room.world.specs
    into = room.do(lambda c: work.merge(c, specs, SITE, two.id, one.id, ANN, room.now))
    assert into.services == ("checkout", "payments")
    assert room.get(two).merged_into == one.id
    with pytest.raises(UserError, match=f"merged into {one.id}"):
        room.do(lambda c: work.update(c, specs, SITE, two.id, "x", ANN, room.now))
    with pytest.raises(UserError, match="not merged into itself"):
        room.do(lambda c: work.merge(c, specs, SITE, one.id, one.id, ANN, room.now))


def test_what_people_say_is_kept_in_order_and_corrected_in_the_open(room: Room) -> None:
    made = room.declare()
    said = room.do(
        lambda c: work.say(c, made.id, EntryKind.DECISION, "We roll back", ANN, room.now)
    )
    room.do(lambda c: work.amend(c, made.id, said.number, BEN, room.now, text="We fail over",
                                 pinned=True))  # fmt: skip
    with room.world.db.read() as conn:
        told = chain.tell(store.entries(conn, made.id))
    assert [(t.text, t.pinned) for t in told if t.entry.number == said.number] == [
        ("We fail over", True)
    ]
    with pytest.raises(UserError, match="not written by hand"):
        room.do(lambda c: work.say(c, made.id, EntryKind.SEVERITY, "x", ANN, room.now))
    with pytest.raises(NotFound, match="no entry 99"):
        room.do(lambda c: work.amend(c, made.id, 99, BEN, room.now, text="x"))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"services": ("chekout",)}, "no service 'chekout'"),
        ({"page_ids": (7,)}, "no page #7"),
        ({"slos": ("nope",)}, "no objective 'nope'"),
    ],
)
def test_what_is_not_there_cannot_be_declared_with(
    room: Room, fields: dict[str, object], said: str
) -> None:
    with pytest.raises((UserError, NotFound), match=said):
        room.declare("SEV1", **fields)
    with room.world.db.read() as conn:
        assert store.find(conn, store.Wanted()) == []


def test_two_replicas_tell_each_notice_once(room: Room) -> None:
    made = room.declare()
    room.world.clock.advance(15 * MINUTE)
    for _ in range(3):
        room.do(lambda c: telling.remind(c, room.world.specs, SITE, room.now))
    late = [t for k, t in room.entries(made) if k == "note" and "status update" in t]
    assert len(late) == 1
