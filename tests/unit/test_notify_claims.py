"""Claims of replicas: one that has just started is as much alive as one that has long beaten."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.duty import World
from watchkeeper.notify import beats, outbox, sending
from watchkeeper.store import Database


@pytest.mark.parametrize("was_forgotten", [False, True])
def test_what_a_replica_claims_before_its_first_beat_stays_its_own(
    db: Database, was_forgotten: bool
) -> None:
    world = World(db)
    going: list[Callable[[], None]] = []
    world.pager.sender.run = going.append  # type: ignore[assignment]
    if was_forgotten:  # it stood still, and another one took it for gone
        world.pager.sender.beat()
        with db.write() as conn:
            beats.forget_replicas(conn, ["replica-1"])
    world.signal()
    world.run()
    assert going
    other = world.replica("replica-2")
    other.sender.beat()
    other.step(world.clock.now())
    with db.read() as conn:
        owned = outbox.leased_by(conn)
    assert owned == {"replica-1": len(going)}
    assert world.sent == []
    for act in going:
        act()
    assert [s.message.maybe_duplicate for s in world.sent] == [False] * len(going)


def test_beside_a_newer_version_an_older_one_sends_nothing_until_it_is_gone(db: Database) -> None:
    world = World(db)
    newer = "replica-of-the-next-version"
    with db.write() as conn:
        beats.beat(conn, newer, 1, sending.VERSION + 1, world.clock.now())
    world.signal()
    world.run(2)  # it stands still, but is not gone yet
    with db.read() as conn:
        assert [d.state for d in outbox.of_page(conn, 1)] == ["due"] * 3
    assert world.sent == []

    for _ in range(10):
        world.pager.sender.beat()
        world.run(0.4, every=0.4)

    assert [(s.channel, s.message.maybe_duplicate) for s in world.sent] == [("push", False)]
