"""Exposition pages: what is read from them, and what counts."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.kernel.errors import WatchkeeperError
from watchkeeper.measure.http import FetchError
from watchkeeper.measure.model import Batch
from watchkeeper.measure.scrape import ScrapeSource
from watchkeeper.measure.scrape.exposition import Exposition, parse
from watchkeeper.spec.model import (
    CountsSli,
    HistogramSli,
    Place,
    ScrapeQuery,
    SliDefinition,
    SourceDefinition,
    SourceType,
    ThresholdSli,
)

T0 = 1_700_000_040.0
SLI = SliDefinition(
    "a", "s", CountsSli(ScrapeQuery("r_total"), bad=ScrapeQuery('r_total{code="500"}'))
)


def everything(_: str) -> bool:
    return True


class Pages(ScrapeSource):
    """A scrape source whose pages are handed in."""

    def __init__(self, *urls: str, interval: str = "15s") -> None:
        settings = {"urls": list(urls) or ["http://one:1/metrics"], "interval": interval}
        super().__init__(SourceDefinition("s", SourceType.SCRAPE, settings, Place("t")))
        self.pages: dict[str, str | None] = {}

    def _read(self, url: str) -> Exposition | WatchkeeperError:
        page = self.pages[url] if url in self.pages else self.pages.get("")
        return FetchError("down") if page is None else parse(page, everything)


def page(ok: float, bad: float | None = None, start: float | None = None) -> str:
    lines = [f'r_total{{code="200"}} {ok}']
    lines += [f'r_total{{code="500"}} {bad}'] if bad is not None else []
    lines += [f"process_start_time_seconds {start}"] if start is not None else []
    return "\n".join(lines) + "\n"


class Run:
    """Collects page after page; the cursor goes through JSON as in the store."""

    def __init__(self, source: Pages) -> None:
        self.source, self.at = source, T0
        self.cursor: Any = None
        self.sums: Counter[str] = Counter()
        self.notes: Counter[str] = Counter()

    def read(self, text: str | None, *slis: SliDefinition, **urls: str | None) -> Batch:
        self.source.pages = {"": text, **{f"http://{k}:1/metrics": v for k, v in urls.items()}}
        batch = self.source.collect(slis or (SLI,), self.cursor, self.at)
        self.cursor = json.loads(json.dumps(batch.cursor))
        for c in batch.counts:
            self.sums[f"{c.sli}.total"] += c.total  # type: ignore[assignment]
            self.sums[f"{c.sli}.bad"] += c.total - c.good  # type: ignore[assignment]
        for n in batch.notes:
            self.notes[n.kind] += n.count
        self.at += 15
        return batch


def test_both_formats_are_read_with_escapes_exemplars_and_timestamps() -> None:
    text = (
        "# HELP a_total Help\n# TYPE a_total counter\n"
        'a_total{path="/x\\"y\\\\z\\n",le="+Inf",} 1.5e3 1700000000000\n'
        'a_total{ code = "200" , m="G}T" } 7 # {trace_id="x"} 1 2\n'
        "plain 3\nspecial NaN\nmore +Inf\n# EOF\n"
    )
    found = parse(text, everything)
    assert found.unparsable == 0
    assert found.samples[0] == ({"__name__": "a_total", "path": '/x"y\\z\n', "le": "+Inf"}, 1500.0)
    assert found.samples[1] == ({"__name__": "a_total", "code": "200", "m": "G}T"}, 7.0)
    assert found.samples[2] == ({"__name__": "plain"}, 3.0)
    assert len(found.samples) == 5


@pytest.mark.parametrize("line", ['a{b="c} 1', 'a{b="c"}', "a x", "a{b=c} 1", "{} 1", "a.b 1"])
def test_a_line_that_cannot_be_read_is_counted_and_the_rest_is_read(line: str) -> None:
    found = parse(f"ok 1\n{line}\nfine 2\n", everything)
    assert (len(found.samples), found.unparsable, found.first_unparsable) == (2, 1, line)


@settings(deadline=None, max_examples=100)
@given(
    st.dictionaries(st.from_regex(r"[a-z]{1,4}", fullmatch=True), st.text(max_size=8), max_size=4)
)
def test_any_label_value_survives_being_written_and_read(labels: dict[str, str]) -> None:
    def escaped(v: str) -> str:
        return v.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')

    text = "m{" + ",".join(f'{k}="{escaped(v)}"' for k, v in labels.items()) + "} 1\n"
    assert parse(text, everything).samples == [({"__name__": "m", **labels}, 1.0)]


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), min_size=1, max_size=20))
def test_readings_with_restarts_count_what_brute_force_counts(
    steps: list[tuple[int, bool]],
) -> None:
    """With process_start_time_seconds even a counter that did not fall is known to be reset."""
    run, value, started, expected = Run(Pages()), 1000, 1.0, 0
    run.read(page(value, 0, started))
    for events, restart in steps:
        if restart:
            started, value = run.at - 400, events
        else:
            value += events
        expected += events
        run.read(page(value, 0, started))
    assert run.sums["a.total"] == expected
    assert run.notes["reset"] == sum(r for _, r in steps)


def test_the_first_errors_of_a_known_target_count() -> None:
    run = Run(Pages())
    run.read(page(1_000_000))
    run.read(page(1_000_010, 3))
    assert run.sums == {"a.total": 13, "a.bad": 3}
    assert run.notes["baseline"] == 1


def test_a_young_process_counts_from_its_start() -> None:
    run = Run(Pages())
    run.read(page(20, 4, start=T0 - 30))
    assert run.sums == {"a.total": 24, "a.bad": 4}


def test_a_new_sli_takes_an_old_counter_as_its_baseline() -> None:
    other = SliDefinition("b", "s", CountsSli(ScrapeQuery("q_total"), bad=ScrapeQuery("r_total")))
    run = Run(Pages())
    run.read(page(5) + "q_total 900\n")
    run.read(page(6) + "q_total 901\n", SLI, other)
    run.read(page(7) + "q_total 903\n", SLI, other)
    assert run.sums["b.total"] == 2
    assert run.sums["a.total"] == 2


def test_a_series_that_is_missing_once_is_not_counted_in_full_when_it_returns() -> None:
    run = Run(Pages())
    for text in (page(10, 400), page(11), page(12, 402)):
        run.read(text)
    assert run.sums == {"a.total": 4, "a.bad": 2}


def test_a_target_that_is_down_keeps_its_state_while_others_go_on() -> None:
    run = Run(Pages("http://one:1/metrics", "http://two:1/metrics"))
    run.read(None, one=page(10), two=page(100))
    run.read(None, one=page(11), two=None)
    run.read(None, one=page(12), two=page(103))
    assert run.sums["a.total"] == 5
    assert run.notes["error"] == 1


def test_before_the_interval_is_over_nothing_is_read() -> None:
    run = Run(Pages())
    first = run.read(page(1))
    run.at -= 10
    again = run.read(page(5))
    assert again.cursor == first.cursor
    assert not again.counts


def test_a_classic_histogram_is_latency() -> None:
    fast = SliDefinition("l", "s", HistogramSli("d", 0.3))
    run = Run(Pages())
    for n in (0, 10):
        run.read(f'd_bucket{{le="0.30"}} {n}\nd_bucket{{le="1"}} {2 * n}\nd_count {4 * n}\n', fast)
    assert run.sums == {"l.total": 40, "l.bad": 30}


def test_a_gauge_is_one_event_a_minute_however_often_it_is_read() -> None:
    gauge = SliDefinition("g", "s", ThresholdSli(ScrapeQuery("queue"), "lt", 5))
    run = Run(Pages())
    for value in (1, 9, 9, 9, 7, 1, 1, 1):
        run.read(f"queue {value}\n", gauge)
    assert run.sums == {"g.total": 2, "g.bad": 1}


def test_an_sli_that_cannot_be_scraped_is_said_once_and_the_others_go_on() -> None:
    quotient = SliDefinition("q", "s", CountsSli(ScrapeQuery("a / b"), bad=ScrapeQuery("r_total")))
    run = Run(Pages())
    first = run.read(page(5), SLI, quotient)
    run.read(page(7), SLI, quotient)
    assert [(n.kind, n.sli) for n in first.notes if n.sli] == [("error", "q")]
    assert run.sums["a.total"] == 2
    assert run.notes["error"] == 1
