"""What the pages on schedules, reach and load show. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from watchkeeper.faces.addresses import shown_in
from watchkeeper.faces.web import words
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Seconds
from watchkeeper.notify.outbox import Delivery
from watchkeeper.oncall.load import LIMIT, Load
from watchkeeper.oncall.schedule.model import Shift
from watchkeeper.oncall.store import Proof
from watchkeeper.spec.duty import ScheduleDefinition
from watchkeeper.spec.model import Specs

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Block:
    """A shift on the calendar strip: place and width in percent of it."""

    left: float
    width: float
    who: str
    label: str
    tone: int
    gap: bool


@dataclass(frozen=True, slots=True)
class ScheduleView:
    """One schedule: who, until when, who next, gaps."""

    name: str
    title: str
    zone: str
    now: str
    until: str
    next: str
    gaps: Sequence[str]
    days: Sequence[tuple[float, str]]
    blocks: Sequence[Block]
    table: Sequence[tuple[str, str, str, str]]
    ical: str


SPAN_DAYS = 14


def schedule_view(
    schedule: ScheduleDefinition,
    shifts: Sequence[Shift],
    gaps: Sequence[Shift],
    specs: Specs,
    start: Seconds,
    now: Seconds,
    ical: str,
) -> ScheduleView:
    """The next two weeks of a schedule, in its own time zone."""
    zone = ZoneInfo(schedule.time_zone)
    span = SPAN_DAYS * DAY
    people = sorted({u for s in shifts for u in s.users})
    here = next((s for s in shifts if s.start <= now < s.end), None)
    after = next(
        (s for s in shifts if s.start > now and s.users != (here.users if here else ())), None
    )
    return ScheduleView(
        name=schedule.name,
        title=schedule.display_name,
        zone=schedule.time_zone,
        now=names(here.users, specs) if here and here.users else "nobody",
        until=local(here.end, zone) if here and here.end < start + span else "further on",
        next=f"{names(after.users, specs)} from {local(after.start, zone)}"
        if after
        else "nobody else",
        gaps=[f"{local(g.start, zone)} to {local(g.end, zone)}" for g in gaps],
        days=_days(start, zone),
        blocks=[_block(s, specs, people, start, span, zone) for s in shifts],
        table=[
            (local(s.start, zone), local(s.end, zone), names(s.users, specs) or "nobody", _why(s))
            for s in shifts
        ],
        ical=ical,
    )


def _why(shift: Shift) -> str:
    shadows = f"shadow: {', '.join(shift.shadows)}" if shift.shadows else ""
    return " · ".join(x for x in (shift.layer, shift.reason, shadows) if x)


def _block(
    shift: Shift, specs: Specs, people: Sequence[str], start: Seconds, span: float, zone: ZoneInfo
) -> Block:
    who = names(shift.users, specs) or "nobody"
    label = f"{who}, {local(shift.start, zone)} to {local(shift.end, zone)}"
    return Block(
        round(100 * (shift.start - start) / span, 3),
        round(100 * (shift.end - shift.start) / span, 3),
        who,
        label,
        people.index(shift.users[0]) % 6 if shift.users else 0,
        not shift.users,
    )


def _days(start: Seconds, zone: ZoneInfo) -> list[tuple[float, str]]:
    first = datetime.fromtimestamp(start, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    found = []
    for i in range(1, SPAN_DAYS + 1):
        day = (first.replace(tzinfo=None) + timedelta(days=i)).replace(tzinfo=zone)
        place = 100 * (day.timestamp() - start) / (SPAN_DAYS * DAY)
        if place < 97:
            found.append((round(place, 3), f"{day:%a} {day.day}"))
    return found


def local(at: Seconds, zone: ZoneInfo) -> str:
    """``Mon 5 Jan 09:00``, in this zone."""
    then = datetime.fromtimestamp(at, zone)
    return f"{then:%a} {then.day} {then:%b %H:%M}"


def names(users: Iterable[str], specs: Specs) -> str:
    """Display names."""
    known = specs.duty.users
    return ", ".join(known[u].display_name if u in known else u for u in users)


# ---------------------------------------------------------------- channels, proofs, load


@dataclass(frozen=True, slots=True)
class ContactRow:
    """How a person is reached, and the last proof that it works."""

    user: str
    name: str
    channel: str
    address: str
    verified: str
    drilled: str
    last: str
    key: str


def contacts(
    specs: Specs,
    proofs: Mapping[tuple[str, str, str], Proof],
    outcomes: Mapping[tuple[str, str], Delivery],
) -> list[ContactRow]:
    """Every contact of every user."""
    rows = []
    for user in specs.duty.users.values():
        for contact in user.contacts:
            proof = proofs.get((user.name, contact.channel, contact.address))
            last = outcomes.get((contact.channel, contact.address))
            rows.append(
                ContactRow(
                    user.name,
                    user.display_name,
                    contact.channel,
                    shown_in(specs, contact.channel, contact.address),
                    _when(proof.verified_at if proof else None),
                    _when(proof.drilled_at if proof else None),
                    outcome(last),
                    outcome_key(last),
                )
            )
    return rows


def outcome(row: Delivery | None) -> str:
    """The last outcome in words."""
    if row is None:
        return "never used"
    if row.sent_at is not None:
        return f"sent {words.day_clock(row.sent_at)}"
    return f"{row.state}: {row.outcome}" if row.outcome else row.state


def outcome_key(row: Delivery | None) -> str:
    """The last outcome as a shape."""
    if row is None:
        return "none"
    if row.state == "sent":
        return "ok"
    return "spent" if row.state == "failed" else "watch"


def _when(at: Seconds | None) -> str:
    return "never" if at is None else words.day_clock(at)


@dataclass(frozen=True, slots=True)
class LoadRow:
    """What being on call cost one rotation, this period and the one before."""

    rotation: str
    pages: str
    trend: str
    out_of_hours: str
    interrupted: str
    over: str
    over_key: str
    mtta: str
    mttr: str


def load_rows(this: Sequence[Load], before: Sequence[Load]) -> list[LoadRow]:
    """Rotations by name; none stands for a person."""
    old = {b.rotation: b for b in before}
    return [_load_row(each, old.get(each.rotation)) for each in this]


def _load_row(each: Load, old: Load | None) -> LoadRow:
    step = each.pages - (old.pages if old else 0)
    return LoadRow(
        each.rotation.partition(":")[2] or each.rotation,
        str(each.pages),
        "as before" if step == 0 else f"{step:+d}",
        str(each.out_of_hours),
        str(each.interrupted_hours),
        f"{words.plural(each.shifts_over_limit, 'shift')} over {LIMIT}"
        if each.shifts_over_limit
        else "within the limit",
        "burn" if each.shifts_over_limit else "ok",
        "–" if each.mtta is None else text.duration(each.mtta),
        "–" if each.mttr is None else text.duration(each.mttr),
    )
