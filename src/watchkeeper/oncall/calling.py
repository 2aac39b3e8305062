"""From targets to people to messages: who is called now, by what, and when. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from watchkeeper.kernel.clock import Seconds
from watchkeeper.notify.model import MessageKind
from watchkeeper.notify.outbox import FIRST, LATER, NORMAL, NewDelivery
from watchkeeper.oncall.model import Call, Page, PageKind
from watchkeeper.oncall.schedule.model import Change
from watchkeeper.oncall.schedule.rules import on_call
from watchkeeper.spec.duty import EscalationTarget, NotifyRule, TargetKind, UserDefinition
from watchkeeper.spec.model import Specs

Changes = Mapping[str, Sequence[Change]]
Content = Callable[[str], Mapping[str, Any]]


def people(
    targets: Iterable[EscalationTarget], specs: Specs, changes: Changes, now: Seconds
) -> list[Call]:
    """Whom these targets mean at this moment; each person once, in order. Gone names are nobody."""
    found: dict[tuple[str, str, str], Call] = {}
    for target in targets:
        for call in _of_target(target, specs, changes, now):
            found.setdefault((call.user, call.channel, call.address), call)
    return list(found.values())


def _of_target(
    target: EscalationTarget, specs: Specs, changes: Changes, now: Seconds
) -> list[Call]:
    duty, via = specs.duty, f"{target.kind}:{target.name}"
    match target.kind:
        case TargetKind.CHANNEL:
            known = target.name in duty.channels
            return [Call("", via, target.name, target.address)] if known else []
        case TargetKind.SCHEDULE:
            schedule = duty.schedules.get(target.name)
            if schedule is None:
                return []
            shift = on_call(schedule, changes_of(changes, target.name), now)
            names = [*shift.users, *shift.shadows]
        case TargetKind.TEAM:
            names = [u.name for u in duty.users.values() if u.team == target.name]
        case _:
            names = [target.name]
    return [Call(name, via) for name in names if name in duty.users]


def changes_of(changes: Changes, schedule: str) -> list[Change]:
    """The changes of one schedule, with those (leave) that hold for all schedules."""
    return [*changes.get("", ()), *changes.get(schedule, ())]


def reachable(calls: Iterable[Call], specs: Specs) -> list[Call]:
    """Those with at least one way to be told."""
    return [c for c in calls if c.channel or ways(specs.duty.users[c.user], "page", specs)]


def ways(user: UserDefinition, urgency: str, specs: Specs) -> list[tuple[float, str, str]]:
    """(seconds to wait, channel, address) by the user's rules; without rules all contacts at once.

    Rules that lead nowhere fall back to all contacts: a mistake in a rule must not lose a page.
    """
    rules = user.page if urgency == "page" else user.ticket
    contacts = [c for c in user.contacts if c.channel in specs.duty.channels]
    if not rules:
        rules = tuple(NotifyRule(0.0, c.channel) for c in contacts)
    found = [
        (rule.after, c.channel, c.address)
        for rule in rules
        for c in contacts
        if c.channel == rule.channel
    ]
    every = [(0.0, c.channel, c.address) for c in contacts]
    return list(dict.fromkeys(found or every))


def deliveries(
    page: Page, calls: Sequence[Call], content: Content, specs: Specs, now: Seconds
) -> list[NewDelivery]:
    """The messages that call these people, now and later, if nobody acknowledges before."""
    rows: list[NewDelivery] = []
    for call in calls:
        said = content(call.user or "channel")
        if call.channel:
            rows.append(_row(page, call, call.channel, call.address, said, now, ()))
            continue
        found = ways(specs.duty.users[call.user], page.urgency, specs)
        for after, channel, address in found:
            rest = tuple(dict.fromkeys((c, a) for _, c, a in found if (c, a) != (channel, address)))
            rows.append(_row(page, call, channel, address, said, now + after, rest))
    return [_numbered(row, i) for i, row in enumerate(rows)]


def _row(
    page: Page,
    call: Call,
    channel: str,
    address: str,
    said: Mapping[str, Any],
    due_at: Seconds,
    fallbacks: tuple[tuple[str, str], ...],
) -> NewDelivery:
    kind = MessageKind.DRILL if page.kind is PageKind.DRILL else MessageKind.PAGE
    priority = FIRST if page.calls <= 1 else NORMAL
    return NewDelivery(
        key=f"page-{page.id}-{page.calls}",
        kind=kind,
        urgency=page.urgency,
        user=call.user,
        channel=channel,
        address=address,
        content=said,
        due_at=due_at,
        page_id=page.id,
        priority=priority if page.urgency == "page" else LATER,
        fallbacks=fallbacks,
    )


def _numbered(row: NewDelivery, number: int) -> NewDelivery:
    named = {name: getattr(row, name) for name in NewDelivery.__slots__}
    return NewDelivery(**{**named, "key": f"{row.key}-{number}"})
