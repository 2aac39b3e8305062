"""What is new in a query's answer: the difference to what was recorded before. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from watchkeeper.kernel.clock import DAY_MINUTES, Minute, Seconds
from watchkeeper.measure.model import Count, GroupKey
from watchkeeper.measure.sql.rows import Cell, Found

LONGEST_GAP = 400 * DAY_MINUTES


@dataclass(frozen=True, slots=True)
class Group:
    """One group of an SLI: its newest minute, and what the minutes of the lookback stand at."""

    newest: Minute
    cells: Mapping[Minute, Cell]


@dataclass(frozen=True, slots=True)
class Standing:
    """How far one SLI was read: all that is known of minutes in [since, until)."""

    at: Seconds
    since: Minute
    until: Minute
    groups: Mapping[GroupKey, Group] = field(default_factory=dict)
    told: str = ""  # what was said of faulty rows: they are read again and again, but said once

    def as_json(self) -> dict[str, Any]:
        """For the cursor."""
        return {
            "at": self.at,
            "since": self.since,
            "until": self.until,
            "told": self.told,
            "groups": [
                [
                    [list(pair) for pair in key],
                    group.newest,
                    [[minute, *cell] for minute, cell in sorted(group.cells.items())],
                ]
                for key, group in sorted(self.groups.items())
            ],
        }


def standing_of(entry: Mapping[str, Any] | None) -> Standing | None:
    """A standing of the cursor; None for an SLI that was never read."""
    if entry is None:
        return None
    groups = {
        tuple((name, value) for name, value in key): Group(
            newest, {minute: (good, total) for minute, good, total in cells}
        )
        for key, newest, cells in entry["groups"]
    }
    return Standing(entry["at"], entry["since"], entry["until"], groups, entry["told"])


def asked_from(standing: Standing | None, this: Minute, lookback: int, backfill: int) -> Minute:
    """The first minute to ask for: the lookback before where we stand, at first the whole past.

    Never before what is still known of earlier readings: asking there would count again.
    """
    if standing is None:
        return this - backfill
    return max(standing.until - lookback, standing.since)


def advance(
    key: str,
    standing: Standing | None,
    found: Found,
    asked: tuple[Minute, Minute],
    lookback: int,
    now: Seconds,
) -> tuple[list[Count], Standing]:
    """The counts that bring the ledger from ``standing`` to what was found in [asked)."""
    start, end = asked
    until = end if standing is None else max(end, standing.until)
    before = {} if standing is None else standing.groups
    keep = until - lookback if standing is None else max(until - lookback, standing.since)
    counts: list[Count] = []
    groups: dict[GroupKey, Group] = {}
    for name in sorted({**before, **found.cells}):
        old = before.get(name)
        cells = _believed(name, old, found, start)
        counts += _differences(key, name, old, cells, start)
        newest = max([*cells, *([old.newest] if old else [])], default=None)
        if newest is None:
            continue
        kept = {minute: cell for minute, cell in cells.items() if minute >= keep}
        # A group that is long gone is forgotten, so that cursors do not grow; it may come back.
        if kept or not name or newest >= keep:
            groups[name] = Group(newest, kept)
    return counts, Standing(now, keep, until, groups, found.told())


def _believed(name: GroupKey, old: Group | None, found: Found, start: Minute) -> dict[Minute, Cell]:
    """The cells from ``start`` on; where the answer cannot be believed, what stood before."""
    cells = dict(found.cells.get(name, {}))
    for minute, cell in old.cells.items() if old else ():
        if minute < start or (name, minute) in found.broken:
            cells[minute] = cell
    return cells


def _differences(
    key: str, name: GroupKey, old: Group | None, cells: Mapping[Minute, Cell], start: Minute
) -> Iterator[Count]:
    stood = old.cells if old else {}
    for minute in sorted({m for m in (*stood, *cells) if m >= start}):
        good, total = cells.get(minute, (0.0, 0.0))
        good_before, total_before = stood.get(minute, (0.0, 0.0))
        if minute not in stood or (good, total) != (good_before, total_before):
            yield Count(key, minute, good - good_before, total - total_before, 1, name)
    if not cells:
        return
    newest = max(cells)
    first = min(cells) if old is None else max(old.newest + 1, newest - LONGEST_GAP)
    for minute in range(first, newest):
        if minute not in cells:
            yield Count(key, minute, 0.0, 0.0, 1, name)
