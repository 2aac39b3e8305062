"""R1: a critical journey has availability, latency and correctness; lint says which one lacks."""

from __future__ import annotations

import itertools
import json
import random
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from watchkeeper.faces.cli.main import cli
from watchkeeper.spec import load
from watchkeeper.spec.model import Aspect, CountsSli, HistogramSli, PrometheusQuery, SloDefinition

FORMAT = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent $request_time'
)
COMMON: tuple[Mapping[str, Any], ...] = (
    {
        "apiVersion": "watchkeeper/v1",
        "kind": "Service",
        "metadata": {"name": "shop"},
        "spec": {"description": "Where people buy."},
    },
    {
        "apiVersion": "openslo/v1",
        "kind": "DataSource",
        "metadata": {"name": "metrics"},
        "spec": {
            "type": "prometheus",
            "connectionDetails": {"url": "http://127.0.0.1:9090", "retention": "60d"},
        },
    },
)
OBJECTIVES: Mapping[str, Mapping[str, Any]] = {
    "availability": {
        "target": "99.9%",
        "total": 'sum(rate(requests_total{route="/checkout"}[{{.window}}]))',
        "bad": '{code=~"5.."}',
    },
    "latency": {"target": "99%", "threshold": "500ms", "histogram": 'took_seconds{route="/c"}'},
    "correctness": {
        "target": "99.95%",
        "total": "order_checks_total",
        "bad": 'order_checks_total{result="invalid"}',
    },
}


def journey(aspects: tuple[str, ...], **more: object) -> Mapping[str, Any]:
    return {
        "apiVersion": "watchkeeper/v1",
        "kind": "Journey",
        "metadata": {"name": "checkout"},
        "spec": {
            "service": "shop",
            "source": "metrics",
            **more,
            **{a: OBJECTIVES[a] for a in aspects},
        },
    }


def write(folder: Path, *documents: Mapping[str, Any]) -> Path:
    text = yaml.safe_dump_all([*COMMON, *documents], sort_keys=False)
    (folder / "shop.yaml").write_text(text, encoding="utf-8")
    return folder


def lint(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, ["lint", *options, str(folder)])


ASPECTS = tuple(OBJECTIVES)
SOME = [s for n in (1, 2) for s in itertools.combinations(ASPECTS, n)]


@pytest.mark.parametrize("there", SOME, ids="-".join)
def test_a_critical_journey_that_lacks_an_objective_is_an_error_with_its_place(
    tmp_path: Path, there: tuple[str, ...]
) -> None:
    folder = write(tmp_path, journey(there, critical=True))
    lines = (folder / "shop.yaml").read_text(encoding="utf-8").splitlines()
    line = next(i for i, text in enumerate(lines, 1) if "critical:" in text)
    lacking = [a for a in ASPECTS if a not in there]
    result = lint(folder)
    assert result.exit_code == 2
    (said,) = result.stdout.splitlines()
    assert said == (
        f"{folder}/shop.yaml:{line}:13: error: critical journey 'checkout' lacks "
        f"{' and '.join(lacking)}; expected availability, latency and correctness; "
        f"add '{lacking[0]}:', or write critical: false [journey-incomplete]"
    )
    (told,) = json.loads(lint(folder, "--json").stdout)
    assert (told["severity"], told["code"], told["line"]) == ("error", "journey-incomplete", line)


@pytest.mark.parametrize("there", SOME, ids="-".join)
@pytest.mark.parametrize("said", [{}, {"critical": False}], ids=["unsaid", "false"])
def test_a_journey_that_is_not_critical_may_lack_any(
    tmp_path: Path, there: tuple[str, ...], said: dict[str, object]
) -> None:
    result = lint(write(tmp_path, journey(there, **said)), "--strict")
    assert (result.exit_code, result.stdout) == (0, "")


def test_a_critical_journey_with_all_three_is_right(tmp_path: Path) -> None:
    result = lint(write(tmp_path, journey(ASPECTS, critical=True)), "--strict")
    assert (result.exit_code, result.stdout) == (0, "")


def test_the_short_form_makes_the_three_objectives(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, journey(ASPECTS, critical=True, window="30d")))
    assert loaded.specs is not None
    made: Mapping[str, SloDefinition] = loaded.specs.slos
    assert list(loaded.specs.journeys["checkout"].slos) == [f"checkout-{a}" for a in ASPECTS]
    assert {n: (s.target, s.aspect) for n, s in made.items()} == {
        "checkout-availability": (Decimal("0.999"), Aspect.AVAILABILITY),
        "checkout-latency": (Decimal("0.99"), Aspect.LATENCY),
        "checkout-correctness": (Decimal("0.9995"), Aspect.CORRECTNESS),
    }
    assert {(s.service, s.journey, str(s.window.duration)) for s in made.values()} == {
        ("shop", "checkout", "30d")
    }
    measured = {n: s.sli.measurement for n, s in made.items() if s.sli}
    assert measured == {
        "checkout-availability": CountsSli(
            PrometheusQuery('sum(rate(requests_total{route="/checkout"}[{{.window}}]))'),
            bad=PrometheusQuery(
                'sum(rate(requests_total{route="/checkout", code=~"5.."}[{{.window}}]))'
            ),
        ),
        "checkout-latency": HistogramSli('took_seconds{route="/c"}', 0.5),
        "checkout-correctness": CountsSli(
            PrometheusQuery("order_checks_total"),
            bad=PrometheusQuery('order_checks_total{result="invalid"}'),
        ),
    }


def test_the_three_of_a_real_log_equal_a_recount(tmp_path: Path) -> None:
    rng = random.Random(1)
    start = datetime(2026, 11, 2, 9, 0, tzinfo=UTC).timestamp()
    lines, truth = [], {"availability": 0, "latency": 0, "correctness": 0}
    for n in range(2000):
        status = rng.choices([200, 204, 302, 404, 500, 503], [80, 4, 6, 5, 3, 2])[0]
        millis = rng.randrange(1, 700)
        when = datetime.fromtimestamp(start + n, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
        lines.append(
            f'192.0.2.1 - - [{when}] "GET /checkout HTTP/1.1" {status} 5 {millis / 1000:.3f}'
        )
        truth["availability"] += status < 500
        truth["latency"] += millis <= 300
        truth["correctness"] += status in (200, 204)
    (tmp_path / "access.log").write_text("\n".join(lines) + "\n", encoding="utf-8")
    details = {"path": str(tmp_path / "access.log"), "format": FORMAT}
    log = {
        "apiVersion": "openslo/v1",
        "kind": "DataSource",
        "metadata": {"name": "log"},
        "spec": {"type": "accesslog", "connectionDetails": details},
    }
    asked = {"paths": ["/checkout"]}
    short = {
        "apiVersion": "watchkeeper/v1",
        "kind": "Journey",
        "metadata": {"name": "checkout"},
        "spec": {
            "service": "shop",
            "source": "log",
            "critical": True,
            "availability": {"target": "99%", "total": asked, "bad": {"status": ["5xx"]}},
            "latency": {"target": "90%", "total": asked, "threshold": "300ms"},
            "correctness": {"target": "95%", "total": asked, "good": {"status": ["200", "204"]}},
        },
    }
    folder = tmp_path / "slos"
    folder.mkdir()
    write(folder, log, short)
    ends = datetime.fromtimestamp(start + 2100, UTC).isoformat()
    result = CliRunner().invoke(
        cli, ["evaluate", str(folder), "--at", ends, "--json"], catch_exceptions=False
    )
    found = {s["name"].removeprefix("checkout-"): s for s in json.loads(result.stdout)}
    counted = {n: (s["events"]["good"], s["events"]["total"]) for n, s in found.items()}
    assert counted == {n: (good, 2000) for n, good in truth.items()}
    assert {s["journey"] for s in found.values()} == {"checkout"}


# ---------------------------------------------------------------- lint's exit status


def test_lint_exits_with_0_for_clean_specs_and_for_warnings_and_with_2_for_errors(
    tmp_path: Path,
) -> None:
    clean, warned, wrong = (tmp_path / name for name in ("clean", "warned", "wrong"))
    for folder in (clean, warned, wrong):
        folder.mkdir()
    write(clean, journey(ASPECTS))
    write(warned, journey(ASPECTS, window="90d"))  # longer than the source keeps its data
    write(wrong, journey(ASPECTS, widnow="28d"))
    options: tuple[list[str], ...] = ([], ["--strict"], ["--json"], ["--json", "--strict"])
    asked = {f.name: [lint(f, *o).exit_code for o in options] for f in (clean, warned, wrong)}
    assert asked == {"clean": [0, 0, 0, 0], "warned": [0, 2, 0, 2], "wrong": [2, 2, 2, 2]}
    assert " warning: " in lint(warned).stdout
    assert "did you mean 'window'?" in lint(wrong).stdout
    assert json.loads(lint(clean, "--json").stdout) == []


def test_lint_of_several_paths_exits_with_the_worst(tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.mkdir()
    bad.mkdir()
    write(good, journey(ASPECTS))
    (bad / "team.yaml").write_text("apiVersion: watchkeeper/v1\nkind: Tem\n", encoding="utf-8")
    both = CliRunner().invoke(cli, ["lint", str(good), str(bad)])
    assert both.exit_code == 2
    assert f"{bad}/team.yaml:2:7: error: " in both.stdout


def test_lint_of_what_is_not_there_is_wrong_input_that_says_so(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "watchkeeper.faces.cli.main",
        "lint",
        str(tmp_path / "nowhere"),
    ]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 2
    assert "There is no" in result.stderr
    assert "Traceback" not in result.stderr
