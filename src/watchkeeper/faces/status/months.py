"""The months of a page's history, three at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from watchkeeper.faces.status.pages import StatusPages
from watchkeeper.incidents.status.model import Story, View
from watchkeeper.kernel.clock import Seconds

AT_ONCE = 3
"""Months on one page."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """Months, newest first, each with its incidents; ``earlier``, ``later``: the last month of the
    next chapter that way, or ''."""

    months: Sequence[tuple[str, Sequence[Story]]]
    earlier: str
    later: str


def this_month(now: Seconds) -> str:
    """``2026-11``."""
    return f"{datetime.fromtimestamp(now, UTC):%Y-%m}"


def moved(month: str, by: int) -> str:
    """The month so many later."""
    index = int(month[:4]) * 12 + int(month[5:]) - 1 + by
    return f"{index // 12:04}-{index % 12 + 1:02}"


def start(month: str) -> Seconds:
    """When it begins, in UTC."""
    return datetime.fromisoformat(f"{month}-01T00:00+00:00").timestamp()


def chapter(status: StatusPages, view: View, last: str) -> Chapter:
    """The three months that end with this one."""
    names = [moved(last, -i) for i in range(AT_ONCE)]
    since, until = start(names[-1]), start(moved(last, 1))
    found = status.stories(view.page.name, since, until)
    first = status.first() if view.page.public else None
    months = [(n, [s for s in found if this_month(s.began) == n]) for n in names]
    before = first is not None and first < since
    earlier = moved(last, -AT_ONCE) if before or not view.page.public else ""
    now = this_month(view.as_of)
    later = min(moved(last, AT_ONCE), now) if last < now else ""
    return Chapter(months, earlier, later)
