"""R1: what clients push is counted once, whatever is repeated and whenever the server dies."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE

from tests.support.processes import wait_until
from tests.support.serving import Serve, serving
from watchkeeper.access.model import Scope
from watchkeeper.access.work import create_token
from watchkeeper.store import Database

HEAD = """
apiVersion: openslo/v1
kind: Service
metadata: {name: shop}
spec: {}
"""
COUNTED = """---
apiVersion: openslo/v1
kind: SLO
metadata: {{name: {stream}}}
spec:
  service: shop
  budgetingMethod: Occurrences
  timeWindow: [{{duration: 30d, isRolling: true}}]
  objectives: [{{target: 0.9}}]
  indicator:
    metadata: {{name: {stream}}}
    spec:
      ratioMetric:
        counter: true
        total: {{metricSource: {{type: push, spec: {{stream: {stream}}}}}}}
"""
TOLD_APART = """\
        bad: {metricSource: {type: push, spec: {stream: orders, attributes: {outcome: failed}}}}
"""
STREAMS = ("repeated", "interrupted", "kept", "twice", "keyed")
"""One for each test, so that all may share a server."""
SPECS = HEAD + "".join(COUNTED.format(stream=s) for s in (*STREAMS, "orders")) + TOLD_APART
THREADS, PUSHES = 8, 40


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("push")


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[Serve]:
    specs = place / "specs"
    specs.mkdir()
    (specs / "shop.yaml").write_text(SPECS)
    with serving(place, specs, str(place / "wk.db")) as running:
        yield running


@pytest.fixture(scope="module")
def secret(server: Serve, place: Path) -> str:
    """A token that may push and nothing else."""
    return token(place, Scope.PUSH)


def token(place: Path, scope: Scope) -> str:
    db = Database.open(str(place / "wk.db"))
    try:
        with db.write() as conn:
            return create_token(conn, f"client-{scope}", {scope}, time.time(), "test")
    finally:
        db.close()


def post(
    server: Serve, secret: str, body: bytes, path: str = "/api/v1/push", **headers: str
) -> tuple[int, bytes]:
    """Status and body of the answer."""
    given = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(server.url + path, body, given, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def push_until_acknowledged(
    server: Serve, secret: str, key: str, push: dict[str, Any], deadline: float
) -> int:
    """As a client would: the same key again until there is an answer. How often it was sent."""
    sent = 0
    while time.monotonic() < deadline:
        sent += 1
        try:
            status, body = post(server, secret, json.dumps(push).encode(), Idempotency_Key=key)
        except (OSError, http.client.HTTPException):
            status, body = 0, b""
        if status in (200, 202):
            return sent
        assert status in (0, 503), body
        time.sleep(0.1)  # a client's pause before it tries again
    raise AssertionError(f"{key} was not acknowledged; the server's log: {server.tail()}")


def events(server: Serve, name: str) -> tuple[float, float]:
    found = server.slo(name)["events"]
    return found["good"], found["total"]


def push_from_many(
    server: Serve, secret: str, stream: str, progress: threading.Semaphore
) -> tuple[int, int]:
    """Eight clients; every third push is sent again after it was acknowledged. The recount."""
    deadline = time.monotonic() + 90

    def client(number: int) -> tuple[int, int]:
        rng = random.Random(f"{stream} {number}")
        good = total = 0
        for index in range(PUSHES):
            n = rng.randint(1, 1000)
            ok = rng.randint(0, n)
            push = {"stream": stream, "good": ok, "total": n}
            key = f"{stream}-{number}-{index}"
            push_until_acknowledged(server, secret, key, push, deadline)
            if index % 3 == 0:
                push_until_acknowledged(server, secret, key, push, deadline)
            good, total = good + ok, total + n
            progress.release()
        return good, total

    with ThreadPoolExecutor(THREADS) as pool:
        counts = list(pool.map(client, range(THREADS)))
    return sum(good for good, _ in counts), sum(total for _, total in counts)


def test_pushes_of_eight_clients_with_repetitions_equal_the_recount(
    server: Serve, secret: str
) -> None:
    recount = push_from_many(server, secret, "repeated", threading.Semaphore(0))
    wait_until(
        lambda: events(server, "repeated") == recount,
        15,
        f"{recount}, but there is {events(server, 'repeated')}",
    )


def test_a_server_killed_between_pushes_counts_each_of_them_once(
    server: Serve, secret: str
) -> None:
    progress = threading.Semaphore(0)
    found: list[tuple[int, int]] = []
    clients = threading.Thread(
        target=lambda: found.append(push_from_many(server, secret, "interrupted", progress))
    )
    clients.start()
    for _ in range(3):
        for _ in range(THREADS * PUSHES // 5):
            assert progress.acquire(timeout=60)
        server.kill()
        server.start()
    clients.join(120)
    assert found, server.tail()
    wait_until(
        lambda: events(server, "interrupted") == found[0],
        15,
        f"{found[0]}, but there is {events(server, 'interrupted')}",
    )


def test_what_was_acknowledged_is_there_after_a_kill(server: Serve, secret: str) -> None:
    body = b'{"stream": "kept", "good": 7, "total": 9}'
    assert post(server, secret, body)[0] == 202
    server.kill()
    server.start()
    wait_until(lambda: events(server, "kept") == (7, 9), 15, "the acknowledged push")


def test_two_equal_pushes_without_a_key_count_twice(server: Serve, secret: str) -> None:
    for _ in range(2):
        status, body = post(server, secret, b'{"stream": "twice", "good": 7, "total": 9}')
        assert (status, json.loads(body)) == (202, {"recorded": 1, "duplicate": False})
    wait_until(lambda: events(server, "twice") == (14, 18), 15, "both pushes")


def test_the_same_key_again_is_answered_as_a_duplicate(server: Serve, secret: str) -> None:
    body = b'[{"stream": "keyed", "good": 1, "total": 1}]'
    assert post(server, secret, body, Idempotency_Key="a")[0] == 202
    status, answer = post(server, secret, body, Idempotency_Key="a")
    assert (status, json.loads(answer)) == (200, {"recorded": 0, "duplicate": True})


def test_a_token_without_the_scope_push_is_refused(server: Serve, place: Path) -> None:
    reader = token(place, Scope.READ)
    for path in ("/api/v1/push", "/v1/metrics", "/api/v1/otlp/v1/metrics"):
        status, body = post(server, reader, b"{}", path)
        assert status == 403, path
        assert "push" in json.loads(body)["error"]


WRONG: list[tuple[bytes, dict[str, str], int, str]] = [
    (b"{", {}, 400, "not JSON"),
    (b'{"stream": "nope", "total": 1, "good": 1}', {}, 404, "'nope'"),
    (b"{}", {"Content_Type": "text/plain"}, 415, "JSON"),
    (b"{}", {"Content_Encoding": "gzip"}, 415, "compressed"),
    (b" " * 1_000_001, {}, 413, "larger"),
    (b"{}", {"Idempotency_Key": "k" * 201}, 400, "201 characters"),
]


def test_a_wrong_request_is_refused_with_its_reason(server: Serve, secret: str) -> None:
    for body, headers, status, says in WRONG:
        given, answer = post(server, secret, body, **headers)
        told = json.loads(answer)
        assert (given, set(told)) == (status, {"error", "hint"})
        assert says in told["error"]


def test_opentelemetry_counts_growth_and_a_kill_loses_no_state(server: Serve, secret: str) -> None:
    start, first = time.time_ns() - 3600 * 10**9, time.time_ns() - 60 * 10**9

    def export(at: int, ok: int, failed: int) -> ExportMetricsServiceResponse:
        request = ExportMetricsServiceRequest()
        metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="orders")
        metric.sum.is_monotonic = True
        metric.sum.aggregation_temporality = AGGREGATION_TEMPORALITY_CUMULATIVE
        for outcome, value in (("ok", ok), ("failed", failed)):
            point = metric.sum.data_points.add(
                start_time_unix_nano=start, time_unix_nano=at, as_int=value
            )
            point.attributes.add(key="outcome").value.string_value = outcome
        body = request.SerializeToString()
        status, answer = post(
            server, secret, body, "/v1/metrics", Content_Type="application/x-protobuf"
        )
        assert status == 200, answer
        return ExportMetricsServiceResponse.FromString(answer)

    export(first, 1000, 50)  # where counting begins: the process is an hour old
    export(first + 10**9, 1010, 51)
    server.kill()
    server.start()
    export(first + 10**9, 1010, 51)  # a repetition
    answer = export(first + 2 * 10**9, 1030, 54)
    assert answer.partial_success.rejected_data_points == 0
    wait_until(
        lambda: events(server, "orders") == (30, 34), 15, str(server.slo("orders")["events"])
    )
