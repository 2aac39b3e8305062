"""OpenTelemetry metrics: sums and histograms, delta and cumulative, restarts; nothing twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality

from watchkeeper.measure.model import Batch
from watchkeeper.measure.push.otlp import Refusals, decode
from watchkeeper.measure.push.work import record_points
from watchkeeper.spec.model import CountsSli, HistogramSli, PushStream, SliDefinition
from watchkeeper.store import Database

BILLION = 1_000_000_000
NOW = 1_800_000_000
BEGIN = NOW - 10_000
DELTA = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
COUNTS = SliDefinition(
    "counts",
    "push",
    CountsSli(PushStream("requests"), bad=PushStream("requests", {"code": "500"})),
)
FAST = SliDefinition("fast", "push", HistogramSli("duration", 0.3))


@dataclass
class Collector:
    """Receives exports as the server does, and adds up what is recorded."""

    db: Database
    sums: dict[str, list[float]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    def take(self, request: ExportMetricsServiceRequest, now: float = NOW) -> None:
        points, refusals = decode(request.SerializeToString(), False)
        with self.db.write() as conn:
            told = record_points(
                conn, points, (COUNTS, FAST), refusals, None, now, lambda c, batch: self._add(batch)
            )
        self._note(told)

    def _add(self, batch: Batch) -> None:
        for count in batch.counts:
            entry = self.sums.setdefault(count.sli, [0, 0])
            entry[0] += count.good
            entry[1] += count.total

    def _note(self, told: Refusals) -> None:
        self.refused += list(told.reasons)


@pytest.fixture
def collector() -> Iterator[Collector]:
    db = Database.open(":memory:")
    yield Collector(db)
    db.close()


def sums(
    values: Sequence[tuple[str, int]], temporality: int, at: int = NOW, start: int = BEGIN
) -> ExportMetricsServiceRequest:
    """One export of the counter `requests`, a point per code."""
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="requests")
    metric.sum.is_monotonic = True
    metric.sum.aggregation_temporality = temporality  # type: ignore[assignment]
    for code, value in values:
        point = metric.sum.data_points.add(
            as_int=value, time_unix_nano=at * BILLION, start_time_unix_nano=start * BILLION
        )
        point.attributes.add(key="code").value.string_value = code
    return request


def histogram(buckets: Sequence[int], bounds: Sequence[float]) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    scope = request.resource_metrics.add().scope_metrics.add()
    metric = scope.metrics.add(name="duration", unit="s")
    metric.histogram.aggregation_temporality = DELTA
    metric.histogram.data_points.add(
        count=sum(buckets),
        bucket_counts=buckets,
        explicit_bounds=bounds,
        time_unix_nano=NOW * BILLION,
        start_time_unix_nano=BEGIN * BILLION,
    )
    return request


def test_deltas_are_counted_as_they_come(collector: Collector) -> None:
    collector.take(sums([("200", 90), ("500", 10)], DELTA))
    collector.take(sums([("200", 5)], DELTA))
    assert collector.sums["counts"] == [95, 105]


def test_cumulative_sums_count_what_they_grew_by(collector: Collector) -> None:
    collector.take(sums([("200", 1000)], CUMULATIVE, NOW - 60), NOW - 60)
    before = collector.sums.get("counts", [0, 0])[1]
    collector.take(sums([("200", 1007)], CUMULATIVE))
    collector.take(sums([("200", 1007)], CUMULATIVE, NOW + 1))
    assert collector.sums["counts"][1] - before == 7


def test_a_restart_counts_from_nothing(collector: Collector) -> None:
    collector.take(sums([("200", 1000)], CUMULATIVE, NOW - 120), NOW - 120)
    before = collector.sums.get("counts", [0, 0])[1]
    collector.take(sums([("200", 4)], CUMULATIVE, NOW, start=NOW - 60))
    assert collector.sums["counts"][1] - before == 4


def test_a_histogram_counts_what_is_at_most_the_threshold(collector: Collector) -> None:
    collector.take(histogram([5, 3, 2], [0.1, 0.3]))
    assert collector.sums["fast"] == [8, 10]


def test_a_histogram_without_the_threshold_as_a_bound_is_refused_with_the_reason(
    collector: Collector,
) -> None:
    collector.take(histogram([5, 3, 2], [0.1, 0.5]))
    assert "fast" not in collector.sums
    assert collector.refused


def test_a_metric_that_nobody_measures_is_refused_with_its_name(collector: Collector) -> None:
    request = sums([("200", 1)], DELTA)
    request.resource_metrics[0].scope_metrics[0].metrics[0].name = "others"
    collector.take(request)
    assert any("others" in reason for reason in collector.refused)


@settings(max_examples=40, deadline=None)
@given(
    growth=st.lists(st.tuples(st.integers(0, 50), st.booleans()), min_size=1, max_size=12),
    sent=st.lists(st.booleans(), min_size=12, max_size=12),
)
def test_a_cumulative_series_counts_the_same_however_often_it_is_sent(
    growth: list[tuple[int, bool]], sent: list[bool]
) -> None:
    """All that grew since the first value that was sent, less what a restart hid."""
    db = Database.open(":memory:")
    collector = Collector(db)
    value, start, known, expected = 1000, BEGIN, False, 0
    last, last_start = 0, 0
    for i, (more, restart) in enumerate(growth):
        at = NOW - 1000 + i * 10
        if restart:
            value, start = 0, at - 5
        value += more
        if not sent[i]:
            continue
        collector.take(sums([("200", value)], CUMULATIVE, at, start), at)
        if known:
            expected += value if start != last_start else value - last
        else:
            baseline = collector.sums.get("counts", [0, 0])[1]
        known, last, last_start = True, value, start
    if known:
        assert collector.sums.get("counts", [0, 0])[1] - baseline == expected
    db.close()
