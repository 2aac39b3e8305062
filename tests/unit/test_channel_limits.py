"""A channel's limit of messages a minute is kept, over all replicas, and nothing is lost by it."""

from __future__ import annotations

from tests.support.duty import START, World, policy, specs, to, user
from watchkeeper.app import limit_of
from watchkeeper.spec.duty import ChannelDefinition, ChannelType, ContactDefinition, TargetKind
from watchkeeper.spec.findings import Place
from watchkeeper.store import Database

PEOPLE = tuple(f"p{i}" for i in range(9))


def crowd(db: Database, limit: int) -> World:
    """Nine people who are all called by one channel with this limit."""
    users = {
        n: user(n, contacts=(ContactDefinition("push", f"{n}@push"),), page=(), team="shop")
        for n in PEOPLE
    }
    team = {"default": policy((to(TargetKind.TEAM, "shop"), 3600.0))}
    world = World(db, specs(users=users, schedules={}, escalation_policies=team))
    world.pager.sender.limit = lambda channel: limit if channel == "push" else 0
    return world


def test_no_more_messages_go_out_in_any_minute_than_the_limit_and_all_go_out(
    db: Database,
) -> None:
    world = crowd(db, 4)
    second = world.replica("replica-2")
    second.sender.limit = world.pager.sender.limit
    world.signal()
    for _ in range(200):
        world.run(1)
        second.step(world.clock.now())

    times = [s.at - START for s in world.sent]
    assert {s.address for s in world.sent} == {f"{n}@push" for n in PEOPLE}
    assert all(sum(1 for t in times if at <= t < at + 60) <= 4 for at in times)


def test_without_a_limit_all_are_called_at_once(db: Database) -> None:
    world = crowd(db, 0)
    world.signal()
    world.run(1)
    assert len(world.sent) == len(PEOPLE)


def test_the_limit_is_that_of_the_channels_definition() -> None:
    made = ChannelDefinition("push", ChannelType.NTFY, {"per_minute": 30}, Place("x"))
    its = specs(channels={"push": made})
    assert (limit_of(its, "push"), limit_of(its, "gone")) == (30, 0)
