"""What the readers of duty share: references to come, times, lengths, matchers. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from watchkeeper.kernel.duration import Duration
from watchkeeper.kernel.secrets import as_text, is_reference
from watchkeeper.spec.budget import BudgetPolicyDefinition
from watchkeeper.spec.duty import (
    ChannelDefinition,
    EscalationPolicyDefinition,
    HeartbeatDefinition,
    IntegrationDefinition,
    MaintenanceDefinition,
    Matcher,
    MirrorDefinition,
    ScheduleDefinition,
    TriageRule,
    UserDefinition,
)
from watchkeeper.spec.model import AlertPolicyDefinition
from watchkeeper.spec.openslo import metadata
from watchkeeper.spec.reader import Reader, nearest
from watchkeeper.spec.review import ReviewDefinition
from watchkeeper.spec.zones import zone_problems

URGENCIES = ("page", "ticket", "info")
_CLOCK = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)")
_MATCHER = re.compile(r"\s*([A-Za-z_][\w.-]*)\s*(=~|!~|!=|=)\s*((?![=~]).*?)\s*")
_NOTHING = re.compile(r"0+(ms|[smhdw])?")
_NO_RULE = "label=value, label!=value, label=~regex or label!~regex"


@dataclass(frozen=True, slots=True)
class Reference:
    """``name`` must be a defined ``kind``; ``reader`` and ``key`` say where it is named."""

    reader: Reader
    key: str
    kind: str
    name: str


@dataclass
class DutyRead:
    """What was read so far, with the readers that later say what is wrong with references."""

    users: dict[str, UserDefinition] = field(default_factory=dict)
    schedules: dict[str, ScheduleDefinition] = field(default_factory=dict)
    policies: dict[str, EscalationPolicyDefinition] = field(default_factory=dict)
    channels: dict[str, ChannelDefinition] = field(default_factory=dict)
    integrations: dict[str, IntegrationDefinition] = field(default_factory=dict)
    heartbeats: dict[str, HeartbeatDefinition] = field(default_factory=dict)
    triage: dict[str, TriageRule] = field(default_factory=dict)
    maintenance: dict[str, MaintenanceDefinition] = field(default_factory=dict)
    alert_policies: dict[str, AlertPolicyDefinition] = field(default_factory=dict)
    budgets: dict[str, BudgetPolicyDefinition] = field(default_factory=dict)
    mirrors: dict[str, MirrorDefinition] = field(default_factory=dict)
    reviews: dict[str, ReviewDefinition] = field(default_factory=dict)
    readers: dict[tuple[str, str], Reader] = field(default_factory=dict)
    """By kind and name, also of what was too wrong to be defined."""
    references: list[Reference] = field(default_factory=list)
    addresses: list[tuple[Reader, str, str]] = field(default_factory=list)
    """(reader, channel, address) of every address: its form depends on the channel's type."""
    mirrored: list[tuple[Reader, str]] = field(default_factory=list)
    """(reader, channel) of every chat with rooms for incidents."""

    def refer(self, reader: Reader, key: str, kind: str, name: str = "") -> str:
        """Note that a name (by default the text of ``key``) must be a defined ``kind``."""
        name = name or reader.text(key)
        if name:
            self.references.append(Reference(reader, key, kind, name))
        return name


def begin(
    reader: Reader, duty: DutyRead, known: Iterable[str], required: bool = True
) -> tuple[str, str, Reader] | None:
    """(name, display name, spec) of a document; None when one of them is missing."""
    name, display, *_ = metadata(reader)
    spec = reader.child("spec", required)
    if spec is None and not required and not reader.has("spec"):
        spec = Reader(reader.document, ("spec",), {}, reader.findings)
    if name:
        duty.readers[reader.document.kind, name] = spec or reader
    if spec is None or not name:
        return None
    spec.only("description", *known)
    return name, display, spec


def items(reader: Reader, key: str) -> Iterator[tuple[Reader, str]]:
    """The texts of a list, each with a reader at its own place."""
    written = reader.data.get(key)
    for i, text in enumerate(reader.texts(key)):
        path = (*reader.path, key, i) if isinstance(written, list) else (*reader.path, key)
        yield Reader(reader.document, path, {}, reader.findings), text


def reference(item: Reader, key: str) -> str:
    """``{env: NAME}`` or ``{file: PATH}`` in the form in which it is kept; '' when it is wrong."""
    written = item.data.get(key)
    where = next(iter(written.values()), None) if isinstance(written, dict) else None
    if (
        isinstance(written, dict)
        and len(written) == 1
        and next(iter(written)) in ("env", "file")
        and isinstance(where, str)
        and is_reference(as_text(written))
        and where.strip()
    ):
        return as_text(written)
    item.fault(
        "bad-reference",
        f"'{key}' does not say where it is",
        "{env: NAME} or {file: PATH}",
        "name one variable or one file",
        key,
    )
    return ""


def address(item: Reader, required: bool = False) -> str:
    """Where a message goes, in the channel's terms, or a reference to it."""
    if isinstance(item.data.get("address"), dict):
        return reference(item, "address")
    return item.text("address", required=required)


# ---------------------------------------------------------------- numbers and lengths


def whole(item: Reader, key: str, default: int, least: int = 1, most: int | None = None) -> int:
    """A whole number from ``least`` to ``most``."""
    number = item.number(key)
    if number is None:
        return default
    if number != int(number) or number < least or (most is not None and number > most):
        upper = "" if most is None else f" to {most}"
        item.fault(
            "bad-value", f"'{key}' is {number}", f"a whole number from {least}{upper}", key=key
        )
        return default
    return int(number)


def amount(item: Reader, key: str) -> float:
    """A number of zero or more; zero when absent."""
    number = item.number(key)
    if number is not None and number < 0:
        item.fault("bad-value", f"'{key}' is {number}", "zero or more", key=key)
    return float(number or 0)


def length(item: Reader, key: str, required: bool = False, bare: str = "") -> float | None:
    """The seconds of a duration of fixed length (no months)."""
    found = item.duration(key, required, bare)
    if found is None:
        return None
    if found.is_calendar:
        days = round(found.average_seconds / 86_400)
        item.fault(
            "bad-duration",
            f"'{key}' is {found}, and months differ in length",
            "a fixed length of time, e.g. 5m, 1h, 28d",
            f"write {days}d",
            key=key,
        )
        return None
    return found.seconds


def delay(item: Reader, key: str, default: float = 0.0, bare: str = "") -> float:
    """The seconds of a duration that may be none at all: ``0``, ``0s``, ``0m``."""
    if _NOTHING.fullmatch(item.text(key).strip()):
        return 0.0
    found = length(item, key, bare=bare)
    return default if found is None else found


def average(duration: Duration | None) -> float:
    """Its seconds, months as they are on average; 0 for none (which is said elsewhere)."""
    return duration.average_seconds if duration else 0.0


# ---------------------------------------------------------------- times


def zone_of(spec: Reader) -> str:
    """The time zone, UTC when none is written."""
    zone = spec.text("timeZone")
    for _, message, expected, fix in zone_problems("", zone):
        spec.fault("bad-zone", message, expected, fix, key="timeZone")
        return "UTC"
    return zone or "UTC"


def local_time(spec: Reader, key: str, zone: str, required: bool = False) -> str:
    """A naive local time that the clocks of ``zone`` show; '' when absent or wrong."""
    found = spec.text(key, required, "local time such as 2026-01-05T09:00").strip()
    for _, message, _, _ in zone_problems(found, ""):
        fix = "leave the offset out: timeZone says it" if _has_offset(found) else ""
        spec.fault("bad-time", message, "local time such as 2026-01-05T09:00", fix, key)
        return ""
    if found and not _shown(datetime.fromisoformat(found), zone):
        spec.fault(
            "no-such-time",
            f"clocks in {zone} skip {found}: daylight saving time begins",
            "a time that the clocks show",
            "write a time an hour earlier or later",
            key,
        )
        return ""
    return found.replace(" ", "T")


def _has_offset(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _shown(local: datetime, zone: str) -> bool:
    its = ZoneInfo(zone)
    try:
        back = local.replace(tzinfo=its).astimezone(UTC).astimezone(its)
    except OverflowError:  # the first or last day that can be written
        return True
    return back.replace(tzinfo=None) == local


def clock(item: Reader, key: str, default: int) -> int | None:
    """Minutes of the day of ``09:00``; 24:00 is the day's end. None when it is none."""
    if not item.has(key):
        return default
    written = item.data[key]
    found = _CLOCK.fullmatch(written.strip()) if isinstance(written, str) else None
    minutes = int(found[1]) * 60 + int(found[2]) if found else 1441
    if minutes <= 1440:
        return minutes
    bare = isinstance(written, int) and not isinstance(written, bool) and 0 <= written <= 24
    item.fault(
        "bad-time",
        f"'{key}' is '{written}'",
        "a time of day such as 09:00",
        f'write "{written:02d}:00"' if bare else "",
        key,
    )
    return None


_NICKNAMES = {
    "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}  # fmt: skip


def check_cron(spec: Reader, cron: str) -> bool:
    """True for a cron expression that comes at some time; else it is pointed out."""
    try:
        next(CronSim(cron, datetime(2026, 1, 1, tzinfo=UTC)))
    except StopIteration:
        problem = "it never comes"
    except CronSimError as error:
        problem = str(error).lower()
    else:
        return True
    fix = f"write {_NICKNAMES[cron]}" if cron in _NICKNAMES else ""
    if not fix and cron.startswith("@"):
        fix = nearest_in(cron, _NICKNAMES)
    spec.fault(
        "bad-cron",
        f"'{cron}' is no cron expression: {problem}",
        "minute hour day month weekday, e.g. 0 3 * * *",
        fix,
        "cron",
    )
    return False


# ---------------------------------------------------------------- matchers


def parse_matcher(text: str) -> Matcher | None:
    """``label=value``, ``!=``, ``=~`` or ``!~``, the value perhaps quoted; None when it is none."""
    made = _matcher(text)
    return None if made is None or _regex_problem(made) else made


def _matcher(text: str) -> Matcher | None:
    parts = _MATCHER.fullmatch(text)
    if parts is None:
        return None
    value = parts[3]
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return Matcher(parts[1], parts[2], value)


def _regex_problem(matcher: Matcher) -> str:
    if matcher.op in ("=~", "!~"):
        try:
            re.compile(matcher.value)
        except re.error as error:
            return str(error)
    return ""


def matchers(spec: Reader, key: str) -> tuple[Matcher, ...]:
    """``[service=shop, severity=~"warn.*"]``."""
    if not spec.has(key):
        spec.lacks(key, "what it applies to, e.g. [service=shop]")
    found: list[Matcher] = []
    for item, text in items(spec, key):
        made = _matcher(text)
        if made is None:
            label, equals, value = text.partition("==")
            fix = f"write {label.strip()}={value.strip()}" if equals else ""
            item.fault("bad-matcher", f"'{text}' is no matcher", _NO_RULE, fix)
            continue
        problem = _regex_problem(made)
        if problem:
            item.fault(
                "bad-regex",
                f"'{made.value}' is no regular expression: {problem}",
                "a pattern that matches the whole value, e.g. warn.*",
            )
            continue
        found.append(made)
    return tuple(found)


def nearest_in(text: str, known: Iterable[str]) -> str:
    """Advice that names the known word most like this one, or ''."""
    near = nearest(text, known)
    return f"did you mean '{near}'?" if near else ""
