"""Commands: an argument list, no shell, a minimal environment, an end."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import IO

from watchkeeper.incidents.mitigation.model import Outcome, RunState, Task
from watchkeeper.incidents.mitigation.tape import Tape
from watchkeeper.kernel import text
from watchkeeper.kernel.errors import UserError

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
GRACE = 2.0
"""Seconds between asking a command that takes too long to end, and ending it."""
LINGERS = 0.5
"""Seconds for what a command printed just before its end; children that it leaves running keep
their end of the pipe open, and are not waited for."""


def run_command(task: Task, tape: Tape) -> Outcome:
    """Run ``run`` in ``directory`` with ``env``."""
    env = {k: tape.reveal(v, k) if isinstance(v, Mapping) else str(v)
           for k, v in dict(task.settings.get("env") or {}).items()}  # fmt: skip
    arguments = [str(a) for a in task.settings["run"]]
    return call(arguments, tape, task.timeout, {**task.variables, **env},
                task.settings.get("directory"))  # fmt: skip


def call(
    arguments: Sequence[str],
    tape: Tape,
    timeout: float,
    env: Mapping[str, str] | None = None,
    directory: str | None = None,
) -> Outcome:
    """Run a program with these arguments, and what it prints on the tape.

    It has a process group of its own, which is killed when the time is out. Raises UserError.
    """
    if any("\0" in a for a in arguments):
        raise UserError("An argument holds a zero byte.", "Give another value.")
    deadline = time.monotonic() + timeout
    try:
        process = subprocess.Popen(
            list(arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={"PATH": PATH, "LANG": "C.UTF-8", **(env or {})},
            cwd=directory,
            start_new_session=True,
        )
    except OSError as error:
        what = directory if directory and not os.path.isdir(directory) else arguments[0]
        return Outcome(RunState.FAILED, f"{what} cannot be used: {error.strerror}")
    with process:
        return _followed(process, tape, deadline, timeout)


def _followed(
    process: subprocess.Popen[bytes], tape: Tape, deadline: float, timeout: float
) -> Outcome:
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout, selectors.EVENT_READ)
        while process.poll() is None and time.monotonic() < deadline:
            if ready.select(min(0.1, max(0.0, deadline - time.monotonic()))):
                _drain(process.stdout, ready, tape)
        late = process.poll() is None
        if late:
            _end(process)
        until = time.monotonic() + LINGERS
        while ready.get_map() and time.monotonic() < until and ready.select(0.05):
            _drain(process.stdout, ready, tape)
    if late:
        said = f"It took longer than {text.duration(timeout)} and was ended"
        return Outcome(RunState.TIMED_OUT, said)
    code = process.returncode
    if code == 0:
        return Outcome(RunState.SUCCEEDED, "")
    how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
    return Outcome(RunState.FAILED, how)


def _drain(pipe: IO[bytes], ready: selectors.BaseSelector, tape: Tape) -> None:
    try:
        found = os.read(pipe.fileno(), 65_536)
    except BlockingIOError:
        return
    if found:
        tape.say(found.decode("utf-8", "replace"))
    else:
        ready.unregister(pipe)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the whole group: the command and all that it started and did not set free."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
