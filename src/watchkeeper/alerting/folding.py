"""What signals do to alerts. Pure.

Signals are taken in *rounds*: within one round all signals of a key ask for the same, so that a
round is at most one change of each alert. Rounds follow each other in the order the signals came.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from watchkeeper.alerting.model import RANK, Alert, AlertState, Signal, SignalAction, Urgency
from watchkeeper.alerting.triage import Verdict
from watchkeeper.kernel.clock import Seconds

MOST_KEY = 450
"""The longest dedup key that is kept as it came."""
INFORMATION = "information only"
"""Why nobody is called for an alert of urgency info."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A signal at an integration's door, with what triage decided."""

    integration: str
    signal: Signal
    verdict: Verdict
    key: str  # what an open alert of it owns


def open_key(integration: str, key: str) -> str:
    """What an open alert owns: unique while it is open. Long keys are cut and hashed."""
    return f"{integration}\n{short_key(key)}"


def short_key(key: str) -> str:
    """The key itself, or its beginning and its SHA-256 when it is longer than `MOST_KEY`."""
    if len(key) <= MOST_KEY:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()
    return f"{key[: MOST_KEY - 65]}#{digest}"


def rounds(arrivals: Sequence[Arrival]) -> list[list[int]]:
    """The arrivals' places in the order given, split so that each key asks for one thing a round.

    Every key's own order is kept; those of different keys do not matter to each other.
    """
    latest: dict[str, tuple[int, SignalAction]] = {}
    found: list[list[int]] = []
    for i, arrival in enumerate(arrivals):
        action = arrival.signal.action
        turn, last = latest.get(arrival.key, (0, action))
        if last is not action:
            turn += 1
        latest[arrival.key] = (turn, action)
        while len(found) <= turn:
            found.append([])
        found[turn].append(i)
    return found


def opened(group: Sequence[Arrival], quiet: str, now: Seconds) -> Alert:
    """The alert that the first trigger opens; the others of its round are repeats of it."""
    first, last = group[0], group[-1]
    signal, verdict = last.signal, last.verdict
    urgency = max((a.verdict.urgency for a in group), key=RANK.__getitem__)
    calls = not quiet and urgency is not Urgency.INFO
    return Alert(
        id=0,
        integration=first.integration,
        key=short_key(signal.key),
        state=AlertState.OPEN,
        urgency=urgency,
        severity=signal.severity[:20],
        service=verdict.service[:300],
        summary=signal.summary[:1000] or signal.key[:1000],
        opened_at=now,
        last_at=now,
        count=len(group),
        escalation_policy=verdict.escalation_policy,
        due_at=now if calls else None,
        auto_close=verdict.auto_close,
        quiet=quiet[:500] or ("" if calls else INFORMATION),
        source=signal.source[:500],
        component=signal.component[:500],
        labels=verdict.labels,
        details=signal.details,
        links=signal.links,
    )


def worse(held: Alert, group: Sequence[Arrival]) -> bool:
    """True when a trigger is more urgent than the alert: it goes on as a new one, which calls."""
    return any(RANK[a.verdict.urgency] > RANK[held.urgency] for a in group)


def repeated(held: Alert, group: Sequence[Arrival], now: Seconds) -> Alert:
    """The same alert, heard of again."""
    last = group[-1].signal
    return replace(
        held,
        count=held.count + len(group),
        last_at=max(held.last_at, now),
        summary=last.summary[:1000] or held.summary,
        severity=last.severity[:20],
        details=last.details or held.details,
        links=last.links or held.links,
    )


def acknowledged(held: Alert, group: Sequence[Arrival], now: Seconds) -> Alert:
    """Somebody has it, says the sender."""
    if held.state is not AlertState.OPEN:
        return held
    who = group[-1].signal.actor
    details = {**held.details, "acknowledged_by": who} if who else held.details
    due_at = now if held.page_id is not None else held.due_at
    return replace(held, state=AlertState.ACKNOWLEDGED, details=details, due_at=due_at)


def closed(held: Alert, now: Seconds) -> Alert:
    """It is over; the page it is on has to be told."""
    due_at = now if held.page_id is not None else None
    return replace(held, state=AlertState.CLOSED, closed_at=now, due_at=due_at)
