"""What carries mitigations out. Each kind does one thing and says what happened."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from watchkeeper.incidents.mitigation.executors.command import run_command
from watchkeeper.incidents.mitigation.executors.haproxy import run_haproxy
from watchkeeper.incidents.mitigation.executors.http import run_http
from watchkeeper.incidents.mitigation.executors.kubernetes import run_kubernetes
from watchkeeper.incidents.mitigation.executors.systemd import run_systemd
from watchkeeper.incidents.mitigation.model import Outcome, RunState, Task
from watchkeeper.incidents.mitigation.tape import Tape
from watchkeeper.kernel.errors import WatchkeeperError
from watchkeeper.notify.model import TransportError
from watchkeeper.spec.response import MitigationKind

Executor = Callable[[Task, Tape], Outcome]
EXECUTORS: Mapping[MitigationKind, Executor] = {
    MitigationKind.COMMAND: run_command,
    MitigationKind.HTTP: run_http,
    MitigationKind.KUBERNETES: run_kubernetes,
    MitigationKind.SYSTEMD: run_systemd,
    MitigationKind.HAPROXY: run_haproxy,
}


def carry_out(kind: str, task: Task, tape: Tape) -> Outcome:
    """Carry a task out to its end. Raises nothing of ours: what fails is an outcome."""
    try:
        found = EXECUTORS[MitigationKind(kind)](task, tape)
    except TransportError as error:
        state = RunState.UNKNOWN if error.unknown else RunState.FAILED
        found = Outcome(state, f"{error.message} {error.hint}".strip())
    except WatchkeeperError as error:
        found = Outcome(RunState.FAILED, f"{error.message} {error.hint}".strip())
    return Outcome(found.state, tape.blot(found.text))
