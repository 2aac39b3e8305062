"""Accept signals and keep alerts. Each function in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from watchkeeper.alerting import quiet, store, triage
from watchkeeper.alerting.model import Alert, AlertState, Signal, SignalAction, Urgency
from watchkeeper.alerting.policies import rules as policy_rules
from watchkeeper.alerting.store import (
    find,
    ids_of_page,
    load_states,
    save_states,
    states_of_page,
    stranded,
)
from watchkeeper.kernel.clock import Seconds
from watchkeeper.slo import work as slo_work
from watchkeeper.slo.model import Events, Fleet
from watchkeeper.spec.model import Specs
from watchkeeper.store import timeline

__all__ = [
    "Accepted",
    "accept",
    "accept_many",
    "acknowledge",
    "anything_to_watch",
    "attach",
    "auto_close",
    "close",
    "due",
    "find",
    "get",
    "ids_of_page",
    "late",
    "load_states",
    "of_page",
    "save_states",
    "settle",
    "states_of_page",
    "stranded",
    "unacknowledge",
    "watch",
]


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a signal. ``alert_id`` None: it was dropped, or there was nothing to close."""

    alert_id: int | None
    created: bool
    state: AlertState | None


Door = tuple[str, Signal]
"""An integration's name and what came in by it."""


def accept(
    conn: Connection, integration: str, signals: Sequence[Signal], now: Seconds, specs: Specs
) -> list[Accepted]:
    """Open, change or close alerts; in order."""
    return accept_many(conn, [(integration, s) for s in signals], now, specs)


def accept_many(
    conn: Connection, doors: Sequence[Door], now: Seconds, specs: Specs
) -> list[Accepted]:
    """The same for signals of many integrations: a few statements however many there are."""
    rules = list(specs.duty.triage.values())
    judged = [triage.judge(name, signal, specs, rules) for name, signal in doors]
    keys = [store.open_key(name, s.key) for name, s in doors]
    known = store.by_open_keys(conn, sorted(set(keys)))
    silences = store.silences(conn, now)
    before = dict(known)
    fresh: dict[str, Alert] = {}
    for key, (name, signal), verdict in zip(keys, doors, judged, strict=True):
        held = fresh.get(key) or known.get(key)
        if held is not None and held.state is not AlertState.CLOSED:
            changed = _changed(held, signal, verdict, now)
            (fresh if key in fresh else known)[key] = changed
        elif signal.action is SignalAction.TRIGGER and not verdict.drop:
            if key in known:  # closed and opened again within this batch
                store.save(conn, [known.pop(key)])
                before.pop(key)
            why = quiet.reason(verdict.labels, specs, silences, now)
            fresh[key] = _opened(name, signal, verdict, why, now)
    taken = store.insert_open(conn, list(fresh.values()))
    late = [key for key in fresh if key not in taken]
    found = store.by_open_keys(conn, [*taken, *late])
    for key in late:  # another replica was quicker: what we have is news of its alert
        ours, theirs = fresh[key], found[key]
        known[key] = replace(theirs, count=theirs.count + ours.count, last_at=now)
    changed_rows = [a for key, a in known.items() if a != before.get(key)]
    store.save(conn, changed_rows)
    _tell(conn, before, known, [found[k] for k in taken], now)
    final = {**found, **known}
    return [_accepted(final.get(key), key in taken) for key in keys]


def _accepted(alert: Alert | None, created: bool) -> Accepted:
    if alert is None:
        return Accepted(None, False, None)
    return Accepted(alert.id, created, alert.state)


def _opened(name: str, signal: Signal, verdict: triage.Verdict, why: str, now: Seconds) -> Alert:
    calls = not why and verdict.urgency is not Urgency.INFO
    return Alert(
        id=0,
        integration=name,
        key=signal.key[:500],
        state=AlertState.OPEN,
        urgency=verdict.urgency,
        severity=signal.severity,
        service=verdict.service[:300],
        summary=signal.summary[:1000] or signal.key,
        opened_at=now,
        last_at=now,
        count=1,
        escalation_policy=verdict.escalation_policy,
        due_at=now if calls else None,
        auto_close=verdict.auto_close,
        quiet=why or ("information only" if not calls else ""),
        source=signal.source[:500],
        component=signal.component[:500],
        labels=verdict.labels,
        details=signal.details,
        links=signal.links,
    )


def _changed(held: Alert, signal: Signal, verdict: triage.Verdict, now: Seconds) -> Alert:
    if signal.action is SignalAction.RESOLVE:
        return _closed(held, now)
    if signal.action is SignalAction.ACKNOWLEDGE:
        if held.state is not AlertState.OPEN:
            return held
        said = {**held.details, "acknowledged_by": signal.actor}
        due_at = now if held.page_id is not None else held.due_at
        return replace(held, state=AlertState.ACKNOWLEDGED, details=said, due_at=due_at)
    return replace(
        held,
        count=held.count + 1,
        last_at=now,
        summary=signal.summary[:1000] or held.summary,
        severity=signal.severity,
        details=signal.details or held.details,
        links=signal.links or held.links,
    )


def _closed(held: Alert, now: Seconds) -> Alert:
    due_at = now if held.page_id is not None else None
    return replace(held, state=AlertState.CLOSED, closed_at=now, due_at=due_at)


def _tell(
    conn: Connection,
    before: Mapping[str, Alert],
    after: Mapping[str, Alert],
    opened: Sequence[Alert],
    now: Seconds,
) -> None:
    events: list[timeline.NewEvent] = []
    for alert in sorted(opened, key=lambda a: a.id):
        data: dict[str, Any] = {"summary": alert.summary, "urgency": str(alert.urgency)}
        if alert.quiet:
            data["quiet"] = alert.quiet
        events.append((now, "alert.opened", f"alert/{alert.id}", alert.integration, data))
    for key, alert in after.items():
        old = before.get(key)
        if old is not None and old.state is not alert.state:
            kind = f"alert.{alert.state}"
            events.append((now, kind, f"alert/{alert.id}", alert.integration, {}))
    timeline.append_many(conn, events)


# ---------------------------------------------------------------- our own policies

SLO = "slo"
"""The integration by which our own policies come in."""


def watch(conn: Connection, specs: Specs, fleet: Fleet, now: Seconds) -> int:
    """Let every SLO's policy decide on this evaluation. Returns how many signals that gave."""

    def lookup(name: str, minutes: int) -> Events | None:
        return slo_work.recent(conn, specs, [name], minutes, now).get(name)

    states = store.load_states(conn)
    changed, signals = policy_rules.step(fleet, specs, states, now, lookup)
    store.save_states(conn, changed)
    accept(conn, SLO, signals, now, specs)
    return len(signals)


def anything_to_watch(conn: Connection, specs: Specs, fleet: Fleet, now: Seconds) -> bool:
    """True when ``watch`` would change something; asked in a snapshot, so that most ticks write
    nothing."""

    def lookup(name: str, minutes: int) -> Events | None:
        return slo_work.recent(conn, specs, [name], minutes, now).get(name)

    changed, signals = policy_rules.step(fleet, specs, store.load_states(conn), now, lookup)
    return bool(changed or signals)


# ---------------------------------------------------------------- the engine and people


def due(conn: Connection, now: Seconds, limit: int) -> list[Alert]:
    """Alerts to be routed or settled."""
    return store.due(conn, now, limit)


def attach(conn: Connection, ids: Sequence[int], page_id: int) -> None:
    """These alerts are on this page."""
    store.set_page(conn, ids, page_id)


def settle(conn: Connection, ids: Sequence[int]) -> None:
    """What their change meant for the page is done."""
    store.set_due(conn, ids, None)


def of_page(conn: Connection, page_id: int, limit: int = 200) -> list[Alert]:
    """The alerts of a page."""
    return store.of_page(conn, page_id, limit)


def get(conn: Connection, alert_id: int) -> Alert | None:
    """One alert."""
    found = store.by_ids(conn, [alert_id])
    return found[0] if found else None


def acknowledge(conn: Connection, ids: Sequence[int], actor: str, now: Seconds) -> None:
    """Somebody has them."""
    _set_state(conn, ids, AlertState.OPEN, AlertState.ACKNOWLEDGED, actor, now)


def unacknowledge(conn: Connection, ids: Sequence[int], now: Seconds) -> None:
    """Nobody has them any more."""
    _set_state(conn, ids, AlertState.ACKNOWLEDGED, AlertState.OPEN, "engine", now)


def _set_state(
    conn: Connection,
    ids: Sequence[int],
    old: AlertState,
    new: AlertState,
    actor: str,
    now: Seconds,
) -> None:
    changed = [replace(a, state=new) for a in store.by_ids(conn, ids) if a.state is old]
    store.save(conn, changed)
    kind = "alert.acknowledged" if new is AlertState.ACKNOWLEDGED else "alert.reopened"
    timeline.append_many(conn, [(now, kind, f"alert/{a.id}", actor, {}) for a in changed])


def close(conn: Connection, ids: Sequence[int], actor: str, now: Seconds, reason: str) -> None:
    """They are over; their keys are free."""
    open_ones = [a for a in store.by_ids(conn, ids) if a.state is not AlertState.CLOSED]
    store.save(conn, [_closed(a, now) for a in open_ones])
    data = {"reason": reason}
    events = [(now, "alert.closed", f"alert/{a.id}", actor, data) for a in open_ones]
    timeline.append_many(conn, events)


def late(conn: Connection, now: Seconds) -> bool:
    """True when ``auto_close`` has something to do."""
    return bool(store.to_close(conn, now, 1))


def auto_close(conn: Connection, now: Seconds, limit: int = 500) -> int:
    """Close alerts of which nothing was heard for too long. Returns how many."""
    late = store.to_close(conn, now, limit)
    close(conn, [a.id for a in late], "engine", now, "nothing heard for too long")
    return len(late)
