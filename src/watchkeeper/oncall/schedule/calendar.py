"""A calendar of another system as a schedule: its events name who is on call. Pure.

Recurrence is expanded by `recurring_ical_events` (RFC 5545: RRULE, RDATE, EXDATE, RECURRENCE-ID).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import recurring_ical_events

from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import UserError
from watchkeeper.oncall.schedule.model import Change
from watchkeeper.spec.duty import UserDefinition

MOST = 5000
"""Events of one calendar that are taken within the time looked at."""
_WRONG = (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError)
"""What the libraries raise at what is no calendar."""
_PARTS = re.compile(r"\s*(?:,|\+|&|;|\band\b)\s*", re.IGNORECASE)
_SAYS = re.compile(r"\s+(?:is\s+)?on[ -]call\b.*", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Booked:
    """A stretch [start, end) in which these are on call together."""

    start: Seconds
    end: Seconds
    users: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a calendar says. ``unknown``: names in it that no user has; ``broken``: its events that
    cannot be understood, by their summaries."""

    booked: tuple[Booked, ...]
    unknown: tuple[str, ...]
    broken: tuple[str, ...] = ()


def read_calendar(
    text: str, users: Mapping[str, UserDefinition], zone: str, start: Seconds, end: Seconds
) -> Reading:
    """The events of [start, end). Raises UserError when the text is no calendar.

    People are found by the addresses of attendees; else by the summary: names or display names,
    several with commas, ``+``, ``&`` or "and", with or without "on call …" behind. Whole days and
    times without a zone are those of ``zone``. Events that are cancelled are left out.
    """
    known, unknown = _names(users), dict[str, None]()
    found: list[Booked] = []
    events, broken = _events(text, start, end)
    for event in events:
        if str(event.get("STATUS", "")).upper() == "CANCELLED":
            continue
        begin, until = (_instant(event[k].dt, zone) for k in ("DTSTART", "DTEND"))
        people, strange = _people(event, known)
        unknown.update(dict.fromkeys(strange))
        if people and until > begin:
            found.append(Booked(begin, until, people))
    return Reading(tuple(together(found)), tuple(unknown), tuple(broken))


def _events(text: str, start: Seconds, end: Seconds) -> tuple[list[Any], list[str]]:
    """Events with their recurrences, and the summaries of those that cannot be understood."""
    span = datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC)
    try:
        calendar = icalendar.Calendar.from_ical(text)
    except _WRONG as error:
        said = (str(error).splitlines() or ["?"])[0][:200]
        raise UserError(
            f"This is no calendar that can be read: {said}.", "Is it iCalendar?"
        ) from None
    broken: list[str] = []
    try:
        found = list(recurring_ical_events.of(calendar).between(*span))
    except _WRONG:
        # One event that is wrong must not take the shifts of all others with it.
        found = _one_by_one(calendar, span, broken)
    if len(found) > MOST:
        raise UserError(
            f"The calendar has more than {MOST:,} events.", "Give one for on-call only."
        )
    return found, broken


def _one_by_one(
    calendar: icalendar.Calendar, span: tuple[datetime, datetime], broken: list[str]
) -> list[Any]:
    series: dict[str, list[Any]] = {}
    for number, event in enumerate(calendar.walk("VEVENT")):
        series.setdefault(str(event.get("UID", number)), []).append(event)
    found: list[Any] = []
    for events in series.values():
        alone = icalendar.Calendar()
        alone.subcomponents = [*calendar.walk("VTIMEZONE"), *events]
        try:
            found.extend(recurring_ical_events.of(alone).between(*span))
        except _WRONG:
            broken.append(str(events[0].get("SUMMARY", "an event without a summary"))[:200])
    return found


def _instant(moment: date | datetime, zone: str) -> Seconds:
    its = ZoneInfo(zone)
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day, tzinfo=its)
    return (moment if moment.tzinfo else moment.replace(tzinfo=its)).timestamp()


def _names(users: Mapping[str, UserDefinition]) -> dict[str, str]:
    """Every way to name a user, folded, and who that is; ambiguous ones are left out."""
    found: dict[str, set[str]] = {}
    for user in users.values():
        ways = [user.name, user.display_name, *(c.address for c in user.contacts)]
        for way in ways:
            found.setdefault(_folded(way), set()).add(user.name)
    return {way: next(iter(who)) for way, who in found.items() if len(who) == 1 and way}


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _people(event: Any, known: Mapping[str, str]) -> tuple[tuple[str, ...], list[str]]:  # noqa: ANN401
    attendees = event.get("ATTENDEE", [])
    every = attendees if isinstance(attendees, list) else [attendees]
    addresses = [_folded(str(a)).removeprefix("mailto:") for a in every]
    by_address = [known[a] for a in addresses if a in known]
    if by_address:
        return tuple(dict.fromkeys(by_address)), []
    said = _SAYS.sub("", str(event.get("SUMMARY", ""))).strip()
    if _folded(said) in known:
        return (known[_folded(said)],), []
    parts = [p for p in _PARTS.split(said) if p]
    people = [known[_folded(p)] for p in parts if _folded(p) in known]
    return tuple(dict.fromkeys(people)), [p for p in parts if _folded(p) not in known]


def together(booked: Iterable[Booked]) -> list[Booked]:
    """The same without overlaps: who is booked at the same time is on call together."""
    every = sorted(booked, key=lambda b: (b.start, b.end))
    marks = sorted({t for b in every for t in (b.start, b.end)})
    found: list[Booked] = []
    for begin, end in pairwise(marks):
        here = [b for b in every if b.start <= begin and b.end >= end]
        users = tuple(dict.fromkeys(u for b in here for u in b.users))
        last = found[-1] if found else None
        if not users:
            continue
        if last is not None and (last.end, last.users) == (begin, users):
            found[-1] = Booked(last.start, end, users)
        else:
            found.append(Booked(begin, end, users))
    return found


def as_changes(schedule: str, booked: Iterable[Booked]) -> list[Change]:
    """What is booked as the ground that overrides, swaps and leave stand on."""
    return [
        Change(
            f"cal-{schedule[:12]}-{int(b.start)}",
            schedule,
            "calendar",
            b.start,
            b.end,
            "+".join(b.users),
            "",
            "",
            "calendar",
        )
        for b in booked
    ]
