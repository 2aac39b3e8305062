"""Weeks from Monday 00:00 to Monday 00:00 by the wall clock of a time zone. Pure.

A week has a name of ISO 8601, such as 2026-W47: its Thursday says which year it belongs to. It has
167 or 169 hours when daylight saving begins or ends in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from watchkeeper.kernel.clock import Minute, Seconds, window_end
from watchkeeper.kernel.errors import UserError

_NAME = re.compile(r"(\d{4})-?[Ww](\d{2})")
YEARS = range(1971, 2200)


@dataclass(frozen=True, slots=True)
class Week:
    """The local week that begins on ``monday``."""

    monday: date
    zone: str

    @property
    def start(self) -> Seconds:
        """When it begins."""
        return _midnight(self.monday, self.zone)

    @property
    def end(self) -> Seconds:
        """When it is over, which is when the next begins."""
        return _midnight(self.monday + timedelta(days=7), self.zone)

    @property
    def name(self) -> str:
        """Such as 2026-W47."""
        year, number, _ = self.monday.isocalendar()
        return f"{year}-W{number:02d}"

    @property
    def days(self) -> str:
        """Such as 16 – 22 Nov 2026."""
        last = self.monday + timedelta(days=6)
        first = f"{self.monday.day}"
        if last.month != self.monday.month:
            first += f" {self.monday:%b}"
        if last.year != self.monday.year:
            first += f" {self.monday.year}"
        return f"{first} – {last.day} {last:%b %Y}"

    @property
    def before(self) -> Week:
        """The week before."""
        return Week(self.monday - timedelta(days=7), self.zone)

    @property
    def after(self) -> Week:
        """The week after."""
        return Week(self.monday + timedelta(days=7), self.zone)

    def minutes(self, now: Seconds) -> tuple[Minute, Minute]:
        """The minutes [start, end) of it that have been by ``now``."""
        start, end = window_end(self.start), window_end(min(self.end, max(now, self.start)))
        return start, max(start, end)


def _midnight(day: date, zone: str) -> Seconds:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).timestamp()


def week_of(at: Seconds, zone: str) -> Week:
    """The week that holds an instant."""
    local = datetime.fromtimestamp(at, ZoneInfo(zone)).date()
    return Week(local - timedelta(days=local.weekday()), zone)


def last_ended(now: Seconds, zone: str) -> Week:
    """The week that was over last."""
    return week_of(now, zone).before


def named(name: str, zone: str) -> Week:
    """The week of this name. Raises UserError."""
    found = _NAME.fullmatch(name.strip())
    if found is None or int(found[1]) not in YEARS:
        raise UserError(f"{name[:40]!r} is no week.", "Write year and number, such as 2026-W47.")
    try:
        return Week(date.fromisocalendar(int(found[1]), int(found[2]), 1), zone)
    except ValueError:
        raise UserError(f"There is no week {name!r}.", "A year has 52 weeks, some 53.") from None
