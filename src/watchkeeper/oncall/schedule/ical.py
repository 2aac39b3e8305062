"""Schedules as iCalendar feeds (RFC 5545). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from watchkeeper.kernel.clock import Seconds
from watchkeeper.oncall.schedule.model import Shift

LINE = 75
"""Octets in a line before it is folded."""


def feed(name: str, shifts: Iterable[tuple[str, Shift]], made_at: Seconds, url: str) -> str:
    """A calendar of shifts: (schedule, shift) each; gaps are left out. Times in UTC.

    The UID is made of schedule, start and people, so that a client updates what it knows.
    """
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Watchkeeper//On call//EN",
        "CALSCALE:GREGORIAN",
        f"X-WR-CALNAME:{_text(name)}",
        "REFRESH-INTERVAL;VALUE=DURATION:PT15M",
    ]
    for schedule, shift in shifts:
        if shift.users:
            lines.extend(_event(schedule, shift, made_at, url))
    lines.append("END:VCALENDAR")
    return "".join(_folded(line) for line in lines)


def _event(schedule: str, shift: Shift, made_at: Seconds, url: str) -> Sequence[str]:
    who = ", ".join(shift.users)
    said = [s for s in (shift.layer and f"Layer: {shift.layer}", shift.reason) if s]
    if shift.shadows:
        said.append(f"Shadow: {', '.join(shift.shadows)}")
    return [
        "BEGIN:VEVENT",
        f"UID:{schedule}-{int(shift.start)}-{'-'.join(shift.users)}@watchkeeper",
        f"DTSTAMP:{_utc(made_at)}",
        f"DTSTART:{_utc(shift.start)}",
        f"DTEND:{_utc(shift.end)}",
        f"SUMMARY:{_text(f'{who} on call: {schedule}')}",
        *([f"DESCRIPTION:{_text('; '.join(said))}"] if said else []),
        *([f"URL:{url}"] if url else []),
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
    ]


def _utc(at: Seconds) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y%m%dT%H%M%SZ}"


def _text(text: str) -> str:
    kept = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return kept.replace("\r\n", "\\n").replace("\n", "\\n").replace("\r", "")


def _folded(line: str) -> str:
    """A line of at most 75 octets, continued with a space; never cut within a character."""
    parts: list[str] = []
    current = b""
    for char in line:
        raw = char.encode()
        if len(current) + len(raw) > (LINE if not parts else LINE - 1):
            parts.append(current.decode())
            current = b""
        current += raw
    parts.append(current.decode())
    return "\r\n ".join(parts) + "\r\n"
