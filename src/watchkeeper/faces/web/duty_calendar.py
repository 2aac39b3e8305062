"""A schedule as a calendar: rows of days, lanes of layers, and the final schedule below. Pure.

Places are percent of a row's length in time, so a day on which clocks change is drawn as long as it
is: 23 or 25 hours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from watchkeeper.kernel.clock import Seconds
from watchkeeper.oncall.schedule.model import Change, Shift
from watchkeeper.oncall.schedule.preview import layer_shifts
from watchkeeper.oncall.schedule.rules import on_call, shifts
from watchkeeper.oncall.schedule.turns import instant
from watchkeeper.spec.duty import ScheduleDefinition
from watchkeeper.spec.model import Specs

VIEWS: Mapping[str, tuple[str, int]] = {
    "week": ("Week", 7),
    "2weeks": ("2 weeks", 14),
    "month": ("Month", 28),
}
TONES = 6


@dataclass(frozen=True, slots=True)
class Day:
    """A column; ``hours`` is '' unless clocks change in it."""

    left: float
    width: float
    label: str
    long: str
    today: bool
    other: bool
    holiday: bool
    hours: str


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch on a lane. ``kind``: shift, gap, new (by the change that is tried) or away."""

    left: float
    width: float
    text: str
    label: str
    tone: int
    kind: str
    href: str
    short: str = ""


@dataclass(frozen=True, slots=True)
class Lane:
    """A line of blocks; the last of a row is the final schedule."""

    name: str
    kind: str
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Row:
    """A week."""

    days: Sequence[Day]
    lanes: Sequence[Lane]
    now: float | None


@dataclass(frozen=True, slots=True)
class Calendar:
    """The whole of it, [start, end)."""

    title: str
    start: Seconds
    end: Seconds
    rows: Sequence[Row]
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What is shown: a view, a day of it, a time zone; and a change that is tried."""

    view: str
    day: date
    zone: str
    proposed: Change | None = None


def midnight(day: date, zone: str) -> Seconds:
    """When a local day begins."""
    return instant(datetime.combine(day, time()), zone)


def span(asked: Asked) -> tuple[date, date]:
    """The first day shown, and the first that is not."""
    day = asked.day
    if asked.view != "month":
        first = day - timedelta(days=day.weekday())
        return first, first + timedelta(days=VIEWS[asked.view][1])
    first = day.replace(day=1)
    following = (first + timedelta(days=31)).replace(day=1)
    last = following - timedelta(days=1)
    return first - timedelta(days=first.weekday()), last + timedelta(days=7 - last.weekday())


def calendar(
    schedule: ScheduleDefinition,
    changes: Sequence[Change],
    specs: Specs,
    asked: Asked,
    now: Seconds,
    link: Callable[[Shift], str] | None,
) -> Calendar:
    """The calendar that is asked for; ``link`` makes a shift of it the start of a change."""
    first, end = span(asked)
    rows, day = [], first
    people = everybody(schedule, specs)
    drawing = _Drawing(schedule, changes, specs, asked, now, people, link)
    while day < end:
        rows.append(drawing.row(day))
        day += timedelta(days=7)
    before, after = _around(asked, first, end)
    return Calendar(
        _title(asked, first, end),
        midnight(first, asked.zone),
        midnight(end, asked.zone),
        rows,
        before.isoformat(),
        after.isoformat(),
    )


def strip(
    schedule: ScheduleDefinition,
    changes: Sequence[Change],
    specs: Specs,
    asked: Asked,
    now: Seconds,
) -> Row:
    """Seven days from ``asked.day`` on, the final schedule alone."""
    drawing = _Drawing(schedule, changes, specs, asked, now, everybody(schedule, specs), None)
    row = drawing.row(asked.day)
    return Row(row.days, [lane for lane in row.lanes if lane.kind == "final"], row.now)


def everybody(schedule: ScheduleDefinition, specs: Specs) -> list[str]:
    """Those of its layers in order, then all others: a person keeps their colour."""
    named = [u for layer in schedule.layers for entry in layer.users for u in entry.split("+")]
    return [u for u in dict.fromkeys([*named, *specs.duty.users]) if u in specs.duty.users]


@dataclass(frozen=True)
class _Drawing:
    schedule: ScheduleDefinition
    changes: Sequence[Change]
    specs: Specs
    asked: Asked
    now: Seconds
    people: Sequence[str]
    link: Callable[[Shift], str] | None

    def row(self, day: date) -> Row:
        start = midnight(day, self.asked.zone)
        end = midnight(day + timedelta(days=7), self.asked.zone)
        here = (self.now - start) / (end - start)
        return Row(
            [self._day(day + timedelta(days=i), start, end) for i in range(7)],
            [lane for lane in self._lanes(start, end) if lane.blocks],
            round(100 * here, 3) if 0 <= here < 1 else None,
        )

    def _day(self, day: date, start: Seconds, end: Seconds) -> Day:
        zone = self.asked.zone
        a, b = midnight(day, zone), midnight(day + timedelta(days=1), zone)
        hours = (b - a) / 3600
        return Day(
            round(100 * (a - start) / (end - start), 3),
            round(100 * (b - a) / (end - start), 3),
            f"{day:%a} {day.day}",
            f"{day:%A} {day.day} {day:%B}",
            day == datetime.fromtimestamp(self.now, ZoneInfo(zone)).date(),
            self.asked.view == "month" and day.month != self.asked.day.month,
            day.isoformat() in self.schedule.holidays,
            "" if hours == 24 else f"{hours:g} h",
        )

    def _lanes(self, start: Seconds, end: Seconds) -> Iterable[Lane]:
        """Layers only where there is room for them."""
        if self.asked.view != "month":
            for layer in self.schedule.layers:
                alone = layer_shifts(self.schedule, layer, start, end)
                kind = "shadow" if layer.shadow else "layer"
                name = f"{layer.name} (shadow)" if layer.shadow else layer.name
                yield Lane(name, kind, [self._block(s, start, end, name) for s in alone])
        elif any(layer.shadow for layer in self.schedule.layers):
            shadows = [s for s in shifts(self.schedule, self.changes, start, end) if s.shadows]
            found = [Shift(s.start, s.end, s.shadows) for s in shadows]
            blocks = [self._block(s, start, end, "Shadow") for s in found]
            yield Lane("Shadow", "shadow", blocks)
        tried = [self.asked.proposed] if self.asked.proposed else []
        made = [c for c in (*self.changes, *tried) if c.kind != "calendar"]
        shown = [c for c in made if c.start < end and c.end > start]
        for i, apart in enumerate(_apart(shown)):
            blocks = [self._change(c, start, end) for c in apart]
            yield Lane("Changes" if i == 0 else "", "changes", blocks)
        yield Lane("On call", "final", self._final(start, end))

    def _final(self, start: Seconds, end: Seconds) -> list[Block]:
        tried = self.asked.proposed
        every = [*self.changes, tried] if tried else self.changes
        blocks = []
        for shift in shifts(self.schedule, every, start, end):
            new = tried is not None and tried.start <= shift.start < tried.end
            moved = new and on_call(self.schedule, self.changes, shift.start).users != shift.users
            blocks.append(self._block(shift, start, end, "On call", moved, self.link))
        return blocks

    def _block(
        self,
        shift: Shift,
        start: Seconds,
        end: Seconds,
        lane: str,
        new: bool = False,
        link: Callable[[Shift], str] | None = None,
    ) -> Block:
        who = names(shift.users, self.specs) or "Nobody"
        said = [f"{lane}: {who}", between(shift.start, shift.end, self.asked.zone)]
        said += [shift.reason] if shift.reason else []
        said += [f"shadow {names(shift.shadows, self.specs)}"] if shift.shadows else []
        kind = "gap" if not shift.users else "new" if new else shift.reason or "shift"
        left, width = _place(shift.start, shift.end, start, end)
        return Block(
            left,
            width,
            _fitting(who, width),
            ", ".join(said),
            self._tone(shift.users),
            kind,
            link(shift) if link else "",
            "" if width < 5.5 else _fitting(who, 2.4) if width < 24 else who,
        )

    def _change(self, change: Change, start: Seconds, end: Seconds) -> Block:
        """What is tried stands among the changes, outlined."""
        tried = change is self.asked.proposed
        text = change_words(change, self.specs)
        label = f"{text}, {between(change.start, change.end, self.asked.zone)}"
        who = change.user or change.replaces
        a, b = max(start, change.start), min(end, change.end)
        kind = "new" if tried else "away" if change.kind == "leave" else "change"
        return Block(*_place(a, b, start, end), text, label, self._tone((who,)), kind, "")

    def _tone(self, users: Sequence[str]) -> int:
        first = next((u for u in users if u in self.people), None)
        return self.people.index(first) % TONES if first else 0


def _fitting(who: str, width: float) -> str:
    """As much of a name as its place holds: all, the first word, initials, nothing."""
    if width >= 10 or "," in who:
        return who
    if width >= 4.8:
        return who.split()[0]
    return "".join(word[0] for word in who.split()[:2]) if width >= 2.4 else ""


def _apart(changes: Iterable[Change]) -> list[list[Change]]:
    """Changes in as few lanes as hold them without one covering another."""
    lanes: list[list[Change]] = []
    for change in sorted(changes, key=lambda c: (c.start, c.end, c.id)):
        free = next((lane for lane in lanes if lane[-1].end <= change.start), None)
        if free is None:
            lanes.append([change])
        else:
            free.append(change)
    return lanes


def _place(a: Seconds, b: Seconds, start: Seconds, end: Seconds) -> tuple[float, float]:
    return round(100 * (a - start) / (end - start), 3), round(100 * (b - a) / (end - start), 3)


def _around(asked: Asked, first: date, end: date) -> tuple[date, date]:
    if asked.view != "month":
        length = end - first
        return first - length, first + length
    this = asked.day.replace(day=1)
    return (this - timedelta(days=1)).replace(day=1), (this + timedelta(days=31)).replace(day=1)


def _title(asked: Asked, first: date, end: date) -> str:
    if asked.view == "month":
        return f"{asked.day:%B %Y}"
    last = end - timedelta(days=1)
    start = f"{first.day} {first:%b}" if first.year == last.year else f"{first.day} {first:%b %Y}"
    return f"{start} to {last.day} {last:%b %Y}"


# ---------------------------------------------------------------- words


def names(users: Iterable[str], specs: Specs) -> str:
    """Display names."""
    known = specs.duty.users
    return ", ".join(known[u].display_name if u in known else u for u in users)


def local(at: Seconds, zone: str) -> str:
    """``Mon 5 Jan 09:00``, in this zone."""
    then = datetime.fromtimestamp(at, ZoneInfo(zone))
    return f"{then:%a} {then.day} {then:%b %H:%M}"


def between(start: Seconds, end: Seconds, zone: str) -> str:
    """``Mon 5 Jan 09:00 to 17:00``; the second day only when it is another."""
    a, b = (datetime.fromtimestamp(at, ZoneInfo(zone)) for at in (start, end))
    until = f"{b:%H:%M}" if a.date() == b.date() else local(end, zone)
    return f"{local(start, zone)} to {until}"


def change_words(change: Change, specs: Specs) -> str:
    """``Swap: Ben for Ann``."""
    who = names((change.user,), specs) if change.user else "the next in turn"
    whose = names((change.replaces,), specs) if change.replaces else "everybody"
    if change.kind == "leave" and not change.user:
        return f"Leave: {whose}"
    return f"{change.kind.title()}: {who} for {whose}"


def typed(at: Seconds, zone: str) -> str:
    """An instant as a field for a local time takes it."""
    return f"{datetime.fromtimestamp(at, ZoneInfo(zone)):%Y-%m-%dT%H:%M}"


def query(**fields: str) -> str:
    """The fields that say something, as the end of an address."""
    return "?" + urlencode({k: v for k, v in fields.items() if v})
