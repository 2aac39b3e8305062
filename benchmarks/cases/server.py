"""A real Prometheus that serves the series of a case, for as long as a block lasts."""

from __future__ import annotations

import contextlib
import json
import math
import subprocess
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.support.processes import answers, free_port, running, wait_until


@contextlib.contextmanager
def prometheus(open_metrics: Iterable[str]) -> Iterator[str]:
    """Write the samples into blocks, start Prometheus on them, and give its URL."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text, data = folder / "samples.txt", folder / "data"
        with text.open("w") as out:
            out.writelines(open_metrics)
        command = ["promtool", "tsdb", "create-blocks-from", "--max-block-duration=768h", "-q"]
        command += ["openmetrics", str(text), str(data)]
        subprocess.run(command, check=True, capture_output=True, text=True)
        (folder / "prometheus.yml").write_text("global: {}\n")
        url = f"http://127.0.0.1:{free_port()}"
        with running(_command(folder, url), folder / "prometheus.log"):
            wait_until(lambda: answers(f"{url}/-/ready"), 30, "Prometheus is ready")
            yield url


def _command(folder: Path, url: str) -> list[str]:
    return [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=100y",  # the samples are of a fixed month, not of today
        f"--web.listen-address={url.removeprefix('http://')}",
        "--query.max-samples=200000000",
        "--log.level=warn",
    ]


def query(url: str, expr: str, at: float) -> float | None:
    """The single value of an instant query; None when there is no sample; may be NaN."""
    form = urllib.parse.urlencode({"query": expr, "time": at, "timeout": "300s"}).encode()
    with urllib.request.urlopen(f"{url}/api/v1/query", data=form, timeout=300) as response:
        result = json.load(response)["data"]["result"]
    if not result:
        return None
    (sample,) = result
    return math.nan if sample["value"][1] == "NaN" else float(sample["value"][1])
