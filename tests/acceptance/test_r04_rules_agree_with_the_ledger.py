"""Generated rules and our ledger on the same Prometheus: equal, up to what a minute cannot see.

Samples every 15 seconds for six hours, off the minute; a restart, a gap, a new pod whose first
samples already hold errors. The truth is a recount of the samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from benchmarks.cases import ours, peers
from benchmarks.cases.series import END, METRIC
from benchmarks.cases.server import prometheus, query
from watchkeeper.slo.model import SloStatus

HOURS = 6
STEP = 15
OFFSET = 7
PER_SAMPLE = 3  # good events of a pod between two samples; each eighth time one bad besides
RESTART, GAP_START, GAP_END, BIRTH = 2 * 3600, 3 * 3600, 3 * 3600 + 1200, 4 * 3600
PER_MINUTE = 4 * (PER_SAMPLE + 1)
"""No pod has more events in a minute than this."""


@dataclass
class Recount:
    """The samples, and the events between them, counted as they are made."""

    lines: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    good: int = 0
    bad: int = 0

    def sample(self, pod: str, code: str, value: int, at: int) -> None:
        name = f'{METRIC}{{job="myservice",instance="{pod}",code="{code}"}}'
        self.lines.setdefault((code, pod), []).append(f"{name} {value} {at}\n")

    def count(self, good: int, bad: int) -> None:
        self.good += good
        self.bad += bad


def made() -> Recount:
    recount = Recount()
    _pod_a(recount)
    _pod_b(recount)
    return recount


def _pod_a(recount: Recount) -> None:
    """Runs all the time; restarts once; is not scraped for twenty minutes, but serves on."""
    good, bad, seen_good, seen_bad = 5000, 70, 5000, 70
    for second in range(0, HOURS * 3600 - OFFSET, STEP):
        if second == RESTART:
            good = bad = seen_good = seen_bad = 0
        if second:
            good += PER_SAMPLE
            bad += 1 if second // STEP % 8 == 0 else 0
        if GAP_START <= second < GAP_END:
            continue
        at = END - HOURS * 3600 + second + OFFSET
        recount.sample("a", "200", good, at)
        recount.sample("a", "500", bad, at)
        recount.count(good - seen_good, bad - seen_bad)
        seen_good, seen_bad = good, bad


def _pod_b(recount: Recount) -> None:
    """Starts after four hours; its first sample holds nine good events and four bad."""
    good, bad = 9, 4
    recount.count(good, bad)
    for second in range(BIRTH, HOURS * 3600 - OFFSET, STEP):
        at = END - HOURS * 3600 + second + OFFSET
        recount.sample("b", "200", good, at)
        recount.sample("b", "500", bad, at)
        if second + STEP < HOURS * 3600 - OFFSET:
            good += PER_SAMPLE
            recount.count(PER_SAMPLE, 0)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The truth and what each says."""

    truth: Recount
    ledger: SloStatus
    rules_bad: float
    rules_events: float
    increase_bad: float
    increase_events: float


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    truth = made()

    def text() -> Iterator[str]:
        yield f"# TYPE {METRIC} unknown\n"
        for lines in truth.lines.values():
            yield from lines
        yield "# EOF\n"

    with prometheus(text()) as url:
        ledger = ours.measured(url, END)
        bad, events = peers.our_counts(url)
        window = f"[{HOURS}h]"
        rates = [
            query(url, f"sum(increase({METRIC}{where}{window}))", END)
            for where in ('{code=~"5.."}', "")
        ]
    assert bad is not None
    assert events is not None
    assert rates[0] is not None
    assert rates[1] is not None
    return Outcome(truth, ledger, bad, events, rates[0], rates[1])


def test_the_ledger_is_the_recount_through_restart_gap_and_new_series(outcome: Outcome) -> None:
    truth, events = outcome.truth, outcome.ledger.events
    assert (events.good, events.bad) == (truth.good, truth.bad)


def test_rules_lose_at_most_a_minute_of_a_pod_at_its_restart_and_nothing_else(
    outcome: Outcome,
) -> None:
    lost = outcome.ledger.events.total - outcome.rules_events
    assert 0 <= lost <= PER_MINUTE
    assert 0 <= outcome.ledger.events.bad - outcome.rules_bad <= 1


def test_increase_is_off_by_what_it_extrapolates_and_what_it_never_saw(outcome: Outcome) -> None:
    # It does not see the first values of pod b (9 good, 4 bad), and stretches what it saw to the
    # window's ends: at most half a sample's distance at each end of each of the four series.
    unseen = 9 + 4
    stretched = outcome.increase_events - (outcome.ledger.events.total - unseen)
    assert abs(stretched) <= 4 * (PER_SAMPLE + 1)
    assert outcome.increase_bad < outcome.ledger.events.bad - 3  # the four first errors of pod b
    assert outcome.increase_events != round(outcome.increase_events)  # no count of events is that
