"""`wk` in a process of its own that need not import everything again.

A fork server imports what the command would; each start is a fork of it, which takes a quarter of
the CPU. It is a real process: the same entry, its own id, memory and sockets; kill -9 ends it as it
ends any other. What must begin with an empty interpreter is started as a command instead.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PRELOADED = [
    "watchkeeper.faces.cli.serve",
    "watchkeeper.app",
    "watchkeeper.faces.server",
    "alembic.command",
    "tests.support.forked",
]


class Forked:
    """A running `wk`; answers as far as it must to what one asks of ``subprocess.Popen``."""

    def __init__(self, words: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        self._process = context.Process(
            target=_become, args=(list(words), str(log), dict(environment)), daemon=True
        )
        self._process.start()

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """What it ended with, None while it runs."""
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        """Send it, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def wait(self, timeout: float) -> int:
        """What it ended with; fails when it has not ended within ``timeout`` seconds."""
        self._process.join(timeout)
        ended = self.poll()
        assert ended is not None, f"process {self.pid} has not ended within {timeout} s"
        return ended


def _become(words: list[str], log: str, environment: dict[str, str]) -> None:
    """In the child: be what `wk WORDS` started from a shell would be."""
    gc.freeze()  # what came with the fork is not searched for garbage, so its memory stays shared
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    with Path(log).open("ab") as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    from watchkeeper.faces.cli.main import main

    sys.argv = ["wk", *words]
    main()
