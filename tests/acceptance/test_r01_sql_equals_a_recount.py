"""SQL, through the real command: events in a DuckDB file, counted event for event."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

ROOT = Path(__file__).parents[2]
SPECS = """
apiVersion: openslo/v1
kind: DataSource
metadata: {{name: warehouse}}
spec:
  type: sql
  connectionDetails: {{url: "duckdb:///{file}"}}
---
apiVersion: watchkeeper/v1
kind: Service
metadata: {{name: orders}}
spec: {{description: Takes orders.}}
---
apiVersion: watchkeeper/v1
kind: Journey
metadata: {{name: order}}
spec:
  service: orders
  source: warehouse
  window: 7d
  correctness:
    target: 99%
    total: |
      SELECT date_trunc('minute', placed) AS minute, count(*) FILTER (valid) AS good,
             count(*) AS total
      FROM orders WHERE placed >= :from AND placed < :to GROUP BY 1
"""


def test_a_duckdb_file_gives_the_same_counts_as_a_recount_of_its_rows(tmp_path: Path) -> None:
    rng = random.Random(3)
    now = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    rows = [
        (now - timedelta(seconds=rng.randrange(10 * 86400)), rng.random() < 0.97)
        for _ in range(4_000)
    ]
    file, specs = tmp_path / "orders.duckdb", tmp_path / "specs"
    with duckdb.connect(str(file)) as made:
        made.execute("CREATE TABLE orders (placed TIMESTAMP, valid BOOLEAN)")
        plain = [(at.replace(tzinfo=None), valid) for at, valid in rows]
        made.executemany("INSERT INTO orders VALUES (?, ?)", plain)
    specs.mkdir()
    (specs / "specs.yaml").write_text(SPECS.format(file=file))
    command = [sys.executable, "-m", "watchkeeper.faces.cli.main", "evaluate", str(specs), "--json"]
    answer = subprocess.run(
        [*command, "--at", "2026-11-20T12:00:00Z"], capture_output=True, text=True, cwd=ROOT
    )
    assert answer.returncode == 0, answer.stderr
    (slo,) = json.loads(answer.stdout)
    inside = [valid for at, valid in rows if now - timedelta(days=7) <= at < now]
    assert slo["events"]["total"] == len(inside) > 2_000
    assert slo["events"]["good"] == sum(inside)
    assert slo["attainment"] == sum(inside) / len(inside)
