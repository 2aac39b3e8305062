"""How incidents went over time: times to detect, acknowledge, mitigate, resolve; counts. Pure.

Counted by severity, cause, service and month, never by person. Of each time the median is what
usually happens; the mean is beside it since it is asked for, and n says on how many both stand.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from watchkeeper.incidents.durations import Durations
from watchkeeper.kernel.clock import Seconds
from watchkeeper.postmortems.model import ActionState
from watchkeeper.spec.response import DAY

TIMES = Durations._fields
UNKNOWN = "not named"


# Tuples: thousands are made for one page, in a third of the time that frozen dataclasses take.
class Happened(NamedTuple):
    """An incident, as far as it is counted. ``at``: of its declaration."""

    at: Seconds
    severity: str
    took: Durations
    services: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Time:
    """Seconds over ``n`` incidents; None when there is none."""

    n: int
    median: float | None
    mean: float | None


@dataclass(frozen=True, slots=True)
class Group:
    """Incidents that have something in common. ``times``: by the names in `TIMES`."""

    name: str
    count: int
    times: Mapping[str, Time]


class Promised(NamedTuple):
    """An action item, as far as it is counted."""

    made_at: Seconds
    state: ActionState
    due_at: Seconds | None
    done_at: Seconds | None
    type: str


@dataclass(frozen=True, slots=True)
class Closure:
    """What became of action items. ``in_time``: of ``due``, those that were due by now or are done,
    how many were done by their date. ``days``: the median from made to done, in seconds."""

    name: str
    made: int
    done: int
    dropped: int
    late: int
    in_time: int
    due: int
    days: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """All of it for an interval. ``left_out``: how many causes and services are not listed."""

    since: Seconds
    until: Seconds
    all: Group
    by_severity: Sequence[Group]
    by_cause: Sequence[Group]
    by_service: Sequence[Group]
    by_month: Sequence[Group]
    items: Closure
    items_by_type: Sequence[Closure]
    left_out: Mapping[str, int]


def figures(
    happened: Sequence[Happened], promised: Sequence[Promised], severities: Sequence[str],
    since: Seconds, until: Seconds, most: int | None = None,
) -> Figures:  # fmt: skip
    """The figures of [since, until). An incident with two causes counts with both.

    ``most``: of causes and services only so many, the most frequent.
    """
    known = {name: i for i, name in enumerate(severities)}
    by_severity, _ = _grouped(happened, lambda h: (h.severity,))
    by_severity.sort(key=lambda g: (known.get(g.name, len(known)), g.name))
    by_month = {g.name: g for g in _grouped(happened, lambda h: (month(h.at),))[0]}
    by_cause, causes = _grouped(happened, lambda h: h.causes or (UNKNOWN,), most)
    by_service, services = _grouped(happened, lambda h: h.services or (UNKNOWN,), most)
    return Figures(
        since, until, _group("all", happened), by_severity,
        by_cause, by_service,
        [by_month.get(m, _group(m, ())) for m in months(since, until)],
        closure("all", promised, until),
        [closure(t, [p for p in promised if p.type == t], until)
         for t in sorted({p.type for p in promised})],
        {"cause": causes, "service": services},
    )  # fmt: skip


def _grouped(
    happened: Sequence[Happened], names: Callable[[Happened], Iterable[str]],
    most: int | None = None,
) -> tuple[list[Group], int]:  # fmt: skip
    """By name, the most frequent first; and how many are left out."""
    found: dict[str, list[Happened]] = {}
    for each in happened:
        for name in names(each):
            found.setdefault(name, []).append(each)
    order = sorted(found, key=lambda name: (-len(found[name]), name))
    shown = order[:most]
    return [_group(name, found[name]) for name in shown], len(order) - len(shown)


def _group(name: str, happened: Sequence[Happened]) -> Group:
    columns = zip(*(h.took for h in happened), strict=True) if happened else [()] * len(TIMES)
    return Group(name, len(happened), dict(zip(TIMES, map(_time, columns), strict=True)))


def _time(seconds: Sequence[float | None]) -> Time:
    known = sorted(s for s in seconds if s is not None)
    if not known:
        return Time(0, None, None)
    # `statistics.median` sorts once more and asks of each value whether it is a number.
    middle = len(known) // 2
    median = known[middle] if len(known) % 2 else (known[middle - 1] + known[middle]) / 2
    return Time(len(known), median, math.fsum(known) / len(known))


def closure(name: str, promised: Sequence[Promised], now: Seconds) -> Closure:
    """What became of these items by now."""
    done = [p for p in promised if p.state is ActionState.DONE and p.done_at is not None]
    dropped = sum(p.state is ActionState.DROPPED for p in promised)
    live = [p for p in promised if p.state in (ActionState.OPEN, ActionState.DOING)]
    late = sum(p.due_at is not None and p.due_at <= now for p in live)
    dated = [p for p in done if p.due_at is not None]
    in_time = sum((p.done_at or 0.0) <= (p.due_at or 0.0) for p in dated)
    took = [(p.done_at or 0.0) - p.made_at for p in done]
    days = statistics.median(took) if took else None
    return Closure(name, len(promised), len(done), dropped, late, in_time, len(dated) + late, days)


def month(at: Seconds) -> str:
    """``2026-01``, in UTC."""
    return _month_of_day(int(at // DAY))


@lru_cache(maxsize=4096)
def _month_of_day(day: int) -> str:
    return datetime.fromtimestamp(day * DAY, UTC).strftime("%Y-%m")


def months(since: Seconds, until: Seconds) -> list[str]:
    """Every month of which some is in [since, until), in order."""
    first, last = datetime.fromtimestamp(since, UTC), datetime.fromtimestamp(until, UTC)
    count = (last.year - first.year) * 12 + last.month - first.month
    numbers = (first.year * 12 + first.month - 1 + i for i in range(max(count, 0) + 1))
    return [f"{n // 12:04d}-{n % 12 + 1:02d}" for n in numbers]
