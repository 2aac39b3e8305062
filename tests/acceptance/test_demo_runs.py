"""`make demo`, end to end: real services, real traffic, a fault that is seen, a clean stop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import free_port, running, wait_until

ROOT = Path(__file__).resolve().parents[2]
SLO = "checkout-availability"


@dataclass(frozen=True, slots=True)
class Run:
    """A demo that is running: its process, address, state directory and terminal."""

    process: subprocess.Popen[bytes]
    url: str
    state: Path
    terminal: Path

    def said(self, text: str) -> bool:
        return text in self.terminal.read_text(encoding="utf-8")

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.url + path, timeout=10) as response:
            return bytes(response.read())

    def ask(self, change_kind: str) -> str:
        """What the gate decides of such a release of payments."""
        body = json.dumps({"service": "payments", "change_kind": change_kind}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + "/api/v1/gate/check", body, headers)
        with urllib.request.urlopen(request, timeout=10) as response:
            return str(json.load(response)["decision"])

    def slo(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.get(f"/api/v1/slos/{SLO}"))
        return found


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Run]:
    port = free_port()
    settings = {"DEMO_STATE": str(tmp_path / "state"), "DEMO_PORT": str(port)}
    env = {**os.environ, **settings, "DEMO_FAULT_AFTER": "1", "DEMO_FAULT_SECONDS": "600"}
    terminal = tmp_path / "terminal"
    command = [sys.executable, "-m", "demo.run"]
    with running(command, terminal, env, ROOT) as process:
        run = Run(process, f"http://127.0.0.1:{port}", tmp_path / "state", terminal)
        wait_until(
            lambda: run.said("Ctrl-C stops everything") or process.poll() is not None, 90, "ready"
        )
        assert process.poll() is None, terminal.read_text()
        yield run


def mentioning(path: Path) -> list[str]:
    """Command lines of running processes that name this path."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if str(path) in words:
                found.append(words)
    return found


def check_thirty_replayed_days(demo: Run) -> None:
    assert "not measured" in demo.get("/").decode()
    events = demo.slo()["events"]
    assert events["seen_minutes"] > 29 * 1440
    assert events["total"] > 1_000_000


def check_the_fault_burns_within_two_minutes(demo: Run) -> None:
    wait_until(lambda: demo.said("FAULT"), 60, "the fault")
    wait_until(lambda: demo.slo()["burning"], 120, "checkout burning")
    burn = demo.slo()["burn_rate"]
    assert burn["5m"] > 14.4
    assert burn["1h"] > 14.4


def check_an_incident_of_the_past_with_its_lessons(demo: Run) -> None:
    assert "replayed month" in demo.get("/incidents/1").decode()
    assert json.loads(demo.get("/api/v1/postmortems/1"))["state"] == "published"
    items = json.loads(demo.get("/api/v1/actions"))["actions"]
    assert sorted(i["state"] for i in items) == ["done", "open", "open"]
    assert "Some card payments fail" in demo.get("/status/shop/history").decode()


def check_the_bad_release_is_named_and_others_are_halted(demo: Run) -> None:
    culprits = json.loads(demo.get("/api/v1/changes/culprits?service=shop"))
    assert "1.6.1" in culprits["culprits"][0]["why"], culprits

    def state() -> tuple[str, str]:
        (budget,) = json.loads(demo.get("/api/v1/budgets"))
        return budget["name"], budget["state"]

    # The fault burns at once; how soon it has spent the day's budget depends on how much is sold.
    wait_until(lambda: state() == ("shop-budget", "depleted"), 180, "a budget that is spent")
    assert (demo.ask("feature"), demo.ask("reliability")) == ("halt", "allow")


def check_a_second_person_lets_a_halted_feature_pass(demo: Run) -> None:
    wait_until(lambda: demo.said("asks for an exception"), 60, "the pipeline's question")
    (leave,) = json.loads(demo.get("/api/v1/gate/exceptions?alive=true"))
    assert (leave["requested_by"], leave["approved_by"]) == ("cho", None)
    path = f"/api/v1/gate/exceptions/{leave['id']}/approve"
    with urllib.request.urlopen(urllib.request.Request(demo.url + path, b""), timeout=10):
        pass
    wait_until(lambda: demo.said("payments 1.7.1 may go out"), 60, "the feature")


def check_ctrl_c_ends_everything(demo: Run) -> None:
    assert len(mentioning(demo.state)) >= 2
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(30) == 0
    assert demo.said("everything is stopped")
    assert mentioning(demo.state) == []


def test_the_demo_has_a_past_burns_within_two_minutes_and_leaves_nothing_running(
    demo: Run,
) -> None:
    check_thirty_replayed_days(demo)
    check_an_incident_of_the_past_with_its_lessons(demo)
    check_the_fault_burns_within_two_minutes(demo)
    check_the_bad_release_is_named_and_others_are_halted(demo)
    check_a_second_person_lets_a_halted_feature_pass(demo)
    check_ctrl_c_ends_everything(demo)
