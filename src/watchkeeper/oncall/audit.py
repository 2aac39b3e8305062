"""The engine's own audit: what must never be true, asked of the database each minute.

Everything that waits is a row with a due time; so a lost page would be a row that breaks one of
these. The findings go to the board, to ``/metrics`` and ``/readyz``, and they hold back the
outgoing heartbeat, so that somebody outside notices.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from watchkeeper.alerting import work as alerts_work
from watchkeeper.kernel.clock import Seconds
from watchkeeper.notify import beats, outbox
from watchkeeper.oncall import calendars, store
from watchkeeper.oncall.calling import Changes, changes_of, ways
from watchkeeper.oncall.schedule.rules import gaps
from watchkeeper.spec.duty import TargetKind
from watchkeeper.spec.model import Specs

LATE = 30.0
"""Seconds after which something due that nobody took is a fault."""
LOOK_AHEAD = 7 * 86400.0
"""How far ahead gaps in schedules are looked for."""
CODES = (
    "alert-without-step",
    "page-without-step",
    "page-overdue",
    "delivery-overdue",
    "lease-without-owner",
)
"""The codes of `invariants`, for whoever watches them from outside."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One broken promise: a stable code, how many rows break it, and what to do."""

    code: str
    count: int
    text: str


def invariants(conn: Connection, now: Seconds) -> list[Fault]:
    """The promises that are broken now; normally none."""
    orphans = set(outbox.leased_by(conn)) - set(beats.beats(conn))
    asked = (
        (
            "alert-without-step",
            alerts_work.stranded(conn, now - LATE),
            "open alerts have no next step; nobody will be called for them",
        ),
        (
            "page-without-step",
            store.count(conn, without_step=True),
            "open pages have no next step; nobody will be called for them",
        ),
        (
            "page-overdue",
            store.count(conn, due_before=now - LATE),
            f"pages are due for more than {LATE:g} s and nobody took them",
        ),
        (
            "delivery-overdue",
            outbox.overdue(conn, now - LATE, bulk=False),
            f"messages are due for more than {LATE:g} s and nobody sends them",
        ),
        (
            "lease-without-owner",
            sum(n for o, n in outbox.leased_by(conn).items() if o in orphans),
            "messages are claimed by replicas that are gone",
        ),
    )
    return [Fault(code, count, f"{count:,} {text}") for code, count, text in asked if count]


def readiness(conn: Connection, specs: Specs, now: Seconds) -> list[Fault]:
    """What would make a page fail to reach somebody: gaps, and people who cannot be told."""
    calendar = [Fault(code, 1, text) for code, text in calendars.weak(conn, specs, now)]
    changes = store.changes(conn, now)
    holes = _gaps(specs, changes, now)
    return [*_unreachable(specs, changes), *holes, *_nobody(specs), *calendar]


def _nobody(specs: Specs) -> list[Fault]:
    if specs.duty.escalation_policies or not specs.slos:
        return []
    text = "there is no escalation policy, so alerts call nobody"
    return [Fault("no-policy", 1, text)]


def _unreachable(specs: Specs, changes: Changes) -> list[Fault]:
    users = specs.duty.users
    called = {*_on_schedules(specs, changes), *_in_policies(specs)}
    mute = [n for n in sorted(called) if n in users and not ways(users[n], "page", specs)]
    if not mute:
        return []
    text = f"to be called, but without a contact method: {', '.join(mute)}"
    return [Fault("no-contact", len(mute), text)]


def _on_schedules(specs: Specs, changes: Changes) -> Iterator[str]:
    for schedule in specs.duty.schedules.values():
        yield from schedule.holiday_users
        for layer in schedule.layers:
            for entry in layer.users:
                yield from entry.split("+")
        for change in changes_of(changes, schedule.name):
            yield from change.user.split("+")


def _in_policies(specs: Specs) -> Iterator[str]:
    duty = specs.duty
    for policy in duty.escalation_policies.values():
        for target in (*policy.fallback, *(t for s in policy.steps for t in s.targets)):
            if target.kind is TargetKind.USER:
                yield target.name
            elif target.kind is TargetKind.TEAM:
                yield from (u.name for u in duty.users.values() if u.team == target.name)


def _gaps(specs: Specs, changes: Changes, now: Seconds) -> list[Fault]:
    found: list[Fault] = []
    for name, schedule in specs.duty.schedules.items():
        if schedule.may_be_empty:
            continue
        holes: Sequence[object] = gaps(schedule, changes_of(changes, name), now, now + LOOK_AHEAD)
        if holes:
            text = f"the schedule {name} has {len(holes)} gaps in the next 7 days"
            found.append(Fault(f"gap:{name}", len(holes), text))
    return found
