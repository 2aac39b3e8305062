"""Talking to a Prometheus: trouble is said, counted as nothing, and tells no secret."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.support.fake_prometheus import FakePrometheus
from tests.support.processes import free_port
from watchkeeper.kernel.errors import UserError
from watchkeeper.measure.http import FetchError, Http, secret, without_secrets
from watchkeeper.measure.model import Batch
from watchkeeper.measure.prometheus import PrometheusSource
from watchkeeper.measure.prometheus.api import Api, BadQueryError, TooMuchError
from watchkeeper.spec.model import (
    CountsSli,
    Place,
    PrometheusQuery,
    RawSli,
    SliDefinition,
    SourceDefinition,
    SourceType,
    ThresholdSli,
)


class Server:
    """Answers every request with what the test sets; keeps the last request."""

    def __init__(self) -> None:
        self.status, self.body = 200, b""
        self.headers: dict[str, str] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.headers = dict(self.headers)
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(outer.body)))
                self.end_headers()
                self.wfile.write(outer.body)

            do_GET = do_POST  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def says(self, code: int, **answer: object) -> None:
        self.status, self.body = code, json.dumps(answer).encode()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


def test_an_error_of_the_api_is_told_with_its_kind(server: Server) -> None:
    api = Api({"url": server.url})
    server.says(400, status="error", errorType="bad_data", error="parse error")
    with pytest.raises(BadQueryError, match="parse error"):
        api.instant("x", 0)
    server.says(
        422,
        status="error",
        errorType="execution",
        error="query processing would load too many samples",
    )
    with pytest.raises(TooMuchError):
        api.instant("x", 0)
    server.says(503, status="error", errorType="timeout", error="query timed out")
    with pytest.raises(TooMuchError):
        api.instant("x", 0)
    server.says(500, status="error", errorType="internal", error="boom")
    with pytest.raises(FetchError, match="boom"):
        api.instant("x", 0)


def test_a_partial_answer_of_thanos_is_an_error_and_not_silence(server: Server) -> None:
    data = {"resultType": "vector", "result": []}
    server.says(200, status="success", data=data, warnings=["No StoreAPIs matched for this query"])
    with pytest.raises(FetchError, match="partial answer"):
        Api({"url": server.url}).instant("x", 0)


def test_an_address_that_is_no_prometheus_is_said(server: Server) -> None:
    server.status, server.body = 404, b"<html>"
    with pytest.raises(FetchError, match="404 without Prometheus' JSON"):
        Api({"url": server.url}).now()


def test_tenant_token_and_headers_are_sent(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("t0ken\n")
    monkeypatch.setenv("SHOP_HEADER", "v")
    server.says(200, status="success", data={"resultType": "scalar", "result": [5.5, "5.5"]})
    settings = {"url": server.url, "tenant": "team-a", "token": {"file": str(tmp_path / "token")}}
    assert Api({**settings, "headers": {"X-Own": {"env": "SHOP_HEADER"}}}).now() == 5.5
    assert server.headers["X-Scope-OrgID"] == "team-a"
    assert server.headers["Authorization"] == "Bearer t0ken"
    assert server.headers["X-Own"] == "v"


def test_user_and_password_are_sent_and_never_shown(server: Server) -> None:
    server.status, server.body = 401, b"no"
    api = Api(
        {"url": server.url.replace("//", "//me:hidden@"), "username": "u", "password": "s3cret"}
    )
    with pytest.raises(FetchError) as failed:
        api.now()
    assert server.headers["Authorization"].startswith("Basic ")
    assert "hidden" not in str(failed.value)
    assert "s3cret" not in str(failed.value)


def test_a_missing_secret_is_named_by_its_reference() -> None:
    with pytest.raises(UserError, match="NOT_SET_HERE is not set"):
        secret({"env": "NOT_SET_HERE"}, "token")
    with pytest.raises(UserError, match="/nowhere"):
        secret({"file": "/nowhere"}, "token")
    with pytest.raises(UserError, match="env"):
        secret({"vault": "x"}, "token")


def test_nobody_listening_is_an_error_with_the_address() -> None:
    port = free_port()
    with pytest.raises(FetchError, match=f"127.0.0.1:{port}/x cannot be reached"):
        Http({}, 1.0).get(f"http://127.0.0.1:{port}/x?key=s3cret")
    assert without_secrets("https://u:p@h:1/a?b=c#d") == "https://h:1/a"


# ---------------------------------------------------------------- minutes


def _source(api: Api, **settings: object) -> PrometheusSource:
    definition = SourceDefinition(
        "p", SourceType.PROMETHEUS, {"url": "http://fake", "settle": 0, **settings}, Place("t")
    )
    return PrometheusSource(definition, backfill_minutes=10, api=api)


def _everything(source: PrometheusSource, slis: list[SliDefinition], now: float) -> list[Batch]:
    batches = [source.collect(slis, None, now)]
    while batches[-1].more:
        batches.append(source.collect(slis, batches[-1].cursor, now))
    return batches


def test_gauges_count_one_event_a_minute_and_nothing_where_there_is_no_data() -> None:
    api = FakePrometheus(clock=6000.0)
    values = [[5460.0, "1"], [5520.0, "7"], [5580.0, "NaN"], [5700.0, "2"]]
    api.ranges = {
        "last_over_time(q[60s])": [{"metric": {}, "values": values}],
        "avg(ratio)": [{"metric": {}, "values": [[5460.0, "0.25"], [5520.0, "1.5"]]}],
    }
    slis = [
        SliDefinition("t", "p", ThresholdSli(PrometheusQuery("q"), "lt", 5)),
        SliDefinition("r", "p", RawSli(PrometheusQuery("avg(ratio)"), is_failure=True)),
    ]
    counts = [c for b in _everything(_source(api), slis, 6000.0) for c in b.counts]
    assert [(c.minute, c.good, c.total) for c in counts if c.sli == "t"] == [
        (90, 1, 1),
        (91, 0, 1),
        (94, 1, 1),
    ]
    assert [(c.minute, c.good, c.total) for c in counts if c.sli == "r"] == [
        (90, 0.75, 1),
        (91, 0, 1),
    ]


def test_what_is_not_a_sum_is_estimated_and_said_so_once() -> None:
    api = FakePrometheus(clock=6000.0)
    api.ranges = {
        "sum(increase(t[1m]))": [{"metric": {}, "values": [[5460.0, "90"], [5520.0, "30"]]}],
        "max(increase(e[1m]))": [{"metric": {}, "values": [[5460.0, "9"]]}],
    }
    total, bad = (
        PrometheusQuery("sum(increase(t[{{.window}}]))"),
        PrometheusQuery("max(increase(e[{{.window}}]))"),
    )
    batches = _everything(
        _source(api), [SliDefinition("a", "p", CountsSli(total, bad=bad))], 6000.0
    )
    counts = [(c.minute, c.good, c.total) for b in batches for c in b.counts]
    assert counts == [(90, 81, 90), (91, 30, 30)]
    assert [n.kind for b in batches for n in b.notes] == ["estimated"]


def test_more_queries_than_the_budget_are_asked_in_turn() -> None:
    api = FakePrometheus(clock=6000.0)
    for i in range(6):
        api.add(f"m{i}", [(5500.0, 1.0), (5900.0, 8.0)], job="j", instance=f"i{i}")
    slis = [
        SliDefinition(
            f"s{i}",
            "p",
            CountsSli(PrometheusQuery(f'm{i}{{x{i}=""}}'), bad=PrometheusQuery(f'e{i}{{x{i}=""}}')),
        )
        for i in range(6)
    ]
    source = _source(api, max_queries=2)
    got: dict[str, float] = {}
    notes: list[str] = []
    cursor = None
    for _ in range(40):
        batch = source.collect(slis, cursor, 6000.0)
        cursor = batch.cursor
        notes += [n.kind for n in batch.notes]
        for c in batch.counts:
            got[c.sli] = got.get(c.sli, 0) + c.total
    assert got == {f"s{i}": 7.0 for i in range(6)}
    assert "limit" in notes
