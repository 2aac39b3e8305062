"""The servers that take alerts: ours, Alertmanager and Alerta, each on a free loopback port."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.ingest.load import post
from tests.support.processes import answers, free_port, wait_until
from tests.support.serving import Serve
from watchkeeper.alerting import keys, store_doors
from watchkeeper.store import Database

ALERTA = ("alerta-server==9.1.0", "gunicorn", "psycopg2-binary", "setuptools<81")
KEY = "wki_" + "0" * 28
SPECS = """\
apiVersion: watchkeeper/v1
kind: Integration
metadata: {name: load}
spec: {type: pagerduty, perMinute: 100000000}
---
apiVersion: watchkeeper/v1
kind: Service
metadata: {name: checkout}
spec: {}
"""


@dataclass(frozen=True, slots=True)
class Target:
    """A server under load, and the requests that fit it: number of an alert → bytes."""

    name: str
    port: int
    requests: Iterator[bytes]
    pid: int


def _numbers(keys_at_most: int) -> Iterator[int]:
    return (i % keys_at_most for i in itertools.count())


@contextlib.contextmanager
def watchkeeper(name: str, url: str, directory: Path, distinct: int) -> Iterator[Target]:
    """Our own server, whole: engine, pager, routing of what comes in."""
    directory.mkdir()
    (directory / "specs").mkdir()
    (directory / "specs" / "load.yaml").write_text(SPECS)
    db = Database.open(url)
    with db.write() as conn:
        store_doors.add_key(conn, keys.digest(KEY), "load", "load", time.time())
    db.close()
    server = Serve(directory, directory / "specs", url, 10.0)
    server.as_command = True
    server.start()
    try:
        assert server._process is not None
        yield Target(name, server.port, map(_pagerduty, _numbers(distinct)), server._process.pid)
    finally:
        server.stop()


def _pagerduty(number: int) -> bytes:
    event = {
        "routing_key": KEY,
        "event_action": "trigger",
        "dedup_key": f"disk/{number}",
        "payload": {
            "summary": f"Disk full on db-{number}",
            "source": f"db-{number}",
            "severity": "critical",
            "component": "disk",
            "custom_details": {"free": "1%", "mount": "/"},
        },
    }
    return post("/v2/enqueue", json.dumps(event).encode())


@contextlib.contextmanager
def alertmanager(directory: Path, distinct: int) -> Iterator[Target]:
    """Debian's, with a receiver that takes nothing. It keeps alerts in memory."""
    directory.mkdir()
    config = directory / "alertmanager.yml"
    config.write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    port = free_port()
    command = ["prometheus-alertmanager", f"--config.file={config}"]
    command += [f"--storage.path={directory / 'data'}", f"--web.listen-address=127.0.0.1:{port}"]
    command += ["--cluster.listen-address="]
    with _running(command, directory, f"http://127.0.0.1:{port}/-/ready") as pid:
        yield Target("Alertmanager", port, map(_posted, _numbers(distinct)), pid)


def _posted(number: int) -> bytes:
    labels = {"alertname": "DiskFull", "instance": f"db-{number}", "severity": "critical"}
    alert = {"labels": labels, "annotations": {"summary": f"Disk full on db-{number}"}}
    return post("/api/v2/alerts", json.dumps([alert]).encode())


@contextlib.contextmanager
def alerta(directory: Path, url: str, distinct: int) -> Iterator[Target]:
    """From PyPI in an environment of its own, on PostgreSQL, behind gunicorn with two workers."""
    directory.mkdir()
    python = _environment(directory / "venv")
    port = free_port()
    config = directory / "alertad.conf"
    config.write_text(f"DATABASE_URL = '{url}'\nSECRET_KEY = 'benchmark'\nAUTH_REQUIRED = False\n")
    command = [str(python.with_name("gunicorn")), "--bind", f"127.0.0.1:{port}", "--workers", "2"]
    command += ["--keep-alive", "60", "--worker-class", "gthread", "--threads", "8"]
    command += ["alerta:create_app()"]
    extra = {"ALERTA_SVR_CONF_FILE": str(config)}
    health = f"http://127.0.0.1:{port}/management/gtg"
    with _running(command, directory, health, extra) as pid:
        yield Target("Alerta", port, map(_alerta, _numbers(distinct)), pid)


def _alerta(number: int) -> bytes:
    alert = {
        "resource": f"db-{number}",
        "event": "DiskFull",
        "environment": "Production",
        "severity": "critical",
        "service": ["checkout"],
        "text": f"Disk full on db-{number}",
    }
    return post("/alert", json.dumps(alert).encode())


def _environment(where: Path) -> Path:
    """A virtual environment with Alerta; its Python."""
    venv.create(where, with_pip=True)
    python = where / "bin" / "python"
    command = [str(python), "-m", "pip", "install", "--quiet", *ALERTA]
    subprocess.run(command, check=True, stdout=sys.stderr)
    return python


@contextlib.contextmanager
def _running(
    command: list[str], directory: Path, health: str, more: dict[str, str] | None = None
) -> Iterator[int]:
    log = directory / "log"
    process = subprocess.Popen(
        command,
        stdout=log.open("ab"),
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **(more or {})},
        cwd=directory,
    )
    try:
        try:
            wait_until(lambda: answers(health), 60, f"{command[0]} answers")
        except AssertionError as error:
            raise AssertionError(f"{error}: {log.read_text()[-2000:]}") from None
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:  # gunicorn waits for connections that are kept alive
            process.kill()
            process.wait(10)
