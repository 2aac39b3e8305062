"""Action items over the API, the commands and the pages: whatever one can do, the others can."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from tests.support.duty import START
from tests.unit.test_cli_duty import Shell
from watchkeeper.faces.cli.main import cli
from watchkeeper.kernel.errors import UserError
from watchkeeper.spec.response import DAY
from watchkeeper.store import Database


@pytest.fixture
def shell(db: Database, monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(db, monkeypatch)


def wk(shell: Shell, *words: str) -> str:
    del shell
    done = CliRunner().invoke(cli, ["action", *words], catch_exceptions=False)
    return done.stdout


def page(shell: Shell, path: str) -> str:
    answer = shell._ask("GET", path)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_an_item_is_made_changed_and_done_by_command(shell: Shell) -> None:
    assert wk(shell, "add", "Alert on full disks", "--owner", "ann", "--severity", "SEV1") == (
        "#1 due 2026-01-20T08:00:00Z\n"
    )
    assert wk(shell, "change", "1", "--state", "doing", "--owner", "ben") == (
        "#1 doing, due 2026-01-20T08:00:00Z, ben\n"
    )
    listed = wk(shell, "list").splitlines()
    assert listed[1].split() == [
        "#1", "doing", "2026-01-20", "ben", "prevent", "–", "Alert", "on", "full", "disks"
    ]  # fmt: skip
    wk(shell, "change", "1", "--state", "done")
    assert wk(shell, "list") == ""
    told = [e["kind"] for e in json.loads(wk(shell, "show", "1", "--json"))["story"]]
    assert told == ["action.added", "action.changed", "action.moved", "action.moved"]


def test_what_cannot_be_is_refused_with_what_to_do(shell: Shell) -> None:
    wk(shell, "add", "Alert on full disks")

    with pytest.raises(UserError, match="without a reason"):
        shell._call("PATCH", "/api/v1/actions/1", {"state": "dropped"})
    with pytest.raises(UserError, match="no user 'zoe'"):
        shell._call("PATCH", "/api/v1/actions/1", {"owner": "zoe"})
    with pytest.raises(UserError, match="no action item 9"):
        shell._call("PATCH", "/api/v1/actions/9", {"owner": "ann"})
    assert shell._ask("POST", "/api/v1/actions", {"text": ""}).status_code == 400


def test_the_board_shows_columns_and_what_is_late_first(shell: Shell) -> None:
    wk(shell, "add", "Later", "--due", "2026-02-01T00:00:00Z")
    wk(shell, "add", "Sooner <b>", "--due", "2026-01-07T00:00:00Z", "--owner", "ann")
    wk(shell, "add", "Over")
    wk(shell, "change", "3", "--state", "done")
    shell.world.clock.seconds = START + 5 * DAY

    board = page(shell, "/actions")

    assert "<h1>1 action item is late</h1>" in board
    assert board.index("Sooner &lt;b&gt;") < board.index("Later") < board.index("Over")
    assert "3 days late" in board
    assert page(shell, "/actions?q=sooner").count("data-row") == 1


def test_the_page_of_an_item_tells_its_story_and_changes_it(shell: Shell) -> None:
    wk(shell, "add", "Alert on full disks", "--owner", "ann")
    form = {
        "text": "Alert before disks are full", "owner": "ann", "type": "prevent",
        "due": "2026-02-04", "state": "doing",
    }  # fmt: skip
    assert shell.post("/actions/1", form).status_code == 303

    shown = page(shell, "/actions/1")

    assert "Alert before disks are full" in shown
    assert "Moved" in shown
    item = json.loads(wk(shell, "show", "1", "--json"))
    assert (item["state"], item["due_at"]) == ("doing", "2026-02-04T08:00:00Z")


def test_a_wrong_form_comes_back_with_what_was_written(shell: Shell) -> None:
    answer = shell.post("/actions", {"text": "Cache it", "due": "soon", "type": "detect"})

    assert answer.status_code == 400
    assert "is no day" in answer.text
    assert 'value="Cache it"' in answer.text


def test_items_are_exported_as_csv(shell: Shell) -> None:
    wk(shell, "add", "=Alert, on full disks")

    lines = page(shell, "/actions.csv").splitlines()

    assert lines[0].startswith("id,text,type,state,owner")
    assert lines[1].startswith('1,"\'=Alert, on full disks",prevent,open,')


def test_verify_says_that_all_agree_when_nothing_lives_elsewhere(shell: Shell) -> None:
    wk(shell, "add", "Alert on full disks")

    done = CliRunner().invoke(cli, ["action", "verify"])

    assert (done.exit_code, done.stderr) == (0, "All are there and agree.\n")
