"""The systems that page: ours and Alertmanager, alone and as several, on loopback ports."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from tests.support.pagers import Pagers, posted, write_specs
from tests.support.postgres import Cluster
from tests.support.processes import answers, free_port, owner_of, wait_until
from tests.support.receiver import Receiver


class Process(Protocol):
    """One process of a system."""

    alive: bool

    @property
    def pid(self) -> int:
        """Its id."""
        ...

    def start(self, wait: bool = True) -> None:
        """Start it, with ``wait`` until it is ready."""
        ...

    def kill(self) -> None:
        """kill -9."""
        ...

    def pause(self) -> None:
        """SIGSTOP."""
        ...

    def resume(self) -> None:
        """SIGCONT."""
        ...


class System(Protocol):
    """What is put to the test. ``post`` gives a process that accepted, None when none did."""

    @property
    def nodes(self) -> Sequence[Process]:
        """Its processes."""
        ...

    def start(self) -> None:
        """Start all and wait until they are ready."""
        ...

    def stop(self) -> None:
        """Stop all."""
        ...

    def post(self, numbers: list[int], services: int = 0) -> Process | None:
        """Raise these alerts; number n is about the service n, or n modulo ``services``."""
        ...

    def sender_of(self, peer: int) -> Process | None:
        """Which process has this end of a connection."""
        ...


class Ours(Pagers):
    """``watchkeeper serve``, as many as wanted, on SQLite or PostgreSQL."""

    def post(  # type: ignore[override]
        self, numbers: list[int], services: int = 0
    ) -> Process | None:
        """One of them is asked, in turn, as a load balancer would."""
        return super().post(numbers, services)


def ours(
    directory: Path,
    db: str,
    receiver: Receiver,
    services: int,
    replicas: int,
    people: int | None = None,
    later: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> Ours:
    """Servers that call one person for each service."""
    specs = write_specs(directory / "specs", receiver.url, services, people, later)
    return Ours(directory, db, specs, replicas, environment)


AM_CONFIG = """\
route:
  receiver: hook
  group_by: [service]
  group_wait: 1s
  group_interval: 10s
  repeat_interval: 1h
receivers:
  - name: hook
    webhook_configs: [{{url: "{url}/am", send_resolved: false}}]
"""
"""Kinder than the defaults (group_wait 30 s, group_interval 5 min): an accepted alert is in memory
alone for 1 s, and what failed is tried again after 10 s."""


class AlertmanagerNode:
    """Debian's Alertmanager."""

    def __init__(self, directory: Path, config: Path, peers: Sequence[int], cluster: int) -> None:
        self.port, self.alive = free_port(), False
        self.url = f"http://127.0.0.1:{self.port}"
        self._directory = directory
        self.command = ["prometheus-alertmanager", f"--config.file={config}"]
        self.command += [f"--storage.path={directory / 'data'}"]
        self.command += [f"--web.listen-address=127.0.0.1:{self.port}"]
        where = f"127.0.0.1:{cluster}" if cluster else ""
        self.command += [f"--cluster.listen-address={where}"]
        self.command += ["--cluster.settle-timeout=5s"] if cluster else []
        self.command += [f"--cluster.peer=127.0.0.1:{p}" for p in peers if p != cluster]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its id."""
        assert self._process is not None
        return self._process.pid

    def start(self, wait: bool = True) -> None:
        """Start it, with ``wait`` until it is ready."""
        log = (self._directory / "log").open("ab")
        self._process = subprocess.Popen(
            self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self._directory
        )
        self.alive = True
        if wait:
            self.wait_ready()

    def wait_ready(self) -> None:
        """Return once it is ready."""
        wait_until(lambda: answers(f"{self.url}/-/ready"), 60, "Alertmanager is ready")

    def kill(self) -> None:
        """kill -9."""
        self.alive = False
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """In an orderly way, also when it was paused."""
        if self.alive:
            self.resume()
            self._end(signal.SIGTERM)
            self.alive = False

    def pause(self) -> None:
        """SIGSTOP."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def _end(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(60)


class Alertmanager:
    """One or a cluster; alerts are sent to all of them, as Prometheus does."""

    def __init__(self, directory: Path, receiver: Receiver, replicas: int) -> None:
        config = directory / "alertmanager.yml"
        config.write_text(AM_CONFIG.format(url=receiver.url))
        ports = [free_port() for _ in range(replicas)] if replicas > 1 else [0]
        self.nodes: list[AlertmanagerNode] = []
        for i, port in enumerate(ports):
            place = directory / f"node{i}"
            place.mkdir()
            self.nodes.append(AlertmanagerNode(place, config, ports if port else [], port))

    def start(self) -> None:
        """Start all, wait until each has settled in its cluster."""
        for node in self.nodes:
            node.start(wait=False)
        for node in self.nodes:
            node.wait_ready()

    def stop(self) -> None:
        """Stop all."""
        for node in self.nodes:
            node.stop()

    def post(self, numbers: list[int], services: int = 0) -> Process | None:
        """All are asked; the first that accepted."""
        body = [
            {
                "labels": {
                    "alertname": f"Trouble #n{n}#",
                    "service": f"s{n % services if services else n}",
                    "severity": "critical",
                }
            }
            for n in numbers
        ]
        asked = [n for n in self.nodes if n.alive and posted(f"{n.url}/api/v2/alerts", body)]
        return asked[0] if asked else None

    def sender_of(self, peer: int) -> Process | None:
        """Which of them has this end of a connection."""
        pid = owner_of(peer, [n.pid for n in self.nodes if n.alive])
        return next((n for n in self.nodes if n.alive and n.pid == pid), None)


__all__ = ["Alertmanager", "Cluster", "Ours", "Process", "System", "ours"]
