"""R1: what the OpenAPI description says of pushes is what the server takes and refuses."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from tests.support.serving import serving
from watchkeeper.access.model import Scope
from watchkeeper.access.work import create_token
from watchkeeper.store import Database

SPECS = """
apiVersion: watchkeeper/v1
kind: Service
metadata: {name: imports}
spec: {description: Nightly imports.}
---
apiVersion: openslo/v1
kind: DataSource
metadata: {name: pushed}
spec: {type: push}
---
apiVersion: watchkeeper/v1
kind: Journey
metadata: {name: import}
spec: {service: imports, source: pushed, correctness: {target: 99.9%, total: import-rows}}
"""


@dataclass
class Site:
    url: str
    secret: str

    def call(
        self, path: str, body: bytes | None, kind: str = "application/json", **headers: str
    ) -> tuple[int, bytes]:
        """Status and body of the answer; GET without a body."""
        given = {"Authorization": f"Bearer {self.secret}", "Content-Type": kind}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.url + path, body, given)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("push")
    (folder / "specs").mkdir()
    (folder / "specs" / "imports.yaml").write_text(SPECS, encoding="utf-8")
    path = str(folder / "wk.db")
    db = Database.open(path)
    with db.write() as conn:
        secret = create_token(conn, "client", {Scope.PUSH, Scope.READ}, time.time(), "test")
    db.close()
    with serving(folder, folder / "specs", path) as running:
        yield Site(running.url, secret)


@pytest.fixture(scope="module")
def described(site: Site) -> dict[str, Any]:
    status, body = site.call("/api/v1/openapi.json", None)
    assert status == 200
    found: dict[str, Any] = json.loads(body)
    return found


PUSH = {"stream": "import-rows", "good": 9, "total": 10}
GOOD: list[Any] = [
    PUSH,
    [PUSH],
    [PUSH, PUSH],
    {**PUSH, "time": "NOW"},
    {**PUSH, "time": 0},
    {**PUSH, "good": 0, "total": 0},
    {**PUSH, "good": 0.5},
    {**PUSH, "attributes": {"region": "eu", "shard": 3, "last": True}},
]
WRONG: list[Any] = [
    [],
    "import-rows",
    7,
    {},
    {"stream": "import-rows"},
    {"total": 1},
    {**PUSH, "stream": ""},
    {**PUSH, "stream": 5},
    {**PUSH, "stream": "x" * 501},
    {**PUSH, "total": -1},
    {**PUSH, "total": "10"},
    {**PUSH, "total": True},
    {**PUSH, "total": 2**53 + 2},
    {**PUSH, "good": None},
    {**PUSH, "bad": 1},
    {**PUSH, "time": None},
    {**PUSH, "time": "yesterday"},
    {**PUSH, "attributes": []},
    {**PUSH, "attributes": {"a": 1.5}},
    {**PUSH, "attributes": {"a": {"b": "c"}}},
    {**PUSH, "attributes": {f"a{i}": "b" for i in range(65)}},
    [PUSH, {"stream": "import-rows"}],
]


def at_now(document: Any) -> Any:  # noqa: ANN401
    """With the times of the examples as of now, which are not 400 days old."""
    if isinstance(document, dict) and document.get("time") in ("NOW", 0):
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        return {**document, "time": when if document["time"] == "NOW" else time.time()}
    return document


def fits(described: dict[str, Any], document: Any) -> bool:  # noqa: ANN401
    operation = described["paths"]["/v1/push"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    return bool(Draft202012Validator(schema, format_checker=FormatChecker()).is_valid(document))


@pytest.mark.parametrize("document", GOOD, ids=str)
def test_what_fits_the_description_is_recorded(
    site: Site,
    described: dict[str, Any],
    document: Any,  # noqa: ANN401
) -> None:
    body = at_now(document)
    assert fits(described, body)
    status, answer = site.call("/api/v1/push", json.dumps(body).encode())
    assert (status, json.loads(answer)["duplicate"]) == (202, False), answer


@pytest.mark.parametrize("document", WRONG, ids=lambda d: str(d)[:60])
def test_what_does_not_fit_the_description_is_refused(
    site: Site,
    described: dict[str, Any],
    document: Any,  # noqa: ANN401
) -> None:
    if document != {**PUSH, "time": "yesterday"}:  # the checker of times is not always installed
        assert not fits(described, document)
    status, answer = site.call("/api/v1/push", json.dumps(document).encode())
    assert (status, set(json.loads(answer))) == (400, {"error", "hint"})


def test_the_statuses_and_the_header_that_are_described_are_those_given(
    site: Site, described: dict[str, Any]
) -> None:
    operation = described["paths"]["/v1/push"]["post"]
    example = operation["requestBody"]["content"]["application/json"]["schema"]["oneOf"][0]
    body = json.dumps(example["example"]).encode()
    (header,) = operation["parameters"]
    assert (header["name"], header["in"], header["required"]) == (
        "Idempotency-Key", "header", False,
    )  # fmt: skip
    stranger = Site(site.url, "wk_nobody")
    seen = [
        site.call("/api/v1/push", body, Idempotency_Key="night-1")[0],
        site.call("/api/v1/push", body, Idempotency_Key="night-1")[0],
        site.call("/api/v1/push", body, Idempotency_Key="k" * 201)[0],
        site.call("/api/v1/push", body, kind="text/plain")[0],
        site.call("/api/v1/push", b" " * 1_000_001)[0],
        stranger.call("/api/v1/push", body)[0],
    ]
    assert seen == [202, 200, 400, 415, 413, 401]
    assert {str(s) for s in seen} <= set(operation["responses"])


def test_opentelemetry_is_described_with_both_of_its_content_types(
    site: Site, described: dict[str, Any]
) -> None:
    operation = described["paths"]["/v1/otlp/v1/metrics"]["post"]
    kinds = operation["requestBody"]["content"]
    assert set(kinds) == {"application/json", "application/x-protobuf"}
    for path in ("/api/v1/otlp/v1/metrics", "/v1/metrics"):
        status, answer = site.call(path, b'{"resourceMetrics": []}')
        assert (status, json.loads(answer)) == (200, {})
        empty = ExportMetricsServiceRequest().SerializeToString() or b""
        status, answer = site.call(path, empty, kind="application/x-protobuf")
        assert status == 200
        assert ExportMetricsServiceResponse.FromString(answer) == ExportMetricsServiceResponse()
    assert site.call("/v1/metrics", b"{", kind="application/json")[0] == 400
    assert {"200", "400"} <= set(operation["responses"])
