"""The cases: series that a real service would leave in Prometheus, and the exact truth of each.

A sample in the last second of each minute, 30 days up to ``END``; the truth is counted while the
series are made, from the events themselves, by nothing that Prometheus or Watchkeeper computes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

MINUTE = 60
HOUR = 60
DAY = 1440
DAYS = 30
MINUTES = DAYS * DAY
LEAD = 10  # minutes of history before the window, so that its first minute has a sample before it
END = 1_767_225_600  # 2026-01-01T00:00:00Z
START = END - MINUTES * MINUTE
METRIC = "http_request_duration_seconds_count"
ALLOWED = 0.001

# Requests a minute by hour of the day: quiet nights, an evening peak. The peak hour is
# 12.24 % of a day, the hour from 02:00 is 0.122 %.
SHAPE: tuple[int, ...] = (30, 15, 10, 10, 10, 15, 40, 110, 250, 400, 500, 540)
SHAPE += (560, 540, 520, 530, 580, 700, 880, 1000, 500, 220, 120, 90)

Series = dict[tuple[str, str], list[float | None]]
"""(code, pod) → the counter's value at each minute from ``START - LEAD``; None: no sample."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What happened in the 30 days, counted event by event."""

    bad: int
    total: int

    @property
    def error_ratio(self) -> float:
        """Bad events / all events."""
        return self.bad / self.total

    @property
    def consumed(self) -> float:
        """Share of the budget at 99.9 % that is used: 1 is all of it."""
        return self.bad * 1000 / self.total


@dataclass(frozen=True, slots=True)
class Case:
    """A situation, its series, and the truth."""

    key: str
    title: str
    series: Series
    truth: Truth


@dataclass
class _Counter:
    """Counters that go up by what happens each minute, and the count of what happened."""

    series: Series = field(default_factory=dict)
    values: dict[tuple[str, str], float] = field(default_factory=dict)
    minute: int = 0
    bad: int = 0
    total: int = 0

    def add(self, code: str, events: int, pod: str = "a", *, exists: bool = True) -> None:
        """These many events in this minute; a series that need not exist appears with its first."""
        key = (code, pod)
        if not exists and not events and key not in self.values:
            return
        if key not in self.series:
            self.series[key] = [None] * self.minute
        self.values[key] = self.values.get(key, 0) + events
        self.series[key].append(self.values[key])
        if self.minute >= LEAD:
            self.total += events
            self.bad += events if code.startswith("5") else 0

    def next(self) -> None:
        """The minute is over."""
        self.minute += 1

    def case(self, key: str, title: str) -> Case:
        """All of it as a case."""
        return Case(key, title, self.series, Truth(self.bad, self.total))


def _minutes(counter: _Counter) -> Iterator[int]:
    """Minutes since the window's start; the first ones are before it (negative)."""
    for minute in range(-LEAD, MINUTES):
        yield minute
        counter.next()


def _hour_of(minute: int) -> int:
    return minute // HOUR % 24


def _outage(key: str, title: str, hour: int) -> Case:
    """Everything fails for one hour of day 28; else everything is well."""
    counter, start = _Counter(), 28 * DAY + hour * HOUR
    for minute in _minutes(counter):
        events = SHAPE[_hour_of(minute)]
        down = start <= minute < start + HOUR
        counter.add("200", 0 if down else events)
        counter.add("500", events if down else 0)
    return counter.case(key, title)


def peak_outage() -> Case:
    """An hour of full outage when most users are there."""
    return _outage("peak", "an hour's outage at peak", 19)


def night_outage() -> Case:
    """The same hour of full outage when nearly nobody is there."""
    return _outage("night", "an hour's outage at night", 2)


def quiet_hours() -> Case:
    """One day had hours without a request; 1 in 4,000 fails, a quarter of the budget."""
    counter, quiet = _Counter(), range(25 * DAY + 60, 25 * DAY + 60 + 3 * HOUR)
    for minute in _minutes(counter):
        events = 0 if minute in quiet else 400
        failed = events // 400 if minute % 10 == 0 else 0
        counter.add("200", events - failed)
        counter.add("500", failed)
    return counter.case("quiet", "a day with three request-free hours")


def first_error() -> Case:
    """No series for errors until the first: an hour's outage, which ended half an hour ago."""
    counter, start = _Counter(), MINUTES - 90
    for minute in _minutes(counter):
        down = start <= minute < start + HOUR
        counter.add("200", 0 if down else 100)
        counter.add("500", 100 if down else 0, exists=False)
    return counter.case("first", "an error series that appears with its first error")


def new_pods() -> Case:
    """Twenty new pods start, each fails its first five requests and then serves well."""
    counter, start = _Counter(), MINUTES - 2 * HOUR
    for minute in _minutes(counter):
        counter.add("200", 10)
        counter.add("500", 0)
        for pod in range(20):
            name = f"new-{pod:02}"
            began = minute >= start
            counter.add("500", 5 if minute == start else 0, name, exists=False)
            counter.add("200", 1 if began and minute > start else 0, name, exists=False)
    return counter.case("pods", "20 new pods, each with its first 5 errors")


CASES: Sequence[Callable[[], Case]] = (
    peak_outage,
    night_outage,
    quiet_hours,
    first_error,
    new_pods,
)


def labels(key: tuple[str, str]) -> str:
    """A series' name with its labels, as an exposition writes it."""
    code, pod = key
    return f'{METRIC}{{job="myservice",instance="{pod}",code="{code}"}}'


def open_metrics(case: Case) -> Iterator[str]:
    """The case as OpenMetrics text with timestamps, for `promtool tsdb create-blocks-from`."""
    yield f"# TYPE {METRIC} unknown\n"
    for key, values in case.series.items():
        name = labels(key)
        for index, value in enumerate(values):
            if value is not None:
                yield f"{name} {value:.0f} {START + (index - LEAD + 1) * MINUTE - 1}\n"
    yield "# EOF\n"


def promtool_values(values: Sequence[float | None]) -> str:
    """The samples in promtool's notation, runs of equal steps as one: ``0+5x10 _x3``."""
    parts: list[str] = []
    index = 0
    while index < len(values):
        first = values[index]
        run = index + 1
        if first is None:
            while run < len(values) and values[run] is None:
                run += 1
            parts.append(f"_x{run - index}")
        else:
            step = _step(values, index)
            while run < len(values) and _step(values, run - 1) == step and step is not None:
                run += 1
            parts.append(f"{first:.0f}{step or 0:+.0f}x{run - index - 1}")
        index = run
    return " ".join(parts)


def _step(values: Sequence[float | None], index: int) -> float | None:
    if index + 1 >= len(values):
        return None
    one, other = values[index], values[index + 1]
    return None if one is None or other is None else other - one
