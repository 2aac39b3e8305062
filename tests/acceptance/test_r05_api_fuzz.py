"""The whole API, fuzzed from its own OpenAPI description against a real server: never a 5xx.

Schemathesis makes requests that fit the description and requests that break it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from tests.support.serving import Serve, serving
from watchkeeper.access.model import Scope
from watchkeeper.access.work import create_token
from watchkeeper.alerting import silencing, work
from watchkeeper.alerting.model import Signal, SignalAction
from watchkeeper.store import Database

SPECS = """\
apiVersion: watchkeeper/v1
kind: Service
metadata: {name: checkout}
spec: {}
---
apiVersion: watchkeeper/v1
kind: User
metadata: {name: ann}
spec: {contacts: [{channel: box, address: ann}]}
---
apiVersion: watchkeeper/v1
kind: Channel
metadata: {name: box}
spec: {type: inbox}
---
apiVersion: watchkeeper/v1
kind: Schedule
metadata: {name: first}
spec: {layers: [{name: days, users: [ann], rotation: daily, start: "2026-01-05T08:00"}]}
---
apiVersion: watchkeeper/v1
kind: EscalationPolicy
metadata: {name: default}
spec: {steps: [{notify: [{schedule: first}], wait: 5m}]}
---
apiVersion: watchkeeper/v1
kind: Integration
metadata: {name: anything}
spec: {type: generic}
---
apiVersion: watchkeeper/v1
kind: Heartbeat
metadata: {name: backup}
spec: {every: 1h}
"""
STEADY = os.environ.get("WATCHKEEPER_EXAMPLES", "steady") == "steady"
EXAMPLES = 10 if STEADY else 100
"""Requests of each kind to each operation; `make fuzz` makes more, and new ones each time."""


@dataclass
class Target:
    server: Serve
    schema: Any
    headers: dict[str, str]


def _filled(path: str) -> dict[str, str]:
    """A database with an alert, a silence and a token that may do all."""
    from tests.support.duty import specs

    db, now = Database.open(path), time.time()
    with db.write() as conn:
        secret = create_token(conn, "fuzz", list(Scope), now, "test", None)
        signal = Signal("disk", SignalAction.TRIGGER, "Disk full", service="checkout")
        work.accept(conn, "anything", [signal], now, specs())
        matcher = silencing.matcher_of("service=search")
        silencing.create_silence(conn, [matcher], now, now + 9000, "ann", "works", now)
    db.close()
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    directory = tmp_path_factory.mktemp("fuzz")
    (directory / "specs").mkdir()
    (directory / "specs" / "all.yaml").write_text(SPECS)
    path = str(directory / "wk.db")
    headers = _filled(path)
    with serving(directory, directory / "specs", path) as server:
        url = f"{server.url}/api/v1/openapi.json"
        yield Target(server, schemathesis.openapi.from_url(url, headers=headers), headers)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_request_to_the_api_is_answered_with_a_server_error(
    target: Target, mode: GenerationMode
) -> None:
    operations = [found.ok() for found in target.schema.get_all_operations()]
    answered: dict[str, set[int]] = {}
    for operation in operations:
        if mode is GenerationMode.NEGATIVE and not operation.body and not _inputs(operation):
            continue  # nothing in it that could be wrong
        answered[operation.label] = _fuzzed(target, operation, mode)

    assert len(operations) > 35
    asked = {o: s for o, s in answered.items() if s}
    assert len(asked) >= (20 if mode is GenerationMode.NEGATIVE else len(operations))
    assert not [o for o, s in asked.items() if s <= {401, 403}], "the token opens every door"
    if mode is GenerationMode.POSITIVE:
        opened = {o for o, s in answered.items() if any(c < 300 for c in s)}
        assert {"GET /v1/alerts", "POST /v1/alerts", "GET /v1/silences", "GET /v1/slos"} <= opened


def _fuzzed(target: Target, operation: Any, mode: GenerationMode) -> set[int]:  # noqa: ANN401
    """Ask many times; the statuses that came."""
    statuses: set[int] = set()

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        deadline=None,
        max_examples=EXAMPLES,
        derandomize=STEADY,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any) -> None:  # noqa: ANN401
        answer = case.call(base_url=f"{target.server.url}/api", headers=target.headers)
        statuses.add(answer.status_code)
        what = f"{operation.label}: {answer.status_code} {answer.text[:500]}"
        assert answer.status_code < 500, what

    try:
        ask()
    except Unsatisfiable:  # whatever is given fits it, such as a path that may be any text
        assert mode is GenerationMode.NEGATIVE
    return statuses


def _inputs(operation: Any) -> bool:  # noqa: ANN401
    return any(len(list(group)) for group in (operation.query, operation.path_parameters))
