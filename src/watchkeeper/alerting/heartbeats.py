"""Heartbeats: something that must report, and what its silence means. Pure.

States: *new* (never heard of; calls nobody), *up*, *running* (it said that it started), *late* (its
time and grace are over) and *failed* (it said so). Late and failed are alerts; the next success
closes them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim

from watchkeeper.alerting.model import Signal, SignalAction, Urgency
from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.spec.duty import HeartbeatDefinition

DAY = 86_400.0
_EXIT = re.compile(r"exit code (\d{1,3})(?:: |:?$)")
"""How the note of a ping that brought an exit code begins."""


class Ping(StrEnum):
    """What a ping says."""

    SUCCESS = "success"
    START = "start"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Beat:
    """What is known of a heartbeat. ``expected``: when it must be heard of next; None: never heard.

    ``started``: since when it runs; None: it does not, or does not say.
    """

    last: Seconds | None = None
    expected: Seconds | None = None
    started: Seconds | None = None
    failed: bool = False
    note: str = ""
    alerted: bool = False
    took: float | None = None  # seconds from its last start to its end


def from_row(row: Mapping[str, Any]) -> Beat:
    """A beat from its kept form; fields that we do not know are left out."""
    return Beat(**{n: row[n] for n in Beat.__slots__ if n in row})


def to_row(beat: Beat) -> dict[str, Any]:
    """The form in which it is kept."""
    return {n: getattr(beat, n) for n in Beat.__slots__}


def next_time(definition: HeartbeatDefinition, after: Seconds) -> Seconds:
    """When it must report next after this instant, without grace.

    Cron expressions are in the definition's time zone and behave at changes of the clock as
    Debian's cron does: a time that is skipped runs at once after, one that is repeated runs once.
    """
    if definition.every is not None:
        return after + definition.every
    local = datetime.fromtimestamp(after, UTC).astimezone(ZoneInfo(definition.time_zone))
    return next(CronSim(definition.cron, local)).timestamp()


def pinged(
    definition: HeartbeatDefinition, beat: Beat, ping: Ping, note: str, now: Seconds
) -> Beat:
    """What is known after a ping."""
    if ping is Ping.START:
        # Whoever starts must also end: within the time that it has for a whole round.
        limit = now + (definition.every if definition.every is not None else DAY)
        expected = limit if beat.expected is None else max(beat.expected, now)
        return replace(beat, started=now, expected=expected, note=note)
    took = now - beat.started if beat.started is not None else None
    return Beat(
        last=now,
        expected=next_time(definition, now),
        started=None,
        failed=ping is Ping.FAIL,
        note=note,
        alerted=beat.alerted,
        took=took,
    )


def due_at(definition: HeartbeatDefinition, beat: Beat) -> Seconds | None:
    """When its silence becomes an alert; None: it is not waited for."""
    return None if beat.expected is None else beat.expected + definition.grace


def late(definition: HeartbeatDefinition, beat: Beat, now: Seconds) -> bool:
    """True when its time and grace are over."""
    due = due_at(definition, beat)
    return due is not None and now > due


def state(definition: HeartbeatDefinition, beat: Beat, now: Seconds) -> str:
    """new, up, running, late or failed."""
    if beat.failed:
        return "failed"
    if late(definition, beat, now):
        return "late"
    if beat.started is not None:
        return "running"
    return "up" if beat.last is not None else "new"


def exit_code(beat: Beat) -> int | None:
    """The exit code of its last end: that which its ping brought, 0 for a plain success. None: it
    never ended, or said only that it failed."""
    found = _EXIT.match(beat.note)
    if found is not None:
        return int(found[1])
    return 0 if beat.last is not None and not beat.failed else None


def said(beat: Beat) -> str:
    """What it said beside its exit code."""
    return _EXIT.sub("", beat.note, count=1)


def judge(definition: HeartbeatDefinition, beat: Beat, now: Seconds) -> tuple[Beat, Signal | None]:
    """Whether its alert must open or close now."""
    bad = beat.failed or late(definition, beat, now)
    if bad == beat.alerted:
        return beat, None
    action = SignalAction.TRIGGER if bad else SignalAction.RESOLVE
    signal = Signal(
        key=definition.name,
        action=action,
        summary=_sentence(definition, beat, bad),
        severity="critical",
        service=definition.service or "",
        source=definition.name,
        klass="heartbeat",
        details={"note": beat.note} if beat.note else {},
        at=now,
        urgency=Urgency(definition.urgency),
    )
    return replace(beat, alerted=bad), signal


def _sentence(definition: HeartbeatDefinition, beat: Beat, bad: bool) -> str:
    if not bad:
        return f"{definition.name} reports again"
    if beat.failed:
        return f"{definition.name} failed" + (f": {beat.note[:200]}" if beat.note else "")
    heard = f"last heard of at {iso(beat.last)}" if beat.last is not None else "never finished"
    if beat.started is not None:
        return f"{definition.name} started at {iso(beat.started)} and did not end; {heard}"
    expected = iso(beat.expected) if beat.expected is not None else "?"
    return f"{definition.name} was expected at {expected} and did not report; {heard}"
