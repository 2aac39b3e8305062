"""What others script against: the API, `status` and `evaluate` say the same, in the same form."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.processes import wait_until
from tests.support.serving import ROOT, Serve, serving

FIELDS = {
    "name", "service", "journey", "target", "window", "attainment", "events", "budget", "burn_rate",
    "time_to_exhaustion_seconds", "state", "as_of",
}  # fmt: skip
SPECS = """
apiVersion: openslo/v1
kind: DataSource
metadata: {{name: log}}
spec:
  type: accesslog
  connectionDetails: {{path: "{log}", format: common}}
---
apiVersion: watchkeeper/v1
kind: Team
metadata: {{name: web}}
spec: {{}}
---
apiVersion: watchkeeper/v1
kind: Service
metadata: {{name: site}}
spec: {{owner: web}}
---
apiVersion: watchkeeper/v1
kind: Journey
metadata: {{name: pages}}
spec:
  service: site
  source: log
  window: 1d
  availability: {{target: {target}, total: {{}}, bad: {{status: [5xx]}}}}
---
apiVersion: watchkeeper/v1
kind: Journey
metadata: {{name: api}}
spec:
  service: site
  source: log
  window: 1d
  availability: {{target: 99%, groupBy: [method], total: {{}}, bad: {{status: [5xx]}}}}
---
apiVersion: watchkeeper/v1
kind: Journey
metadata: {{name: quiet}}
spec:
  service: site
  source: log
  window: 1d
  availability: {{target: 99%, total: {{paths: [/never]}}, bad: {{status: [5xx]}}}}
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Serve, Path]]:
    directory = tmp_path_factory.mktemp("contract")
    specs, log = directory / "specs", directory / "access.log"
    specs.mkdir()
    write_specs(specs, "99%")
    at = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(time.time() - 120))
    lines = [f'1.1.1.1 - - [{at}] "GET / HTTP/1.1" {503 if n < 3 else 200} 5\n' for n in range(400)]
    lines += [f'1.1.1.1 - - [{at}] "POST /x/y HTTP/1.1" 200 5\n'] * 100
    log.write_text("".join(lines))
    with serving(directory, specs, str(directory / "wk.db")) as server:
        wait_until(lambda: server.slo("pages-availability")["events"]["total"] == 500, 30, "read")
        yield server, specs


def write_specs(specs: Path, target: str) -> None:
    log = specs.parent / "access.log"
    (specs / "slos.yaml").write_text(SPECS.format(log=log, target=target))


def wk(*arguments: str, status: int = 0) -> str:
    command = [sys.executable, "-m", "watchkeeper.faces.cli.main", *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert answer.returncode == status, answer.stderr
    return answer.stdout


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Equal, but for what moves with time."""
    still = FIELDS - {"as_of", "burn_rate", "time_to_exhaustion_seconds", "events"}
    events = ("good", "bad", "total")  # each minute that passes is seen, too
    return {k: one[k] for k in still} == {k: other[k] for k in still} and all(
        one["events"][k] == other["events"][k] for k in events
    )


def test_the_api_gives_every_field_of_the_contract(house: tuple[Serve, Path]) -> None:
    slo = house[0].slo("pages-availability")
    assert set(slo) >= FIELDS
    assert slo["events"] == {
        "good": 497,
        "total": 500,
        "bad": 3,
        "seen_minutes": slo["events"]["seen_minutes"],
    }
    budget = slo["budget"]
    assert (budget["total"], budget["consumed"], budget["remaining"]) == (5, 3, 2)
    assert budget["remaining_ratio"] == 0.4
    assert slo["attainment"] == 497 / 500
    assert (slo["service"], slo["journey"], slo["team"]) == ("site", "pages", "web")
    assert (slo["target"], slo["window"], slo["state"]) == (0.99, "1d", "at_risk")
    assert slo["burn_rate"]["1h"] == pytest.approx(0.6)
    assert {"5m", "1h", "6h", "1d"} <= set(slo["burn_rate"])
    assert datetime.fromisoformat(slo["as_of"]).tzinfo is not None


def test_the_list_is_an_array_that_filters_and_pages(house: tuple[Serve, Path]) -> None:
    everything = house[0].get("/api/v1/slos")
    names = {slo["name"] for slo in everything}
    grouped = {"api-availability[method=GET]", "api-availability[method=POST]"}
    assert names == {"pages-availability", "quiet-availability"} | grouped
    assert [s["name"] for s in house[0].get("/api/v1/slos?state=at_risk")] == [
        "api-availability[method=GET]",
        "pages-availability",
    ]
    assert house[0].get("/api/v1/slos?limit=1&offset=1")[0] == everything[1]
    assert house[0].get("/api/v1/slos?q=POST")[0]["name"] == "api-availability[method=POST]"


def test_no_traffic_is_no_evidence_and_neither_good_nor_bad(house: tuple[Serve, Path]) -> None:
    quiet = house[0].slo("quiet-availability")
    assert quiet["state"] == "no_data"
    assert quiet["attainment"] is None
    assert quiet["budget"]["remaining_ratio"] is None
    assert quiet["burn_rate"]["1h"] is None


def test_a_group_is_found_under_its_own_name(house: tuple[Serve, Path]) -> None:
    assert house[0].slo("api-availability[method=GET]")["events"]["total"] == 400


def test_an_unknown_name_is_404_with_a_hint(house: tuple[Serve, Path]) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        house[0].get("/api/v1/slos/nothing")
    assert refused.value.code == 404
    assert "error" in json.loads(refused.value.read())


def test_status_and_evaluate_say_what_the_api_says(house: tuple[Serve, Path]) -> None:
    server, specs = house
    from_api = {slo["name"]: slo for slo in server.get("/api/v1/slos")}
    by_url = json.loads(wk("status", "--json", "--url", server.url))
    db = str(specs.parent / "wk.db")
    by_db = json.loads(wk("status", "--json", "--db", db, "--specs", str(specs)))
    once = json.loads(wk("evaluate", str(specs), "--json"))
    for told in (by_url, by_db, once):
        assert {slo["name"] for slo in told} == set(from_api)
        assert all(same(slo, from_api[slo["name"]]) for slo in told)
    one = json.loads(wk("status", "pages-availability", "--json", "--url", server.url))
    assert same(one, from_api["pages-availability"])


def test_a_gate_of_ci_is_told_by_the_exit_status(house: tuple[Serve, Path], tmp_path: Path) -> None:
    specs = house[1]
    one = ("evaluate", str(specs), "--slo", "pages-availability")
    wk(*one, "--fail-on", "depleted", status=0)
    wk(*one, "--fail-on", "at_risk", status=1)
    wk(*one[:-1], "nope", status=2)
    wk("evaluate", str(tmp_path), status=2)  # nothing to evaluate is no success
    gone = (specs / "slos.yaml").read_text().replace("access.log", "moved.log")
    (tmp_path / "slos.yaml").write_text(gone)
    wk("evaluate", str(tmp_path), status=2)


def test_the_table_for_people_says_state_in_words(house: tuple[Serve, Path]) -> None:
    text = wk("status", "--url", house[0].url)
    assert "◐ Watch" in text
    assert "40 % left" in text


def test_detail_adds_up_to_what_was_consumed(house: tuple[Serve, Path]) -> None:
    detail = house[0].get(f"/api/v1/slos/{quote('pages-availability', safe='')}/detail")
    assert sum(s["bad"] for s in detail["spends"]) + detail["elsewhere"] == 3
    assert sum(step["total"] for step in detail["per_hour"]) == 500
    assert detail["burn_down"][-1]["left"] == pytest.approx(0.4)


def test_a_correction_is_added_seen_and_taken_back(house: tuple[Serve, Path]) -> None:
    server = house[0]
    begin, end = time.time() - 600, time.time()
    times = ("--from", str(begin), "--to", str(end))
    wk("correct", "add", "pages-availability", *times, "--reason", "load test", "--url", server.url)
    assert server.slo("pages-availability")["state"] == "no_data"
    (row,) = json.loads(wk("correct", "list", "pages-availability", "--json", "--url", server.url))
    assert (row["reason"], row["author"]) == ("load test", "anonymous")
    wk("correct", "remove", "pages-availability", row["id"], "--url", server.url)
    assert server.slo("pages-availability")["events"]["total"] == 500


def test_a_changed_target_is_taken_over_live_and_a_broken_one_is_not(
    house: tuple[Serve, Path],
) -> None:
    server, specs = house
    write_specs(specs, "banana")
    wait_until(lambda: server.get("/api/v1/findings")["not_taken_over"], 20, "the problem shows")
    assert server.slo("pages-availability")["target"] == 0.99
    write_specs(specs, "98%")
    wait_until(lambda: server.slo("pages-availability")["target"] == 0.98, 20, "taken over")
    assert not server.get("/api/v1/findings")["not_taken_over"]


def test_metrics_are_in_the_exposition_format(house: tuple[Serve, Path]) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    with urllib.request.urlopen(house[0].url + "/metrics") as answer:
        families = {f.name: f for f in text_string_to_metric_families(answer.read().decode())}
    totals = {s.labels["slo"]: s.value for s in families["watchkeeper_slo_events"].samples}
    assert totals["pages-availability"] == 500
    assert families["watchkeeper_slo_burn_rate"].samples


def test_the_ledger_goes_out_and_in_again(house: tuple[Serve, Path], tmp_path: Path) -> None:
    db, out = str(house[1].parent / "wk.db"), tmp_path / "out.jsonl"
    wk("ledger", "export", "--db", db, "--out", str(out))
    other = str(tmp_path / "other.db")
    wk("ledger", "import", str(out), "--db", other)
    again = tmp_path / "again.jsonl"
    wk("ledger", "export", "--db", other, "--out", str(again))
    assert sorted(out.read_text().splitlines()) == sorted(again.read_text().splitlines())
    out.write_text('{"sli": "x", "minute": "never"}\n')
    wk("ledger", "import", str(out), "--db", other, status=2)
