"""Heartbeats, loaded, judged and saved. Each function in the caller's transaction."""

from __future__ import annotations

from sqlalchemy import Connection

from watchkeeper.alerting import heartbeats, store
from watchkeeper.alerting.accepting import accept
from watchkeeper.alerting.heartbeats import Beat, Ping
from watchkeeper.alerting.store import heartbeat_state
from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import NotFound
from watchkeeper.spec.duty import HeartbeatDefinition
from watchkeeper.spec.model import Specs

INTEGRATION = "heartbeat"
"""The integration by which heartbeats' alerts come in."""
MOST_NOTE = 10_000


def beats(conn: Connection, specs: Specs) -> dict[str, Beat]:
    """What is known of every heartbeat that is defined."""
    rows = store.load_states(conn, heartbeat_state)
    return {n: heartbeats.from_row(rows.get(n, {})) for n in specs.duty.heartbeats}


def ping(conn: Connection, name: str, kind: Ping, note: str, specs: Specs, now: Seconds) -> Beat:
    """It reported. Opens or closes its alert at once. Raises NotFound."""
    definition = specs.duty.heartbeats.get(name)
    if definition is None:
        raise NotFound(f"There is no heartbeat {name!r}.", "It may not be defined any more.")
    # Two pings at once must not both read the state before either wrote it.
    store.hold_state(conn, heartbeat_state, name)
    held = beats(conn, specs)[name]
    known = heartbeats.pinged(definition, held, kind, note[:MOST_NOTE], now)
    return _judged(conn, definition, known, specs, now)


def anything_late(conn: Connection, specs: Specs, now: Seconds) -> bool:
    """True when `step` would open or close something; asked in a snapshot."""
    known = beats(conn, specs)
    definitions = specs.duty.heartbeats
    return any(heartbeats.judge(definitions[n], b, now)[1] is not None for n, b in known.items())


def step(conn: Connection, specs: Specs, now: Seconds) -> int:
    """Open alerts for those that are late. Returns how many alerts changed."""
    definitions, changed = specs.duty.heartbeats, 0
    for name, seen in beats(conn, specs).items():
        if heartbeats.judge(definitions[name], seen, now)[1] is None:
            continue
        store.hold_state(conn, heartbeat_state, name)
        held = heartbeats.from_row(store.load_states(conn, heartbeat_state).get(name, {}))
        if heartbeats.judge(definitions[name], held, now)[1] is not None:
            _judged(conn, definitions[name], held, specs, now)
            changed += 1
    return changed


def _judged(
    conn: Connection, definition: HeartbeatDefinition, beat: Beat, specs: Specs, now: Seconds
) -> Beat:
    after, signal = heartbeats.judge(definition, beat, now)
    store.save_states(conn, {definition.name: heartbeats.to_row(after)}, heartbeat_state)
    if signal is not None:
        accept(conn, INTEGRATION, [signal], now, specs)
    return after
