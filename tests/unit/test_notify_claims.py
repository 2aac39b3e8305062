"""Claims of replicas: one that has just started is as much alive as one that has long beaten."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.duty import World
from watchkeeper.notify import beats, outbox
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
