"""Silences and maintenance: why nobody is called for an alert that is kept all the same. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from watchkeeper.alerting.triage import matches
from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.spec.duty import MaintenanceDefinition, Matcher
from watchkeeper.spec.model import Specs


@dataclass(frozen=True, slots=True)
class Silence:
    """Nobody is called for alerts that match, from ``start`` to ``end``."""

    id: str
    matchers: tuple[Matcher, ...]
    start: Seconds
    end: Seconds
    author: str
    reason: str
    created_at: Seconds


def reason(
    labels: Mapping[str, str], specs: Specs, silences: Sequence[Silence], now: Seconds
) -> str:
    """Why nobody is called for an alert with these labels now; '' when somebody is."""
    for each in silences:
        if each.start <= now < each.end and matches(each.matchers, labels):
            return f"silenced by {each.author} until {iso(each.end)}: {each.reason}"
    for planned in specs.duty.maintenance.values():
        if matches(planned.matchers, labels) and in_force(planned, now):
            said = planned.reason or "planned"
            return f"maintenance {planned.name}: {said}"
    return ""


def in_force(planned: MaintenanceDefinition, now: Seconds) -> bool:
    """True while one of its occurrences lasts. Local times, through daylight saving time."""
    zone = ZoneInfo(planned.time_zone)
    first = datetime.fromisoformat(planned.start)
    if not planned.rrule:
        start = first.replace(tzinfo=zone).timestamp()
        return start <= now < start + planned.duration
    from dateutil.rrule import rrulestr

    local = datetime.fromtimestamp(now, UTC).astimezone(zone).replace(tzinfo=None)
    latest = rrulestr(planned.rrule, dtstart=first).before(local + timedelta(hours=2), inc=True)
    # The hours around a change of the clock: look at the one before as well.
    found = [latest, rrulestr(planned.rrule, dtstart=first).before(latest)] if latest else []
    starts = [d.replace(tzinfo=zone).timestamp() for d in found if d is not None]
    return any(s <= now < s + planned.duration for s in starts)


def occurrences(planned: MaintenanceDefinition, now: Seconds, most: int) -> list[Seconds]:
    """When its next occurrences start, the one that lasts now first; at most ``most``."""
    zone = ZoneInfo(planned.time_zone)
    first = datetime.fromisoformat(planned.start)
    if not planned.rrule:
        start = first.replace(tzinfo=zone).timestamp()
        return [start] if now < start + planned.duration else []
    from dateutil.rrule import rrulestr

    local = datetime.fromtimestamp(now - planned.duration, UTC).astimezone(zone)
    since = local.replace(tzinfo=None) - timedelta(hours=2)
    coming = rrulestr(planned.rrule, dtstart=first).xafter(since, count=most + 8, inc=True)
    starts = (d.replace(tzinfo=zone).timestamp() for d in coming)
    return [s for s in starts if now < s + planned.duration][:most]
