"""What being on call costs, by rotation. Pure. Never by person.

An *interruption* is the first call of somebody for a page; an *interrupted hour* is a local hour of
a rotation in which at least one happened. The SRE book's limit: at most two incidents in a shift of
12 hours, because each takes about six hours of work with its follow-up.
Source: Beyer et al., Site Reliability Engineering (2016), chapter 11, "Balance in Quantity".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median
from zoneinfo import ZoneInfo

from watchkeeper.kernel.clock import Seconds
from watchkeeper.oncall.model import Page, PageKind
from watchkeeper.oncall.store import CallRow

SHIFT = 43_200.0
"""Seconds of the shift to which the limit applies: 12 hours."""
LIMIT = 2
DAY_STARTS, DAY_ENDS = 9, 18
"""Local working hours; all else, and the weekend, is out of hours."""


@dataclass(frozen=True, slots=True)
class Load:
    """One rotation over an interval; times in seconds, None where nothing happened."""

    rotation: str
    pages: int
    out_of_hours: int
    interrupted_hours: int
    shifts_over_limit: int
    mtta: float | None
    mttr: float | None


def load(calls: Iterable[tuple[CallRow, Page]], zone_of: Callable[[str], str]) -> list[Load]:
    """The load of each rotation that was called, by name. Drills count for nobody."""
    found = _interruptions(calls)
    return [_load(via, pages, zone_of(via)) for via, pages in sorted(found.items())]


Interruptions = dict[str, dict[int, tuple[Seconds, Page]]]
"""The first call of each page, by rotation and page."""


def _interruptions(calls: Iterable[tuple[CallRow, Page]]) -> Interruptions:
    by_rotation: Interruptions = {}
    for call, page in calls:
        if page.kind is not PageKind.ALERT or page.urgency != "page":
            continue
        first = by_rotation.setdefault(call.via, {})
        at, _ = first.get(page.id, (call.at, page))
        first[page.id] = (min(at, call.at), page)
    return by_rotation


@dataclass(frozen=True, slots=True)
class Week:
    """The pages of one rotation in one local week; ``monday`` is its first day."""

    rotation: str
    monday: date
    in_hours: int
    out_of_hours: int


def weekly(calls: Iterable[tuple[CallRow, Page]], zone_of: Callable[[str], str]) -> list[Week]:
    """Pages by rotation and week, in the rotation's time zone; weeks without any are left out."""
    found: dict[tuple[str, date], list[bool]] = {}
    for via, pages in _interruptions(calls).items():
        for at, _ in pages.values():
            local = datetime.fromtimestamp(at, ZoneInfo(zone_of(via)))
            monday = local.date() - timedelta(days=local.weekday())
            found.setdefault((via, monday), []).append(_out_of_hours(local))
    return [
        Week(via, monday, len(outs) - sum(outs), sum(outs))
        for (via, monday), outs in sorted(found.items())
    ]


def busy_shifts(
    calls: Iterable[tuple[CallRow, Page]], zone_of: Callable[[str], str]
) -> list[tuple[str, Seconds, Seconds, int]]:
    """(rotation, start, end, pages) of every shift of 12 hours over the limit, by time."""
    found = []
    for via, pages in sorted(_interruptions(calls).items()):
        for start, number in _shifts(at for at, _ in pages.values()).items():
            if number > LIMIT:
                found.append((via, start, start + SHIFT, number))
    return sorted(found, key=lambda each: (each[1], each[0]))


def _shifts(times: Iterable[Seconds]) -> dict[Seconds, int]:
    """How many of these instants lie in each shift; by its start, at 00:00 and 12:00 UTC."""
    found: dict[Seconds, int] = {}
    for at in times:
        start = at // SHIFT * SHIFT
        found[start] = found.get(start, 0) + 1
    return found


def _load(via: str, pages: Mapping[int, tuple[Seconds, Page]], zone: str) -> Load:
    times = [at for at, _ in pages.values()]
    local = [datetime.fromtimestamp(at, ZoneInfo(zone)) for at in times]
    acked = [p.acked_at - p.opened_at for _, p in pages.values() if p.acked_at is not None]
    over = [p.resolved_at - p.opened_at for _, p in pages.values() if p.resolved_at is not None]
    return Load(
        rotation=via,
        pages=len(pages),
        out_of_hours=sum(_out_of_hours(t) for t in local),
        interrupted_hours=len({t.strftime("%Y-%m-%dT%H%z") for t in local}),
        shifts_over_limit=sum(n > LIMIT for n in _shifts(times).values()),
        mtta=median(acked) if acked else None,
        mttr=median(over) if over else None,
    )


def _out_of_hours(at: datetime) -> bool:
    return at.weekday() >= 5 or not DAY_STARTS <= at.hour < DAY_ENDS
