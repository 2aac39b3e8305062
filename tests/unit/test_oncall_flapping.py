"""What flaps is one page: it comes back as it was, and nobody is called anew for it."""

from __future__ import annotations

import pytest

from tests.support.duty import SITE, START, World
from watchkeeper.notify.model import MessageKind
from watchkeeper.oncall import store, work
from watchkeeper.oncall.model import Page, PageState
from watchkeeper.store import Database


def kinds(world: World) -> list[tuple[int, str, str]]:
    return [
        (round(s.at - START), str(s.message.kind), s.address)
        for s in world.sent
        if s.channel == "push"
    ]


def clear(world: World) -> None:
    world.signal(action="resolve")


def pages(world: World) -> list[Page]:
    with world.db.read() as conn:
        return store.find(conn)


def flap(world: World, times: int, every: int = 60) -> None:
    """Open and close the same alert again and again."""
    for _ in range(times):
        world.signal()
        world.run(every)
        clear(world)
        world.run(every)


def test_an_alert_that_comes_back_within_five_minutes_is_the_same_page(db: Database) -> None:
    world = World(db)
    flap(world, 1)
    world.signal()
    world.run(10)

    (page,) = pages(world)
    assert (page.state, page.alerts) == (PageState.OPEN, 2)
    assert [k for k in kinds(world) if k[1] == "page"] == [(0, "page", "ann@push")]


def test_an_alert_that_comes_back_later_calls_anew(db: Database) -> None:
    world = World(db)
    flap(world, 1)
    world.run(300)
    world.signal()
    world.run(10)

    assert [p.state for p in pages(world)] == [PageState.OPEN, PageState.RESOLVED]


def test_the_escalation_goes_on_as_if_the_alert_had_never_ended(db: Database) -> None:
    world = World(db)
    flap(world, 1)
    world.signal()
    world.run(400)

    # Ended between 60 and 120: the text of 120 and the call of 300 come in time all the same.
    assert [entry for entry in world.log() if entry[1] != "push"][:2] == [
        (120, "sms", "ann@sms"),
        (300, "call", "ann@call"),
    ]
    assert (300, "page", "cho@push") in kinds(world)


def test_who_acknowledged_a_page_has_it_when_it_comes_back_and_is_told(db: Database) -> None:
    world = World(db)
    world.signal()
    world.run(10)
    world.ack()
    clear(world)
    world.run(60)
    world.signal()
    world.run(600)

    (page,) = pages(world)
    assert (page.state, page.acked_by) == (PageState.ACKED, "ann")
    assert [k[1:] for k in kinds(world)][-1] == (str(MessageKind.UPDATE), "ann@push")
    assert sum(k[1] == "page" for k in kinds(world)) == 1


def test_the_ticket_that_is_left_of_an_outage_does_not_bring_its_page_back(db: Database) -> None:
    world = World(db)
    flap(world, 1)
    world.signal(key="slow burn", severity="warning")
    world.run(600)

    assert [(p.urgency, p.state) for p in pages(world)] == [
        ("ticket", PageState.OPEN),
        ("page", PageState.RESOLVED),
    ]


def test_a_page_that_a_person_resolved_does_not_come_back(db: Database) -> None:
    world = World(db)
    world.signal()
    world.run(10)
    with db.write() as conn:
        work.resolve(conn, 1, "ann", SITE, world.clock.now())
    world.signal()
    world.run(10)

    assert [p.state for p in pages(world)] == [PageState.OPEN, PageState.RESOLVED]


def test_ten_flaps_are_one_page_that_is_told_to_be_over_twice(db: Database) -> None:
    world = World(db)
    flap(world, 10, every=45)
    world.run(3600, every=5)

    (page,) = pages(world)
    assert (page.state, page.alerts, page.due_at) == (PageState.RESOLVED, 10, None)
    over = [k for k in kinds(world) if k[1] == "resolved" and k[2] == "ann@push"]
    assert len(over) == 2  # at the first end, and when it had settled
    assert over[1][0] >= 900 + 1800 - 45


@pytest.mark.parametrize("ended_after", [0, 1])
def test_a_page_that_ended_before_its_first_message_went_out_calls_when_it_is_back(
    db: Database, ended_after: int
) -> None:
    world = World(db)
    world.signal()
    world.pager.route(world.clock.now())
    if ended_after:
        world.pager.escalate(world.clock.now())  # due in the outbox, not sent
    clear(world)
    world.pager.route(world.clock.now())
    world.run(30)
    assert kinds(world) == []

    world.signal()
    world.run(10)

    assert [k[1:] for k in kinds(world)] == [("page", "ann@push")]
