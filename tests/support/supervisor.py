"""A process supervisor like systemd, and a ``systemctl`` that speaks to it, for tests.

The supervisor is a process of its own that starts its units as children and starts them again when
they die, as ``Restart=always`` does. Its systemctl takes the same arguments and gives the same exit
statuses as systemd's: 0, 3 for a unit that is not active, 5 for one that does not exist.

"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

ABSENT, INACTIVE = 5, 3


class Unit:
    """One child that is kept running."""

    def __init__(self, name: str) -> None:
        self.name, self.wanted, self.lock = name, True, threading.Lock()
        self.child: subprocess.Popen[bytes] | None = None
        self._begin()

    def _begin(self) -> None:
        self.child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])

    def watch(self) -> None:
        """Start it again when it has died."""
        while True:
            with self.lock:
                if self.wanted and (self.child is None or self.child.poll() is not None):
                    self._begin()
            time.sleep(0.02)

    def stop(self) -> None:
        """End it for good."""
        with self.lock:
            self.wanted = False
            if self.child is not None:
                self.child.terminate()
                self.child.wait()
            self.child = None

    def start(self) -> None:
        """Begin it unless it runs."""
        with self.lock:
            self.wanted = True
            if self.child is None or self.child.poll() is not None:
                self._begin()

    @property
    def pid(self) -> int:
        """Its process; 0 for none."""
        return self.child.pid if self.child is not None and self.child.poll() is None else 0


def serve(folder: Path, names: list[str]) -> None:
    """Supervise until told to end."""
    units = {name: Unit(name) for name in names}
    for unit in units.values():
        threading.Thread(target=unit.watch, daemon=True).start()

    def end(*_: object) -> None:
        for unit in units.values():
            unit.stop()
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(folder / "control"))
        door.listen()
        while True:
            conn, _ = door.accept()
            with conn:
                asked = json.loads(conn.recv(65_536))
                conn.sendall(json.dumps(answer(units, asked)).encode())


def answer(units: dict[str, Unit], asked: list[str]) -> tuple[int, str]:
    """(exit status, output) of one command."""
    verb, name = asked[0], asked[-1]
    unit = units.get(name)
    if unit is None:
        return (INACTIVE if verb == "is-active" else ABSENT), f"Unit {name} not found.\n"
    match verb:
        case "start":
            unit.start()
        case "stop":
            unit.stop()
        case "restart":
            unit.stop()
            unit.start()
        case "is-active":
            return (0, "active\n") if unit.pid else (INACTIVE, "inactive\n")
        case "show":
            state = "active" if unit.pid else "inactive"
            return 0, f"Id={name}\nLoadState=loaded\nActiveState={state}\nMainPID={unit.pid}\n"
        case _:
            return 1, f"Unknown command verb {verb}.\n"
    return 0, ""


def systemctl(folder: Path, arguments: list[str]) -> int:
    """What systemd's does, against our supervisor."""
    asked = [a for a in arguments if not a.startswith("-")]
    with socket.socket(socket.AF_UNIX) as conn:
        conn.connect(str(folder / "control"))
        conn.sendall(json.dumps(asked).encode())
        code, said = json.loads(conn.recv(65_536))
    sys.stdout.write(said)
    return int(code)


@contextlib.contextmanager
def supervised(folder: Path, *units: str) -> Iterator[list[str]]:
    """A running supervisor; what comes out is the argument list that stands for systemctl."""
    from tests.support.processes import running, wait_until

    me = str(Path(__file__).resolve())
    with running([sys.executable, me, "serve", str(folder), *units], folder / "log"):
        wait_until(lambda: (folder / "control").exists(), what="the supervisor listens")
        yield [sys.executable, me, str(folder)]


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(Path(sys.argv[2]), sys.argv[3:])
    sys.exit(systemctl(Path(sys.argv[1]), sys.argv[2:]))
