"""Native histograms of a real Prometheus: what is counted equals what was observed."""

from __future__ import annotations

import copy
import math
import random
import time
from pathlib import Path

from tests.acceptance.test_r03_prometheus_and_scrape_equal_a_recount import Ledger
from tests.support.prometheus import Prometheus
from tests.support.remote_write import NativeHistogram, write
from watchkeeper.measure.prometheus import PrometheusSource
from watchkeeper.spec.model import HistogramSli, Place, SliDefinition, SourceDefinition, SourceType

FLAGS = ("--enable-feature=native-histograms", "--web.enable-remote-write-receiver")
STEP = 15.0
SLIS = (
    SliDefinition("edge", "p", HistogramSli("lat", 0.25)),
    SliDefinition("within", "p", HistogramSli("lat", 0.26)),
    SliDefinition("by-zone", "p", HistogramSli("lat", 0.25), ("zone",)),
)


def observed(
    zone: str, begin: float, steps: int, restart: int
) -> tuple[list[tuple[float, NativeHistogram]], list[float]]:
    """What a service shows at each scrape, and every duration that came after its first one."""
    rng = random.Random(zone)
    shows, seen = [], []
    histogram = NativeHistogram()
    for i in range(steps):
        if i == restart:
            histogram = NativeHistogram()
        if i:
            values = [rng.lognormvariate(-1.5, 0.8) for _ in range(rng.randrange(1, 30))]
            seen += values
            for value in values:
                histogram.observe(value)
        shows.append((begin + STEP * i, copy.deepcopy(histogram)))
    return shows, seen


def test_good_and_total_of_a_native_histogram_equal_what_was_observed(tmp_path: Path) -> None:
    server = Prometheus(tmp_path / "prometheus", {}, flags=FLAGS)
    begin = math.floor(time.time() / 60) * 60 - 1800.0
    with server.running():
        everything: dict[str, list[float]] = {}
        for zone, restart in (("a", 30), ("b", 61)):
            shows, everything[zone] = observed(zone, begin, 100, restart)
            write(server.url, {"__name__": "lat", "zone": zone}, shows)
        settings = {"url": server.url, "settle": "1s"}
        definition = SourceDefinition("p", SourceType.PROMETHEUS, settings, Place("test.yaml"))
        ledger = Ledger()
        ledger.collect(PrometheusSource(definition, backfill_minutes=60), SLIS)

    values = [v for seen in everything.values() for v in seen]
    fast = sum(v <= 0.25 for v in values)
    assert (ledger.good["edge"], ledger.total["edge"]) == (fast, len(values))
    for zone, seen in everything.items():
        key = f"by-zone|{zone}"
        assert (ledger.good[key], ledger.total[key]) == (sum(v <= 0.25 for v in seen), len(seen))
    # 0.26 lies in the bucket from 0.25 to 0.25 × 2^(1/8): told, and no further off than that.
    most = sum(v <= 0.25 * 2 ** (1 / 8) for v in values)
    assert ledger.total["within"] == len(values)
    assert fast < ledger.good["within"] < most
    assert ledger.notes["estimated"] > 0
