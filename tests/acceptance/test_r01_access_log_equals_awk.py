"""Access logs, through the real command: availability and latency equal what awk counts."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.support.nginx import FORMAT, nginx

ROOT = Path(__file__).parents[2]
LOG = ROOT.parent / "shared/data/logs/apache_combined_10k.log"
SPECS = """
apiVersion: openslo/v1
kind: DataSource
metadata: {name: log}
spec:
  type: accesslog
  connectionDetails: {path: PATH, format: 'FORMAT'}
---
apiVersion: watchkeeper/v1
kind: Service
metadata: {name: site}
spec: {}
"""
PAGES = """
---
apiVersion: watchkeeper/v1
kind: Journey
metadata: {name: pages}
spec:
  service: site
  source: log
  window: 30d
  availability:
    target: 99%
    total: {}
    bad: {status: [5xx]}
---
apiVersion: watchkeeper/v1
kind: Journey
metadata: {name: blog}
spec:
  service: site
  source: log
  window: 30d
  availability:
    target: 99%
    total: {paths: ["/blog/**"], methods: [GET]}
    bad: {status: [4xx, 5xx]}
"""
SPEED = """
---
apiVersion: watchkeeper/v1
kind: Journey
metadata: {name: shop}
spec:
  service: site
  source: log
  window: 1d
  availability:
    target: 99%
    total: {}
    bad: {status: [5xx]}
  latency:
    target: 90%
    total: {}
    threshold: 50ms
"""


def awk(program: str, log: Path) -> int:
    answer = subprocess.run(
        ["awk", program, str(log)], check=True, capture_output=True, text=True
    ).stdout
    return int(answer or 0)


def evaluate(directory: Path, specs: str, *options: str) -> dict[str, dict[str, Any]]:
    directory.mkdir()
    (directory / "specs.yaml").write_text(specs)
    command = [sys.executable, "-m", "watchkeeper.faces.cli.main", "evaluate", str(directory)]
    answer = subprocess.run(
        [*command, "--json", *options], check=True, capture_output=True, text=True, cwd=ROOT
    )
    return {slo["name"]: slo for slo in json.loads(answer.stdout)}


def test_availability_of_a_real_log_equals_awk(tmp_path: Path) -> None:
    specs = SPECS.replace("PATH", str(LOG)).replace("FORMAT", "combined") + PAGES
    slos = evaluate(tmp_path / "specs", specs, "--at", "2015-05-21T00:00:00Z")
    events = slos["pages-availability"]["events"]
    assert events["total"] == awk("END {print NR}", LOG) == 10_000
    # The status follows the request, which ends at the second quote; nothing else is split.
    failed = awk(
        r'{split($0, q, "\""); split(q[3], s, " "); if (s[1] >= 500) n++} END {print n+0}', LOG
    )
    assert events["bad"] == failed
    assert slos["pages-availability"]["attainment"] == (10_000 - failed) / 10_000
    blog = r"""{split($0, q, "\""); split(q[2], r, " "); split(q[3], s, " ");
        path = r[2]; sub(/\?.*/, "", path);
        if (r[1] == "GET" && path ~ /^\/blog\//) {"""
    events = slos["blog-availability"]["events"]
    assert events["total"] == awk(blog + "n++}} END {print n+0}", LOG) > 0
    assert events["bad"] == awk(blog + "if (s[1] >= 400) n++}} END {print n+0}", LOG)


def test_latency_of_a_log_that_a_real_nginx_writes_equals_awk(tmp_path: Path) -> None:
    rng = random.Random(5)
    with nginx(tmp_path) as (url, log):
        for _ in range(120):
            code, wait = rng.choice([200, 200, 200, 404, 503]), rng.choice([0, 0, 0, 0.03, 0.08])
            try:
                urllib.request.urlopen(f"{url}/p?code={code}&seconds={wait}", timeout=10).close()
            except urllib.error.HTTPError as error:
                error.close()
        with log.open("a") as out:
            out.write("this line is not a request\n")
    specs = SPECS.replace("PATH", str(log)).replace("FORMAT", FORMAT) + SPEED
    slos = evaluate(tmp_path / "specs", specs)
    lines = awk("/HTTP/ {n++} END {print n}", log)
    availability, latency = slos["shop-availability"]["events"], slos["shop-latency"]["events"]
    assert availability["total"] == latency["total"] == lines > 120
    assert availability["bad"] == awk("/HTTP/ && $9 >= 500 {n++} END {print n+0}", log) > 0
    assert latency["good"] == awk("/HTTP/ && $NF <= 0.050 {n++} END {print n+0}", log)
    assert 0 < latency["bad"] < lines


def test_old_logs_are_imported_in_bulk(tmp_path: Path) -> None:
    specs, db = tmp_path / "specs", str(tmp_path / "wk.db")
    specs.mkdir()
    text = SPECS.replace("PATH", str(LOG)).replace("FORMAT", "combined") + PAGES
    (specs / "specs.yaml").write_text(text)
    command = [sys.executable, "-m", "watchkeeper.faces.cli.main", "ledger", "import-log"]
    options = ["--specs", str(specs), "--db", db]
    subprocess.run([*command, "log", str(LOG), *options], check=True, cwd=ROOT)
    export = [*command[:-1], "export", "pages-availability", "--db", db]
    lines = subprocess.run(export, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    assert sum(json.loads(line)["total"] for line in lines.splitlines()) == 10_000
    wrong = subprocess.run([*command, "lgo", str(LOG), *options], capture_output=True, cwd=ROOT)
    assert wrong.returncode == 2
