"""Probes of real servers: what is good, what is bad and why, and once an interval."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from watchkeeper.measure.probe.source import ProbeSource
from watchkeeper.spec.model import (
    CountsSli,
    Place,
    ProbeCheck,
    SliDefinition,
    SourceDefinition,
    SourceType,
)

NOW = 1_800_000_010.0


class _Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/drip":
            self._drip()
            return
        status = {"/broken": 500, "/moved": 302}.get(self.path, 200)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "http://127.0.0.1:1/")
        self.end_headers()
        self.wfile.write(b"hello")

    def _drip(self) -> None:
        """An answer that never ends: a byte now and then."""
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(40):
                self.wfile.write(b"x")
                self.wfile.flush()
                time.sleep(0.1)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextlib.contextmanager
def pages(context: ssl.SSLContext | None = None) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Pages)
    if context is not None:
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def web() -> Iterator[str]:
    with pages() as port:
        yield f"http://127.0.0.1:{port}"


def source(**settings: Any) -> ProbeSource:  # noqa: ANN401
    found = {"timeout": "1s", **settings}
    return ProbeSource(SourceDefinition("p", SourceType.PROBE, found, Place("x.yaml")))


def sli(target: str, **check: Any) -> SliDefinition:  # noqa: ANN401
    return SliDefinition("a", "p", CountsSli(ProbeCheck(target, **check)))


def probe(target: str, reader: ProbeSource | None = None, **check: Any) -> tuple[bool, str]:  # noqa: ANN401
    """Whether it was good, and what was said."""
    batch = (reader or source()).collect([sli(target, **check)], None, NOW)
    (count,) = batch.counts
    assert (count.minute, count.total) == (int(NOW // 60), 1)
    return count.good == 1, "; ".join(note.message for note in batch.notes)


def test_a_page_that_answers_as_expected_is_good(web: str) -> None:
    assert probe(web + "/") == (True, "")
    assert probe(web + "/", expect_body="hello")[0]
    assert probe(web + "/broken", expect_status=("5xx",))[0]


@pytest.mark.parametrize(
    ("path", "check"),
    [
        ("/broken", {}),
        ("/", {"expect_body": "goodbye"}),
        ("/moved", {"expect_status": ("2xx",)}),
        ("/drip", {}),
    ],
)
def test_a_page_that_answers_otherwise_is_bad_and_says_why(
    web: str, path: str, check: dict[str, Any]
) -> None:
    began = time.monotonic()
    good, why = probe(web + path, **check)
    assert not good
    assert why
    assert time.monotonic() - began < 8


def test_a_name_that_is_none_and_a_port_that_nobody_listens_on_are_bad() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for target in ("http://no-such-host.invalid/", f"tcp://127.0.0.1:{port}"):
        good, why = probe(target)
        assert not good
        assert why


def test_a_port_that_accepts_is_good_for_tcp_and_bad_for_what_should_speak() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        assert probe(f"tcp://127.0.0.1:{port}")[0]
        assert not probe(f"http://127.0.0.1:{port}/")[0]
        assert not probe(f"tls://127.0.0.1:{port}")[0]


@pytest.mark.parametrize(("days", "good"), [(2, False), (90, True)])
def test_a_certificate_that_ends_too_soon_is_bad(tmp_path: Path, days: int, good: bool) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    make += ["-nodes", "-keyout", str(key), "-out", str(certificate), "-days", str(days)]
    make += ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(make, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with pages(context) as port:
        target = f"https://127.0.0.1:{port}/"
        trusting = source(ca_file=str(certificate), timeout="3s")
        now = time.time()
        assert (
            not source().collect([sli(target)], None, now).counts[0].good
        )  # nobody vouches for it
        assert trusting.collect([sli(target)], None, now).counts[0].good
        aged = sli(target, min_certificate_days=14.0)
        assert bool(trusting.collect([aged], None, now).counts[0].good) is good


def test_a_probe_is_made_once_an_interval_also_by_a_process_that_starts_anew(web: str) -> None:
    first = source().collect([sli(web + "/")], None, NOW)
    cursor = json.loads(json.dumps(first.cursor))
    assert not source().collect([sli(web + "/")], cursor, NOW + 10).counts
    assert len(source().collect([sli(web + "/")], cursor, NOW + 30).counts) == 1
