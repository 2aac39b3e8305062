"""Time zones and calendar starts, checked. Pure but for the time zone tables."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo, available_timezones


def zone_problem(start: str, zone: str) -> tuple[str, str, str] | None:
    """What is wrong with a calendar's start and zone: (key, message, expected), or None."""
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        from watchkeeper.spec.reader import nearest

        near = nearest(zone, available_timezones())
        return "timeZone", f"'{zone}' is no time zone", near or "a name such as Europe/Berlin"
    try:
        datetime.fromisoformat(start)
    except ValueError:
        return "startTime", f"'{start}' is no time", "local time such as 2026-01-01 00:00:00"
    return None
