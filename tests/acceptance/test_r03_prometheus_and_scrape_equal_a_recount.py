"""Counts from a real Prometheus and from scraping equal the service's own log, through restarts."""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.processes import answers, free_port, running, wait_until
from tests.support.prometheus import Prometheus
from tests.support.shop_service import Recount, recount
from watchkeeper.measure.model import Source
from watchkeeper.measure.prometheus import PrometheusSource
from watchkeeper.measure.scrape import ScrapeSource
from watchkeeper.spec.model import (
    CountsSli,
    HistogramSli,
    Place,
    PrometheusQuery,
    ScrapeQuery,
    SliDefinition,
    SourceDefinition,
    SourceType,
)

ROOT = Path(__file__).parents[2]
PLACE = Place("test.yaml")
BAD = 'shop_requests_total{code=~"5.."}'


def _rate(selector: str) -> PrometheusQuery:
    return PrometheusQuery(f"sum(rate({selector}[{{{{.window}}}}]))")


PROMETHEUS_SLIS = (
    SliDefinition("bad", "p", CountsSli(_rate("shop_requests_total"), bad=_rate(BAD))),
    SliDefinition("latency", "p", HistogramSli("shop_duration_seconds", 0.3)),
    SliDefinition("code", "p", CountsSli(_rate("shop_requests_total"), good=_rate(BAD)), ("code",)),
)
SCRAPE_SLIS = (
    SliDefinition("bad", "s", CountsSli(ScrapeQuery("shop_requests_total"), bad=ScrapeQuery(BAD))),
    SliDefinition("latency", "s", HistogramSli("shop_duration_seconds", 0.3)),
)


@dataclass
class Ledger:
    """What an engine would keep: sums and the cursor, saved together."""

    good: Counter[str] = field(default_factory=Counter)
    total: Counter[str] = field(default_factory=Counter)
    cursor: Mapping[str, Any] | None = None
    notes: Counter[str] = field(default_factory=Counter)

    def collect(self, source: Source, slis: tuple[SliDefinition, ...]) -> None:
        more = True
        while more:
            batch = source.collect(slis, self.cursor, time.time())
            for count in batch.counts:
                key = count.sli + "".join(f"|{v}" for _, v in count.group)
                self.good[key] += count.good  # type: ignore[assignment]
                self.total[key] += count.total  # type: ignore[assignment]
            for note in batch.notes:
                self.notes[note.kind] += note.count
            self.cursor = json.loads(json.dumps(batch.cursor))
            more = batch.more


class Shop:
    """The service under test, which can be killed and started again."""

    def __init__(self, directory: Path) -> None:
        self.port, self.log, self._out = free_port(), directory / "shop.log", directory / "out"

    @contextmanager
    def running(self) -> Iterator[None]:
        command = [sys.executable, "-m", "tests.support.shop_service"]
        command += ["--port", str(self.port), "--log", str(self.log)]
        with running(command, self._out, cwd=ROOT):
            wait_until(
                lambda: answers(f"http://127.0.0.1:{self.port}/buy"), what="the shop answers"
            )
            yield

    def traffic(self, seconds: float, codes: str = "200 200 200 503") -> None:
        until = time.monotonic() + seconds
        turn = 0
        while time.monotonic() < until:
            code = codes.split()[turn % len(codes.split())]
            took = (0.05, 0.2, 0.3, 0.7)[turn % 4]
            url = f"http://127.0.0.1:{self.port}/buy?code={code}&seconds={took}"
            urllib.request.urlopen(url, timeout=5).read()
            turn += 1
            time.sleep(0.004)


def _prometheus_source(url: str) -> PrometheusSource:
    settings = {"url": url, "settle": "1s"}
    return PrometheusSource(
        SourceDefinition("p", SourceType.PROMETHEUS, settings, PLACE), backfill_minutes=60
    )


def _scrape_source(port: int) -> ScrapeSource:
    settings = {"url": f"http://127.0.0.1:{port}/metrics", "interval": "1s"}
    return ScrapeSource(SourceDefinition("s", SourceType.SCRAPE, settings, PLACE))


def _wait_for_a_scrape(log: Path, scraper: str) -> None:
    before = recount_scrapes(log, scraper)
    # Two more: the first may have been under way already, the second proves that it was stored.
    wait_until(lambda: recount_scrapes(log, scraper) >= before + 2, what=f"{scraper} read the shop")


def recount_scrapes(log: Path, scraper: str) -> int:
    return sum(
        1 for line in log.read_text().splitlines() if line.lower().startswith(f"scrape {scraper}")
    )


def _check(ledger: Ledger, truth: Recount) -> None:
    # What no sample shows is at most what comes between two samples, once for each process.
    assert max(truth.lost) <= 1.5 * max(truth.between)
    assert ledger.total["bad"] == len(truth.visible)
    assert ledger.total["bad"] - ledger.good["bad"] == truth.count("5")
    assert ledger.total["latency"] == len(truth.visible)
    assert ledger.good["latency"] == truth.count(at_most=0.3)


def test_prometheus_counts_equal_the_log_through_restarts_and_gaps(tmp_path: Path) -> None:
    """Two restarts, one after a gap of Prometheus; our own restarts in between."""
    shop = Shop(tmp_path)
    server = Prometheus(tmp_path / "prometheus", {"shop": [f"127.0.0.1:{shop.port}"]})
    ledger = Ledger()
    with server.running():
        with shop.running():
            shop.traffic(3, codes="200")
            ledger.collect(_prometheus_source(server.url), PROMETHEUS_SLIS)
            shop.traffic(3)  # the first errors make a new series
        source = _prometheus_source(server.url)
        ledger.collect(source, PROMETHEUS_SLIS)
        time.sleep(1.5)  # the shop is down
        with shop.running():
            shop.traffic(3)
            _wait_for_a_scrape(shop.log, "prometheus")
            ledger.collect(source, PROMETHEUS_SLIS)
    with shop.running():
        pass  # a process that nobody scrapes
    with shop.running():
        shop.traffic(1.5)
        missed = source.collect(PROMETHEUS_SLIS, ledger.cursor, time.time())
        assert missed.cursor == ledger.cursor
        assert [n.kind for n in missed.notes] == ["error"]
        with server.running():
            _wait_for_a_scrape(shop.log, "prometheus")
            ledger.collect(_prometheus_source(server.url), PROMETHEUS_SLIS)
            shop.traffic(2)
            _wait_for_a_scrape(shop.log, "prometheus")
            time.sleep(1.2)  # until the last sample is older than `settle`
            ledger.collect(source, PROMETHEUS_SLIS)
    truth = recount(shop.log, "prometheus")
    _check(ledger, truth)
    assert truth.starts == 4
    assert 0 < len(truth.unseen) < len(truth.visible)
    assert ledger.total["code|503"] == truth.count("5") > 0
    assert ledger.total["code|200"] == truth.count("2") > 0
    assert ledger.notes["reset"] > 0


def test_scrape_counts_equal_the_log_through_restarts_and_gaps(tmp_path: Path) -> None:
    """Our own scraper reads; it is restarted too, and the cursor is all that it remembers."""
    shop = Shop(tmp_path)
    ledger = Ledger()
    source = _scrape_source(shop.port)
    with ExitStack() as first:
        first.enter_context(shop.running())
        ledger.collect(source, SCRAPE_SLIS)
        shop.traffic(1.5, codes="200")
        ledger.collect(source, SCRAPE_SLIS)
        shop.traffic(1.5)
        ledger.collect(_scrape_source(shop.port), SCRAPE_SLIS)
        shop.traffic(0.5)  # after the last reading: no reading can show these
    missed = source.collect(SCRAPE_SLIS, ledger.cursor, time.time() + 5)
    assert missed.cursor == ledger.cursor
    assert [n.kind for n in missed.notes] == ["error"]
    with shop.running():
        shop.traffic(2)  # soon more requests than before the restart: no counter needs to fall
        ledger.collect(source, SCRAPE_SLIS)
        shop.traffic(1.2)
        ledger.collect(source, SCRAPE_SLIS)
    truth = recount(shop.log, "python-httpx")
    _check(ledger, truth)
    assert truth.starts == 2
    assert 0 < len(truth.unseen) < len(truth.visible)
    assert ledger.notes["reset"] == 1
