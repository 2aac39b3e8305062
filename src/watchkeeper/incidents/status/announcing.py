"""Planned work that begins or ends: its subscribers are to be told once, whoever sees it."""

from __future__ import annotations

from sqlalchemy import Connection

from watchkeeper.incidents.status import planning, store
from watchkeeper.incidents.status.posting import tells
from watchkeeper.kernel.clock import Seconds
from watchkeeper.spec.model import Specs
from watchkeeper.spec.response import StatusPageDefinition

LATEST = 3600.0
"""Seconds after which it is no news any more that planned work began or ended."""
NOTED_EVERY = 600.0
"""Seconds between two notes of how far was looked, when there was nothing to tell."""


def anything_to_announce(conn: Connection, specs: Specs, now: Seconds) -> bool:
    """Whether `announce` has something to do."""
    pages = _pages(specs)
    if not pages:
        return False
    looked = store.looked_until(conn)
    return any(
        p.name not in looked
        or now - looked[p.name] >= NOTED_EVERY
        or planning.moments(p, specs, looked[p.name], now)
        for p in pages
    )


def announce(conn: Connection, specs: Specs, now: Seconds) -> int:
    """Note what began or ended since this was last called. Returns how many notices there are.

    A page that is seen for the first time begins now: what began before it is not told.
    """
    made = 0
    for page in _pages(specs):
        since = store.look(conn, page.name, now)
        if since is None:
            continue
        for moment in planning.moments(page, specs, max(since, now - LATEST), now):
            store.add_planned_notice(conn, page.name, moment.work.id, moment.number, now)
            made += 1
    return made


def _pages(specs: Specs) -> list[StatusPageDefinition]:
    announced = {name for each in specs.duty.maintenance.values() for name in each.status_pages}
    return [p for p in specs.response.status_pages.values() if p.name in announced and tells(p)]
