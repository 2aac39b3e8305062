"""A backtest straight from a real Prometheus says what one of the same counts in a file says."""

from __future__ import annotations

import json
import time
from pathlib import Path

from click.testing import CliRunner

from tests.support.prometheus import Prometheus, load_openmetrics
from watchkeeper.faces.cli.backtest import backtest
from watchkeeper.kernel.clock import iso

MINUTES = 360
SPECS = """\
apiVersion: openslo/v1
kind: DataSource
metadata: {{name: prom}}
spec: {{type: prometheus, connectionDetails: {{url: "{url}"}}}}
---
apiVersion: watchkeeper/v1
kind: Service
metadata: {{name: shop}}
spec: {{}}
---
apiVersion: watchkeeper/v1
kind: Journey
metadata: {{name: checkout}}
spec:
  service: shop
  source: prom
  window: 7d
  availability:
    target: 99.9%
    total: http_requests_total
    bad: http_requests_total{{code="500"}}
"""


def bad_in(minute: int) -> int:
    return 40 if 200 <= minute < 215 else 0


def exposition(first: int) -> str:
    """100 requests a minute, counted half a minute into it; the first sample is history."""
    lines = {"200": [], "500": []}  # type: dict[str, list[str]]
    sums = {"200": 0, "500": 0}
    for minute in range(MINUTES):
        for code, amount in (("200", 100 - bad_in(minute)), ("500", bad_in(minute))):
            sums[code] += amount
            at = first + minute * 60 + 30
            lines[code].append(f'http_requests_total{{code="{code}"}} {sums[code]} {at}\n')
    rows = "".join(lines["200"] + lines["500"])
    return f"# TYPE http_requests_total unknown\n{rows}# EOF\n"


def test_prometheus_and_a_file_of_the_same_minutes_give_the_same_alarms(tmp_path: Path) -> None:
    first = (int(time.time()) - (MINUTES + 120) * 60) // 60 * 60
    server = Prometheus(tmp_path / "prometheus", {}, flags=("--storage.tsdb.retention.time=10d",))
    load_openmetrics(exposition(first), server.directory)
    span = ("--from", iso(first), "--to", iso(first + MINUTES * 60))
    (tmp_path / "slos").mkdir()
    (tmp_path / "slos" / "shop.yaml").write_text(SPECS.format(url=server.url), encoding="utf-8")
    rows = [f"{first + m * 60},{bad_in(m)},100" for m in range(1, MINUTES)]
    (tmp_path / "counts.csv").write_text("time,bad,total\n" + "\n".join(rows), encoding="utf-8")
    there = ("checkout-availability", "--specs", str(tmp_path / "slos"), "--json", *span)
    with server.running():
        measured = CliRunner().invoke(backtest, [*there, "--measure"])
    assert measured.exit_code == 0, measured.output + repr(measured.exception)
    filed = CliRunner().invoke(backtest, [*there, "--csv", str(tmp_path / "counts.csv")])
    ours, theirs = json.loads(measured.stdout), json.loads(filed.stdout)
    alerts = {p["policy"]: p["alerts"] for p in ours["policies"]}
    assert alerts == {p["policy"]: p["alerts"] for p in theirs["policies"]}
    assert [a["opened"] for a in alerts["burn"] if a["urgency"] == "page"] == [
        iso(first + 203 * 60)  # three bad minutes: 120 of 6,000 is a burn of 20
    ]


def test_a_prometheus_that_does_not_answer_is_said_to_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "slos").mkdir()
    text = SPECS.format(url="http://127.0.0.1:1")
    (tmp_path / "slos" / "shop.yaml").write_text(text, encoding="utf-8")
    words = ["checkout-availability", "--specs", str(tmp_path / "slos"), "--measure"]
    result = CliRunner().invoke(backtest, words)
    assert getattr(result.exception, "exit_status", None) == 2
    assert "prom cannot be read" in str(result.exception)
