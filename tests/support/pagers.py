"""Real servers that page over one database; each may be killed, paused and brought back."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from tests.support.processes import owner_of
from tests.support.serving import Serve
from watchkeeper.alerting import keys, store_doors
from watchkeeper.store import Database

KEY = "wki_" + "7" * 28
LIBFAKETIME = "/usr/lib/*/faketime/libfaketime.so.1"
HEAD = """\
apiVersion: watchkeeper/v1
kind: Channel
metadata: {{name: hook}}
spec: {{type: webhook, settings: {{allow_private: true, timeout: {timeout}s}}}}
---
apiVersion: watchkeeper/v1
kind: Channel
metadata: {{name: later}}
spec: {{type: webhook, settings: {{allow_private: true, timeout: {timeout}s}}}}
---
apiVersion: watchkeeper/v1
kind: Integration
metadata: {{name: load}}
spec: {{type: generic, perMinute: 100000000}}
"""
EACH = """\
---
apiVersion: watchkeeper/v1
kind: Service
metadata: {{name: s{i}}}
spec: {{escalationPolicy: p{to}}}
"""
PERSON = """\
---
apiVersion: watchkeeper/v1
kind: User
metadata: {{name: u{i}}}
spec:
  contacts:
    - {{channel: hook, address: "{url}/first/{i}"}}
    - {{channel: later, address: "{url}/later/{i}"}}
  page:
    - {{after: 0s, channel: hook}}
{later}---
apiVersion: watchkeeper/v1
kind: EscalationPolicy
metadata: {{name: p{i}}}
spec:
  steps:
    - {{notify: [{{user: u{i}}}], wait: 1h}}
"""


def write_specs(
    directory: Path,
    url: str,
    services: int,
    people: int | None = None,
    later: int | None = None,
    timeout: int = 5,
) -> Path:
    """Services s0 …, whose alerts call u0 …: at once at ``url/first/N``; after ``later`` s again
    at ``url/later/N``. With fewer people than services, they share them."""
    directory.mkdir(exist_ok=True)
    many = people or services
    rule = "" if later is None else f"    - {{after: {later}s, channel: later}}\n"
    parts = [HEAD.format(timeout=timeout)]
    parts += [EACH.format(i=i, to=i % many) for i in range(services)]
    parts += [PERSON.format(i=i, url=url, later=rule) for i in range(many)]
    (directory / "paging.yaml").write_text("".join(parts))
    return directory


class Node:
    """One server process."""

    def __init__(self, server: Serve) -> None:
        self.server = server
        self.alive = False

    @property
    def pid(self) -> int:
        """Of the process."""
        return self.server.pid

    def start(self, wait: bool = True) -> None:
        """Start it, with ``wait`` until it is ready."""
        self.server.start(wait)
        self.alive = True

    def kill(self) -> None:
        """kill -9."""
        self.alive = False
        self.server.kill()

    def stop(self) -> None:
        """In an orderly way, also when it was paused."""
        if self.alive:
            self.resume()
            self.server.stop()
            self.alive = False

    def pause(self) -> None:
        """SIGSTOP."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)


class Pagers:
    """Servers on one database and one set of specs."""

    def __init__(
        self,
        directory: Path,
        db: str,
        specs: Path,
        replicas: int = 1,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.nodes: list[Node] = []
        database = Database.open(db)
        with database.write() as conn:
            store_doors.add_key(conn, keys.digest(KEY), "load", "load", time.time())
        database.close()
        for i in range(replicas):
            place = directory / f"replica{i}"
            place.mkdir()
            server = Serve(place, specs, db, 5.0)
            server.environment.update(environment or {})
            self.nodes.append(Node(server))

    def start(self) -> None:
        """Start all."""
        for node in self.nodes:
            node.start(wait=False)
        for node in self.nodes:
            node.server.wait_ready()

    def stop(self) -> None:
        """Stop all that still run."""
        for node in self.nodes:
            node.stop()

    def alive(self) -> list[Node]:
        """Those that were not killed."""
        return [n for n in self.nodes if n.alive]

    def post(self, numbers: list[int], services: int = 0, node: Node | None = None) -> Node | None:
        """Raise these alerts by one request; the server that accepted it with 2xx, or None.

        Alert n is about service s<n>, or with ``services`` about s<n modulo services>.
        """
        chosen = node or self.alive()[numbers[0] % len(self.alive())]
        body = [
            {
                "key": f"k{n}",
                "summary": f"Trouble #n{n}# is here",
                "severity": "critical",
                "source": "load",
                "service": f"s{n % services if services else n}",
            }
            for n in numbers
        ]
        accepted = posted(f"{chosen.server.url}/in/{KEY}", body)
        return chosen if accepted else None

    def sender_of(self, peer: int) -> Node | None:
        """Which server has this end of a connection."""
        pid = owner_of(peer, [n.pid for n in self.alive()])
        return next((n for n in self.alive() if n.pid == pid), None)


def posted(url: str, body: object, timeout: float = 10.0) -> bool:
    """True when it was answered with a success."""
    head = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), head)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return bool(200 <= answer.status < 300)
    except (urllib.error.URLError, OSError):
        return False


class Sundial:
    """A wall clock that can be set, for processes that run under libfaketime.

    Only the wall clock is set: what the monotonic clock says stays true, as on a real machine.
    """

    def __init__(self, directory: Path) -> None:
        found = sorted(Path("/").glob(LIBFAKETIME.lstrip("/")))
        assert found, "libfaketime is not installed: apt-get install libfaketime"
        self._file = directory / "faketime"
        self.set(0)
        self.environment = {
            "LD_PRELOAD": str(found[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        }

    def set(self, seconds: int) -> None:
        """The wall clock is this much ahead of the truth, within a second from now."""
        made = self._file.with_suffix(".new")
        made.write_text(f"{seconds:+d}\n")
        made.replace(self._file)
