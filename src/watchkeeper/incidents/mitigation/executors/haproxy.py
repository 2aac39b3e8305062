"""HAProxy: servers set ready, to drain or into maintenance, and their weights, by the runtime API.

Every server is looked up before the first one is changed, so that a slip changes nothing; each
change is read back.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass

from watchkeeper.incidents.mitigation.model import Outcome, RunState, Task
from watchkeeper.incidents.mitigation.tape import Tape
from watchkeeper.kernel.errors import UserError, WatchkeeperError

MOST_ANSWER = 4 * 1024 * 1024
_SERVER = re.compile(r"([\w.:-]+)/([\w.:-]+)")
_WEIGHT = re.compile(r"\d{1,3}%?")
STATES = ("ready", "drain", "maint")
MAINT, DRAIN = 0x01 | 0x02 | 0x20, 0x08 | 0x10
"""Bits of ``srv_admin_state`` (HAProxy, ``SRV_ADMF_MAINT`` and ``SRV_ADMF_DRAIN``): by whatever it
is in maintenance or drained. 0x04 only remembers that the configuration disabled it."""


@dataclass(frozen=True, slots=True)
class Step:
    """``set server NAME state|weight VALUE``."""

    server: str
    what: str
    value: str


@dataclass(frozen=True, slots=True)
class Server:
    """A server as HAProxy has it: its admin state and weight."""

    admin: int
    weight: int

    @property
    def state(self) -> str:
        """ready, drain or maint."""
        if self.admin & MAINT:
            return "maint"
        return "drain" if self.admin & DRAIN else "ready"


def run_haproxy(task: Task, tape: Tape) -> Outcome:
    """Take the steps in order; a dry run only looks. Raises UserError."""
    steps = [_step(s) for s in task.settings["steps"]]
    api = Runtime(str(task.settings["socket"]), time.monotonic() + task.timeout)
    servers = api.servers()
    for step in steps:
        if step.server not in servers:
            known = ", ".join(sorted(servers)[:12]) or "none"
            raise UserError(f"HAProxy has no server {step.server}.", f"It has: {known}.")
        held = servers[step.server]
        tape.say(f"{step.server}: {held.state}, weight {held.weight} → {step.what} {step.value}\n")
    if task.dry_run:
        return Outcome(RunState.SUCCEEDED, f"It would take {len(steps)} steps")
    for number, step in enumerate(steps):
        try:
            said = api.ask(f"set server {step.server} {step.what} {step.value}")
            wrong = said or _differs(step, api.servers())
        except WatchkeeperError as error:
            # The command may have arrived: what it did cannot be told from here.
            return Outcome(RunState.UNKNOWN, f"Step {number + 1} broke off: {error.message}")
        if wrong:
            left = f"; {number} of {len(steps)} steps were taken"
            return Outcome(RunState.FAILED, f"{step.server}: {wrong[:200]}{left}")
        tape.say(f"{step.server}: {step.what} is {step.value}\n")
    return Outcome(RunState.SUCCEEDED, "")


def _step(written: Mapping[str, object]) -> Step:
    server = str(written["server"])
    what = "state" if written.get("state") is not None else "weight"
    value = str(written[what])
    right = value in STATES if what == "state" else bool(_WEIGHT.fullmatch(value))
    if not _SERVER.fullmatch(server) or not right:
        # Whatever a parameter holds: no second command gets into the line.
        raise UserError(f"{server[:60]!r} {what} {value[:20]!r} is no step.", "See its definition.")
    return Step(server, what, value)


def _differs(step: Step, servers: Mapping[str, Server]) -> str:
    """What is not as it was set; '' when all is."""
    held = servers.get(step.server)
    if held is None:
        return "it is gone"
    if step.what == "state":
        return "" if held.state == step.value else f"it is {held.state} all the same"
    if step.value.endswith("%") or held.weight == int(step.value):
        return ""
    return f"its weight is {held.weight} all the same"


class Runtime:
    """The runtime API at a path or host:port: one connection for each command, as it wants."""

    def __init__(self, where: str, deadline: float) -> None:
        self._where, self._deadline = where, deadline

    def ask(self, command: str) -> str:
        """The answer to one command. Raises UserError when HAProxy cannot be reached."""
        try:
            with self._connected() as conn:
                conn.sendall(f"{command}\n".encode())
                return self._read(conn)
        except OSError as error:
            why = error.strerror or str(error) or type(error).__name__
            raise UserError(
                f"HAProxy at {self._where} does not answer: {why}.",
                "Look at its `stats socket` (level admin) and who may open it.",
            ) from None

    def servers(self) -> dict[str, Server]:
        """All servers, by backend/server. Raises UserError."""
        answer = self.ask("show servers state")
        lines = answer.splitlines()
        head = next((line for line in lines if line.startswith("# ")), "").lstrip("# ").split()
        if "srv_admin_state" not in head:
            raise UserError(
                f"HAProxy at {self._where} does not say how its servers are: {answer[:120]}",
                "Its stats socket needs level operator or admin.",
            )
        rows = [dict(zip(head, line.split(), strict=False)) for line in lines]
        return {
            f"{r['be_name']}/{r['srv_name']}": Server(
                int(r["srv_admin_state"]), int(r["srv_uweight"])
            )
            for r in rows
            if len(r) == len(head) and r["be_id"].isdigit()
        }

    def _connected(self) -> socket.socket:
        if self._where.startswith("/"):
            conn = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            conn.settimeout(self._left())
            try:
                conn.connect(self._where)
            except OSError:
                conn.close()
                raise
            return conn
        host, _, port = self._where.rpartition(":")
        return socket.create_connection((host.strip("[]"), int(port)), self._left())

    def _read(self, conn: socket.socket) -> str:
        parts, size = [], 0
        while size < MOST_ANSWER:
            conn.settimeout(self._left())
            part = conn.recv(65_536)
            if not part:
                break
            parts.append(part)
            size += len(part)
        return b"".join(parts).decode("utf-8", "replace").strip()

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("it took too long")
        return min(left, 10.0)
