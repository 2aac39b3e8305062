"""Telling people that a budget's state changed, and what that means for releases."""

from __future__ import annotations

from sqlalchemy import Connection

from watchkeeper.kernel.clock import Seconds
from watchkeeper.notify import outbox
from watchkeeper.notify.model import MessageKind
from watchkeeper.notify.outbox import LATER, NewDelivery
from watchkeeper.oncall import store as pages
from watchkeeper.oncall.calling import people, ways
from watchkeeper.oncall.model import Call, Site
from watchkeeper.policy import rules
from watchkeeper.policy.model import Standing
from watchkeeper.spec.budget import BudgetPolicyDefinition, BudgetState
from watchkeeper.spec.model import Specs


def announce(
    conn: Connection, specs: Specs, site: Site, policy: BudgetPolicyDefinition, its: Standing,
    before: BudgetState, now: Seconds,
) -> None:  # fmt: skip
    """Write the messages into the outbox, in the transaction that changed the state."""
    calls = people(policy.announce, specs, pages.changes(conn, now), now)
    made = [row for call in calls for row in _rows(specs, site, policy, its, before, call, now)]
    outbox.enqueue(conn, made, now)


def _rows(
    specs: Specs, site: Site, policy: BudgetPolicyDefinition, its: Standing, before: BudgetState,
    call: Call, now: Seconds,
) -> list[NewDelivery]:  # fmt: skip
    found = [(call.channel, call.address)]
    if not call.channel:
        its_ways = ways(specs.duty.users[call.user], "ticket", specs)
        found = list(dict.fromkeys((c, a) for _, c, a in its_ways))
    if not found:
        return []
    (channel, address), *others = found
    return [
        NewDelivery(
            key=f"budget-{policy.name}-{its.state}-{now}-{call.user or call.channel}"[:200],
            kind=MessageKind.UPDATE,
            urgency="ticket",
            user=call.user,
            channel=channel,
            address=address,
            content={
                "title": title(policy, its.state, before),
                "body": f"{rules.why(its)} {rules.obliges(its.terms, its.state)}",
                "thread": f"budget-{policy.name}",
                "url": f"{site.base_url}/budgets/{policy.name}",
                "fields": {"Policy": policy.display_name, "Services": ", ".join(policy.services)},
            },
            due_at=now,
            priority=LATER,
            fallbacks=tuple(others),
        )
    ]


def title(policy: BudgetPolicyDefinition, state: BudgetState, before: BudgetState) -> str:
    """The headline of an announcement."""
    is_now, was = rules.WORDS[state], rules.WORDS[before]
    return f"The error budget of {policy.display_name} is {is_now}; it was {was}"
