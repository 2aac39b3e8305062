"""Who would be called, and when, if a page opened at some time and nobody answered. Pure.

The same rules as the engine's: `escalation.advance` step by step, `calling.people` for whom a step
means at that instant (overrides, leave and holidays are in it), `calling.ways` for each person's
own notification rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from watchkeeper.kernel.clock import Seconds
from watchkeeper.oncall import calling, escalation
from watchkeeper.oncall.calling import Changes
from watchkeeper.oncall.model import Call, Page, PageKind, PageState
from watchkeeper.spec.duty import EscalationPolicyDefinition
from watchkeeper.spec.model import Specs

MOST = 200
"""Steps that are followed: enough for any horizon, and an end for policies that call nobody."""


@dataclass(frozen=True, slots=True)
class Told:
    """A message that would go out. ``step``: what the escalation calls it; ``user`` '' is a shared
    channel; ``channel`` '' says that this step reaches nobody."""

    at: Seconds
    step: str
    via: str
    user: str
    channel: str
    address: str


def foretell(
    policy: EscalationPolicyDefinition,
    specs: Specs,
    changes: Changes,
    start: Seconds,
    length: Seconds,
    urgency: str = "page",
) -> list[Told]:
    """Everything that would be sent in [start, start + length] while nobody acknowledges."""
    page, found = _page(policy, start, urgency), list[Told]()
    for _ in range(MOST):
        now = page.due_at
        if now is None or now > start + length:
            break
        taken = escalation.advance(page, now)
        calls = calling.reachable(calling.people(taken.targets, specs, changes, now), specs)
        if not calls:
            found.append(Told(now, taken.what, "", "", "", ""))
            page = escalation.hurried(taken.page, now)
            continue
        opens = _works(calls, urgency, specs, now)
        if opens > now:
            page = replace(page, due_at=opens)
            continue
        page = taken.page
        for call in calls:
            found.extend(_told(call, taken.what, urgency, specs, now))
    in_time = (t for t in found if t.at <= start + length)
    return sorted(in_time, key=lambda t: t.at)


def _works(calls: Sequence[Call], urgency: str, specs: Specs, now: Seconds) -> Seconds:
    """A ticket waits until those who are told of it work."""
    zones = [specs.duty.users[c.user].time_zone for c in calls if c.user]
    if urgency == "page" or not zones:
        return now
    return min(escalation.working_time(now, zone) for zone in zones)


def _told(call: Call, step: str, urgency: str, specs: Specs, now: Seconds) -> Sequence[Told]:
    if call.channel:
        return [Told(now, step, call.via, "", call.channel, call.address)]
    ways = calling.ways(specs.duty.users[call.user], urgency, specs)
    return [Told(now + after, step, call.via, call.user, c, a) for after, c, a in ways]


def _page(policy: EscalationPolicyDefinition, start: Seconds, urgency: str) -> Page:
    return Page(
        id=0,
        kind=PageKind.ALERT,
        state=PageState.OPEN,
        service="",
        title="",
        urgency=urgency,
        policy=policy,
        step=0,
        round=0,
        calls=0,
        due_at=start,
        opened_at=start,
        last_alert_at=start,
        alerts=1,
        version=0,
    )
