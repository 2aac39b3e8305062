"""Mitigations over the API, the commands and the forms of our pages; and who may run them."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from tests.support.mitigations import command, with_mitigations
from tests.unit.test_cli_duty import Shell
from watchkeeper.faces.cli.main import cli
from watchkeeper.incidents.mitigation.running import Runner
from watchkeeper.kernel.errors import WatchkeeperError
from watchkeeper.store import Database

PYTHON = sys.executable
REVERT = command(
    "revert", PYTHON, "-c", "import sys; print('to', sys.argv[1])", "{version}", asks=["version"],
    action="revert", services=("payments",), dry_run={"run": [PYTHON, "-c", "print('plan')"]},
)  # fmt: skip
BROKEN = command("broken", PYTHON, "-c", "raise SystemExit(4)", confirm=False)


@pytest.fixture
def shell(db: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    its = Shell(db, monkeypatch)
    its.world.specs = with_mitigations(its.world.specs, REVERT, BROKEN)
    its.board.post(specs=its.world.specs)
    threads: list[threading.Thread] = []

    def start(body: object) -> None:
        thread = threading.Thread(target=body, daemon=True)  # type: ignore[arg-type]
        threads.append(thread)
        thread.start()

    runner = Runner(db, its.world.clock, lambda: its.world.specs, "server", start)

    def waits(_: float) -> None:
        """Whoever waits for the end of a run lets the server go on."""
        runner.step()
        threads[-1].join(10)

    monkeypatch.setattr("watchkeeper.faces.cli.mitigate.time.sleep", waits)
    wk("incident", "declare", "Checkout fails", "--service", "checkout")
    yield its
    for thread in threads:
        thread.join(10)


def wk(*words: str, status: int = 0) -> str:
    done = CliRunner().invoke(cli, list(words))
    if isinstance(done.exception, WatchkeeperError):
        assert done.exception.exit_status == status, done.exception
        return str(done.exception)
    assert done.exit_code == status, (done.output, done.exception)
    return done.output


def test_a_mitigation_is_listed_tried_run_and_shown_by_command(shell: Shell) -> None:
    listed = wk("mitigate", "list", "1")
    assert "revert" in listed
    assert wk("mitigate", "1", "revert", "-p", "version=v1", "--dry-run").startswith("plan\n")
    assert "was not confirmed" in wk("mitigate", "1", "revert", "-p", "version=v1", status=2)
    said = wk("mitigate", "1", "revert", "-p", "version=v1", "--yes")
    assert "to v1\n" in said
    assert "run 2, revert version=v1: succeeded" in said
    shown = json.loads(wk("mitigate", "show", "1", "2", "--json"))
    assert (shown["output"], shown["by"], shown["state"]) == ("to v1\n", "ann", "succeeded")
    assert "succeeded" in wk("mitigate", "list", "1")


def test_a_failure_and_a_slip_have_exit_statuses_of_their_own(shell: Shell) -> None:
    assert "exit status 4" in wk("mitigate", "1", "broken", status=1)
    assert "no mitigation 'brokn'" in wk("mitigate", "1", "brokn", "--yes", status=2)
    assert "no parameter 'x'" in wk("mitigate", "1", "broken", "-p", "x=1", status=2)
    assert "gives no parameter" in wk("mitigate", "1", "broken", "-p", "x", status=2)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"values": {"version": "v1"}}, "was not confirmed"),
        ({"values": {"version": "; id"}, "confirm": True}, "version cannot be '; id'"),
        ({"confirm": True}, "version has no value"),
        ({"confirm": True, "value": {}}, "Extra inputs"),
    ],
)
def test_the_api_says_what_is_wrong(shell: Shell, body: dict[str, object], said: str) -> None:
    with pytest.raises(WatchkeeperError, match=said):
        shell._call("POST", "/api/v1/incidents/1/mitigations/revert", body)
    assert shell._call("GET", "/api/v1/incidents/1/runs")["runs"] == []


def test_who_may_only_read_sees_what_was_run_and_runs_nothing(shell: Shell) -> None:
    shell.token = shell.robot
    assert shell._call("GET", "/api/v1/incidents/1/mitigations")["mitigations"]
    refused = shell._ask(
        "POST", "/api/v1/incidents/1/mitigations/broken", {"values": {}, "confirm": True}
    )
    assert refused.status_code == 403
    assert shell.post("/incidents/1/mitigations/broken", {"how": "run"}).status_code == 403
    assert shell._call("GET", "/api/v1/incidents/1/runs")["runs"] == []


def test_the_form_runs_only_when_it_is_told_to_and_keeps_what_was_typed(shell: Shell) -> None:
    path = "/incidents/1/mitigations/revert"
    wrong = shell.post(path, {"how": "run", "p.version": "--force"})
    assert (wrong.status_code, "cannot be" in wrong.text, 'value="--force"' in wrong.text) == (
        400, True, True,
    )  # fmt: skip
    assert shell.post(path, {"p.version": "v1"}).status_code == 400  # nothing was confirmed
    done = shell.post(path, {"how": "run", "p.version": "v1", "seen": "0"})
    assert (done.status_code, done.headers["location"]) == (303, "/incidents/1/runs/1")
    again = shell.post(path, {"how": "run", "p.version": "v1", "seen": "0"})
    assert again.headers["location"] == "/incidents/1/runs/1"  # two clicks, one run
