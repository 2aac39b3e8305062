"""R18, R32: what a postmortem promises is an issue in the tracker once it is published, and
`wk verify` says so; a recurrence opens it again there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from click.testing import CliRunner

from tests.support import trackers as servers
from tests.support.duty import HERE, SITE
from tests.support.trackers import TOKEN, Board
from tests.unit.test_cli_duty import Shell
from tests.unit.test_postmortem_work import FILLED
from watchkeeper.faces.cli.main import cli
from watchkeeper.postmortems import items_work, knowing
from watchkeeper.postmortems.trackers import open_tracker
from watchkeeper.spec.response import DAY, Response, TrackerDefinition, TrackerKind
from watchkeeper.store import Database


def wk(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, list(words), catch_exceptions=False)
    return done.exit_code, done.output


def engine(shell: Shell, db: Database, tracker: TrackerDefinition) -> None:
    """What the engine does next: know incidents again, talk to the tracker."""
    shell.world.clock.advance(400)
    now, known = shell.world.clock.now(), shell.world.specs
    with db.write() as conn:
        knowing.step(conn, known, SITE, now)
    items_work.sync(db, known, SITE, lambda _: open_tracker(tracker), now)


def incident(shell: Shell, title: str) -> int:
    made = shell._call(
        "POST", "/api/v1/incidents",
        {"title": title, "severity": "SEV1", "services": ["checkout"]},
    )  # fmt: skip
    number = int(made["id"])
    shell._call("PATCH", f"/api/v1/incidents/{number}", {"causes": ["bad deploy"]})
    shell._call("POST", f"/api/v1/incidents/{number}/state", {"state": "resolved"})
    return number


def test_promises_are_issues_there_and_a_recurrence_opens_them_again(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with servers.github() as board:
        _story(db, monkeypatch, board)
        assert board.refused == []


def _story(db: Database, monkeypatch: pytest.MonkeyPatch, board: Board) -> None:
    tracker = TrackerDefinition(
        "board", TrackerKind.GITHUB,
        {"repository": "shop/web", "url": board.url, "token": TOKEN, "users": {"ann": "octo-ann"},
         "allow_private": True},
        HERE,
    )  # fmt: skip
    shell = Shell(db, monkeypatch)
    known = replace(shell.world.specs, response=Response(trackers={"board": tracker}))
    shell.world.specs = known
    shell.board.post(specs=known)
    first = incident(shell, "Checkout fails")
    made = shell._call("POST", "/api/v1/postmortems", {"incident": first})
    path = f"/api/v1/postmortems/{made['id']}"
    shell._call("PUT", f"{path}/text", {"text": FILLED, "base": 1})
    shell._call("POST", f"{path}/acts", {"act": "publish"})

    code, said = wk("verify")
    assert (code, "does not exist there yet" in said) == (1, True)
    engine(shell, db, tracker)
    assert board.issues[1]["title"] == "Test releases with the pool of production"
    code, said = wk("verify")
    assert (code, "All action items agree." in said) == (0, True)

    shell._call("PATCH", "/api/v1/actions/1", {"state": "done"})
    engine(shell, db, tracker)
    assert board.issues[1]["state"] == "closed"
    shell.world.clock.advance(DAY)
    again = incident(shell, "Payments are refused")
    engine(shell, db, tracker)
    assert board.issues[1]["state"] == "open"
    assert "2 is again 1 Checkout fails: the same cause bad deploy" in wk("learn", "recurs", "2")[1]
    assert "recurred in 2" in wk("learn", "proof")[1]
    assert again == 2

    board.issues[1]["title"] = "Something else"
    code, said = wk("verify")
    assert (code, "text differs" in said) == (1, True)
