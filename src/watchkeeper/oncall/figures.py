"""How paging is doing, in numbers, for `/metrics`. Only SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from watchkeeper.kernel.clock import Seconds
from watchkeeper.oncall.model import PageKind
from watchkeeper.oncall.store import page
from watchkeeper.oncall.store_drills import UNRESOLVED


@dataclass(frozen=True, slots=True)
class Figures:
    """Pages that are not resolved, by (kind, state, urgency), and how many there ever were.

    ``oldest_due``: seconds since the oldest step that nobody has taken is due; 0 for none.
    """

    pages: Mapping[tuple[str, str, str], int]
    opened: Mapping[str, int]
    oldest_due: float


def figures(conn: Connection, now: Seconds) -> Figures:
    """All of it."""
    c = page.c
    unresolved = c.state.in_(UNRESOLVED)
    by_state = select(c.kind, c.state, c.urgency, func.count()).where(unresolved)
    rows = conn.execute(by_state.group_by(c.kind, c.state, c.urgency))
    every = conn.execute(select(c.kind, func.count()).group_by(c.kind))
    opened = {str(kind): 0 for kind in PageKind} | {kind: int(n) for kind, n in every}
    oldest = conn.execute(select(func.min(c.due_at))).scalar()
    return Figures(
        {(kind, state, urgency): int(n) for kind, state, urgency, n in rows},
        opened,
        max(0.0, now - oldest) if oldest is not None else 0.0,
    )
