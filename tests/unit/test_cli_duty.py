"""The commands of pages, schedules, drills, channels and contacts, over the real API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner

from tests.support.duty import SITE, START, World, policy, specs, to
from watchkeeper.access.model import Role, Scope
from watchkeeper.access.people import NewAccount, add_account
from watchkeeper.access.work import create_token
from watchkeeper.engine.board import Board
from watchkeeper.faces.cli import common
from watchkeeper.faces.cli.main import cli
from watchkeeper.faces.duty import Duty
from watchkeeper.faces.server import build_server
from watchkeeper.faces.services import Services
from watchkeeper.kernel.clock import iso
from watchkeeper.kernel.errors import WatchkeeperError
from watchkeeper.spec.duty import TargetKind
from watchkeeper.store import Database

HOUR = 3600.0


class Shell:
    """A server in this process, and a person who types commands against it."""

    def __init__(self, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        daily = policy(
            (to(TargetKind.SCHEDULE, "first"), 300.0),
            (to(TargetKind.SCHEDULE, "second"), 300.0),
            drill="0 10 * * *",
        )
        made = specs(escalation_policies={"default": daily})
        self.world = World(db, made)
        self.board = board = Board()
        board.post(specs=made, ticked_at=START)
        services = Services(db, board, self.world.clock)
        duty = Duty(db, board, self.world.clock, SITE, self._wake)
        self.app = build_server(services, duty=duty)
        who = NewAccount("ann", "correct horse battery staple", Role.EDITOR)
        add_account(db, who, START, "test")
        with db.write() as conn:
            scopes = [Scope.READ, Scope.RESPOND, Scope.WRITE, Scope.PUSH]
            self.secret = create_token(conn, "cli", scopes, START, "test", None, "ann")
            self.robot = create_token(conn, "robot", [Scope.READ], START, "test", None)
        monkeypatch.setattr(common.Api, "call", self._call)
        self.token = self.secret

    def _wake(self) -> None:
        self.world.pager.step(self.world.clock.now())

    def _call(
        self,
        method: str,
        path: str,
        body: object = None,
    ) -> Any:  # noqa: ANN401
        answer = self._ask(method, path, body)
        if answer.status_code >= 300:
            raise common._http_error(answer.status_code, answer.content)
        return answer.json() if answer.content else None

    def post(self, path: str, form: dict[str, str]) -> httpx2.Response:
        """A form, as our own pages send it."""

        async def go() -> httpx2.Response:
            transport = httpx2.ASGITransport(app=self.app)
            headers = {"Authorization": f"Bearer {self.token}", "Sec-Fetch-Site": "same-origin"}
            async with httpx2.AsyncClient(transport=transport, base_url="http://wk") as client:
                return await client.post(path, data=form, headers=headers)

        return asyncio.run(go())

    def _ask(self, method: str, path: str, body: object = None) -> httpx2.Response:
        async def go() -> httpx2.Response:
            transport = httpx2.ASGITransport(app=self.app)
            headers = {"Authorization": f"Bearer {self.token}"}
            async with httpx2.AsyncClient(transport=transport, base_url="http://wk") as client:
                sent = {"content": body} if isinstance(body, bytes) else {"json": body}
                return await client.request(method, path, headers=headers, **sent)

        return asyncio.run(go())

    def text(self, path: str) -> str:
        """What the server has at a path."""
        answer = self._ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.text

    def __call__(self, *words: str, status: int = 0) -> str:
        """Type ``wk WORDS``; what it says, with its exit status checked."""
        result = CliRunner().invoke(cli, list(words))
        failed = result.exception
        if isinstance(failed, WatchkeeperError):
            assert failed.exit_status == status, str(failed)
            return str(failed)
        assert result.exit_code == status, (result.output, failed)
        return result.output

    def json(self, *words: str, status: int = 0) -> Any:  # noqa: ANN401
        """The same with ``--json``."""
        return json.loads(self(*words, "--json", status=status))


@pytest.fixture
def wk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    database = Database.open(str(tmp_path / "wk.db"))
    yield Shell(database, monkeypatch)
    database.close()


def paged(wk: Shell) -> str:
    """A page that ann was called for."""
    wk.world.signal("k", summary="Disk full on db-1")
    wk.world.run(1)
    return str(wk.json("page", "list")[0]["id"])


def test_a_page_is_listed_shown_and_acknowledged_in_the_name_of_the_tokens_owner(
    wk: Shell,
) -> None:
    number = paged(wk)

    assert "Disk full on db-1" in wk("page", "list")
    assert "nobody has it" in wk("page", "show", number)
    said = wk("page", "ack", number)
    assert said == (f"page #{number} acknowledged by ann; calls again at {iso(START + 1 + HOUR)}\n")
    shown = wk("page", "show", number)
    assert f"ann has it since {iso(START + 1)}" in shown
    assert "message sent to ann by push" in shown
    assert wk.json("page", "show", number)["acked_by"] == "ann"
    assert wk("page", "resolve", number) == f"page #{number} resolved by ann\n"
    assert wk.json("page", "list") == []
    assert "resolved" in wk("page", "list", "--state", "resolved")


def test_a_page_is_snoozed_for_a_length_of_time_and_calls_again_after_it(wk: Shell) -> None:
    number = paged(wk)

    said = wk("page", "snooze", number, "--for", "30m")
    assert said == f"page #{number} snoozed until {iso(START + 1 + 1800)}\n"
    before = len(wk.world.sent)
    wk.world.run(1790, every=10)
    assert len(wk.world.sent) == before
    wk.world.run(20)
    assert len(wk.world.sent) > before
    for wrong in ("30s", "40d", "soon"):
        assert "m" in wk("page", "snooze", number, "--for", wrong, status=2)


def test_a_page_is_handed_over_with_a_note_and_others_are_called_as_well(wk: Shell) -> None:
    number = paged(wk)

    assert "calls cho as well" in wk("page", "add", number, "cho")
    assert "There is no team" in wk("page", "reassign", number, "team:shop", status=2)
    assert wk("page", "reassign", number, "ben", "--note", "yours").endswith("calls ben now\n")
    assert wk.json("page", "reassign", number, "ben", "--note", "yours")["state"] == "open"
    assert wk("page", "note", number, "the volume grows") == f"noted at page #{number}\n"
    wk.world.run(1)
    called = {s.address for s in wk.world.sent}
    assert {"ann@push", "cho@push", "ben@push"} <= called
    shown = wk("page", "show", number)
    assert "note=yours" in shown
    assert "text=the volume grows" in shown


def test_wrong_answers_say_what_is_wrong_and_end_with_status_two(wk: Shell) -> None:
    number = paged(wk)

    assert "There is no page #99" in wk("page", "ack", "99", status=2)
    assert "There is no user 'zoe'" in wk("page", "add", number, "zoe", status=2)
    assert "names no target" in wk("page", "add", number, "role:x", status=2)
    assert "Until when?" in wk("oncall", "override", "first", "ben", status=2)
    wk("page", "ack", "x", status=2)
    wk.token = wk.robot
    assert "respond" in wk("page", "ack", number, status=2)
    assert "belongs to no person" in wk("oncall", "mine", status=2)


def test_who_is_on_call_now_and_when_are_my_shifts(wk: Shell) -> None:
    assert wk("oncall", "now").splitlines()[1].split()[:2] == ["first", "ann"]
    assert [s["users"] for s in wk.json("oncall", "shifts", "first", "--days", "2")] == [
        ["ann"], ["ben"]
    ]  # fmt: skip
    mine = wk.json("oncall", "mine", "--days", "6")
    assert [(s["schedule"], s["start"]) for s in mine] == [
        ("first", iso(START + d * 86_400)) for d in (0, 2, 4)
    ]
    hers = wk.json("oncall", "mine", "--user", "dee", "--days", "2")
    assert [(s["schedule"], s["start"]) for s in hers] == [("second", iso(START + 86_400))]
    assert "There is no user" in wk("oncall", "mine", "--user", "zoe", status=2)
    assert wk("oncall", "gaps").strip() == "no gaps in the next 14 days"


def test_an_override_a_swap_and_leave_are_made_listed_and_undone(wk: Shell) -> None:
    day = ("--from", iso(START), "--to", iso(START + 86_400))
    made = wk("oncall", "override", "first", "cho", *day, "--reason", "ann is ill")
    number = made.split()[1]
    assert wk.json("oncall", "now")[0]["now"] == ["cho"]
    assert "ann is ill" in wk("oncall", "changes", "first")
    assert wk("oncall", "undo", number) == f"{number} is taken back\n"
    assert wk.json("oncall", "now")[0]["now"] == ["ann"]

    wk("oncall", "swap", "first", "ann", "dee", *day)
    assert wk.json("oncall", "now")[0]["now"] == ["dee"]
    span = ("--from", iso(START), "--for", "8h")
    gone = wk.json("oncall", "leave", "cho", *span, "--stand-in", "ben")
    assert (gone["schedule"], gone["end"]) == ("", iso(START + 8 * HOUR))
    assert wk.json("oncall", "now")[1]["now"] == ["ben"]
    assert [c["kind"] for c in wk.json("oncall", "changes", "second")] == ["leave"]
    wrong = ("--from", iso(START), "--to", iso(START - 1))
    assert "must end after" in wk("oncall", "leave", "cho", *wrong, status=2)
    assert "no change" in wk("oncall", "undo", number, status=2)


def test_a_gap_ends_with_status_one(wk: Shell) -> None:
    gone = ("--from", iso(START), "--for", "4h")
    for name in ("ann", "ben"):
        wk("oncall", "leave", name, *gone)

    (gap,) = wk.json("oncall", "gaps", status=1)
    assert (gap["schedule"], gap["start"], gap["end"]) == (
        "first", iso(START), iso(START + 4 * HOUR)
    )  # fmt: skip
    assert "gap" in wk("oncall", "check", status=1)


def test_a_drill_is_started_answered_and_kept_as_proof(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    wk = Shell(db, monkeypatch)
    assert "never" in wk("drill", "proofs").splitlines()[1]
    said = wk("drill", "start", "default")
    number = said.split("#")[1].split()[0]
    wk.world.run(1)
    assert "waits for an answer" in wk("drill", "list")
    assert [s.message.kind for s in wk.world.sent] == ["drill"]
    wk("page", "ack", number)

    at = iso(START + 1)
    assert f"answered at {at}" in wk("drill", "list")
    proofs = wk.json("drill", "proofs")
    assert proofs["policies"][0]["proved_at"] == at
    assert proofs["policies"][0]["next_drill_at"] == iso(START + 2 * HOUR)
    assert {c["name"] for c in proofs["channels"] if c["proved_at"]} == {"push"}
    assert {p["name"] for p in proofs["people"] if p["proved_at"] == at} == {"ann"}
    assert "There is no escalation policy" in wk("drill", "start", "nope", status=2)


def test_an_answer_of_somebody_whom_the_drill_did_not_call_proves_no_policy(wk: Shell) -> None:
    number = wk("drill", "start", "default").split("#")[1].split()[0]
    wk.world.run(1)
    wk.world.ack(int(number), "zoe")

    assert wk.json("drill", "proofs")["policies"][0]["proved_at"] is None


def test_a_channel_is_tested_and_its_outcome_is_waited_for(wk: Shell) -> None:
    said = wk("channel", "test", "push", "ann@push")
    assert said == "test by push: sent\n"
    assert wk.json("channel", "test", "push", "x", "--wait", "0")["state"] == "due"
    (push,) = [c for c in wk.json("channel", "list") if c["name"] == "push"]
    assert (push["type"], push["contacts"], push["last"]["state"]) == ("inbox", 4, "sent")
    assert "ann@push" in wk("channel", "sent", "--channel", "push")
    assert "There is no channel" in wk("channel", "test", "pigeon", "x", status=2)


def test_a_contact_is_proved_by_the_code_that_comes_back(wk: Shell) -> None:
    who = ("ann", "sms", "ann@sms")
    wk("contact", "code", *who)
    code = wk.world.sent[-1].message.title.split()[-1]
    wrong = "000000" if code != "000000" else "000001"

    assert "not the code" in wk("contact", "verify", *who, wrong, status=2)
    assert "is proved" in wk("contact", "verify", *who, code)
    (row,) = [c for c in wk.json("contact", "list") if (c["user"], c["channel"]) == who[:2]]
    assert row["verified_at"] == iso(START)
    assert "no such contact" in wk("contact", "code", "ann", "sms", "+1", status=2)


def test_policies_are_described_with_whom_they_call(wk: Shell) -> None:
    (found,) = wk._call("GET", "/api/v1/escalation-policies")
    assert found["steps"][0] == {
        "notify": [{"kind": "schedule", "name": "first"}], "wait_seconds": 300.0
    }  # fmt: skip
    assert (found["drill"], found["drill_time_zone"]) == ("0 10 * * *", "UTC")


def test_heartbeats_and_load_are_listed(wk: Shell) -> None:
    paged(wk)
    assert wk.json("heartbeat", "list") == []
    assert wk.json("oncall", "load")[0]["rotation"] == "schedule:first"
    assert "schedule:first" in wk("oncall", "load")


def test_every_schedule_and_person_has_a_calendar_to_subscribe_to(wk: Shell) -> None:
    found = wk.json("oncall", "feeds")
    assert {(f["kind"], f["name"]) for f in found} == {
        *(("schedule", n) for n in ("first", "second")),
        *(("user", n) for n in ("ann", "ben", "cho", "dee")),
    }
    assert "http://127.0.0.1:8080/ical/user/ann.ics?key=" in wk("oncall", "feeds")
    wk.token = "wk_none"  # the key in the address is enough
    for feed in found:
        assert wk.text(feed["path"]).startswith("BEGIN:VCALENDAR")
