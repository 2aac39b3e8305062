"""A server that is killed while it tells a room goes on where it stood, and repeats nothing."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest

from tests.support import chats
from tests.support.chats import MATRIX_TOKEN
from tests.support.processes import wait_until
from tests.support.serving import Serve, serving

SPECS = """
apiVersion: watchkeeper/v1
kind: Channel
metadata: {{name: matrix}}
spec:
  type: matrix
  settings: {{url: "{url}", token: "{token}", allow_private: true, timeout: 1s}}
---
apiVersion: watchkeeper/v1
kind: IncidentMirror
metadata: {{name: rooms}}
spec: {{channel: matrix}}
"""


def post(server: Serve, path: str, body: object) -> None:
    request = urllib.request.Request(
        server.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=30).close()


@pytest.mark.slow
def test_kill_9_between_sending_and_recording_loses_and_repeats_nothing(tmp_path: Path) -> None:
    specs = tmp_path / "specs"
    specs.mkdir()
    with chats.matrix() as matrix:
        (specs / "chat.yaml").write_text(SPECS.format(url=matrix.url, token=MATRIX_TOKEN))
        with serving(tmp_path, specs, str(tmp_path / "wk.db")) as server:
            post(server, "/api/v1/incidents", {"title": "Checkout fails", "severity": "SEV2"})
            wait_until(lambda: bool(matrix.rooms), 90, "the room to be made")
            matrix.hold_at = len(matrix.room().events) + 3
            for i in range(6):
                body = {"text": f"line {i}", "kind": "message"}
                post(server, "/api/v1/incidents/1/entries", body)
            assert matrix.held.wait(90)  # it arrived, and the answer is on its way
            matrix.say("@dee:test.local", "said while nobody listened")
            server.kill()
            matrix.go.set()
            server.start()
            want = [f"line {i}" for i in range(6)]
            wait_until(lambda: "line 5" in " ".join(matrix.texts()), 40, "the rest to be told")
            wait_until(
                lambda: server.get("/api/v1/incidents/1/rooms")["rooms"][0]["behind"] == 0,
                90, "the room to be up to date",
            )  # fmt: skip
            told = [t.rpartition(": ")[2] for t in matrix.texts()]
            assert [t for t in told if t.startswith("line")] == want
            assert matrix.repeated == 1  # sent again, and known by its key
            assert len(matrix.rooms) == 1

            def heard() -> list[str]:
                entries = server.get("/api/v1/incidents/1")["timeline"]
                return [e["text"] for e in entries if e["source"] == "matrix"]

            # It listens again when the lease of the one that died has run out.
            wait_until(lambda: bool(heard()), 40, "the listening to go on")
            assert heard() == ["said while nobody listened"]
