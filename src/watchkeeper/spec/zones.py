"""Time zones and calendar starts, checked. Pure but for the time zone tables."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo, available_timezones

from watchkeeper.spec.reader import nearest


def zone_problems(start: str, zone: str) -> list[tuple[str, str, str, str]]:
    """What is wrong with a calendar's start and zone: (key, message, expected, fix) of each.

    Empty texts are not looked at: that they are missing is said elsewhere.
    """
    found: list[tuple[str, str, str, str]] = []
    if zone and not _is_zone(zone):
        near = nearest(zone, available_timezones())
        # An abbreviation looks like another that means something else: CEST is not EST.
        sure = "/" in near or near.lower() == zone.lower()
        fix = f"did you mean '{near}'?" if near and sure else ""
        found.append(("timeZone", f"'{zone}' is no time zone", "a name such as Europe/Berlin", fix))
    if start and not _is_time(start):
        expected = "local time such as 2026-01-01 00:00:00"
        found.append(("startTime", f"'{start}' is no time", expected, ""))
    return found


def _is_zone(zone: str) -> bool:
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _is_time(start: str) -> bool:
    try:
        return datetime.fromisoformat(start).tzinfo is None
    except ValueError:
        return False
