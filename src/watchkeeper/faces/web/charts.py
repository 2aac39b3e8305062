"""What the charts of an SLO's page draw: data, a sentence and a table for each. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from watchkeeper.faces.web import words
from watchkeeper.kernel import text
from watchkeeper.slo.model import FloatArray, Series, SloDetail, Spend

MARKS = 4
LEAST_MARKED = 0.01
"""So many of the costliest spends are marked in the charts, none that took a smaller share."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table behind a chart."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart: its ``key`` in the data, the sentence that says what it shows, its table."""

    key: str
    sentence: str
    table: Table


def data(detail: SloDetail) -> dict[str, Any]:
    """All charts' numbers: seconds on x, shares in percent; None where there is no evidence."""
    down, hours, minutes = detail.burn_down, detail.per_hour, detail.per_minute
    return {
        "look": str(detail.status.look),
        "target": float(detail.status.target * 100),
        "budget": [
            _seconds(down.minutes.tolist()),
            _percent(down.left.tolist(), 3),
            _percent(down.even.tolist(), 3),
        ],
        "ratio": [_seconds(hours.starts.tolist()), _percent(_ratios(hours), 5)],
        "events": [
            _seconds(minutes.starts.tolist()),
            _seen(minutes, minutes.total),
            _seen(minutes, minutes.total - minutes.good),
        ],
        "marks": [
            {"from": s.start * 60, "to": s.end * 60, "label": str(i)}
            for i, s in enumerate(detail.spends, 1)
            if marked(s, i)
        ],
    }


def marked(spend: Spend, number: int) -> bool:
    """Whether the charts mark this spend, the ``number``-th costliest."""
    return number <= MARKS and spend.share >= LEAST_MARKED


def charts(detail: SloDetail) -> Mapping[str, Chart]:
    """The three charts by key."""
    return {"budget": _budget(detail), "ratio": _ratio(detail), "events": _events(detail)}


# ---------------------------------------------------------------- budget left


def _budget(detail: SloDetail) -> Chart:
    down = detail.burn_down
    known = [
        (int(m), float(left), float(even))
        for m, left, even in zip(down.minutes, down.left, down.even, strict=True)
        if not math.isnan(left)
    ]
    if not known:
        empty = Table("Budget left", ("Day", "Left", "Even spend"), ())
        return Chart("budget", "There is no evidence in this window yet.", empty)
    last, even = known[-1][1], detail.status.even_spend_left
    days = text.duration((known[-1][0] - known[0][0]) * 60)
    lead = (
        f"All of the budget is left after {days}"
        if last >= 1
        else f"Over {days} the budget went from 100 % to {text.left(last)}"
    )
    # Over a rolling window an even spend always ends at nothing, which tells nobody anything.
    tail = "" if even is None else f"; an even spend would leave {text.whole_percent(even)}"
    return Chart("budget", f"{lead}{tail}.", _budget_table(known))


def _budget_table(known: Sequence[tuple[int, float, float]]) -> Table:
    by_day = {datetime.fromtimestamp(m * 60, UTC).date(): (m, left, e) for m, left, e in known}
    rows = [
        (words.minute_clock(m), text.left(left), text.whole_percent(even))
        for m, left, even in by_day.values()
    ]
    return Table(
        "Budget left at the last reading of each day",
        ("At (UTC)", "Left", "Even spend"),
        rows[::-1],
    )


# ---------------------------------------------------------------- ratio per hour


def _ratio(detail: SloDetail) -> Chart:
    hours, target = detail.per_hour, float(detail.status.target)
    ratios = _ratios(hours)
    known = [(r, int(m)) for r, m in zip(ratios, hours.starts, strict=True) if r is not None]
    if not known:
        return Chart("ratio", "There is no evidence in this window yet.", _hours_table(detail))
    worst, at = min(known)
    below = sum(1 for r, _ in known if r < target)
    sentence = (
        f"{words.plural(below, 'hour')} of {len(known)} missed the target of "
        f"{text.percent(detail.status.target)}; the lowest was {text.percent(worst)} on "
        f"{words.minute_clock(at)}."
        if below
        else f"Every one of {words.plural(len(known), 'hour')} met the target of "
        f"{text.percent(detail.status.target)}."
    )
    return Chart("ratio", sentence, _hours_table(detail))


def _hours_table(detail: SloDetail) -> Table:
    """Whole days, and the hours of the last one: a month of hours is more than anyone reads."""
    series = detail.per_hour
    days: dict[str, list[float]] = {}
    for minute, good, total in zip(series.starts, series.good, series.total, strict=True):
        then = datetime.fromtimestamp(int(minute) * 60, UTC)
        sums = days.setdefault(f"{then.day} {then:%b}", [0.0, 0.0])
        sums[0] += float(good)
        sums[1] += float(total)
    rows = [_counted(day, good, total) for day, (good, total) in days.items()]
    return Table("Events by day (UTC)", ("Day", "Good", "Bad", "Share good"), rows[::-1])


# ---------------------------------------------------------------- events per minute


def _events(detail: SloDetail) -> Chart:
    series = detail.per_minute
    total, bad = float(series.total.sum()), float((series.total - series.good).sum())
    span = text.duration(len(series.starts) * series.step_minutes * 60)
    if total <= 0:
        return Chart("events", f"No events in the last {span}.", _minutes_table(series))
    sentence = f"{text.count(bad)} of {text.count(total)} events in the last {span} were bad"
    if bad > 0:
        worst = int(np.argmax(series.total - series.good))
        cost = float(series.total[worst] - series.good[worst])
        sentence += f"; most in one minute: {text.count(cost)} at " + (
            f"{words.minute_clock(int(series.starts[worst]))}"
        )
    return Chart("events", sentence + ".", _minutes_table(series))


def _minutes_table(series: Series) -> Table:
    rows = [
        _counted(words.minute_clock(int(m)), float(good), float(total))
        if seen
        else (words.minute_clock(int(m)), "no data", "", "")
        for m, good, total, seen in zip(
            series.starts, series.good, series.total, series.seen, strict=True
        )
    ]
    return Table("Events by minute", ("Minute (UTC)", "Good", "Bad", "Share good"), rows[::-1])


def _counted(name: str, good: float, total: float) -> tuple[str, str, str, str]:
    share = text.percent(good / total) if total > 0 else text.NOTHING
    return (name, text.number(good), text.number(total - good), share)


# ---------------------------------------------------------------- numbers


def _ratios(series: Series) -> list[float | None]:
    return [
        float(good / total) if total > 0 else None
        for good, total in zip(series.good, series.total, strict=True)
    ]


def _seconds(minutes: Sequence[int]) -> list[int]:
    return [m * 60 for m in minutes]


def _percent(values: Sequence[float | None], digits: int) -> list[float | None]:
    return [None if v is None or math.isnan(v) else round(v * 100, digits) for v in values]


def _seen(series: Series, values: FloatArray) -> list[float | None]:
    pairs = zip(values.tolist(), series.seen.tolist(), strict=True)
    return [round(v, 6) if seen else None for v, seen in pairs]
