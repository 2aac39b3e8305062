"""Schedules as written: layers, restrictions, holidays. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime

from watchkeeper.spec.duty import LayerDefinition, Restriction, RotationKind, ScheduleDefinition
from watchkeeper.spec.duty_fields import (
    DutyRead,
    begin,
    clock,
    items,
    local_time,
    nearest_in,
    whole,
    zone_of,
)
from watchkeeper.spec.reader import Reader

SCHEDULE_KEYS = (
    "timeZone", "team", "layers", "holidays", "holidayUsers", "mayBeEmpty", "ical",
)  # fmt: skip
LAYER_KEYS = ("name", "users", "rotation", "every", "start", "end", "restrictions", "shadow")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LONG = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NUMBER = {**{d: i for i, d in enumerate(DAYS)}, **{d: i for i, d in enumerate(_LONG)}}


def read_schedule(reader: Reader, duty: DutyRead) -> None:
    """A schedule."""
    begun = begin(reader, duty, SCHEDULE_KEYS)
    if begun is None:
        return
    name, display, spec = begun
    zone = zone_of(spec)
    written = spec.children("layers")
    layers = tuple(x for i in written if (x := _layer(i, zone, duty)) is not None)
    if len(layers) == len(written):
        _check_layers(written, layers)
    stand_ins = tuple(
        text for item, text in items(spec, "holidayUsers")
        if duty.refer(item, "holidayUsers", "User", text)
    )  # fmt: skip
    if stand_ins and not spec.has("holidays"):
        spec.warn(
            "unused", "'holidayUsers' without 'holidays'", "the dates on which they stand in",
            "add holidays: [2026-12-25]", key="holidayUsers",
        )  # fmt: skip
    duty.schedules[name] = ScheduleDefinition(
        name,
        display,
        reader.place(),
        zone,
        duty.refer(spec, "team", "Team") or None,
        layers,
        tuple(_holidays(spec)),
        stand_ins,
        spec.flag("mayBeEmpty"),
        _calendar(spec),
    )


def _calendar(spec: Reader) -> str:
    ical = spec.text("ical").strip()
    if spec.has("ical") and spec.has("layers"):
        spec.fault(
            "two-rotations", "both 'layers' and 'ical'", "one of them",
            "make the calendar a schedule of its own", key="ical",
        )  # fmt: skip
    if not spec.has("ical") and not spec.data.get("layers"):
        spec.fault("missing", "nobody is ever on call", "'layers' or 'ical'", "add 'layers:'")
    scheme, there, rest = ical.partition("://")
    if there and scheme not in ("https", "file"):
        spec.fault(
            "bad-url", f"'ical' is '{ical}'", "an https address or a file",
            f"write https://{rest}", key="ical",
        )  # fmt: skip
    return ical


def _holidays(spec: Reader) -> Iterator[str]:
    for item, text in items(spec, "holidays"):
        try:
            yield date.fromisoformat(text).isoformat()
        except ValueError:
            item.fault("bad-time", f"'{text}' is no date", "a date such as 2026-12-25")


def _layer(item: Reader, zone: str, duty: DutyRead) -> LayerDefinition | None:
    item.only(*LAYER_KEYS)
    users = tuple(_turns(item, duty))
    if not users and not item.data.get("users"):
        item.lacks("users", "who takes turns, e.g. [ann, ben]")
    kind = item.choice("rotation", [str(k) for k in RotationKind]) or "weekly"
    every = whole(item, "every", 1, most=1000)
    start = local_time(item, "start", zone, required=True)
    end = local_time(item, "end", zone)
    if start and end and datetime.fromisoformat(end) <= datetime.fromisoformat(start):
        item.fault("bad-value", f"'end' is {end}, not after 'start'", "a later time", key="end")
    restrictions = [_restriction(i) for i in item.children("restrictions")]
    if not users or not start:
        return None
    return LayerDefinition(
        item.text("name") or kind,
        users,
        RotationKind(kind),
        every,
        start,
        end or None,
        tuple(r for r in restrictions if r is not None),
        item.flag("shadow"),
    )


def _turns(item: Reader, duty: DutyRead) -> Iterator[str]:
    for at, entry in items(item, "users"):
        together = [user.strip() for user in entry.split("+")]
        if together == ["-"]:
            yield "-"
        elif "" in together or "-" in together:
            at.fault("bad-value", f"'{entry}' is no turn", "a user, several as ann+ben, or '-'")
        else:
            for user in together:
                duty.refer(at, "users", "User", user)
            yield "+".join(together)


def _check_layers(written: Sequence[Reader], layers: Sequence[LayerDefinition]) -> None:
    names: set[str] = set()
    for item, layer in zip(written, layers, strict=True):
        if layer.name in names:
            item.fault(
                "duplicate", f"two layers are called '{layer.name}'", "a name of its own",
                "rename one of them" if item.has("name") else "add 'name:'",
                "name" if item.has("name") else None,
            )  # fmt: skip
        names.add(layer.name)
    for i, layer in enumerate(layers):
        over = next((x for x in layers[i + 1 :] if _covers(x, layer)), None)
        if over is not None:
            written[i].warn(
                "covered", f"layer '{over.name}' covers '{layer.name}' at all times",
                "a later layer that leaves hours to the earlier",
                "give it restrictions, or change their order",
            )  # fmt: skip


def _covers(upper: LayerDefinition, lower: LayerDefinition) -> bool:
    """True when nothing of the lower layer can ever be seen."""
    if upper.shadow or lower.shadow or upper.restrictions or upper.end or "-" in upper.users:
        return False
    return datetime.fromisoformat(upper.start) <= datetime.fromisoformat(lower.start)


def _restriction(item: Reader) -> Restriction | None:
    item.only("days", "from", "to")
    days: set[int] = set()
    for at, text in items(item, "days"):
        found = _days(text)
        if not found:
            fix = nearest_in(text, DAYS + _LONG)
            at.fault("bad-value", f"'{text}' is no day", f"{', '.join(DAYS)}, or mon-fri", fix)
        days.update(found)
    start, end = clock(item, "from", 0), clock(item, "to", 1440)
    if start is None or end is None:
        return None
    if start == 1440:
        item.fault("bad-time", "'from' is 24:00", "a time of day such as 09:00", key="from")
    return Restriction(tuple(sorted(days)), start, end)


def _days(text: str) -> set[int]:
    """``mon``, ``Monday``, ``mon-fri``, ``sat-mon``; nothing when it is no day."""
    first, dash, last = (part.strip() for part in text.lower().partition("-"))
    if first not in _NUMBER or (dash and last not in _NUMBER):
        return set()
    start = _NUMBER[first]
    count = (_NUMBER[last] - start) % 7 if dash else 0
    return {(start + i) % 7 for i in range(count + 1)}
