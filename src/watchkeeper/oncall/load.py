"""What being on call costs, by rotation. Pure. Never by person.

An *interruption* is the first call of somebody for a page; an *interrupted hour* is a local hour of
a rotation in which at least one happened. The SRE book's limit: at most two incidents in a shift of
12 hours, because each takes about six hours of work with its follow-up.
Source: Beyer et al., Site Reliability Engineering (2016), chapter 11, "Balance in Quantity".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
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
    by_rotation: dict[str, dict[int, tuple[Seconds, Page]]] = {}
    for call, page in calls:
        if page.kind is not PageKind.ALERT or page.urgency != "page":
            continue
        first = by_rotation.setdefault(call.via, {})
        at, _ = first.get(page.id, (call.at, page))
        first[page.id] = (min(at, call.at), page)
    return [_load(via, pages, zone_of(via)) for via, pages in sorted(by_rotation.items())]


def _load(via: str, pages: Mapping[int, tuple[Seconds, Page]], zone: str) -> Load:
    times = [at for at, _ in pages.values()]
    local = [datetime.fromtimestamp(at, ZoneInfo(zone)) for at in times]
    shifts: dict[int, int] = {}
    for at in times:
        shifts[int(at // SHIFT)] = shifts.get(int(at // SHIFT), 0) + 1
    acked = [p.acked_at - p.opened_at for _, p in pages.values() if p.acked_at is not None]
    over = [p.resolved_at - p.opened_at for _, p in pages.values() if p.resolved_at is not None]
    return Load(
        rotation=via,
        pages=len(pages),
        out_of_hours=sum(_out_of_hours(t) for t in local),
        interrupted_hours=len({t.strftime("%Y-%m-%dT%H%z") for t in local}),
        shifts_over_limit=sum(n > LIMIT for n in shifts.values()),
        mtta=median(acked) if acked else None,
        mttr=median(over) if over else None,
    )


def _out_of_hours(at: datetime) -> bool:
    return at.weekday() >= 5 or not DAY_STARTS <= at.hour < DAY_ENDS
