"""The escalation as a state machine: what is to be done with a page that is due. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from watchkeeper.kernel.clock import Seconds
from watchkeeper.oncall.model import Page, PageState, Targets
from watchkeeper.spec.duty import (
    EscalationPolicyDefinition,
    EscalationStep,
    EscalationTarget,
    TargetKind,
)

AGAIN = 900.0
"""Seconds between two calls of the fallback: an open page is never silent for longer."""
NOBODY = 60.0
"""Seconds until a page that could call nobody at all is tried again."""


OPENS, CLOSES = 9, 17
"""Local hours from which and until which people are told of tickets, Monday to Friday."""
DAILY = 86_400.0
SETTLES = 300.0
"""Seconds for which the page of alerts that ended takes them back when they begin again."""
MOST_SETTLES = 1800.0
"""The same for one that came back again and again: each time 300 s more, up to this."""


def working_time(now: Seconds, zone: str) -> Seconds:
    """This instant when people work in this zone, else the next at which they begin."""
    its = ZoneInfo(zone)
    local = datetime.fromtimestamp(now, its)
    if local.weekday() < 5 and OPENS <= local.hour < CLOSES:
        return now
    day = local.replace(hour=OPENS, minute=0, second=0, microsecond=0)
    if local.hour >= OPENS:
        day = (day.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=its)
    while day.weekday() >= 5:
        day = (day.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=its)
    return day.timestamp()


@dataclass(frozen=True, slots=True)
class Advance:
    """The page as it is next, whom to call, and what happened, for the timeline."""

    page: Page
    targets: Targets
    what: str


def advance(page: Page, now: Seconds) -> Advance:
    """What an open or lapsed page that is due does now.

    Steps are taken in order, all of them ``repeat`` times more, then the fallback (or else the last
    step) again and again. An acknowledgement or a snooze that ends starts the escalation anew.
    """
    if page.state is PageState.RESOLVED:
        return Advance(replace(page, due_at=None), (), "")
    if page.state is PageState.ACKED:
        why = "snooze ended" if page.snoozed_until is not None else "acknowledgement expired"
        begun = replace(
            page, state=PageState.OPEN, step=0, round=0, snoozed_until=None, acked_by=""
        )
        return replace(_step(begun, now), what=why)
    return _step(page, now)


def _step(page: Page, now: Seconds) -> Advance:
    policy = page.policy
    if policy is None or not policy.steps:
        return Advance(replace(page, due_at=now + NOBODY), (), "no escalation policy")
    if page.urgency != "page":
        # A ticket wakes nobody and does not escalate: the first line is told, and again next day.
        return Advance(replace(page, due_at=now + DAILY), policy.steps[0].targets, "ticket")
    steps, step, turn = policy.steps, page.step, page.round
    if step >= len(steps) and turn < policy.repeat:
        step, turn = 0, turn + 1
    if step < len(steps):
        taken = replace(page, step=step + 1, round=turn, due_at=now + steps[step].wait)
        return Advance(taken, steps[step].targets, f"step {step + 1} of {len(steps)}")
    targets = policy.fallback or steps[-1].targets
    return Advance(replace(page, due_at=now + AGAIN), targets, "fallback")


def hurried(page: Page, now: Seconds) -> Page:
    """The page when nobody was found to call: the next step is due at once, but never endlessly."""
    policy = page.policy
    if policy is None:
        return replace(page, due_at=now + NOBODY)
    left = page.step < len(policy.steps) or page.round < policy.repeat
    # One whole round without anybody is enough to know: then wait, and look again.
    return replace(page, due_at=now if left and page.step < len(policy.steps) else now + NOBODY)


def acknowledged(page: Page, actor: str, now: Seconds) -> Page:
    """Somebody has it: nothing is sent until the acknowledgement expires."""
    expires = page.policy.ack_expires if page.policy else 3600.0
    return replace(
        page,
        state=PageState.ACKED,
        acked_at=now,
        acked_by=actor,
        snoozed_until=None,
        due_at=None if expires is None else now + expires,
    )


def snoozed(page: Page, actor: str, until: Seconds, now: Seconds) -> Page:
    """Somebody has it and wants to be called again at this time."""
    held = acknowledged(page, actor, now)
    return replace(held, snoozed_until=until, due_at=until)


def resolved(page: Page, actor: str, now: Seconds) -> Page:
    """It is over."""
    return replace(page, state=PageState.RESOLVED, resolved_at=now, resolved_by=actor, due_at=None)


def ended(page: Page, actor: str, now: Seconds) -> Page:
    """Its alerts are over by themselves; for a while it can come back as the same page."""
    returns = int(page.data.get("returns", 0))
    kept = {**page.data, "returns": returns, "due_was": page.due_at}
    until = now + min(MOST_SETTLES, SETTLES * (1 + returns))
    return replace(resolved(page, actor, now), due_at=until, data=kept)


def returned(page: Page, now: Seconds) -> Page:
    """The alerts of an ended page began again: who had it still has it, else it goes on.

    Nobody is called anew for what flaps, and nothing is put off: the next step comes when it would
    have come had the alerts never ended, at the earliest now.
    """
    data = {**page.data, "returns": int(page.data.get("returns", 0)) + 1}
    was = data.pop("due_was", None)
    state = PageState.ACKED if page.acked_by else PageState.OPEN
    due_at = None if was is None and page.acked_by else max(now, was or now)
    return replace(page, state=state, resolved_at=None, resolved_by="", due_at=due_at, data=data)


def reassigned(page: Page, targets: Targets, wait: float, now: Seconds) -> Page:
    """These are called first, from now on; then the policy from its start, as before."""
    old = page.policy
    steps = old.steps if old else ()
    name = old.name if old else "reassigned"
    first = EscalationStep(targets, wait)
    if old is None:
        from watchkeeper.spec.findings import Place

        new = EscalationPolicyDefinition(name, name, Place("reassigned"), (first,))
    else:
        new = replace(old, steps=(first, *steps))
    return replace(
        page,
        state=PageState.OPEN,
        policy=new,
        step=0,
        round=0,
        acked_by="",
        snoozed_until=None,
        due_at=now,
    )


def target_of(text: str) -> EscalationTarget:
    """``schedule:x``, ``team:x``, ``channel:x@address`` or a user's name as a target."""
    kind, colon, name = text.partition(":")
    if not colon:
        return EscalationTarget(TargetKind.USER, text)
    name, _, address = name.partition("@") if kind == "channel" else (name, "", "")
    return EscalationTarget(TargetKind(kind), name, address)
