"""Route alerts to pages, run escalations, and let people answer. Each in the caller's transaction.

The order of a step is always the same: read what is due, decide (pure), save by compare-and-set,
and write what is to be sent into the outbox. Whoever loses the compare does nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from watchkeeper.alerting import work as alerts_work
from watchkeeper.alerting.model import RANK, AlertState, Due, Signal, SignalAction
from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.notify import outbox
from watchkeeper.notify.model import MessageKind
from watchkeeper.notify.outbox import LATER, NewDelivery
from watchkeeper.oncall import calling, escalation, messages, store
from watchkeeper.oncall.audit import Fault
from watchkeeper.oncall.escalation import Advance
from watchkeeper.oncall.model import Call, Page, PageKind, PageState, Site, Targets
from watchkeeper.oncall.routing import Placement, place, policy_for
from watchkeeper.spec.duty import TargetKind
from watchkeeper.spec.model import Specs
from watchkeeper.store import timeline

ENGINE = "engine"
ALERTS_OVER = "the end of its alerts"
"""Who resolves a page that no person did."""
CALLING = (MessageKind.PAGE, MessageKind.DRILL)
TELL_EVERY = 300.0
"""Seconds between two messages to whoever has a page that more alerts have joined it."""
SHOWN_ALERTS = 50
"""How many alerts of a page its messages are made from."""


# ---------------------------------------------------------------- the engine's steps


def route(conn: Connection, specs: Specs, site: Site, now: Seconds, limit: int = 500) -> int:
    """Put due alerts on pages, and settle pages whose alerts changed. Returns how many alerts."""
    # The lock first: what is read before it, another replica may have placed by now.
    store.lock_routing(conn)
    waiting = alerts_work.due(conn, now, limit)
    if not waiting:
        return 0
    fresh = [a for a in waiting if a.page_id is None and a.state is AlertState.OPEN]
    placed = {a.id for a in fresh}
    changed = [a for a in waiting if a.id not in placed]
    # What is over first: a new alert must not join a page that ends in the same step.
    _settle(conn, changed, site, now)
    alerts_work.settled(conn, changed)
    pages = [*store.running(conn), *store.ended(conn, now)] if fresh else []
    for placement in place(fresh, pages, specs, now):
        _put(conn, placement, specs, site, now)
    return len(waiting)


def _put(conn: Connection, placement: Placement, specs: Specs, site: Site, now: Seconds) -> None:
    alerts = placement.alerts
    ids = [a.id for a in alerts]
    if placement.page_id is None:
        opened = _open(conn, placement, specs, now)
        alerts_work.attach(conn, ids, opened.id, now)
        return
    page = _must(conn, placement.page_id)
    over = page.state
    if over is PageState.RESOLVED:
        page = escalation.returned(page, now)
    _join(conn, page, alerts, site, now, back=over is PageState.RESOLVED)


def _join(
    conn: Connection, page: Page, alerts: Sequence[Due], site: Site, now: Seconds, *, back: bool
) -> None:
    ids = [a.id for a in alerts]
    joined = replace(page, alerts=page.alerts + len(alerts), last_alert_at=now)
    acked = page.state is PageState.ACKED
    tell = acked and (back or now - page.data.get("told_at", 0.0) >= TELL_EVERY)
    if tell:
        joined = replace(joined, data={**page.data, "told_at": now})
    if not store.save(conn, joined):
        return
    alerts_work.attach(conn, ids, page.id, now)
    if back:
        outbox.cancel(conn, page.id, (MessageKind.RESOLVED,), "it came back")
        if not acked:
            outbox.revive(conn, page.id, ALERTS_OVER, now)
    data = {"alerts": ids[:SHOWN_ALERTS], "count": len(ids), "first": alerts[0].summary}
    _log(conn, now, "page.returned" if back else "page.joined", page, ENGINE, data)
    if tell:
        what = "back" if back else f"{len(ids):,} more"
        text = f"#{page.id}: {what}: {alerts[0].summary}"
        _tell(conn, joined, MessageKind.UPDATE, text, site, now, to=page.acked_by)


def _open(conn: Connection, placement: Placement, specs: Specs, now: Seconds) -> Page:
    alerts = placement.alerts
    policy = policy_for(alerts[0], placement.group, specs)
    first = max(alerts, key=lambda a: (RANK[a.urgency], -a.id))
    page = store.add(
        conn,
        Page(
            id=0,
            kind=PageKind.ALERT,
            state=PageState.OPEN,
            service=placement.group,
            title=first.summary,
            urgency=str(first.urgency),
            policy=policy,
            step=0,
            round=0,
            calls=0,
            due_at=now,
            opened_at=now,
            last_alert_at=now,
            alerts=len(alerts),
            version=0,
        ),
    )
    data = {"alerts": [a.id for a in alerts[:SHOWN_ALERTS]], "count": len(alerts)}
    _log(conn, now, "page.opened", page, ENGINE, {**data, "policy": policy.name if policy else ""})
    return page


def _settle(conn: Connection, changed: Sequence[Due], site: Site, now: Seconds) -> None:
    pages = {a.page_id: a for a in changed if a.page_id is not None}
    for page_id, alert in pages.items():
        page = store.get(conn, page_id)
        if page is None or page.state is PageState.RESOLVED:
            continue
        states = alerts_work.states_of_page(conn, page_id)
        if not states - {AlertState.CLOSED}:
            _end(conn, page, site, now)
        elif AlertState.OPEN not in states and page.state is PageState.OPEN:
            acked = alerts_work.get(conn, alert.id)
            by = str(acked.details.get("acknowledged_by", "")) if acked else ""
            by = by or alert.integration
            _acknowledge(conn, page, by, site, now)


def escalate(conn: Connection, specs: Specs, site: Site, now: Seconds, limit: int = 200) -> int:
    """Take the next step of every page that is due. Returns how many."""
    pages = store.due(conn, now, limit)
    if not pages:
        return 0
    changes = store.changes(conn, now)
    for page in pages:
        _take(conn, page, specs, changes, site, now)
    return len(pages)


def _take(
    conn: Connection,
    page: Page,
    specs: Specs,
    changes: calling.Changes,
    site: Site,
    now: Seconds,
) -> None:
    if page.state is PageState.RESOLVED:  # it has settled: it cannot come back any more
        store.save(conn, replace(page, due_at=None))
        return
    taken = escalation.advance(page, now)
    if page.policy is None:
        taken = _with_policy(page, specs, taken, now)
    calls = calling.reachable(calling.people(taken.targets, specs, changes, now), specs)
    opens = _waits_until(page, calls, specs, now)
    if opens > now:
        waiting = replace(page, due_at=opens, state=PageState.OPEN, snoozed_until=None)
        if store.save(conn, waiting):
            _log(conn, now, "page.waits", page, ENGINE, {"until": opens})
        return
    after = taken.page if calls or not taken.targets else escalation.hurried(taken.page, now)
    if calls:
        first = page.first_call_at if page.first_call_at is not None else now
        after = replace(after, calls=page.calls + 1, first_call_at=first)
    if not store.save(conn, after):
        return
    if page.state is PageState.ACKED and after.state is PageState.OPEN:
        alerts_work.unacknowledge(conn, alerts_work.ids_of_page(conn, page.id), now)
    _call(conn, after, calls, specs, site, now)
    if calls or taken.what != page.data.get("last"):
        data = {"what": taken.what, "called": [c.user or c.channel for c in calls]}
        kind = "page.called" if calls else "page.nobody"
        _log(conn, now, kind, page, ENGINE, {**data, "via": sorted({c.via for c in calls})})


def _waits_until(page: Page, calls: Sequence[Call], specs: Specs, now: Seconds) -> Seconds:
    """A ticket waits until those who are told of it work."""
    zones = [specs.duty.users[c.user].time_zone for c in calls if c.user]
    if page.urgency == "page" or not zones:
        return now
    return min(escalation.working_time(now, zone) for zone in zones)


def _with_policy(page: Page, specs: Specs, taken: Advance, now: Seconds) -> Advance:
    """A page that opened when there was no policy takes the one that there is now."""
    found = specs.duty.escalation_policies
    policy = found.get("default") or next(iter(found.values()), None)
    if policy is None:
        return taken
    return escalation.advance(replace(page, policy=policy, step=0, round=0), now)


def _call(
    conn: Connection, page: Page, calls: Sequence[Call], specs: Specs, site: Site, now: Seconds
) -> None:
    if not calls:
        return
    alerts = alerts_work.of_page(conn, page.id, SHOWN_ALERTS)

    def said(user: str) -> Mapping[str, Any]:
        return messages.content(page, alerts, user, site, now)

    store.add_calls(conn, page.id, page.calls, calls, now)
    outbox.enqueue(conn, calling.deliveries(page, calls, said, specs, now), now)


# ---------------------------------------------------------------- what people do


def acknowledge(conn: Connection, page_id: int, actor: str, site: Site, now: Seconds) -> Page:
    """I have it: nobody is called any more. Acknowledging again renews it. Raises NotFound."""
    page = _must(conn, page_id)
    if page.state is PageState.RESOLVED:
        raise UserError(f"Page #{page_id} is resolved already.", "There is nothing to do.")
    return _acknowledge(conn, page, actor, site, now)


def _acknowledge(conn: Connection, page: Page, actor: str, site: Site, now: Seconds) -> Page:
    after = escalation.acknowledged(page, actor, now)
    if not store.save(conn, after):
        return _acknowledge(conn, _must(conn, page.id), actor, site, now)
    _silence(conn, page.id, f"acknowledged by {actor}")
    ids = alerts_work.ids_of_page(conn, page.id)
    alerts_work.acknowledge(conn, ids, actor, now)
    _log(conn, now, "page.acknowledged", page, actor, {})
    if page.state is not PageState.ACKED:
        _tell(conn, after, MessageKind.UPDATE, f"#{page.id}: {actor} has it", site, now)
    _note_drill(conn, page, actor, now)
    return after


def resolve(conn: Connection, page_id: int, actor: str, site: Site, now: Seconds) -> Page:
    """It is over: its alerts close, those who were called are told. Raises NotFound."""
    page = _must(conn, page_id)
    if page.state is PageState.RESOLVED:
        return page
    ids = alerts_work.ids_of_page(conn, page_id)
    alerts_work.close(conn, ids, actor, now, f"page #{page_id} resolved")
    alerts_work.settle(conn, ids)
    return _resolve(conn, page, actor, site, now)


def _resolve(conn: Connection, page: Page, actor: str, site: Site, now: Seconds) -> Page:
    after = escalation.resolved(page, actor, now)
    if not store.save(conn, after):
        return _resolve(conn, _must(conn, page.id), actor, site, now)
    _silence(conn, page.id, "resolved")
    _log(conn, now, "page.resolved", page, actor, {})
    _tell(conn, after, MessageKind.RESOLVED, f"#{page.id} is over: {page.title}", site, now)
    return after


def _end(conn: Connection, page: Page, site: Site, now: Seconds) -> None:
    """All its alerts are over by themselves. What flaps is not told to be over each time."""
    after = escalation.ended(page, ALERTS_OVER, now)
    if not store.save(conn, after):
        changed = _must(conn, page.id)
        if changed.state is not PageState.RESOLVED:
            _end(conn, changed, site, now)
        return
    _silence(conn, page.id, ALERTS_OVER)
    _log(conn, now, "page.resolved", page, ALERTS_OVER, {})
    told_at = after.due_at if after.data["returns"] and after.due_at else now
    text = f"#{page.id} is over: {page.title}"
    _tell(conn, after, MessageKind.RESOLVED, text, site, told_at)


def snooze(
    conn: Connection, page_id: int, actor: str, until: Seconds, site: Site, now: Seconds
) -> Page:
    """Call again at this time. Raises NotFound, UserError."""
    page = _unresolved(conn, page_id)
    if until <= now:
        raise UserError("A snooze must end in the future.", "Give a later time.")
    after = escalation.snoozed(page, actor, until, now)
    if not store.save(conn, after):
        return snooze(conn, page_id, actor, until, site, now)
    _silence(conn, page_id, f"snoozed by {actor}")
    alerts_work.acknowledge(conn, alerts_work.ids_of_page(conn, page_id), actor, now)
    _log(conn, now, "page.snoozed", page, actor, {"until": until})
    return after


def reassign(
    conn: Connection, page_id: int, actor: str, targets: Targets, note: str, now: Seconds
) -> Page:
    """Call these instead, from now on; the note goes into the story. Raises NotFound, UserError."""
    page = _unresolved(conn, page_id)
    if not targets:
        raise UserError("Nobody was named.", "Name a user, schedule, team or channel.")
    after = escalation.reassigned(page, targets, 300.0, now)
    if not store.save(conn, after):
        return reassign(conn, page_id, actor, targets, note, now)
    _silence(conn, page_id, f"reassigned by {actor}")
    alerts_work.unacknowledge(conn, alerts_work.ids_of_page(conn, page_id), now)
    data = {"to": [f"{t.kind}:{t.name}" for t in targets], "note": note}
    _log(conn, now, "page.reassigned", page, actor, data)
    return after


def add_responders(
    conn: Connection,
    page_id: int,
    actor: str,
    targets: Targets,
    specs: Specs,
    site: Site,
    now: Seconds,
) -> list[Call]:
    """Call these as well; the escalation goes on as it is. Raises NotFound, UserError."""
    page = _unresolved(conn, page_id)
    changes = store.changes(conn, now)
    calls = calling.reachable(calling.people(targets, specs, changes, now), specs)
    if not calls:
        raise UserError("Nobody of these can be reached now.", "See who is on call and how.")
    after = replace(page, calls=page.calls + 1)
    if not store.save(conn, after):
        return add_responders(conn, page_id, actor, targets, specs, site, now)
    _call(conn, after, calls, specs, site, now)
    data = {"called": [c.user or c.channel for c in calls]}
    _log(conn, now, "page.responders", page, actor, data)
    return calls


def note(conn: Connection, page_id: int, actor: str, text: str, now: Seconds) -> None:
    """Write something into the page's story. Raises NotFound, UserError."""
    page = _must(conn, page_id)
    if not text.strip():
        raise UserError("The note is empty.", "Write what the next person should know.")
    _log(conn, now, "page.note", page, actor, {"text": text.strip()[:5000]})


def drill(conn: Connection, policy_name: str, actor: str, specs: Specs, now: Seconds) -> Page:
    """Start a fire drill: a real page through the real ways of a policy. Raises NotFound."""
    policy = specs.duty.escalation_policies.get(policy_name)
    if policy is None:
        raise NotFound(
            f"There is no escalation policy {policy_name!r}.",
            f"There are: {', '.join(specs.duty.escalation_policies) or 'none'}.",
        )
    page = store.add(
        conn,
        Page(
            id=0,
            kind=PageKind.DRILL,
            state=PageState.OPEN,
            service="",
            title=f"Fire drill of the policy {policy.display_name}",
            urgency="page",
            policy=policy,
            step=0,
            round=0,
            calls=0,
            due_at=now,
            opened_at=now,
            last_alert_at=now,
            alerts=0,
            version=0,
        ),
    )
    _log(conn, now, "drill.started", page, actor, {"policy": policy_name})
    return page


def _note_drill(conn: Connection, page: Page, actor: str, now: Seconds) -> None:
    """Whoever answers a drill has proved every address that it reached them by."""
    if page.kind is not PageKind.DRILL:
        return
    for row in outbox.reached(conn, page.id):
        if row.user == actor and row.sent_at is not None:
            store.note_drill(conn, (row.user, row.channel, row.address), now)


# ---------------------------------------------------------------- what would lose a page

READINESS = "watchkeeper"
"""The integration by which gaps and unreachable people are raised as alerts."""


def readiness_known(conn: Connection, weak: Sequence[Fault]) -> bool:
    """True when each of these is an open alert already, and no other is."""
    held = alerts_work.find(conn, states=("open", "acknowledged"), integration=READINESS)
    return {a.key for a in held} == {f.code for f in weak}


def raise_readiness(conn: Connection, weak: Sequence[Fault], specs: Specs, now: Seconds) -> None:
    """Gaps and unreachable people are tickets; what is mended closes."""
    held = alerts_work.find(conn, states=("open", "acknowledged"), integration=READINESS)
    codes = {f.code for f in weak}
    signals = [
        Signal(f.code, SignalAction.TRIGGER, f.text, severity="warning", source="audit")
        for f in weak
        if f.code not in {a.key for a in held}
    ]
    over = [
        Signal(a.key, SignalAction.RESOLVE, "", severity="warning")
        for a in held
        if a.key not in codes
    ]
    alerts_work.accept(conn, READINESS, [*signals, *over], now, specs)


# ---------------------------------------------------------------- helpers


def _silence(conn: Connection, page_id: int, why: str) -> None:
    outbox.cancel(conn, page_id, CALLING, why)


def _tell(
    conn: Connection,
    page: Page,
    kind: MessageKind,
    text: str,
    site: Site,
    now: Seconds,
    to: str = "",
) -> None:
    """Tell those who were called; updates go only to shared channels, and to the person ``to``."""
    told: dict[tuple[str, str], NewDelivery] = {}
    shared = _shared(page)
    for row in outbox.reached(conn, page.id):
        where = (row.channel, row.address)
        meant = kind is MessageKind.RESOLVED or where in shared or (to and row.user == to)
        if where in told or not meant:
            continue
        told[where] = NewDelivery(
            key=f"page-{page.id}-{kind}-{page.version}-{len(told)}",
            kind=kind,
            urgency=page.urgency,
            user=row.user,
            channel=row.channel,
            address=row.address,
            content=messages.short(page, text, site),
            due_at=now,
            page_id=page.id,
            priority=LATER,
        )
    outbox.enqueue(conn, list(told.values()), now)


def _shared(page: Page) -> set[tuple[str, str]]:
    policy = page.policy
    every = [*policy.fallback, *(t for s in policy.steps for t in s.targets)] if policy else []
    return {(t.name, t.address) for t in every if t.kind is TargetKind.CHANNEL}


def _must(conn: Connection, page_id: int) -> Page:
    page = store.get(conn, page_id)
    if page is None:
        raise NotFound(f"There is no page #{page_id}.", "`wk page list` shows them.")
    return page


def _unresolved(conn: Connection, page_id: int) -> Page:
    page = _must(conn, page_id)
    if page.state is PageState.RESOLVED:
        raise UserError(f"Page #{page_id} is resolved.", "There is nothing left to do.")
    return page


def _log(
    conn: Connection, now: Seconds, kind: str, page: Page, actor: str, data: Mapping[str, Any]
) -> None:
    timeline.append(conn, now, kind, f"page/{page.id}", actor, data)
