"""R12: an incident goes on in Slack and Matrix, both ways, and nothing is lost or said twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import chats
from tests.support.chats import Homeserver, Workspace
from tests.support.duty import START
from tests.support.talking import ANN, World
from watchkeeper.incidents.chat.mirror import MOST_TOPIC
from watchkeeper.incidents.keeping import By
from watchkeeper.incidents.model import EntryKind
from watchkeeper.kernel.errors import UserError
from watchkeeper.store import Database

NUMBER = 1


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    made = Database.open(str(tmp_path / "wk.db"))
    yield made
    made.close()


@pytest.fixture
def slack() -> Iterator[Workspace]:
    with chats.slack() as its:
        yield its
        assert [r for r in its.provider.refused if "ratelimited" not in r] == []


@pytest.fixture
def matrix() -> Iterator[Homeserver]:
    with chats.matrix() as its:
        yield its


# ---------------------------------------------------------------- Slack, outwards


def test_an_incident_gets_a_slack_channel_that_says_the_same(
    db: Database, slack: Workspace
) -> None:
    world = World(db, slack)
    number = world.declare()
    world.step()
    room = slack.room()
    assert (room.name, room.private) == (f"inc-{number}-checkout-fails", True)
    assert sorted(room.members) == ["U00ANN", "U00CHO", "U0BOT"]  # who has a role, by e-mail
    assert room.topic == "SEV2, triggered. Ann. Checkout fails!"
    assert room.messages[0]["text"].startswith("*State* (ann): Declared SEV2")
    world.incidents.set_severity(number, "1", "everybody", ANN)
    told = world.incidents.say(
        number, "message", "**Pool** is <full> & [graph](https://e.org/x)", ANN
    )
    world.incidents.amend(number, told.number, ANN, text="Pool was full")
    world.incidents.amend(number, told.number, ANN, pinned=True)
    world.incidents.offer(number, "ops", "dee", ANN)
    world.step()
    assert room.topic.startswith("SEV1, triggered. Ann.")
    assert "U00DEE" in room.members
    texts = slack.texts()
    assert len(texts) == len([e for e in world.entries(number) if e.kind != EntryKind.AMENDMENT])
    assert "*ann*: Pool was full" in texts  # corrected in its place
    assert room.pins == [m["ts"] for m in room.messages if m["text"] == "*ann*: Pool was full"]
    world.incidents.amend(number, told.number, ANN, pinned=False)
    world.step()
    assert room.pins == []
    assert [(r.behind, r.room.said) for r in world.channel.rooms(number)] == [(0, "")]


def test_names_and_topics_keep_slacks_rules(db: Database, slack: Workspace) -> None:
    world = World(db, slack)
    title = "Zahlung schlägt fehl: ÄÖÜ / 100 % <!channel> " * 6
    number = world.declare(title.strip()[:290])
    slack.taken = {
        f"inc-{number}-zahlung-schlagt-fehl-aou-100-channel-zahlung-schlagt-fehl-aou-100-ch"
    }
    world.step()
    name = slack.room().name
    assert len(name) <= 80
    assert name.startswith(f"inc-{number}-zahlung-schlagt-fehl-aou-100-channel")
    assert len(slack.room().topic) == MOST_TOPIC
    assert "<!channel>" not in "".join(slack.texts())


def test_a_name_that_is_taken_gets_a_number(db: Database, slack: Workspace) -> None:
    world = World(db, slack)
    number = world.declare()
    slack.taken = {f"inc-{number}-checkout-fails", f"inc-{number}-checkout-fails-2"}
    world.step()
    assert slack.room().name == f"inc-{number}-checkout-fails-3"
    assert world.room(number).name == slack.room().name


def test_only_the_severities_that_are_named_get_a_channel(db: Database, slack: Workspace) -> None:
    world = World(db, slack)
    number = world.declare(severity="SEV3")
    world.step()
    assert slack.calls == []
    world.incidents.set_severity(number, "2", "", ANN)
    world.step()
    assert "Declared SEV3" in slack.texts()[0]  # from its beginning


# ---------------------------------------------------------------- Slack, trouble


def test_a_limit_is_waited_for_as_long_as_slack_asks(db: Database, slack: Workspace) -> None:
    world = World(db, slack)
    number = world.declare()
    world.step()
    world.incidents.say(number, "message", "one", ANN)
    slack.limited = 1
    before = len(slack.calls)
    world.step()
    assert len(slack.calls) == before + 1
    assert world.room(number).due_at == START + 3
    world.clock.advance(2.9)
    world.step()
    assert len(slack.calls) == before + 1
    world.clock.advance(0.2)
    world.step()
    assert slack.texts()[-1] == "*ann*: one"


def test_while_slack_is_down_the_room_works_and_says_how_far_the_mirror_is_behind(
    db: Database, slack: Workspace
) -> None:
    world = World(db, slack)
    number = world.declare()
    world.step()
    slack.provider.mode = "down"
    for text in ("one", "two", "three"):
        world.incidents.say(number, "message", text, ANN)
        world.step()
    (state,) = world.channel.rooms(number)
    assert state.behind == 3
    assert "answered 503" in state.room.said
    assert state.room.since == START
    assert world.texts(number)[-3:] == ["one", "two", "three"]
    slack.provider.mode = "ok"
    for _ in range(4):
        world.clock.advance(300)
        world.step()
    assert slack.texts()[-3:] == ["*ann*: one", "*ann*: two", "*ann*: three"]
    assert [(r.behind, r.room.said) for r in world.channel.rooms(number)] == [(0, "")]


def test_an_answer_that_is_lost_repeats_neither_channel_nor_message(
    db: Database, slack: Workspace
) -> None:
    world = World(db, slack)
    number = world.declare()
    slack.provider.mode = "lost"  # every third call arrives, and its answer is lost
    for _ in range(30):
        world.step()
        world.clock.advance(301)
    slack.provider.mode = "ok"
    world.step()
    assert len(slack.rooms) == 1
    assert len(slack.texts()) == len(set(slack.texts())) == len(world.entries(number))
    assert slack.calls.count("conversations.create") == 1


def test_a_process_that_dies_after_sending_repeats_nothing(
    db: Database, slack: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(db, slack)
    number = world.declare()
    died = world.replica()

    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(died.mirrors, "_went", dies)
    with pytest.raises(KeyboardInterrupt):
        died.mirrors.step()  # the channel was made; nobody knows
    assert len(slack.rooms) == 1
    world.step()
    assert not slack.texts()  # its lease still runs
    world.clock.advance(13)
    world.step()
    assert len(slack.rooms) == 1
    assert len(slack.texts()) == len(world.entries(number))


def test_a_scope_that_is_missing_is_named(db: Database, slack: Workspace) -> None:
    world = World(db, slack)
    number = world.declare()
    slack.scopes = slack.scopes - {"channels:manage", "groups:write"}
    world.step()
    assert world.room(number).said == "Slack refused: missing_scope channels:manage|groups:write"
    assert world.room(number).due_at > START


# ---------------------------------------------------------------- Slack, inwards


def test_what_people_write_in_slack_is_on_the_timeline_once(db: Database, slack: Workspace) -> None:
    world = World(db, slack)
    number = world.declare()
    world.step()
    posted = len(slack.texts())
    assert (
        world.said("U00DEE", "I see <https://e.org/x|errors> &amp; more, <@U00BEN>", "10.1").text
        == ""
    )
    for retry in (1, 2, 3):  # Slack says it again when it is not sure that we heard
        room = slack.room().id
        again = {"channel": room, "user": "U00DEE", "text": "I see errors", "ts": "10.1"}
        assert world.event(again, "Ev10.1", retry).status_code == 200
    entry = world.entries(number)[-1]
    assert (entry.actor, entry.source, str(entry.kind)) == ("dee", "slack", "message")
    assert entry.text == "I see [errors](https://e.org/x) & more, @ben"
    world.step()
    assert len(slack.texts()) == posted + 1  # hers; ours did not say it again
    changed = {
        "subtype": "message_changed", "channel": slack.room().id,
        "message": {"user": "U00DEE", "text": "I saw errors", "ts": "10.1", "type": "message"},
        "previous_message": {"user": "U00DEE", "text": "I see", "ts": "10.1"},
    }  # fmt: skip
    world.event(changed, "Ev11")
    world.event(changed, "Ev11", 1)
    (amendment,) = [e for e in world.entries(number) if e.kind is EntryKind.AMENDMENT]
    assert (amendment.amends, amendment.data["text"]) == (entry.number, "I saw errors")
    world.step()
    assert len(slack.texts()) == posted + 1


def test_what_we_say_ourselves_and_other_bots_say_is_not_heard(
    db: Database, slack: Workspace
) -> None:
    world = World(db, slack)
    number = world.declare()
    world.step()
    before = world.texts(number)
    world.said("U0BOT", "echo", "10.1", bot_id="B1")
    world.said("U0BOT", "echo", "10.2")
    world.said("U00ANN", "x", "10.3", subtype="channel_join")
    world.event({"channel": "C9", "user": "U00ANN", "text": "elsewhere", "ts": "1.1"}, "EvX")
    assert world.texts(number) == before


def test_only_slack_is_heard(db: Database, slack: Workspace) -> None:
    world = World(db, slack)
    world.declare()
    world.step()
    body = b'{"type": "url_verification", "challenge": "c-1"}'
    kind = {"content-type": "application/json"}
    assert world.signed(body, kind).text == "c-1"
    assert world.signed(body, kind, secret="another").status_code == 401


def test_commands_from_slack_need_the_rights_of_the_buttons(db: Database, slack: Workspace) -> None:
    world = World(db, slack)
    number = world.declare()
    world.step()
    slack.room().members.append("U00BEN")
    world.said("U00ANN", "!sev 1 everybody", "10.1")
    world.step()
    assert slack.room().topic.startswith("SEV1")
    assert slack.texts()[-1].startswith("*Severity* (ann): ")  # what came of it is told there
    before = world.texts(number)
    world.said("U00BEN", "!sev 3", "10.2")  # a viewer
    world.said("U00CHO", "!resolve", "10.3")  # no account
    world.said("U00ANN", "!resolv", "10.4")
    assert world.texts(number) == before
    assert [(who, text.partition(".")[0]) for who, text in slack.whispers] == [
        ("U00BEN", "ben may not use commands"),
        ("U00CHO", "cho may not use commands"),
        ("U00ANN", "There is no command /resolv"),
    ]
    assert world.slash("U00ANN", "role ops <@U00DEE|dee>") == "Done."
    assert "/decision TEXT" in world.slash("U00ANN", "")
    assert "'9' is no severity" in world.slash("U00ANN", "sev 9")
    assert world.texts(number)[-1] == "Operations Lead: dee"
    for _ in range(2):  # a command that is delivered twice is done once
        item = {"channel": slack.room().id, "user": "U00ANN", "ts": "10.5", "text": "!note once"}
        world.event(item, "Ev10.5")
    assert world.texts(number).count("once") == 1


# ---------------------------------------------------------------- Matrix


def test_an_incident_gets_a_matrix_room_that_says_the_same(
    db: Database, matrix: Homeserver
) -> None:
    world = World(db, matrix=matrix)
    number = world.declare()
    world.step()
    room = matrix.room()
    assert room.name == f"inc-{number}-checkout-fails"
    assert room.invited == ["@ann:test.local", "@cho:test.local"]
    told = world.incidents.say(number, "decision", "We **roll back**", ANN)
    world.incidents.amend(number, told.number, ANN, text="We go back")
    world.incidents.amend(number, told.number, ANN, pinned=True)
    world.incidents.set_state(number, "identified", "", ANN)
    world.step()
    assert room.state["m.room.topic"]["topic"].startswith("SEV2, identified. Ann.")
    said = [e for e in room.events if "decision" in e["content"]["body"].lower()]
    assert said[0]["content"]["formatted_body"] == (
        "<p><strong>Decision</strong> (ann): We <strong>roll back</strong></p>\n"
    )
    assert said[1]["content"]["m.relates_to"] == {
        "rel_type": "m.replace", "event_id": said[0]["event_id"]
    }  # fmt: skip
    assert room.state["m.room.pinned_events"] == {"pinned": [said[0]["event_id"]]}


def test_what_people_write_in_matrix_is_on_the_timeline_once(
    db: Database, matrix: Homeserver
) -> None:
    world = World(db, matrix=matrix)
    number = world.declare()
    world.step()
    event = matrix.say("@dee:test.local", "I see errors")
    matrix.say("@ann:test.local", "!sev 1 everybody")
    matrix.say("@ben:test.local", "!sev 3")
    matrix.say("@stranger:other.org", "hello")
    matrix.say("@dee:test.local", "* I saw errors", **{
        "m.new_content": {"msgtype": "m.text", "body": "I saw errors"},
        "m.relates_to": {"rel_type": "m.replace", "event_id": event},
    })  # fmt: skip
    world.step()
    entries = world.entries(number)
    heard = [(e.actor, e.text) for e in entries if e.source == "matrix" and e.text]
    assert heard == [
        ("dee", "I see errors"), ("ann", "SEV2 → SEV1: everybody"), ("matrix:Stranger", "hello")
    ]  # fmt: skip
    assert [e.data["text"] for e in entries if e.kind is EntryKind.AMENDMENT] == ["I saw errors"]
    assert any("ben may not use commands" in t for t in matrix.texts())
    before = world.texts(number)
    world.loop = world.replica()  # another process goes on where this one listened
    world.clock.advance(100)
    world.step()
    assert world.texts(number) == before
    assert matrix.repeated == 0


def test_more_than_one_answer_holds_is_read_backwards(db: Database, matrix: Homeserver) -> None:
    world = World(db, matrix=matrix)
    number = world.declare()
    world.step()
    for i in range(110):
        matrix.say("@dee:test.local", f"line {i}")
    world.step()
    assert [t for t in world.texts(number) if t.startswith("line")] == [
        f"line {i}" for i in range(110)
    ]


def test_a_lost_answer_repeats_nothing_on_matrix(db: Database, matrix: Homeserver) -> None:
    world = World(db, matrix=matrix)
    world.step()
    number = world.declare()
    matrix.provider.mode = "lost"
    for _ in range(30):
        while world.loop.mirrors.step():
            pass
        world.clock.advance(301)
    matrix.provider.mode = "ok"
    world.step()
    assert len(matrix.rooms) == 1
    assert matrix.repeated > 0  # it was sent again, and the server knew it
    assert len(matrix.texts()) == len(set(matrix.texts())) == len(world.entries(number))


def test_a_limit_is_waited_for_as_long_as_the_homeserver_asks(
    db: Database, matrix: Homeserver
) -> None:
    world = World(db, matrix=matrix)
    number = world.declare()
    world.step()
    world.incidents.say(number, "message", "one", ANN)
    matrix.limited = 1
    while world.loop.mirrors.step():
        pass
    assert world.room(number).due_at == START + 1.5
    world.clock.advance(1.6)
    world.step()
    assert matrix.texts()[-1] == "**ann**: one"


def test_one_incident_goes_on_in_both_chats_at_once(
    db: Database, slack: Workspace, matrix: Homeserver
) -> None:
    world = World(db, slack, matrix)
    number = world.declare()
    world.step()
    world.said("U00DEE", "from Slack", "10.1")
    matrix.say("@ann:test.local", "from Matrix")
    world.step()
    assert matrix.texts()[-1] == "**dee**: from Slack"
    assert slack.texts()[-1] == "*ann*: from Matrix"
    assert world.texts(number)[-2:] == ["from Slack", "from Matrix"]
    (broken,) = [b for _, b in world.incidents.verify(number)]
    assert broken == []


def test_without_any_chat_nothing_is_missing(db: Database) -> None:
    world = World(db)
    number = world.declare()
    world.step()
    assert world.channel.rooms(number) == []
    assert world.channel.run(number, "/sev 1", By("ann", "web")) == "It is SEV1 now."
    with pytest.raises(UserError):
        world.channel.run(number, "/sev 1", By("ann", "web"))
