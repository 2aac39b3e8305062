"""R4: a server with open pages stops at once and quietly when it is told to."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.support.processes import answers, free_port, running, wait_until

FIRST = Path(__file__).resolve().parents[2] / "src/watchkeeper/faces/web/templates/first.yaml"


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_open_event_streams_end_when_the_server_is_told_to_stop(
    tmp_path: Path, told: signal.Signals
) -> None:
    specs, log, port = tmp_path / "specs", tmp_path / "log", free_port()
    specs.mkdir()
    # The definition that the welcome page tells a new user to write is one that serves.
    shutil.copyfile(FIRST, specs / "shop.yaml")
    options = ["--specs", str(specs), "--db", str(tmp_path / "wk.db"), "--port", str(port)]
    command = [sys.executable, "-m", "watchkeeper.faces.cli.main", "serve", *options]
    with running([*command, "--anonymous-read"], log, env=dict(os.environ)) as process:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(url + "/healthz"), what="the server")
        with urlopen(url + "/events", timeout=10) as stream:
            assert stream.readline().startswith(b"event: ")
            process.send_signal(told)
            while stream.readline():
                pass
            process.wait(30)
    said = log.read_text()
    assert "Traceback" not in said
    # A stream that does not end by itself is cancelled after the time of grace, which is logged.
    assert "Cancel" not in said
