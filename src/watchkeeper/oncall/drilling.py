"""Scheduled fire drills: when one is due, and what becomes of it.

A drill is raised once, however many replicas look: whoever moves the time until which the policy
was looked at raises it, in the same transaction. A time that passed while nothing ran is made up
for only within `GRACE`: a drill at night that was meant for the morning would teach nobody
anything. An answered drill is over; one that nobody answers is a ticket.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim
from sqlalchemy import Connection

from watchkeeper.alerting import work as alerts_work
from watchkeeper.alerting.model import Signal, SignalAction, Urgency
from watchkeeper.kernel.clock import Seconds
from watchkeeper.oncall import store_drills, work
from watchkeeper.oncall.model import PageState, Site
from watchkeeper.oncall.store_drills import Running
from watchkeeper.spec.duty import EscalationPolicyDefinition
from watchkeeper.spec.model import Specs

GRACE = 3600.0
"""Seconds after its time within which a drill is still raised."""
ANSWER_WITHIN = 3600.0
"""Seconds after which a drill that nobody answered has failed."""
BY = "schedule"
INTEGRATION = "drill"
"""The integration by which drills that nobody answered come in as alerts."""


@dataclass(frozen=True, slots=True)
class Looked:
    """Until when the times ``cron`` in ``zone`` have been looked at."""

    cron: str
    zone: str
    until: Seconds


def next_drill(policy: EscalationPolicyDefinition, after: Seconds) -> Seconds | None:
    """When the policy is drilled next after this instant; None when it never is by itself."""
    if not policy.drill:
        return None
    local = datetime.fromtimestamp(after, UTC).astimezone(ZoneInfo(policy.drill_zone))
    return next(CronSim(policy.drill, local)).timestamp()


def is_due(policy: EscalationPolicyDefinition, looked: Looked | None, now: Seconds) -> bool:
    """True when a time of its drills has come since it was looked at, and not too long ago.

    Times that were only now written, or changed, begin now.
    """
    if looked is None or (looked.cron, looked.zone) != (policy.drill, policy.drill_zone):
        return False
    due = next_drill(policy, max(looked.until, now - GRACE))
    return due is not None and due <= now


def to_look_at(policy: EscalationPolicyDefinition, looked: Looked | None, now: Seconds) -> bool:
    """True when a time has come, was missed, or was changed: `step` has something to write."""
    if looked is None or (looked.cron, looked.zone) != (policy.drill, policy.drill_zone):
        return bool(policy.drill)
    due = next_drill(policy, looked.until)
    return due is not None and due <= now


def is_over(drill: Running, now: Seconds) -> bool:
    """True when it was answered, or nobody answered in time."""
    return drill.state is PageState.ACKED or now - drill.opened_at >= ANSWER_WITHIN


# ---------------------------------------------------------------- in the caller's transaction


def anything_to_drill(conn: Connection, specs: Specs, now: Seconds) -> bool:
    """True when `step` would change something; asked in a snapshot."""
    policies = [p for p in specs.duty.escalation_policies.values() if p.drill]
    return any(to_look_at(p, _looked(conn, p)[1], now) for p in policies) or any(
        is_over(drill, now) for drill in store_drills.running(conn)
    )


def step(conn: Connection, specs: Specs, site: Site, now: Seconds) -> int:
    """Raise the drills that are due, end those that are over. Returns how many were raised."""
    for drill in store_drills.running(conn):
        if is_over(drill, now):
            _end(conn, drill, specs, site, now)
    busy = {drill.policy for drill in store_drills.running(conn)}
    raised = 0
    for policy in specs.duty.escalation_policies.values():
        if not policy.drill:
            continue
        kept, looked = _looked(conn, policy)
        if not to_look_at(policy, looked, now):
            continue
        new = json.dumps(asdict(Looked(policy.drill, policy.drill_zone, now)))
        mine = store_drills.keep_looked(conn, policy.name, kept, new)
        if mine and is_due(policy, looked, now) and policy.name not in busy:
            work.drill(conn, policy.name, BY, specs, now)
            raised += 1
    return raised


def _looked(
    conn: Connection, policy: EscalationPolicyDefinition
) -> tuple[str | None, Looked | None]:
    kept = store_drills.looked(conn, policy.name)
    return kept, Looked(**json.loads(kept)) if kept else None


def _end(conn: Connection, drill: Running, specs: Specs, site: Site, now: Seconds) -> None:
    answered = drill.state is PageState.ACKED
    work.resolve(conn, drill.page_id, "the answer" if answered else "nobody's answer", site, now)
    minutes = f"{ANSWER_WITHIN / 60:g} minutes"
    signal = Signal(
        key=drill.policy,
        action=SignalAction.RESOLVE if answered else SignalAction.TRIGGER,
        summary=f"Nobody answered the drill #{drill.page_id} of {drill.policy} within {minutes}",
        severity="error",
        source="drill",
        urgency=Urgency.TICKET,
        details={"page": drill.page_id},
        at=now,
    )
    alerts_work.accept(conn, INTEGRATION, [signal], now, specs)
