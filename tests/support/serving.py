"""A real `wk serve` in a process of its own, on specs and a database of the test's."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.support.forked import Forked
from tests.support.processes import answers, free_port, wait_until

ROOT = Path(__file__).parents[2]


class Serve:
    """The server; can be killed and started again on the same port, specs and database."""

    def __init__(self, directory: Path, specs: Path, db: str, interval: float = 0.5) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = directory / "serve.log"
        self.words = ["serve", "--specs", str(specs), "--db", db, "--port", str(self.port)]
        self.words += ["--interval", str(interval)]
        self.options: list[str] = ["--anonymous-write"]
        self.environment: dict[str, str] = {}
        self.as_command = False  # started as users do, for what is to be measured
        self._process: subprocess.Popen[bytes] | Forked | None = None

    def start(self, wait: bool = True) -> None:
        """Start; with ``wait``, return once it is ready."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), **self.environment}
        words = [*self.words, *self.options]
        if self.as_command or "LD_PRELOAD" in environment:  # which only a new program heeds
            self._process = _command(words, self.log, environment)
        else:
            self._process = Forked(words, self.log, environment)
        if wait:
            self.wait_ready()

    def wait_ready(self) -> None:
        """Return once it is ready."""
        wait_until(self._up, 60, f"serve is ready; its log: {self.tail()}")

    def _up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"serve ended: {self.tail()}"
        return answers(self.url + "/readyz")

    @property
    def pid(self) -> int:
        """Of the process that was started last."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to stop; it must do so cleanly."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            self._process.wait(30)

    def get(self, path: str) -> Any:  # noqa: ANN401 - whatever JSON holds
        """A JSON document of the API."""
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return json.load(answer)

    def slo(self, name: str) -> dict[str, Any]:
        """One SLO's status."""
        found: dict[str, Any] = self.get(f"/api/v1/slos/{quote(name, safe='')}")
        return found

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""


def _command(words: list[str], log: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "watchkeeper.faces.cli.main", *words],
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=environment,
        )


@contextlib.contextmanager
def serving(directory: Path, specs: Path, db: str, *options: str) -> Iterator[Serve]:
    """A server for the length of the block."""
    server = Serve(directory, specs, db)
    server.options += options
    try:
        server.start()
        yield server
    finally:
        server.stop()
