"""The Prometheus source against a brute-force count, however time is cut."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.fake_prometheus import FakePrometheus, Samples
from watchkeeper.measure.model import Batch, GroupKey
from watchkeeper.measure.prometheus import PrometheusSource
from watchkeeper.spec.model import (
    CountsSli,
    HistogramSli,
    Place,
    PrometheusQuery,
    SliDefinition,
    SourceDefinition,
    SourceType,
)

T0 = 1_700_000_040.0 - 1_700_000_040.0 % 60
END = T0 + 7200
Ledger = dict[tuple[str, GroupKey, int], tuple[float, float, int]]


def sli(key: str, total: str, bad: str, *by: str) -> SliDefinition:
    return SliDefinition(key, "p", CountsSli(PrometheusQuery(total), bad=PrometheusQuery(bad)), by)


SLIS = (
    sli("all", "sum(rate(req[{{.window}}]))", 'sum(rate(req{code="500"}[{{.window}}]))'),
    sli(
        "pod",
        "sum by (instance)(increase(req[5m]))",
        'sum by (instance)(increase(req{code="500"}[5m]))',
        "instance",
    ),
)


def source(api: FakePrometheus, minutes: int = 180) -> PrometheusSource:
    definition = SourceDefinition(
        "p", SourceType.PROMETHEUS, {"url": "http://fake", "settle": 0}, Place("t")
    )
    return PrometheusSource(definition, backfill_minutes=minutes, api=api)


def add(ledger: Ledger, batch: Batch) -> None:
    for c in batch.counts:
        good, total, seen = ledger.get((c.sli, c.group, c.minute), (0.0, 0.0, 0))
        ledger[c.sli, c.group, c.minute] = (good + c.good, total + c.total, max(seen, c.seen))


def collect(
    api: FakePrometheus,
    times: Sequence[float],
    slis: Sequence[SliDefinition] = SLIS,
    fresh: Sequence[bool] = (),
) -> tuple[Ledger, list[Batch]]:
    """Collect at these times; where ``fresh``, by a new process that has only the cursor."""
    ledger: Ledger = {}
    cursor: Any = None
    one = source(api)
    batches = []
    for index, now in enumerate(times):
        api.clock = now
        if index < len(fresh) and fresh[index]:
            one = source(api)
        more = True
        while more:
            batch = one.collect(slis, cursor, now)
            batches.append(batch)
            add(ledger, batch)
            cursor, more = json.loads(json.dumps(batch.cursor)), batch.more
    return ledger, batches


def counter(steps: Sequence[tuple[int, bool, bool]], start: float, first: float = 0.0) -> Samples:
    """Samples 15 s apart from (events, reset before them, scrape missed)."""
    value, samples = first, []
    for index, (events, reset, missed) in enumerate(steps):
        value = float(events) if reset else value + events
        if not missed or index == 0:
            samples.append((start + 15 * index, value))
    return samples


def truth(samples: Samples, first_counts: bool) -> dict[int, float]:
    minutes: dict[int, float] = defaultdict(float)
    last = 0.0 if first_counts else samples[0][1]
    for at, value in samples:
        minutes[int(at // 60)] += value - last if value >= last else value
        last = value
    return minutes


RARELY, SOMETIMES = (st.sampled_from([False] * n + [True]) for n in (9, 4))
STEPS = st.lists(st.tuples(st.integers(0, 9), RARELY, SOMETIMES), min_size=90, max_size=150)


@settings(deadline=None, max_examples=80)
@given(
    ok=STEPS,
    errors=STEPS,
    late=st.integers(1, 60),
    hole=st.tuples(st.integers(0, 80), st.integers(0, 60)),
    cuts=st.lists(st.tuples(st.floats(0, 2400), st.booleans()), max_size=6),
)
def test_any_partition_of_time_counts_what_brute_force_counts(
    ok: list[tuple[int, bool, bool]],
    errors: list[tuple[int, bool, bool]],
    late: int,
    hole: tuple[int, int],
    cuts: list[tuple[float, bool]],
) -> None:
    """Resets, missed scrapes, a long hole, a series that comes late, our own restarts anywhere."""
    gap = (T0 + 15 * hole[0], T0 + 15 * (hole[0] + hole[1]))
    good = _without(counter(ok, T0 + 5, first=5000.0), gap)
    bad = _without(counter(errors, T0 + 5 + 15 * late), gap)
    if not good or (bad and bad[0][0] <= good[0][0]):
        return
    api = FakePrometheus()
    api.add("req", good, code="200", job="j", instance="a")
    api.add("req", bad, code="500", job="j", instance="a")
    ordered = sorted(cuts)
    times = [*(T0 + at for at, _ in ordered), END]
    ledger, _ = collect(api, times, fresh=[f for _, f in ordered])
    ok_truth, bad_truth = truth(good, False), truth(bad, True) if bad else {}
    for minute in {*ok_truth, *bad_truth}:
        expected = (
            ok_truth.get(minute, 0.0),
            ok_truth.get(minute, 0.0) + bad_truth.get(minute, 0.0),
            1,
        )
        assert ledger["all", (), minute] == expected
        assert ledger["pod", (("instance", "a"),), minute] == expected
    assert {m for s, _, m in ledger if s == "all"} == {*ok_truth, *bad_truth}


def _without(samples: Samples, gap: tuple[float, float]) -> Samples:
    return [s for s in samples if not gap[0] <= s[0] < gap[1]]


def steady(start: float, end: float, per_scrape: float, first: float = 0.0) -> Samples:
    return [(start + 15 * i, first + per_scrape * i) for i in range(int((end - start) // 15))]


def total(ledger: Ledger, key: str = "all") -> tuple[float, float]:
    rows = [v for (s, _, _), v in ledger.items() if s == key]
    return sum(r[0] for r in rows), sum(r[1] for r in rows)


def test_a_series_that_comes_back_after_an_hour_is_not_counted_in_full() -> None:
    api = FakePrometheus()
    samples = steady(T0, END, 1, 700.0)
    api.add("req", _without(samples, (T0 + 1200, T0 + 5400)), code="200", job="j", instance="a")
    ledger, _ = collect(api, [T0 + 3000, END], fresh=[False, True])
    assert total(ledger) == (479, 479)


def test_the_first_errors_of_twenty_new_pods_count() -> None:
    api = FakePrometheus()
    api.add("req", steady(T0, END, 1, 900.0), code="200", job="j", instance="old")
    for pod in range(20):
        api.add(
            "req", [(T0 + 3600, 5.0), (T0 + 3615, 5.0)], code="500", job="j", instance=f"p{pod}"
        )
    ledger, _ = collect(api, [END])
    good, all_of_them = total(ledger)
    assert all_of_them - good == 100


def test_the_counters_of_a_long_running_service_are_a_baseline_at_the_beginning() -> None:
    api = FakePrometheus()
    api.add("req", steady(T0, END, 1, 5_000_000.0), code="200", job="j", instance="a")
    api.add("req", steady(T0 + 7, END, 1, 5_000_000.0), code="200", job="j", instance="b")
    ledger, batches = collect(api, [END])
    assert total(ledger)[1] == 479 + 478
    assert sum(n.count for b in batches for n in b.notes if n.kind == "baseline") == 2


def test_a_lazily_made_series_counts_when_its_target_was_up_before() -> None:
    api = FakePrometheus()
    api.add("up", [(t, 1.0) for t, _ in steady(T0, END, 1)], job="j", instance="a")
    api.add("req", steady(T0 + 3600, END, 1, 7.0), code="200", job="j", instance="a")
    ledger, _ = collect(api, [END])
    assert total(ledger)[1] == 7 + 239


def test_an_old_service_that_is_newly_scraped_is_a_baseline() -> None:
    api = FakePrometheus()
    api.add("req", steady(T0 + 600, END, 1), code="200", job="j", instance="a")
    new = steady(T0 + 3600, END, 1, 1_000_000.0)
    api.add("req", new, code="200", job="j", instance="old")
    api.add("process_start_time_seconds", [(t, T0 - 9e6) for t, _ in new], job="j", instance="old")
    ledger, _ = collect(api, [END])
    assert total(ledger, "pod")[1] < 2000


def test_a_failed_query_counts_nothing_and_keeps_the_cursor() -> None:
    api = FakePrometheus()
    api.add("req", steady(T0, END, 1), code="200", job="j", instance="a")
    one = source(api)
    api.clock = T0 + 600
    first = one.collect(SLIS, None, T0 + 600)
    while first.more:
        first = one.collect(SLIS, first.cursor, T0 + 600)
    api.down = True
    missed = one.collect(SLIS, first.cursor, T0 + 700)
    assert missed.cursor == first.cursor
    assert not missed.counts
    assert [n.kind for n in missed.notes] == ["error"]


def test_a_new_sli_is_filled_back_while_the_old_ones_go_on() -> None:
    api = FakePrometheus()
    api.add("req", steady(T0, END, 1, 50.0), code="200", job="j", instance="a")
    api.clock = T0 + 3600
    one = source(api)
    ledger: Ledger = {}
    cursor: Any = None
    for slis, now in ((SLIS[:1], T0 + 3600), (SLIS, T0 + 3660), (SLIS[1:], T0 + 4000), (SLIS, END)):
        api.clock, more = now, True
        while more:
            batch = one.collect(slis, cursor, now)
            add(ledger, batch)
            cursor, more = batch.cursor, batch.more
    assert total(ledger, "all") == total(ledger, "pod") == (479, 479)


def test_thousands_of_slis_of_one_metric_are_one_query_a_tick() -> None:
    api = FakePrometheus()
    many = [
        sli(
            f"s{i}",
            f'sum(rate(req{{svc="s{i}"}}[5m]))',
            f'sum(rate(req{{svc="s{i}",code="500"}}[5m]))',
        )
        for i in range(2000)
    ]
    for i in range(0, 2000, 500):
        api.add("req", steady(T0, END, 1), code="500", job="j", instance="a", svc=f"s{i}")
    ledger, _ = collect(api, [T0 + 600], many)
    assert total(ledger, "s500")[1] == 40
    assert total(ledger, "s501") == (0, 0)
    fetches = [q for q in api.asked if q.endswith("ms]")]
    assert len({q.partition("[")[0] for q in fetches}) == 1


def test_a_bucket_is_found_by_its_number_and_a_missing_one_is_said() -> None:
    api = FakePrometheus()
    for le, share in (("0.10", 1), ("0.30", 2), ("1", 3), ("+Inf", 4)):
        api.add("lat_bucket", steady(T0, END, share), le=le, job="j", instance="a")
    api.add("lat_count", steady(T0, END, 4), job="j", instance="a")
    slis = (
        SliDefinition("fast", "p", HistogramSli("lat", 0.3)),
        SliDefinition("second", "p", HistogramSli("lat", 1.0)),
        SliDefinition("odd", "p", HistogramSli("lat", 0.25)),
    )
    ledger, batches = collect(api, [END], slis)
    assert total(ledger, "fast") == (958, 1916)
    assert total(ledger, "second") == (1437, 1916)
    assert total(ledger, "odd") == (0, 0)
    notes = {n.sli: n.message for b in batches for n in b.notes if n.kind == "error"}
    assert list(notes) == ["odd"]
    assert "0.10, 0.30, 1, +Inf" in notes["odd"]


def native(fast: int, slow: int) -> dict[str, Any]:
    buckets = [[0, "0.125", "0.25", str(fast)], [0, "0.5", "1", str(slow)]]
    return {"count": str(fast + slow), "sum": "1", "buckets": buckets}


def test_a_native_histogram_is_found_out_and_its_resets_are_told_by_its_count() -> None:
    api = FakePrometheus()
    shown = [native(0, 100), native(10, 110), native(3, 1), native(4, 1)]
    api.add("lat", [(T0 + 60 * i, h) for i, h in enumerate(shown)], job="j", instance="a")
    slis = (
        SliDefinition("edge", "p", HistogramSli("lat", 0.25)),
        SliDefinition("within", "p", HistogramSli("lat", 0.75)),
    )
    ledger, batches = collect(api, [T0 + 90, END], slis, fresh=[False, True])
    assert total(ledger, "edge") == (14, 25)
    assert total(ledger, "within") == (14 + 5 + 0.5, 25)
    assert "estimated" in [n.kind for b in batches for n in b.notes]
