"""Keeping verdicts up to date, a little at a time, beside the tick."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection

from watchkeeper.causes import store, work
from watchkeeper.causes.model import Verdict
from watchkeeper.kernel.clock import Minute, Seconds
from watchkeeper.kernel.errors import NotFound
from watchkeeper.slo import work as slo_work
from watchkeeper.slo.model import Fleet
from watchkeeper.spec.model import Specs
from watchkeeper.store import Database

MOST_AT_A_TIME = 100
PATIENCE = 1.0
"""Seconds after which the rest is left for the next time, so that the tick keeps its processor."""


def look_again(
    db: Database, specs: Specs, fleet: Fleet, now: Seconds, wall: Callable[[], float]
) -> int:
    """Judge SLOs whose ledger changed, those that burn first, as long as PATIENCE lasts.

    Each is read in one snapshot and kept in a short transaction of its own. Returns how many.
    """
    until = wall() + PATIENCE
    with db.read() as conn:
        waiting = due(conn, specs, fleet, now, MOST_AT_A_TIME)
    for done, (name, bad) in enumerate(waiting.items()):
        if wall() > until:
            return done
        _again(db, specs, name, bad, now)
    return len(waiting)


def _again(db: Database, specs: Specs, name: str, bad: float, now: Seconds) -> None:
    try:
        with db.read() as conn:
            found, span = work.refreshed(conn, specs, name, now)
    except NotFound:  # it was taken out of the specs a moment ago
        return
    with db.write() as conn:
        keep(conn, name, found, span, now)
        note_looks(conn, {name: bad}, now)


def due(conn: Connection, specs: Specs, fleet: Fleet, now: Seconds, most: int) -> dict[str, float]:
    """SLOs to look at next, with their bad events ever: those whose ledger changed since.

    Late data changes these as well, at any age. What burns comes first, then what was not looked
    at for longest; at most ``most``. One read of all heads, whatever the number of SLOs.
    """
    bad = {n: total - good for n, (good, total) in slo_work.counters(conn, specs, now).items()}
    looked, never = store.looks(conn), (0.0, 0.0)
    changed = [n for n, b in bad.items() if b > 0 and looked.get(n, never)[0] != b]
    hot = {s.name for s in fleet.statuses if (s.burn_rate.get("1h") or 0.0) > 1}
    changed.sort(key=lambda n: (n not in hot, looked.get(n, never)[1], n))
    return {n: bad[n] for n in changed[:most]}


def keep(
    conn: Connection,
    name: str,
    found: Sequence[Verdict],
    span: tuple[Minute, Minute],
    now: Seconds,
) -> None:
    """Keep verdicts, drop those of the same minutes that are no episodes any more.

    An episode that the window's start cuts off is kept as it was when it was whole.
    """
    store.keep(conn, name, [v for v in found if v.episode.start > span[0]], now)
    store.forget(conn, name, *span, [v.episode.start for v in found])


def note_looks(conn: Connection, bad: Mapping[str, float], now: Seconds) -> None:
    """These were looked at when they had so many bad events."""
    store.note_looks(conn, bad, now)
