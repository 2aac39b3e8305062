"""Processes that the demo starts: each is ended by its own id, also when the demo itself dies."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    # Linux: were the demo killed with -9, its children would otherwise run on for ever.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def port_from(preferred: int, taken: Sequence[int] = ()) -> int:
    """The first free loopback port from ``preferred`` upwards (at most 200 are tried)."""
    for port in range(preferred, preferred + 200):
        if port in taken:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise SystemExit(f"demo: no free port from {preferred} to {preferred + 199}")


class Children:
    """A context manager that ends everything it started, last first, within ten seconds each."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: list[tuple[str, subprocess.Popen[bytes]]] = []

    def __enter__(self) -> Children:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for _, process in reversed(self._running):
            if process.poll() is None:
                process.terminate()
        for _, process in reversed(self._running):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start(
        self, name: str, command: Sequence[str], env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a process in a session of its own, so that Ctrl-C reaches only the demo."""
        with (self._logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(env or {})},
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        self._running.append((name, process))
        return process

    def dead(self) -> str | None:
        """The name of a process that has ended though it should not have, or None."""
        return next((name for name, p in self._running if p.poll() is not None), None)

    def wait_for(self, ready: Callable[[], bool], what: str, timeout: float = 60.0) -> None:
        """Wait until ``ready()``. Ends the demo with a clear message when it does not come."""
        deadline = time.monotonic() + timeout
        while not ready():
            gone = self.dead()
            if gone or time.monotonic() > deadline:
                why = f"{gone} ended" if gone else f"{what} was not ready in {timeout:.0f} s"
                raise SystemExit(f"demo: {why}\n{self.tail(gone or what)}")
            time.sleep(0.1)

    def tail(self, name: str, lines: int = 15) -> str:
        """The end of a process's log, with where to find the rest."""
        path = self._logs / f"{name}.log"
        text = path.read_text(errors="replace").splitlines() if path.exists() else []
        return "\n".join([f"  {path}:", *(f"  | {line}" for line in text[-lines:])])
