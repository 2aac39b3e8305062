"""R11: roles are given at once by the rotas that stand in YAML; hand-over is recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection

from tests.support.duty import SITE, START, World
from watchkeeper.incidents import chain, leading, store, telling, work
from watchkeeper.incidents.keeping import By
from watchkeeper.incidents.model import EntryKind
from watchkeeper.kernel.errors import UserError
from watchkeeper.oncall import store as duty_store
from watchkeeper.oncall.schedule.model import Change, ChangeKind
from watchkeeper.spec import load_text
from watchkeeper.store import Database

T = TypeVar("T")
DAY = 86_400.0


def user(name: str) -> str:
    return f"""---
apiVersion: watchkeeper/v1
kind: User
metadata: {{name: {name}}}
spec: {{contacts: [{{channel: push, address: {name}}}]}}
"""


def rota(name: str, *users: str) -> str:
    return f"""---
apiVersion: watchkeeper/v1
kind: Schedule
metadata: {{name: {name}}}
spec: {{layers: [{{users: [{", ".join(users)}], rotation: daily, start: 2026-01-05T08:00}}]}}
"""


SPECS = (
    """
apiVersion: watchkeeper/v1
kind: Channel
metadata: {name: push}
spec: {type: inbox}
---
apiVersion: watchkeeper/v1
kind: Service
metadata: {name: checkout}
spec: {escalationPolicy: shop}
---
apiVersion: watchkeeper/v1
kind: EscalationPolicy
metadata: {name: shop}
spec: {steps: [{notify: [{schedule: primary}]}]}
---
apiVersion: watchkeeper/v1
kind: IncidentPolicy
metadata: {name: ours}
spec:
  roles:
    - {name: commander, targets: [{schedule: leads}]}
    - {name: comms, targets: [{schedule: support}]}
    - name: ops
    - {name: scribe, title: Scribe, targets: [{user: fay}], severities: [SEV1]}
"""
    + "".join(map(user, ("ann", "ben", "cho", "dee", "eve", "fay")))
    + rota("primary", "ann", "ben")
    + rota("leads", "cho", "dee")
    + rota("support", "eve", "ben")
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    loaded = load_text(SPECS)
    assert loaded.specs is not None, [str(f) for f in loaded.errors]
    db = Database.open(str(tmp_path / "wk.db"))
    yield World(db, loaded.specs)
    db.close()


def do(world: World, act: Callable[[Connection], T]) -> T:
    with world.db.write() as conn:
        return act(conn)


def declare(world: World, severity: str) -> int:
    made = do(
        world,
        lambda c: work.declare(
            c, world.specs, SITE, "Checkout fails", severity, By("ann", "web"), world.clock.now(),
            services=("checkout",),
        ),
    )  # fmt: skip
    return made.id


def held(world: World, incident: int) -> dict[str, str]:
    with world.db.read() as conn:
        return {h.role: h.user for h in store.roles(conn, incident)}


def told(world: World) -> set[tuple[str, str]]:
    """(who, what role) of the messages that were really sent."""
    return {
        (s.address, s.message.title.partition(":")[0].removeprefix("You are "))
        for s in world.sent
        if s.message.title.startswith("You are")
    }


def test_each_role_goes_to_its_own_rota_and_they_are_told_at_once(world: World) -> None:
    first = declare(world, "SEV1")
    assert held(world, first) == {"commander": "cho", "comms": "eve", "ops": "ann", "scribe": "fay"}
    world.run(1.0)
    assert told(world) == {
        ("cho", "Incident Commander"), ("eve", "Communications Lead"),
        ("ann", "Operations Lead"), ("fay", "Scribe"),
    }  # fmt: skip


def test_the_rota_of_the_moment_counts_with_its_overrides(world: World) -> None:
    world.clock.advance(DAY)
    assert held(world, declare(world, "SEV2"))["commander"] == "dee"
    now = world.clock.now()
    kind: ChangeKind = "override"
    ill = Change("c1", "leads", kind, now - 60, now + 3600, "fay", "", "dee is ill", "ann")
    do(world, lambda c: duty_store.add_change(c, ill, now))
    assert held(world, declare(world, "SEV2"))["commander"] == "fay"


def test_a_hand_over_is_recorded_with_both_names_and_needs_acceptance(world: World) -> None:
    incident = declare(world, "SEV1")
    now = world.clock.now()
    do(world, lambda c: leading.offer(c, world.specs, SITE, incident, "commander", "dee",
                                      By("cho", "web"), now))  # fmt: skip
    assert held(world, incident)["commander"] == "cho"
    with pytest.raises(UserError, match="is not offered to ben"):
        do(world, lambda c: leading.accept(c, world.specs, SITE, incident, "commander",
                                           By("ben", "web"), now))  # fmt: skip
    do(world, lambda c: leading.accept(c, world.specs, SITE, incident, "commander",
                                       By("dee", "web"), now + 60))  # fmt: skip
    assert held(world, incident)["commander"] == "dee"
    with world.db.read() as conn:
        kept = store.get(conn, incident)
        entries = store.entries(conn, incident)
    assert kept is not None
    assert chain.check(kept, entries) == []
    said = [e.text for e in entries if e.kind is EntryKind.ROLE]
    assert said[-2:] == [
        "Incident Commander offered to dee by cho", "Incident Commander: dee, handed over by cho",
    ]  # fmt: skip


def test_an_empty_role_is_told_to_those_on_call(world: World) -> None:
    incident = declare(world, "SEV1")
    do(world, lambda c: leading.assign(c, world.specs, SITE, incident, "comms", "",
                                       By("cho", "web"), START))  # fmt: skip
    world.sent.clear()
    for _ in range(6):
        world.run(30.0, every=30.0)
        do(world, lambda c: telling.remind(c, world.specs, SITE, world.clock.now()))
    world.run(1.0)
    empty = {s.address for s in world.sent if "Nobody is Communications Lead" in s.message.title}
    assert empty == {"cho", "ann"}
