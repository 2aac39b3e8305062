"""Commands in an incident's channel: read, done whole or not at all, told to their writer."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.duty import SITE, START, specs
from watchkeeper.engine.chatting import BEYOND
from watchkeeper.incidents import store, work
from watchkeeper.incidents.chat import commands, running
from watchkeeper.incidents.chat.commands import Ask, Give, Move, Post, Run, Sev, Todo, Write
from watchkeeper.incidents.keeping import By
from watchkeeper.kernel.errors import UserError
from watchkeeper.postmortems import store_items
from watchkeeper.spec import load_text
from watchkeeper.store import Database

DAY = 86_400.0
ANN = By("ann", "web")


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("/sev 1", Sev("1")),
        ("/severity SEV2 guests only", Sev("SEV2", "guests only")),
        ("/state identified a bad release", Move("identified", "a bad release")),
        ("/resolve", Move("resolved")),
        ("/role ops @ben", Give("ops", "ben")),
        ("/role Incident Commander me", Give("Incident Commander", "me")),
        ("/role comms nobody", Give("comms", "")),
        ("/update Some payments fail.", Post("Some payments fail.")),
        ("/update public\nSome payments fail.\nMore at 10:30.",
         Post("Some payments fail.\nMore at 10:30.", public=True)),
        ("/UPDATE\nFirst line", Post("First line")),
        ("/update publicly known by now", Post("publicly known by now")),
        ("/run rollback to=v41 dry=1", Run("rollback", {"to": "v41", "dry": "1"})),
        ("/note It began at ten", Write("note", "It began at ten")),
        ("!decision Roll back", Write("decision", "Roll back")),
        ("/action Alert on the pool", Todo("Alert on the pool")),
        ("/action Alert on it @ben due 5d", Todo("Alert on it", "ben", START + 5 * DAY)),
        ("/action Alert on @ben the pool due 2026-01-09",
         Todo("Alert on the pool", "ben", START + 4 * DAY + 15 * 3600 + 59 * 60)),
        ("/action Say when payment is due soon", Todo("Say when payment is due soon")),
        ("/?", Ask()),
    ],
)  # fmt: skip
def test_a_line_is_read_as_it_is_meant(line: str, meant: object) -> None:
    if line.endswith("due soon"):  # `due` before what is no time is pointed out, not guessed
        with pytest.raises(UserError, match="'soon' is no time"):
            commands.parse(line, START)
        return
    assert commands.parse(line, START) == meant


@pytest.mark.parametrize(
    ("line", "why", "how"),
    [
        ("/sevv 1", "no command /sevv", "Did you mean /sev 1"),
        ("/resolv", "no command /resolv", "/resolve"),
        ("/upate x", "no command /upate", "/update"),
        ("/xyzzy", "no command /xyzzy", "/help lists them"),
        ("/sev", "/sev has no text", "/sev 1"),
        ("/role ops", "a role and a person", "/role ops @ann"),
        ("/update public", "/update has no text", "/update"),
        ("/run x y", "'y' is no parameter", "key=value"),
        ("/run x a=1 a=2", "'a' is given twice", "once"),
        ("/action @ann", "/action has no text", "/action TEXT"),
        ("/action Do it @ann @ben", "one owner", "Name who"),
        ("/action Do it due 2020-01-01", "in the past", "to come"),
    ],
)
def test_what_cannot_be_meant_is_said_exactly(line: str, why: str, how: str) -> None:
    with pytest.raises(UserError) as found:
        commands.parse(line, START)
    assert why in found.value.message
    assert how in found.value.hint


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("/sev 1", True), ("/upate x", True), ("/var/log is full", False), ("/ 2", False),
     ("//sev 1", False), ("1/2 of all", False), ("!sev 1", False), ("", False), ("/", False)],
)  # fmt: skip
def test_only_a_line_that_begins_with_a_word_after_the_slash_is_a_command(
    text: str, is_one: bool
) -> None:
    assert commands.is_command(text) == is_one


def test_other_chats_may_begin_with_an_exclamation_mark() -> None:
    assert commands.is_command("!sev 1", commands.MARKS)
    assert commands.is_command("!resolv", commands.MARKS)
    assert not commands.is_command("!important: look at this", commands.MARKS)
    assert not commands.is_command("!!", commands.MARKS)


@given(text=st.text(max_size=60), name=st.sampled_from([*commands.NAMES, "zz", ""]))
def test_no_line_however_odd_raises_anything_but_advice(text: str, name: str) -> None:
    for line in (f"/{text}", f"/{name} {text}"):
        assert isinstance(commands.is_command(line), bool)
        with contextlib.suppress(UserError):
            commands.parse(line, START)


# ---------------------------------------------------------------- carried out


def declared(db: Database) -> int:
    with db.write() as conn:
        made = work.declare(
            conn, specs(), SITE, "Checkout fails", "SEV2", ANN, START, services=("checkout",)
        )
    return made.id


def do(db: Database, incident: int, line: str, by: By = ANN) -> str:
    with db.write() as conn:
        return running.perform(
            conn, specs(), SITE, incident, commands.parse(line, START), BEYOND, by, START
        )


def test_commands_do_what_the_buttons_do(db: Database) -> None:
    number = declared(db)
    assert do(db, number, "/sev 1 everybody") == "It is SEV1 now."
    assert do(db, number, "/state identified") == "It is identified now."
    assert do(db, number, "/role ops @Dee") == "Operations Lead: dee."
    assert do(db, number, "/role ops @ben@sms") == "Operations Lead: ben."
    assert do(db, number, "/role ops me") == "Operations Lead: ann."
    assert "The next one is due at 2026-01-05T08:15:00Z" in do(db, number, "/update public Hm.")
    assert do(db, number, "/decision Roll back").startswith("Entry ")
    said = do(db, number, "/action Alert on the pool @ben due 5d")
    assert said == "Action item 1: Alert on the pool (ben, due 2026-01-10)."
    assert do(db, number, "/resolve") == "It is resolved now."
    assert "/sev 1" in do(db, number, "/help")
    with db.read() as conn:
        kinds = [str(e.kind) for e in store.entries(conn, number)][1:]
        item = store_items.get(conn, 1)
    assert item is not None
    assert (item.owner, item.incident_id, item.due_at) == ("ben", number, START + 5 * DAY)
    assert [k for k in kinds if k not in ("role", "detected")] == [
        "severity", "state", "update", "decision", "note", "state"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("/sev 9", "'9' is no severity"),
        ("/state gone", "'gone' is no state"),
        ("/role boss @ben", "'boss' is no role"),
        ("/role ops @bem", "no user 'bem'"),
        ("/action Alert on it @nobody-here", "no user 'nobody-here'"),
        ("/run rollback", "no mitigation 'rollback'"),
    ],
)
def test_what_is_refused_leaves_nothing_half_done(db: Database, line: str, why: str) -> None:
    number = declared(db)
    with db.read() as conn:
        before = store.get(conn, number), store.entries(conn, number)
    with pytest.raises(UserError, match=why):
        do(db, number, line)
    with db.read() as conn:
        assert (store.get(conn, number), store.entries(conn, number)) == before
        assert store_items.get(conn, 1) is None


def test_a_mitigation_is_run_by_a_command_that_confirms_it(db: Database) -> None:
    loaded = load_text(
        "apiVersion: watchkeeper/v1\nkind: Mitigation\nmetadata: {name: rollback}\n"
        "spec: {type: command, settings: {run: [/bin/echo, '{to}']}, "
        "dryRun: {run: [/bin/echo, would, '{to}']}, parameters: [{name: to}]}\n"
    )
    assert loaded.specs is not None, [str(f) for f in loaded.findings]
    known = replace(specs(), response=loaded.specs.response)
    number = declared(db)

    def run(line: str) -> str:
        with db.write() as conn:
            command = commands.parse(line, START)
            return running.perform(conn, known, SITE, number, command, BEYOND, ANN, START)

    with pytest.raises(UserError, match="changes production") as refused:
        run("/run rollback to=v41")
    assert "/run rollback to=v41 confirm=yes" in refused.value.hint
    assert run("/run rollback to=v41 dry=yes") == "rollback was asked for as a dry run: run 1."
    assert run("/run rollback to=v41 confirm=yes") == "rollback was asked for: run 2."
    assert run("/run rollback to=v41 confirm=yes") == "rollback is under way already: run 2."
    with pytest.raises(UserError, match="cannot be"):
        run("/run rollback to=v;41 confirm=yes")
