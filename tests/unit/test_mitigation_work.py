"""Runs of mitigations: asked for, taken, ended, checked against the ledger; on both databases."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import duty
from tests.support.mitigations import BEN, Bench, command, with_mitigations
from watchkeeper.changes import work as changes_work
from watchkeeper.changes.model import ChangeKind, Intent
from watchkeeper.incidents.mitigation import rules, store, work
from watchkeeper.incidents.mitigation.model import Burn, Help, Outcome, RunState
from watchkeeper.incidents.mitigation.tape import Tape
from watchkeeper.incidents.model import Incident, IncidentState
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.spec.model import ServiceDefinition
from watchkeeper.spec.response import MitigationDefinition, ParameterDefinition
from watchkeeper.store import Database

PYTHON = sys.executable
SHOW = "import sys; print(sys.argv[1:])"


def bench(db: Database, *mitigations: MitigationDefinition) -> Bench:
    return Bench(db, with_mitigations(duty.specs(), *mitigations))


# ---------------------------------------------------------------- asked for


def test_a_run_is_asked_for_carried_out_and_told_on_the_timeline(db: Database) -> None:
    its = bench(db, command("revert", PYTHON, "-c", SHOW, "{version}", asks=["version"]))
    run = its.run("revert", values={"version": "v1.2"})
    assert (run.state, run.output, run.by) == (RunState.SUCCEEDED, "['v1.2']\n", "ann")
    asked, ended = its.told()
    assert asked == "Asked for: Revert (version=v1.2)"
    assert ended.startswith("Revert (version=v1.2): succeeded in ")


def test_what_a_run_changed_is_in_the_record_of_changes(db: Database) -> None:
    tried = {"run": [PYTHON, "-c", SHOW, "look"]}
    its = bench(
        db,
        command("revert", PYTHON, "-c", SHOW, "{version}", asks=["version"], action="revert",
                dry_run=tried, services=("checkout", "payments")),
        command("broken", "false", action="flag"),
        command("look", "true", action="other"),
    )  # fmt: skip
    its.run("revert", values={"version": "v1.2"}, dry_run=True, confirmed=False)
    run = its.run("revert", values={"version": "v1.2"})
    its.run("broken")
    its.run("look")
    with db.read() as conn:
        (change,) = changes_work.latest(conn, ["checkout"], its.clock.now() + 1)
    assert change.summary == "Revert (version=v1.2) in incident 1"
    assert (change.kind, change.intent) == (ChangeKind.DEPLOYMENT, Intent.RELIABILITY)
    assert (change.services, change.source) == (("checkout",), "mitigation")
    assert (change.started_at, change.reported_by) == (run.started_at, "ann")


def test_what_changes_production_must_be_confirmed(db: Database) -> None:
    its = bench(db, command("revert", "true"), command("note", "true", confirm=False))
    with pytest.raises(UserError, match="was not confirmed"):
        its.ask("revert", confirmed=False)
    assert its.ask("note", confirmed=False).new
    assert [t for t in its.told() if "Revert" in t] == []


def test_two_who_click_at_once_run_it_once(db: Database) -> None:
    its = bench(db, command("revert", "true"))
    found = []
    together = threading.Barrier(6)

    def click() -> None:
        together.wait()
        found.append(its.ask("revert", seen=0))

    clicks = [threading.Thread(target=click) for _ in range(6)]
    for each in clicks:
        each.start()
    for each in clicks:
        each.join()
    assert [a.new for a in found].count(True) == 1
    assert len({a.run.id for a in found}) == 1
    its.server.step()
    its.end()
    with db.read() as conn:
        assert len(store.of_incident(conn, its.incident)) == 1


def test_who_has_not_seen_the_last_run_must_look_first(db: Database) -> None:
    its = bench(db, command("revert", "true"))
    run = its.run("revert", seen=0)
    with pytest.raises(UserError, match=f"ann has run Revert since you looked .run {run.id}."):
        its.ask("revert", BEN, seen=0)
    assert its.ask("revert", BEN, seen=run.id).new


def test_another_incident_or_other_values_wait_for_the_end(db: Database) -> None:
    its = bench(db, command("revert", "true", "{version}", asks=["version"]))
    its.ask("revert", values={"version": "v1"})
    with pytest.raises(UserError, match="is under way, asked for by ann"):
        its.ask("revert", values={"version": "v2"})


def test_a_dry_run_is_no_run(db: Database) -> None:
    its = bench(
        db,
        command("plain", "true"),
        command("revert", PYTHON, "-c", SHOW, "go", dry_run={"run": [PYTHON, "-c", SHOW, "look"]}),
    )
    run = its.run("revert", dry_run=True, confirmed=False)
    assert (run.output, run.check_at) == ("['look']\n", None)
    with db.read() as conn:
        assert store.newest(conn, ["revert"]) == {}
    with pytest.raises(UserError, match="plain has no dry run"):
        its.ask("plain", dry_run=True)


def test_what_is_not_there_is_said(db: Database) -> None:
    its = bench(db, command("revert", "true"))
    with pytest.raises(NotFound, match="no mitigation 'revrt'"):
        its.ask("revrt")
    with pytest.raises(UserError, match="has no parameter 'x'"):
        its.ask("revert", values={"x": "1"})


INJECTIONS = ("; id", "$(id)", "`id`", "a b", "--force", "-x", "a\nb", "a\0b", "", "a" * 201, "|id")


@pytest.mark.parametrize("value", INJECTIONS)
def test_a_value_that_is_not_plain_is_refused(db: Database, value: str) -> None:
    its = bench(db, command("revert", "true", "{version}", asks=["version"]))
    with pytest.raises(UserError, match="version"):
        its.ask("revert", values={"version": value})
    assert its.told() == []


@given(st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=60))
def test_whatever_is_in_a_value_it_stays_one_argument(value: str) -> None:
    free = ParameterDefinition("x", "x", pattern="(?s).+")
    made = replace(command("a", "prog", "--to={x}", "{x}", "{{x}}"), parameters=(free,))
    values = rules.checked_values(made, {"x": value})
    run = rules.filled(made.settings, values)["run"]
    assert run == ["prog", f"--to={value}", value, "{{x}}"]


# ---------------------------------------------------------------- carried out


def test_a_command_sees_a_minimal_environment_and_no_secret_is_shown(
    db: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OUR_TOKEN", "very-secret-token")
    say = "import os; print(sorted(os.environ)); print(os.environ['DEPLOY'], os.getcwd())"
    made = command("revert", PYTHON, "-c", say)
    made = replace(made, settings={**made.settings, "directory": str(tmp_path),
                                   "env": {"DEPLOY": {"env": "OUR_TOKEN"}}})  # fmt: skip
    run = bench(db, made).run("revert")
    assert "OUR_TOKEN" not in run.output
    assert "very-secret-token" not in run.output
    assert f"••• {tmp_path}" in run.output
    assert "'WATCHKEEPER_INCIDENT'" in run.output


def test_what_takes_too_long_is_ended_with_all_that_it_started(
    db: Database, tmp_path: Path
) -> None:
    child = tmp_path / "child"
    code = (
        "import subprocess, sys, time\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(child)!r}, 'w').write(str(p.pid)); print('begun', flush=True); time.sleep(60)"
    )
    run = bench(db, command("slow", PYTHON, "-c", code, timeout=1.0)).run("slow")
    assert (run.state, run.output) == (RunState.TIMED_OUT, "begun\n")
    pid = int(child.read_text())
    deadline = time.monotonic() + 5
    while _lives(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _lives(pid)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_how_a_command_fails_is_told(db: Database) -> None:
    killed = f"import os, signal; os.kill(os.getpid(), {int(signal.SIGTERM)})"
    its = bench(
        db,
        command("three", PYTHON, "-c", "raise SystemExit(3)"),
        command("killed", PYTHON, "-c", killed),
        command("absent", "/no/such/program"),
    )
    found = {n: its.run(n) for n in ("three", "killed", "absent")}
    assert {r.state for r in found.values()} == {RunState.FAILED}
    assert found["three"].outcome == "exit status 3"
    assert found["killed"].outcome == "killed by SIGTERM"
    assert found["absent"].outcome == "/no/such/program cannot be used: No such file or directory"


def test_output_is_bounded_and_keeps_beginning_and_end() -> None:
    tape = Tape(most=100)
    tape.say("begin" + "x" * 500)
    tape.say("\x1b[31mend\0\n")
    kept = tape.text()
    assert kept.startswith("begin")
    assert kept.endswith("[31mend\n")
    assert "characters are left out" in kept
    assert len(kept) < 160


# ---------------------------------------------------------------- servers that go away


def test_a_run_whose_server_went_away_is_unknown_and_never_run_again(db: Database) -> None:
    its = bench(db, command("revert", "true"))
    asked = its.ask("revert")
    with db.write() as conn:  # a server takes it, and is killed
        (mine,) = work.take(conn, "dead", its.clock.now(), 8)
    its.clock.advance(rules.LEASE - 1)
    its.server.step()
    assert its.get(asked.run.id).state is RunState.RUNNING
    its.clock.advance(2)
    its.server.step()
    its.end()
    run = its.get(asked.run.id)
    assert (run.state, run.owner) == (RunState.UNKNOWN, "dead")
    assert "outcome unknown" in its.told()[-1]
    for _ in range(3):
        its.clock.advance(60)
        assert its.server.step() == 0
    assert its.ask("revert", seen=run.id).new  # a person has looked

    # The one that was held to be gone was not: what it did is the truth, and told.
    with db.write() as conn:
        assert work.finish(
            conn, mine, Outcome(RunState.SUCCEEDED, ""), "done", its.clock.now(), its.specs
        )
        assert not work.finish(
            conn, mine, Outcome(RunState.FAILED, ""), "", its.clock.now(), its.specs
        )
    assert its.get(run.id).state is RunState.SUCCEEDED


def test_a_server_that_lives_keeps_its_run(db: Database) -> None:
    its = bench(db, command("slow", PYTHON, "-c", "import time; time.sleep(0.6)"))
    asked = its.ask("slow")
    its.server.step()
    for _ in range(4):
        its.clock.advance(rules.LEASE - 2)
        its.server.step()
        its.another("server-2").step()
    its.end()
    assert its.get(asked.run.id).state is RunState.SUCCEEDED


def test_what_nobody_took_in_time_is_not_run_later(db: Database) -> None:
    its = bench(db, command("revert", "true"))
    asked = its.ask("revert")
    its.clock.advance(rules.PICK_UP + 1)
    its.server.step()
    run = its.get(asked.run.id)
    assert run.state is RunState.FAILED
    assert "nothing was done" in run.outcome


def test_what_is_printed_is_seen_while_it_runs(db: Database) -> None:
    code = "import time\nprint('one', flush=True)\ntime.sleep(1.5)\nprint('two')"
    its = bench(db, command("slow", PYTHON, "-c", code))
    asked = its.ask("slow")
    its.server.step()
    deadline = time.monotonic() + 10
    while its.get(asked.run.id).output != "one\n" and time.monotonic() < deadline:
        its.server.step()
        time.sleep(0.02)
    assert its.get(asked.run.id).state is RunState.RUNNING
    its.end()
    assert its.get(asked.run.id).output == "one\ntwo\n"


# ---------------------------------------------------------------- offered, and judged


def test_reverts_come_first_and_own_services_before_dependencies() -> None:
    services = {
        n: ServiceDefinition(n, n, duty.HERE, depends_on=d)
        for n, d in {"checkout": ("payments",), "payments": (), "search": ()}.items()
    }
    made = [
        command("restart-any", "x", action="restart"),
        command("revert-search", "x", action="revert", services=("search",)),
        command("revert-payments", "x", action="revert", services=("payments",)),
        command("scale", "x", action="scale", services=("checkout",)),
        command("revert-checkout", "x", action="revert", services=("checkout",)),
    ]
    incident = Incident(1, "x", "SEV1", IncidentState.TRIGGERED, 0, "ann", 0,
                        services=("checkout",))  # fmt: skip
    found = rules.offered(incident, {m.name: m for m in made}, services)
    assert [m.name for m in found] == ["revert-checkout", "revert-payments", "scale", "restart-any"]
    everything = rules.offered(replace(incident, services=()), {m.name: m for m in made}, services)
    assert len(everything) == len(made)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (50.0, 0.2, Help.STOPPED),
        (50.0, 10.0, Help.LESS),
        (50.0, 45.0, Help.NONE),
        (2.0, 8.0, Help.WORSE),
        (None, 1.0, Help.UNTOLD),
        (0.2, 0.2, Help.NONE),
    ],
)
def test_whether_it_helped_is_told_by_the_burn(
    before: float | None, after: float, said: Help
) -> None:
    assert rules.judged([Burn("a", before, after)]) is said


def test_the_objective_that_burned_fastest_before_decides() -> None:
    assert rules.judged([Burn("a", 0.5, 0.5), Burn("b", 9.0, 0.5)]) is Help.STOPPED
    assert rules.judged([Burn("a", 0.5, 9.0), Burn("b", None, None)]) is Help.WORSE


def test_the_minutes_before_and_after_are_whole_and_hold_nothing_of_the_run(db: Database) -> None:
    its = bench(db, command("revert", "true"))
    its.clock.advance(90.5)
    run = its.run("revert")
    (a, b), (c, d) = rules.windows(run)
    assert (b - a, d - c) == (rules.BEFORE, rules.AFTER)
    assert b * 60 <= run.started_at < (b + 1) * 60  # type: ignore[operator]
    assert c * 60 >= run.ended_at + rules.SCRAPE  # type: ignore[operator]
    assert run.check_at is not None
    assert run.check_at >= d * 60
