"""R12: the rooms of incidents on a real homeserver, Synapse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.synapse import Synapse, synapse
from tests.support.talking import ANN, World
from watchkeeper.incidents.model import EntryKind
from watchkeeper.store import Database

API = "/_matrix/client/v3"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synapse]:
    with synapse(tmp_path_factory.mktemp("synapse"), ("watch", "ann", "cho")) as made:
        yield made


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    made = Database.open(str(tmp_path / "wk.db"))
    yield made
    made.close()


@pytest.mark.slow
def test_a_real_homeserver_takes_all_of_it_and_is_heard(server: Synapse, db: Database) -> None:
    world = World(db, matrix=server, token=server.tokens["watch"])
    world.step()
    number = world.declare()
    world.step()
    room = quote(world.room(number).external, safe="")

    def ann(method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        return server.call(method, f"{API}/rooms/{room}{path}", body, "ann")

    def said() -> list[dict[str, Any]]:
        chunk = ann("GET", "/messages?dir=b&limit=500")["chunk"]
        return [e for e in reversed(chunk) if e["type"] == "m.room.message"]

    ann("POST", "/join", {})
    ann("PUT", "/send/m.room.message/1", {"msgtype": "m.text", "body": "I see errors"})
    ann("PUT", "/send/m.room.message/2", {"msgtype": "m.text", "body": "!sev 1 everybody"})
    told = world.incidents.say(number, "decision", "We **roll back**", ANN)
    world.incidents.amend(number, told.number, ANN, text="We go back")
    world.incidents.amend(number, told.number, ANN, pinned=True)
    world.step()
    world.step()
    assert world.texts(number)[-2:] == ["I see errors", "SEV2 → SEV1: everybody"]
    assert ann("GET", "/state/m.room.topic/")["topic"].startswith("SEV1, triggered. Ann.")
    (decided,) = [
        e for e in said() if e["content"]["body"] == "**Decision** (ann): We **roll back**"
    ]
    assert ann("GET", "/state/m.room.pinned_events/")["pinned"] == [decided["event_id"]]
    (edited,) = [e for e in said() if "m.new_content" in e["content"]]
    assert edited["content"]["m.relates_to"]["event_id"] == decided["event_id"]

    # Another process, which does not know what arrived: nothing is said or made twice.
    chat = world.replica().mirrors.opened("matrix")
    before = len(said())
    key = world.loop.mirrors._key(f"room-{number}", world.room(number))
    external = world.room(number).external
    assert chat.make("again", "", key, doubt=True)[0] == external
    once, again = (chat.post(external, "once", "key-1", doubt=d) for d in (False, True))
    assert once == again
    assert len(said()) == before + 1

    # More was written than one answer holds.
    for i in range(110):
        ann("PUT", f"/send/m.room.message/l{i}", {"msgtype": "m.text", "body": f"line {i}"})
    world.step()
    lines = [e.text for e in world.entries(number) if e.kind is EntryKind.MESSAGE]
    assert [t for t in lines if t.startswith("line")] == [f"line {i}" for i in range(110)]
