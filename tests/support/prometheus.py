"""Debian's Prometheus on a free loopback port, with its data in a directory of the test."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import answers, free_port, running, wait_until


@dataclass
class Prometheus:
    """A Prometheus server that can be stopped and started again on the same data."""

    directory: Path
    targets: Mapping[str, Sequence[str]]
    interval: str = "1s"
    flags: tuple[str, ...] = ()
    port: int = 0

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_port()
        jobs = "".join(
            f"  - job_name: {job}\n    static_configs:\n      - targets: {list(targets)}\n"
            for job, targets in self.targets.items()
        )
        (self.directory / "prometheus.yml").write_text(
            f"global:\n  scrape_interval: {self.interval}\n  scrape_timeout: {self.interval}\n"
            f"scrape_configs:\n{jobs}" + ("  []\n" if not jobs else "")
        )

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @contextlib.contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run it for the length of the block; ready when the block begins."""
        command = (
            "prometheus",
            f"--config.file={self.directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--log.level=warn",
            *self.flags,
        )
        log = self.directory / "prometheus.log"
        with running(command, log) as process:
            wait_until(
                lambda: process.poll() is not None or answers(f"{self.url}/-/ready"),
                what=f"Prometheus is ready, see {log}",
            )
            assert process.poll() is None, log.read_text()[-2000:]
            yield process


def load_openmetrics(text: str, directory: Path) -> None:
    """Put samples with timestamps into a data directory, by promtool; ``text`` ends with # EOF."""
    directory.mkdir(parents=True, exist_ok=True)
    source = directory / "samples.om"
    source.write_text(text)
    subprocess.run(
        [
            "promtool",
            "tsdb",
            "create-blocks-from",
            "openmetrics",
            str(source),
            str(directory / "data"),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
