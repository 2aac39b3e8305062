"""`wk backtest` and POST /api/v1/backtest over a real ledger, a file and a source."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.support.slo_room import room
from watchkeeper.alerting.backtest.work import backtest, plans_for
from watchkeeper.engine.board import Board
from watchkeeper.faces.api.routes import build_api
from watchkeeper.faces.cli.backtest import backtest as command
from watchkeeper.faces.services import Services
from watchkeeper.kernel.clock import VirtualClock
from watchkeeper.kernel.errors import WatchkeeperError
from watchkeeper.measure.model import Count
from watchkeeper.spec import load
from watchkeeper.spec.model import Specs

FIRST = 1_767_225_600 // 60  # 2026-01-01T00:00Z
MINUTES = 600
NOW = (FIRST + MINUTES) * 60.0
SPECS = """\
apiVersion: openslo/v1
kind: DataSource
metadata: {name: pushed}
spec: {type: push}
---
apiVersion: watchkeeper/v1
kind: Service
metadata: {name: shop}
spec: {}
---
apiVersion: watchkeeper/v1
kind: Journey
metadata: {name: checkout}
spec:
  service: shop
  source: pushed
  window: 7d
  availability: {target: 99%, total: checkout}
---
apiVersion: watchkeeper/v1
kind: AlertPolicy
metadata: {name: ours}
spec:
  burn:
    - {long: 1h, short: 5m, factor: 10, urgency: page}
  guards: {minBad: 5, hold: 2m}
"""
SLO = "checkout-availability"


@pytest.fixture
def specs_dir(tmp_path: Path) -> Path:
    (tmp_path / "slos").mkdir()
    (tmp_path / "slos" / "shop.yaml").write_text(SPECS, encoding="utf-8")
    return tmp_path / "slos"


@pytest.fixture
def specs(specs_dir: Path) -> Specs:
    loaded = load(specs_dir)
    assert loaded.specs is not None, [str(f) for f in loaded.findings]
    return loaded.specs


def bad_in(minute: int) -> int:
    return 60 if 300 <= minute < 320 else 0


@pytest.fixture
def filled(tmp_path: Path, specs: Specs) -> Iterator[Path]:
    defined = specs.slos[SLO].sli
    assert defined is not None
    counts = [Count(defined.key, FIRST + m, 100 - bad_in(m), 100) for m in range(MINUTES)]
    with room(tmp_path, specs) as its:
        its.load(specs, FIRST * 60.0)
        its.record(counts, NOW)
        yield tmp_path / "slo.db"


def wk(*words: str) -> Result:
    return CliRunner().invoke(command, list(words))


def said(*words: str) -> Any:  # noqa: ANN401
    result = wk(*words, "--json")
    assert result.exit_code == 0, result.output + str(result.exception)
    return json.loads(result.stdout)


SPAN = ("--from", "2026-01-01T00:00:00Z", "--to", "2026-01-01T10:00:00Z")


def test_a_policy_of_the_specs_is_tested_over_the_ledger(filled: Path, specs_dir: Path) -> None:
    found = said(SLO, "--db", str(filled), "--specs", str(specs_dir), "--policy", "ours", *SPAN)
    (score,) = found["policies"]
    # 10 % of the hour's 6,000 after ten minutes of 60; clean when the last five minutes are.
    assert score["alerts"] == [
        {
            "urgency": "page",
            "opened": "2026-01-01T05:10:00Z",
            "closed": "2026-01-01T05:27:00Z",
            "rules": ["burn 10× over 1h and 5m"],
        }
    ]
    assert found["incidents"] == [
        {"name": "", "start": "2026-01-01T05:00:00Z", "end": "2026-01-01T05:20:00Z"}
    ]
    assert (score["detection_seconds"], score["reset_seconds"]) == (600, 420)
    assert found["recommendation"]["policy"] == "ours"


def test_the_ledger_and_a_file_of_the_same_counts_give_the_same_report(
    filled: Path, specs_dir: Path, tmp_path: Path
) -> None:
    rows = [f"{(FIRST + m) * 60},{bad_in(m)},100" for m in range(MINUTES)]
    file = tmp_path / "counts.csv"
    file.write_text("time,bad,total\n" + "\n".join(rows) + "\n", encoding="utf-8")
    there = ("--specs", str(specs_dir))
    from_ledger = said(SLO, "--db", str(filled), *there, *SPAN)
    assert said(SLO, "--csv", str(file), *there) == from_ledger
    alone = said("--csv", str(file), "--target", "99%", "--window", "7d", *there)
    assert alone["policies"] == from_ledger["policies"]


def test_people_get_a_table_a_chart_and_a_reason(filled: Path, specs_dir: Path) -> None:
    result = wk(SLO, "--db", str(filled), "--specs", str(specs_dir), *SPAN)
    assert result.exit_code == 0
    assert "1 incident(s), found in the counts" in result.output
    assert "incidents     |" in result.output
    assert "Take '" in result.output
    assert "it tells 1 of 1 incident;" in result.output


def test_labels_decide_what_is_right(filled: Path, specs_dir: Path, tmp_path: Path) -> None:
    for name, text in (
        ("i.csv", "start,end,name\n2026-01-01T01:00:00Z,2026-01-01T02:00:00Z,other\n"),
        ("i.json", '[{"start": "2026-01-01T01:00:00Z", "end": "2026-01-01T02:00:00Z"}]'),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
        found = said(
            SLO, "--db", str(filled), "--specs", str(specs_dir), "--policy", "ours", *SPAN,
            "--incidents", str(tmp_path / name),
        )  # fmt: skip
        score = found["policies"][0]
        assert (score["precision"], score["recall"]) == (0, 0)
        assert found["incidents_inferred"] is False


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "Which SLO?"),
        (("nothing",), "there is no SLO 'nothing'"),
        ((SLO, "--policy", "oors"), "There is no policy 'oors'"),
        ((SLO, "--target", "99%"), "go with --csv"),
        ((SLO, "--from", "2026-01-02", "--to", "2026-01-01"), "--to is not after --from"),
        ((SLO, "--from", "soon"), "'soon' is not a time"),
        ((SLO, "--csv", "no-such.csv"), "cannot be read"),
        ((SLO, "--incidents", "no-such.csv"), "cannot be read"),
        (("--csv", "x.csv"), "Which objective?"),
        (("--csv", "x.csv", "--target", "99%", "--window", "soon"), "is not a duration"),
        (("--csv", "x.csv", "--target", "nine"), "nine"),
        ((SLO, "--to", "2025-01-01", "--from", "2024-12-01"), "nothing was measured"),
        ((SLO, "--from", "2020-01-01"), "longer than two years"),
    ],
)
def test_wrong_input_is_told_and_exits_with_2(
    filled: Path, specs_dir: Path, words: tuple[str, ...], message: str
) -> None:
    result = wk(*words, "--db", str(filled), "--specs", str(specs_dir))
    error = result.exception
    assert isinstance(error, WatchkeeperError), result.output
    assert error.exit_status == 2
    assert message in str(error)


def test_an_objective_that_names_a_policy_has_it_tested_as_present(specs: Specs) -> None:
    from dataclasses import replace

    named = replace(specs.slos[SLO], alert_policies=("ours",))
    changed = replace(specs, slos={SLO: named})
    plans = plans_for(changed, SLO, named.target, ())
    assert [p.name for p in plans][:2] == ["present", "default"]
    assert plans[0].guards.min_bad == 5
    assert plans_for(specs, SLO, named.target, ())[0].name == "default"


# ---------------------------------------------------------------- the API


@pytest.fixture
def api(filled: Path, specs: Specs) -> Iterator[TestClient]:
    from watchkeeper.store import Database

    db = Database.open(str(filled))
    board = Board()
    board.post(specs=specs)
    services = Services(db, board, VirtualClock(NOW))
    app: FastAPI = build_api_alone(services)
    yield TestClient(app)
    db.close()


def build_api_alone(services: Services) -> FastAPI:
    """The route by itself, with the API's own error handlers."""
    from fastapi import APIRouter
    from fastapi.exceptions import RequestValidationError

    from watchkeeper.faces.api import routes
    from watchkeeper.faces.api.backtest import backtest_routes

    app, router = FastAPI(), APIRouter(prefix="/v1")
    backtest_routes(router, services)
    app.include_router(router)
    app.add_exception_handler(WatchkeeperError, routes._our_error)
    app.add_exception_handler(RequestValidationError, routes._invalid)
    return app


def test_the_api_says_what_the_command_says(api: TestClient, filled: Path, specs_dir: Path) -> None:
    body = {"slo": SLO, "from": SPAN[1], "to": SPAN[3], "policies": ["ours", "workbook"]}
    answer = api.post("/v1/backtest", json=body)
    assert answer.status_code == 200
    there = ("--db", str(filled), "--specs", str(specs_dir))
    assert answer.json() == said(SLO, *there, *SPAN, "--policy", "ours", "--policy", "workbook")


def test_a_policy_that_is_only_thought_of_can_be_tried(api: TestClient) -> None:
    tried = {
        "burn": [{"long": "1h", "short": "5m", "factor": 10, "urgency": "page"}],
        "guards": {"minBad": 5, "hold": "2m"},
    }
    thought = api.post("/v1/backtest", json={"slo": SLO, "try": [tried]}).json()["policies"]
    written = api.post("/v1/backtest", json={"slo": SLO, "policies": ["ours"]}).json()["policies"]
    assert [p["policy"] for p in thought] == ["what if"]
    assert thought[0]["alerts"] == written[0]["alerts"] != []


LONG = {"within": "1M", "urgency": "page"}


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({}, 400, "slo"),
        ({"slo": "none"}, 404, "no SLO"),
        ({"slo": SLO, "policies": ["none"]}, 404, "no policy"),
        ({"slo": SLO, "from": "then"}, 400, "not a time"),
        ({"slo": SLO, "from": 5, "to": 4}, 400, "ends before it begins"),
        ({"slo": SLO, "extra": 1}, 400, "extra"),
        ({"slo": SLO, "try": [{}]}, 400, "never alerts"),
        ({"slo": SLO, "try": [{"exhaustion": [LONG]}]}, 400, "400 days"),
        ({"slo": SLO, "try": [{"consumed": [{"share": 0, "urgency": "page"}]}]}, 400, "share"),
        ({"slo": SLO, "incidents": [{"start": 5, "end": 4}]}, 400, "ends before"),
        ({"slo": SLO, "incidents": [{"start": "x", "end": 4}]}, 400, "'start' is 'x'"),
    ],
)  # fmt: skip
def test_the_api_refuses_what_is_wrong_and_says_why(
    api: TestClient, body: dict[str, Any], status: int, message: str
) -> None:
    answer = api.post("/v1/backtest", json=body)
    assert answer.status_code == status
    assert message in answer.json()["error"]


def test_corrected_minutes_do_not_count(tmp_path: Path, filled: Path, specs: Specs) -> None:
    del filled
    with room(tmp_path, specs) as its:
        its.correct(SLO, FIRST + 300, FIRST + 320)
        with its.db.read() as conn:
            plans = plans_for(specs, SLO, specs.slos[SLO].target, ["ours"])
            report = backtest(conn, specs, SLO, FIRST * 60.0, NOW, plans)
    assert report.scores[0].pages == 0
    assert report.incidents == []


def test_the_route_is_part_of_the_api() -> None:
    from watchkeeper.faces.doors import needed

    assert build_api.__module__ == "watchkeeper.faces.api.routes"
    assert str(needed("POST", "/api/v1/backtest").needs) == "read"
