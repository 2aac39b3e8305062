"""Incidents over the API and the commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import update

from tests.unit.test_cli_duty import Shell
from watchkeeper.faces.cli.main import cli
from watchkeeper.incidents import store
from watchkeeper.kernel.errors import UserError, WatchkeeperError
from watchkeeper.store import Database


@pytest.fixture
def shell(db: Database, monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(db, monkeypatch)


def wk(*words: str, fails: bool = False) -> str:
    done = CliRunner().invoke(cli, list(words), catch_exceptions=False)
    assert (done.exit_code != 0) == fails, done.output
    return done.stdout


def incident(*words: str) -> str:
    return wk("incident", *words)


def test_an_incident_is_declared_led_told_and_ended_by_command(shell: Shell) -> None:
    assert incident("declare", "Checkout fails", "--severity", "1", "--service", "checkout") == (
        "incident 1: SEV1, triggered, next update due 2026-01-05T08:15:00Z\n"
    )
    assert incident("state", "1", "investigating") == (
        "incident 1: SEV1, investigating, next update due 2026-01-05T08:15:00Z\n"
    )
    assert incident("role", "1", "ops", "dee") == "ops: dee\n"
    assert incident("role", "1", "IC", "ben", "--offer") == "commander: ann, offered to ben\n"
    assert "SEV2" in incident("severity", "1", "2", "--why", "guests only")
    assert "due 2026-01-05T08:30:00Z" in incident("update", "1", "We roll back.", "--public")
    assert incident("note", "1", "Release 4.2", "--kind", "change").startswith("9  ")
    incident("amend", "1", "9", "--text", "Release 4.3", "--why", "typing error")
    incident("state", "1", "resolved")
    shown = json.loads(incident("show", "1", "--json"))
    assert shown["state"] == "resolved"
    assert [e["kind"] for e in shown["timeline"]] == [
        "state", "role", "role", "state", "role", "role", "severity", "update", "change",
        "amendment", "state",
    ]  # fmt: skip
    assert shown["broken"] == []
    assert incident("list") == ""
    assert "Checkout fails" in incident("list", "--all")
    assert "Release 4.2" in incident("show", "1")
    assert "15 min" in incident("severities")


def test_the_channel_is_used_by_command(shell: Shell, tmp_path: Path) -> None:
    incident("declare", "Checkout fails", "--service", "checkout")
    assert incident("do", "1", "/sev", "1", "everybody") == "It is SEV1 now.\n"
    assert incident("do", "1", "role", "ops", "@dee") == "Operations Lead: dee.\n"
    with pytest.raises(UserError, match="Did you mean /update"):
        incident("do", "1", "/upate", "x")
    log = tmp_path / "pool.log"
    log.write_text("ERROR pool is full\n")
    assert "pool.log: file 1, entry" in incident("attach", "1", str(log), "--text", "The log")
    assert "text/plain" in incident("files", "1")
    assert incident("rooms", "1") == ""
    log.write_bytes(b"\0")
    with pytest.raises(UserError, match="not taken"):
        incident("attach", "1", str(log))
    assert "All are as written" in CliRunner().invoke(cli, ["incident", "verify"]).stderr


def test_an_altered_timeline_is_found_by_command(shell: Shell, db: Database) -> None:
    incident("declare", "Checkout fails", "--service", "checkout")
    head = incident("verify").split()
    assert head[1] == "3"
    assert len(head[-1]) == 64
    with db.write() as conn:
        c = store.incident_entry.c
        conn.execute(update(store.incident_entry).where(c.number == 2).values(actor="nobody"))
    done = CliRunner().invoke(cli, ["incident", "verify", "1"])
    assert done.exit_code == 1
    assert "incident 1, entry 2: was altered" in done.stderr


@pytest.mark.parametrize(
    ("method", "path", "body", "said"),
    [
        ("POST", "", {"title": "x", "severity": "4"}, "'4' is no severity"),
        ("POST", "", {"title": " "}, "has no title"),
        ("POST", "", {"title": "x", "services": ["chekout"]}, "no service 'chekout'"),
        ("POST", "/9/state", {"state": "resolved"}, "no incident 9"),
        ("PUT", "/1/roles/boss", {"user": "ann"}, "'boss' is no role"),
        ("PUT", "/1/roles/ops", {"user": "zoe"}, "no user 'zoe'"),
        ("PUT", "/1/roles/ops", {"accept": True}, "not offered"),
        ("PATCH", "/1", {"began_at": "2030-01-01", "why": "x"}, "in the future"),
        ("PATCH", "/1/entries/1", {}, "Nothing is changed"),
        ("POST", "/1/links", {"pages": [77]}, "no page #77"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do(
    shell: Shell, method: str, path: str, body: dict[str, object], said: str
) -> None:
    incident("declare", "Checkout fails", "--service", "checkout")
    with pytest.raises(WatchkeeperError, match=said):
        shell._call(method, f"/api/v1/incidents{path}", body)
    with pytest.raises(UserError, match="Nothing would change"):
        incident("change", "1", "--why", "x")


def test_lists_filter_and_page(shell: Shell) -> None:
    for number in range(5):
        incident("declare", f"Trouble {number}", "--severity", "3", "--service", "search")
    first = shell._call("GET", "/api/v1/incidents?limit=2&service=search", None)
    assert [i["title"] for i in first["incidents"]] == ["Trouble 4", "Trouble 3"]
    more = shell._call("GET", f"/api/v1/incidents?limit=9&after={first['next']}", None)
    assert [i["id"] for i in more["incidents"]] == [3, 2, 1]
    none = shell._call("GET", "/api/v1/incidents?severity=SEV1", None)
    assert none["incidents"] == []
