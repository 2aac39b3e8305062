"""systemd: a unit restarted, started, stopped or reloaded by ``systemctl``, then looked at."""

from __future__ import annotations

import re
from dataclasses import replace

from watchkeeper.incidents.mitigation.executors.command import call
from watchkeeper.incidents.mitigation.model import Outcome, RunState, Task
from watchkeeper.incidents.mitigation.tape import Tape
from watchkeeper.kernel.errors import UserError

SHOWN = "Id,LoadState,ActiveState,SubState,MainPID"
LOOK = 10.0
"""Seconds in which ``systemctl`` must say how a unit is."""
_UNIT = re.compile(r"(?!-)[A-Za-z0-9:_.\\@-]{1,255}")


def run_systemd(task: Task, tape: Tape) -> Outcome:
    """``do`` it to ``unit``; a dry run only shows how the unit is."""
    program = task.settings.get("program") or ["systemctl"]
    systemctl = [program] if isinstance(program, str) else [str(p) for p in program]
    do, unit = str(task.settings["do"]), str(task.settings["unit"])
    if not _UNIT.fullmatch(unit):
        raise UserError(f"{unit[:60]!r} is no unit.", "A name such as checkout.service.")
    look = [*systemctl, "show", f"--property={SHOWN}", "--", unit]
    if task.dry_run:
        seen = call(look, tape, min(LOOK, task.timeout))
        return replace(seen, text=seen.text or f"It would {do} {unit}")
    done = call([*systemctl, do, "--", unit], tape, task.timeout)
    if done.state is not RunState.SUCCEEDED:
        return done
    active = call([*systemctl, "is-active", "--", unit], tape, LOOK)
    if do == "stop" or active.state is RunState.SUCCEEDED:
        return Outcome(RunState.SUCCEEDED, f"{unit}: {do} done")
    return Outcome(RunState.FAILED, f"{unit} is not active after {do}")
