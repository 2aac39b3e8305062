"""Packed history in memory, by the hour, for projections of a whole fleet.

The part of the ledger that is about to leave the windows is weeks old and does not change, so it is
read once and kept: per chunk the cumulative bad and total events before each hour, and the minutes
of the few hours in which budgets cross zero. ``ledger_late`` tells when a chunk must be read again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from threading import RLock
from weakref import WeakKeyDictionary

import numpy as np
from sqlalchemy import Connection, Engine, select

from watchkeeper.kernel.clock import HOUR_MINUTES as HOUR
from watchkeeper.slo import ledger
from watchkeeper.slo.ledger_bulk import heads, unpacked_slots
from watchkeeper.slo.ledger_late import late_versions
from watchkeeper.slo.ledger_tables import hours
from watchkeeper.slo.model import FloatArray, IntArray
from watchkeeper.slo.packing import FIELDS, SLOTS, frame_of
from watchkeeper.store.database import only_reads

MOST_BYTES = 140_000_000
MOST_MINUTE_ROWS = 40_000
BAD, TOTAL = 0, 1


@dataclass(slots=True)
class _Profile:
    """Cumulative (bad, total) [hours, 64, 2] before hour ``first``, ``first + 1``, …"""

    first: int
    cum: FloatArray
    late: int

    @property
    def last(self) -> int:
        """The last hour before which the cumulative counts are known."""
        return self.first + len(self.cum) - 1


class Profiles:
    """The kept history of one database. Used by one thread at a time: hold ``lock``."""

    def __init__(self) -> None:
        self.lock = RLock()
        self._chunks: dict[int, _Profile] = {}
        self._minutes: OrderedDict[tuple[int, int], tuple[int, FloatArray]] = OrderedDict()
        self._late: Mapping[int, int] = {}
        self._hot: Mapping[int, int] = {}

    def refresh(self, conn: Connection, chunks: Iterable[int], first_hour: int) -> int:
        """Make the hours from ``first_hour`` on of these chunks known, as of this snapshot.

        Returns the last hour before which all of them are known.
        """
        names = sorted(set(chunks))
        self._late = late_versions(conn)
        self._hot = {c: start for c, (start, _) in heads(conn, names).items()}
        for chunk in names:
            self._bring_up(conn, chunk, first_hour, self._hot[chunk] // HOUR)
        return min(self._hot[c] for c in names) // HOUR

    def _bring_up(self, conn: Connection, chunk: int, first: int, last: int) -> None:
        late, have = self._late.get(chunk, 0), self._chunks.get(chunk)
        if have is None or have.late != late or have.first > first or have.last < first:
            self._chunks[chunk] = _Profile(first, _read(conn, chunk, first, last), late)
        elif have.last < last:
            more = _read(conn, chunk, have.last + 1, last)
            kept = have.cum[first - have.first :]
            self._chunks[chunk] = _Profile(first, np.concatenate((kept, more)), late)

    def hourly(self, ids: IntArray, first: int, last: int) -> FloatArray:
        """[hours, len(ids), 2] cumulative (bad, total) before each hour in [first, last]."""
        out = np.empty((last - first + 1, len(ids), 2))
        chunk = ids // SLOTS
        for name in np.unique(chunk).tolist():
            mine = np.flatnonzero(chunk == name)
            known = self._chunks[name]
            rows = known.cum[first - known.first : last - known.first + 1]
            out[:, mine] = rows[:, ids[mine] % SLOTS]
        return out

    def minutes(
        self, conn: Connection, asked: Iterable[tuple[int, int]]
    ) -> dict[tuple[int, int], FloatArray]:
        """[61, 2] cumulative (bad, total) before and after each minute, by (SLI, hour)."""
        wanted = list(dict.fromkeys(asked))
        found: dict[tuple[int, int], FloatArray] = {}
        missing: list[tuple[int, int]] = []
        for key in wanted:
            kept = self._minutes.get(key)
            if kept is None or kept[0] != self._late.get(key[0] // SLOTS, 0):
                missing.append(key)
            else:
                self._minutes.move_to_end(key)
                found[key] = kept[1]
        for key, steps in unpacked_slots(conn, missing).items():
            known = self._chunks[key[0] // SLOTS]
            before = known.cum[key[1] - known.first, key[0] % SLOTS]
            bad_total = np.stack((steps[:, 1] - steps[:, 0], steps[:, 1]), axis=1)
            found[key] = before + np.concatenate((np.zeros((1, 2)), bad_total.cumsum(axis=0)))
            self._minutes[key] = (self._late.get(key[0] // SLOTS, 0), found[key])
        while len(self._minutes) > MOST_MINUTE_ROWS:
            self._minutes.popitem(last=False)
        return found

    def forget(self) -> None:
        """Let go of everything."""
        self._chunks.clear()
        self._minutes.clear()


_known: WeakKeyDictionary[Engine, Profiles] = WeakKeyDictionary()


def profiles_of(conn: Connection) -> Profiles | None:
    """The kept history of this database; None inside a writing transaction.

    What is written there may yet be rolled back, and must not be remembered.
    """
    if not only_reads(conn):
        return None
    return _known.setdefault(conn.engine, Profiles())


def fits(chunks: int, hours_of_history: int) -> bool:
    """Whether so much history may be kept in memory."""
    return chunks * hours_of_history * SLOTS * 2 * 8 <= MOST_BYTES


def _read(conn: Connection, chunk: int, first: int, last: int) -> FloatArray:
    """Cumulative (bad, total) before the hours first … last; ``last`` is the first hot one.

    Before an hour without a row, which changed nothing, stands what stands before the next row's.
    """
    query = select(hours.c.hour, hours.c.base).where(
        hours.c.chunk == chunk, hours.c.hour >= first, hours.c.hour < last
    )
    rows = [(h, frame_of(base)) for h, base in conn.execute(query.order_by(hours.c.hour))]
    ids = np.arange(chunk * SLOTS, (chunk + 1) * SLOTS, dtype=np.int64)
    rows.append((last, ledger.edges(conn, ids, [last * HOUR])[0]))
    at = np.searchsorted([h for h, _ in rows], np.arange(first, last + 1))
    frames = np.stack([frame for _, frame in rows])[at]
    assert frames.shape[1:] == (SLOTS, FIELDS)
    return np.stack((frames[:, :, 1] - frames[:, :, 0], frames[:, :, 1]), axis=2)
