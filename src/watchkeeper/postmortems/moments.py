"""The timeline that a postmortem tells, in whatever form: tables, lists, headings. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from watchkeeper.postmortems.document import Block, Document, Part

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ISO = r"(?P<iso>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})"
_MONTH = "|".join(MONTHS)
_NTH = "(?:st|nd|rd|th)?"
_NAMED = rf"(?P<mon>{_MONTH})[a-z]*\.? (?P<day>\d{{1,2}}){_NTH},?(?: (?P<year>\d{{4}}))?"
_DAY_FIRST = rf"(?P<day2>\d{{1,2}}){_NTH} (?P<mon2>{_MONTH})[a-z]*\.?,?(?: (?P<year2>\d{{4}}))?"
_CLOCK = r"(?P<h>[01]?\d|2[0-3])[:.](?P<min>[0-5]\d)(?::[0-5]\d)? ?(?P<half>[ap]\.?m\.?)?"
_STARTS = re.compile(
    rf"^[\W_]*(?:(?:{_ISO}|{_NAMED}|{_DAY_FIRST})[ T,:-]*)?(?:at )?(?:{_CLOCK})?", re.IGNORECASE
)
_ZONES = (
    r"(?:UTC|GMT)(?:[+-]\d{1,2})?|Z(?=\b)|[CEMPW]E?S?T|[CEMPA][SD]T|CEST|EEST|BST|IST|JST|AE[SD]T"
    r"|NZ[SD]T|(?:US|Europe|America|Asia|Australia|Africa|Pacific)/[A-Za-z_]+"
    r"|(?:Pacific|Eastern|Central|Mountain) time"
)
_ZONE = re.compile(rf"(?<![\w/])(?:{_ZONES})(?![\w/])")


@dataclass(frozen=True, slots=True)
class Moment:
    """An entry: what the wall clock showed, and what happened. ``dated``: the day was written.

    ``timed`` is False where only a day was written.
    """

    line: int
    at: datetime
    text: str
    dated: bool
    timed: bool = True


@dataclass(frozen=True, slots=True)
class Told:
    """The whole timeline. ``zone``: as written, '' when no zone is stated."""

    moments: tuple[Moment, ...]
    zone: str
    line: int


def timeline(document: Document) -> Told | None:
    """The entries of the sections that are timelines; None when there is no such section.

    An entry without a day is of the day of the one before; one that is earlier by six hours or more
    is of the day after, for it went past midnight.
    """
    sections = document.of(Part.TIMELINE)
    if not sections:
        return None
    blocks = document.within(Part.TIMELINE)
    zone = next((z for b in blocks if (z := zone_in(b))), "") or _zone(sections[0].title)
    day = _first_day(document.title)
    return Told(tuple(_moments(blocks, day)), zone, sections[0].line)


def zone_in(block: Block) -> str:
    """The time zone that a block states, or ''."""
    if block.kind in ("head", "heading"):
        return _zone(block.text)
    said = re.search(r"\btimes?\b|\btime ?zone\b|\bclock\b", block.text, re.IGNORECASE)
    if block.kind == "paragraph" and said:
        return _zone(block.text)
    if block.kind in ("row", "item"):
        begins = _STARTS.match(block.cells[0] if block.cells else block.text)
        rest = (block.cells[0] if block.cells else block.text)[begins.end() if begins else 0 :]
        return _zone(rest[:14])
    return ""


def _zone(text: str) -> str:
    found = _ZONE.search(text)
    return found[0] if found else ""


def _first_day(title: str) -> date | None:
    read = _read(title)
    return read[0] if read else None


def _moments(blocks: Iterable[Block], day: date | None) -> Iterator[Moment]:
    last: datetime | None = None
    for block in blocks:
        if block.kind not in ("row", "item", "heading"):
            continue
        if block.kind == "item" and block.depth > 1:
            continue
        source = block.cells[0] if block.cells else block.text
        read = _read(source)
        if read is None or (read[0] is None and read[1] is None):
            continue
        written, clock, rest = read
        if clock is None and block.kind == "item":
            continue  # a list of other things that begins with a day
        if written is not None:
            day = written
        at = _at(day, clock, last, dated=written is not None)
        day = at.date() if day is not None else None
        text = " | ".join(block.cells[1:]) if block.cells else rest
        yield Moment(block.line, at, text.strip(" -–:|"), written is not None, clock is not None)
        last = at if clock is not None else last


def _at(
    day: date | None, clock: tuple[int, int] | None, last: datetime | None, *, dated: bool
) -> datetime:
    base = day or (last.date() if last else date(2000, 1, 1))
    at = datetime(base.year, base.month, base.day, *(clock or (0, 0)))
    if not dated and last is not None and last - at >= timedelta(hours=6):
        at += timedelta(days=1)
    return at


def _read(text: str) -> tuple[date | None, tuple[int, int] | None, str] | None:
    """(day, (hour, minute), what follows) at the beginning of a text."""
    found = _STARTS.match(text)
    if found is None or not found.end():
        return None
    got = found.groupdict()
    clock = None
    if got["h"] is not None:
        hour, half = int(got["h"]), (got["half"] or "").casefold().replace(".", "")
        if half == "pm" and hour < 12:
            hour += 12
        elif half == "am" and hour == 12:
            hour = 0
        clock = hour, int(got["min"])
    try:
        day = _day(got)
    except ValueError:
        day = None
    return day, clock, text[found.end() :]


def _day(got: dict[str, str | None]) -> date | None:
    if got["iso"]:
        return date(int(got["iso"]), int(got["m"] or 0), int(got["d"] or 0))
    for mon, day, year in (("mon", "day", "year"), ("mon2", "day2", "year2")):
        month = got[mon]
        if month:
            number = MONTHS.index(month[:3].casefold()) + 1
            return date(int(got[year] or 2000), number, int(got[day] or 0))
    return None
