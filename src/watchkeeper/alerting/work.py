"""Accept signals and keep alerts. Each function in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from watchkeeper.alerting import store
from watchkeeper.alerting.accepting import Accepted, accept, accept_many
from watchkeeper.alerting.folding import closed as _closed
from watchkeeper.alerting.model import Alert, AlertState, Due
from watchkeeper.alerting.policies import rules as policy_rules
from watchkeeper.alerting.policies.reading import lookup_of
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
from watchkeeper.slo.model import Fleet
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


# ---------------------------------------------------------------- our own policies

SLO = "slo"
"""The integration by which our own policies come in."""


def watch(conn: Connection, specs: Specs, fleet: Fleet, now: Seconds) -> int:
    """Let every SLO's policy decide on this evaluation. Returns how many signals that gave."""
    states = store.load_states(conn)
    lookup = _lookup(conn, specs, fleet)
    changed, signals = policy_rules.step(fleet, specs, states, now, lookup)
    store.save_states(conn, changed)
    accept(conn, SLO, signals, now, specs)
    return len(signals)


def anything_to_watch(conn: Connection, specs: Specs, fleet: Fleet, now: Seconds) -> bool:
    """True when ``watch`` would change something; asked in a snapshot, so that most ticks write
    nothing."""
    lookup = _lookup(conn, specs, fleet)
    changed, signals = policy_rules.step(fleet, specs, store.load_states(conn), now, lookup)
    return bool(changed or signals)


def _lookup(conn: Connection, specs: Specs, fleet: Fleet) -> policy_rules.Lookup:
    """Counts as of the evaluation, so that rules and evidence speak of the same minute."""
    return lookup_of(fleet, lambda names, m: slo_work.recent(conn, specs, names, m, fleet.as_of))


# ---------------------------------------------------------------- the engine and people


def due(conn: Connection, now: Seconds, limit: int) -> list[Due]:
    """Alerts to be routed or settled."""
    return store.due(conn, now, limit)


def attach(conn: Connection, ids: Sequence[int], page_id: int, now: Seconds) -> None:
    """These alerts are on this page."""
    store.set_page(conn, ids, page_id, now)


def settled(conn: Connection, seen: Sequence[Due]) -> None:
    """What these changes meant for their pages is done; later ones are not."""
    store.done_with(conn, seen)


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
