"""kill -9 of `serve`, twenty times at random moments under load: no event lost, none twice."""

from __future__ import annotations

import random
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from tests.support.processes import answers, free_port, running, wait_until
from tests.support.serving import ROOT, Serve

SPECS = """
apiVersion: openslo/v1
kind: DataSource
metadata: {{name: metrics}}
spec:
  type: scrape
  connectionDetails: {{url: "http://127.0.0.1:{port}/metrics", interval: 1s}}
---
apiVersion: openslo/v1
kind: DataSource
metadata: {{name: log}}
spec:
  type: accesslog
  connectionDetails: {{path: "{log}", format: common}}
---
apiVersion: openslo/v1
kind: Service
metadata: {{name: shop}}
spec: {{}}
---
apiVersion: openslo/v1
kind: SLO
metadata: {{name: scraped}}
spec:
  service: shop
  budgetingMethod: Occurrences
  timeWindow: [{{duration: 30d, isRolling: true}}]
  objectives: [{{target: 0.9}}]
  indicator:
    metadata: {{name: scraped}}
    spec:
      ratioMetric:
        counter: true
        bad:
          metricSource:
            metricSourceRef: metrics
            type: scrape
            spec: {{selector: 'shop_requests_total{{code=~"5.."}}'}}
        total:
          metricSource:
            metricSourceRef: metrics
            type: scrape
            spec: {{selector: shop_requests_total}}
---
apiVersion: openslo/v1
kind: SLO
metadata: {{name: logged}}
spec:
  service: shop
  budgetingMethod: Occurrences
  timeWindow: [{{duration: 30d, isRolling: true}}]
  objectives: [{{target: 0.9}}]
  indicator:
    metadata: {{name: logged}}
    spec:
      ratioMetric:
        counter: true
        bad:
          metricSource: {{metricSourceRef: log, type: accesslog, spec: {{status: [5xx]}}}}
        total:
          metricSource: {{metricSourceRef: log, type: accesslog, spec: {{}}}}
"""
KILLS = 20


class Load:
    """Requests to the service and lines in the access log, counted as they are made."""

    def __init__(self, port: int, log: Path, seed: int) -> None:
        self.port, self.log, self.random = port, log, random.Random(seed)
        self.requests = self.request_errors = self.lines = self.line_errors = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with self.log.open("a") as out:
            while not self._stop.is_set():
                code = self.random.choice([200, 200, 200, 503])
                url = f"http://127.0.0.1:{self.port}/buy?code={code}"
                urllib.request.urlopen(url, timeout=10).read()
                self.requests += 1
                self.request_errors += code >= 500
                for _ in range(self.random.randrange(5)):
                    self._line(out)
                self._stop.wait(0.005)

    def _line(self, out: object) -> None:
        code = self.random.choice([200, 404, 500])
        at = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
        out.write(f'127.0.0.1 - - [{at}] "GET /x HTTP/1.1" {code} 12\n')  # type: ignore[attr-defined]
        out.flush()  # type: ignore[attr-defined]
        self.lines += 1
        self.line_errors += code >= 500


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_twenty_kills_at_random_moments_lose_no_event_and_count_none_twice(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    moments = random.Random(seed)
    port, log = free_port(), tmp_path / "access.log"
    log.touch()
    specs = tmp_path / "specs"
    specs.mkdir()
    (specs / "slos.yaml").write_text(SPECS.format(port=port, log=log))
    db = str(tmp_path / "wk.db")
    if kind == "postgresql":
        db = request.getfixturevalue("postgres_url")
    shop = [sys.executable, "-m", "tests.support.shop_service", "--port", str(port)]
    with running([*shop, "--log", str(tmp_path / "shop.log")], tmp_path / "shop.out", cwd=ROOT):
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/metrics"), 20, "the shop answers")
        server, load = Serve(tmp_path, specs, db), Load(port, log, seed)
        try:
            server.start()
            load.start()
            for _ in range(KILLS):
                time.sleep(moments.uniform(0.0, 1.5))  # the moment of the kill is the test's input
                server.kill()
                server.start(wait=moments.random() < 0.7)
            load.stop()
            wait_until(lambda: answers(server.url + "/readyz"), 60, server.tail())
            _equal(server, load)
        finally:
            load._stop.set()
            server.stop()


def _equal(server: Serve, load: Load) -> None:
    def caught_up() -> object:
        seen = [server.slo(name)["events"]["total"] for name in ("scraped", "logged")]
        return seen[0] >= load.requests and seen[1] >= load.lines

    wait_until(caught_up, 30, "the ledger has caught up")
    scraped, logged = server.slo("scraped")["events"], server.slo("logged")["events"]
    assert (scraped["total"], scraped["bad"]) == (load.requests, load.request_errors)
    assert (logged["total"], logged["bad"]) == (load.lines, load.line_errors)
