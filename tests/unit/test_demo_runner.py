"""The demo's runner: when it breaks what, where everything listens, what it leaves behind."""

from __future__ import annotations

import fcntl
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demo import run
from demo.children import Children, port_from


def test_payments_is_broken_a_minute_after_the_start_and_healed_three_minutes_later() -> None:
    plan = run.Plan()
    assert not plan.broken(59.9)
    assert plan.broken(60)
    assert plan.broken(239.9)
    assert not plan.broken(240)


@given(st.floats(60, 1e6))
@settings(deadline=None, max_examples=100)
def test_the_plan_repeats_itself(elapsed: float) -> None:
    plan = run.Plan(after=60, lasts=180, every=900)
    whole = 60 + (elapsed - 60) % 900
    assert plan.broken(elapsed) == (whole < 240)


def test_the_specs_of_a_run_name_its_own_ports_and_its_own_log(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    run.write_specs(run.SPECS, tmp_path / "specs", run.Ports(1001, 1002, 1003), log)
    text = "".join(p.read_text() for p in sorted((tmp_path / "specs").iterdir()))
    assert "127.0.0.1:1002/metrics" in text
    assert "127.0.0.1:1003/metrics" in text
    assert str(log) in text
    assert "1808" not in text


def test_the_next_port_is_taken_when_one_is_in_use() -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        assert port_from(port) > port


def test_a_second_demo_in_the_same_directory_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(SystemExit, match="already runs"), run.alone(tmp_path):
            pass


def test_a_run_begins_with_nothing_of_the_last_one(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "old.yaml").write_text("old")
    (tmp_path / "watchkeeper.db").write_text("old")
    with run.alone(tmp_path):
        assert [p.name for p in tmp_path.iterdir()] == ["lock"]


SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]


def fail_after_starting_two(logs: Path, started: list[subprocess.Popen[bytes]]) -> None:
    with Children(logs) as children:
        started.extend(children.start(name, SLEEPER) for name in ("one", "two"))
        raise RuntimeError


def test_every_child_is_ended_when_the_demo_ends_by_an_error(tmp_path: Path) -> None:
    started: list[subprocess.Popen[bytes]] = []
    with pytest.raises(RuntimeError):
        fail_after_starting_two(tmp_path, started)
    assert [p.poll() is not None for p in started] == [True, True]


def test_a_child_that_ends_at_once_is_reported_with_its_last_words(tmp_path: Path) -> None:
    with Children(tmp_path) as children:
        children.start("payments", [sys.executable, "-c", "raise SystemExit('no such port')"])
        with pytest.raises(SystemExit, match=r"(?s)payments ended.*no such port"):
            children.wait_for(lambda: False, "payments", timeout=20)


def test_a_child_ends_with_the_demo_even_when_the_demo_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom demo.children import Children\n"
        f"child = Children(Path({str(tmp_path)!r})).start('x', {SLEEPER!r})\n"
        "print(child.pid, flush=True)\ntime.sleep(600)\n"
    )
    with Children(tmp_path) as children:
        demo = children.start(
            "demo", [sys.executable, "-c", program], {"PYTHONPATH": str(run.ROOT)}
        )
        said = tmp_path / "demo.log"
        children.wait_for(lambda: said.read_text().strip() != "", "demo", 20)
        child = Path("/proc") / said.read_text().strip()
        children.wait_for(lambda: "up" in (tmp_path / "x.log").read_text(), "x", 20)
        demo.kill()
        deadline = time.monotonic() + 20
        while child.exists() and "Z" not in (child / "stat").read_text().split()[2]:
            assert time.monotonic() < deadline, "the child outlived the demo"
            time.sleep(0.02)


def test_the_line_for_those_without_a_browser_says_what_matters() -> None:
    slo = {
        "name": "checkout-availability",
        "attainment": 0.99912,
        "budget": {"remaining_ratio": 0.123},
        "burn_rate": {"5m": 41.25, "1h": 16.0, "1d": None},
        "state": "at_risk",
        "burning": True,
    }
    expected = (
        "checkout-availability: 99.9120%, 12.3% of the budget left, "
        "burn 5m ×41.2  1h ×16.0, BURNING"
    )
    assert run.status_line(slo) == expected


def test_an_slo_without_data_says_so() -> None:
    slo = {
        "name": "x",
        "attainment": None,
        "budget": {"remaining_ratio": None},
        "burn_rate": {},
        "state": "no_data",
    }
    assert run.status_line(slo) == "x: no data yet"
