"""When budgets run out and come back: the searches of exhaustion.py, fed from the ledger.

A few searches read what they ask for, round by round. Those of a fleet look first at all hours of
the window at once, in history that is kept in memory (profiles.py), and then at the minutes of the
hours that may hold the crossing. Both give the same answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from sqlalchemy import Connection

from watchkeeper.kernel.courtesy import politely
from watchkeeper.slo import exhaustion, gather, ledger
from watchkeeper.slo.fleet import OWN, Outlook, Subject, Verdicts
from watchkeeper.slo.ledger_bulk import edges_many
from watchkeeper.slo.model import FloatArray, IntArray
from watchkeeper.slo.packing import SLOTS
from watchkeeper.slo.profiles import BAD, Profiles, fits, profiles_of
from watchkeeper.slo.profiles import TOTAL as ALL
from watchkeeper.slo.view import GOOD, MAY, TOTAL, View
from watchkeeper.slo.windows import Bounds

HOUR = exhaustion.HOUR
MANY = 50
"""From so many searches over one window on, its hours are looked at all together."""
AT_ONCE = 512
_DEPLETED = 2

Answers = dict[int, int | None]


def outlook(
    conn: Connection,
    subjects: Sequence[Subject],
    bounds: Sequence[Bounds],
    found: gather.Sweep,
    verdicts: Verdicts,
) -> Outlook:
    """Times to exhaustion and to recovery, exact to the minute, of those that may have one."""
    readings = found.readings
    spent = verdicts.state == _DEPLETED
    lately = readings.seen[found.rate_rows, np.arange(len(subjects))]
    known = (lately > 0) & (readings.total[OWN] > 0)
    asked = np.flatnonzero((known & ~found.screened_out) | spent).tolist()
    falling = {j: _falling(bounds[j], found, j, recover=bool(spent[j])) for j in asked}
    answers = _together(conn, subjects, bounds, found, falling)
    searches = {
        j: exhaustion.search(falling[j], _grid(bounds[j]), bounds[j].start)
        for j in asked
        if j not in answers
    }
    answers |= _run(conn, subjects, bounds, found, searches)
    result = Outlook()
    for j, minutes in answers.items():
        if spent[j] and minutes is None and not bounds[j].rolling:
            minutes = _horizon(bounds[j])  # the next period starts with a budget of its own
        if minutes is not None:
            (result.recovers if spent[j] else result.exhausts)[j] = minutes
    return result


def _grid(bound: Bounds) -> IntArray:
    return exhaustion.screen_grid(max(1, _horizon(bound)), bound.start, gather.SEGMENTS)


# ---------------------------------------------------------------- all hours at once


def _together(
    conn: Connection,
    subjects: Sequence[Subject],
    bounds: Sequence[Bounds],
    found: gather.Sweep,
    falling: Mapping[int, exhaustion.Falling],
) -> Answers:
    """The answers of those searches that are many over the same rolling window."""
    answers: Answers = {}
    alike: dict[Bounds, list[int]] = {}
    for j in falling:
        if bounds[j].rolling and found.terms[j].plain:
            alike.setdefault(bounds[j], []).append(j)
    kept = profiles_of(conn) if any(len(m) >= MANY for m in alike.values()) else None
    if kept is None:
        return answers
    with kept.lock:
        for bound, members in alike.items():
            first = -(-bound.start // HOUR)
            chunks = {subjects[j].sli_id // SLOTS for j in members}
            if len(members) < MANY or not fits(len(chunks), bound.length // HOUR + 2):
                continue
            last = kept.refresh(conn, chunks, bound.start // HOUR)
            for i in range(0, len(members) if first < last else 0, AT_ONCE):
                some = members[i : i + AT_ONCE]
                hours = _Hours(conn, kept, bound, first, last, subjects, found, some)
                answers |= hours.answers({j: falling[j] for j in some})
    return answers


class _Hours:
    """Searches over one window: what has left by each of its hours, and their minutes."""

    def __init__(
        self,
        conn: Connection,
        kept: Profiles,
        bound: Bounds,
        first: int,
        last: int,
        subjects: Sequence[Subject],
        found: gather.Sweep,
        members: Sequence[int],
    ) -> None:
        self._conn, self._kept, self._bound, self._last = conn, kept, bound, last
        self._members = list(members)
        self._ids = np.asarray([subjects[j].sli_id for j in members], dtype=np.int64)
        self._scale = found.readings.scale[self._members]
        self._share = np.asarray([found.terms[j].parts[0][1] for j in members], dtype=np.float64)
        before = found.before[self._members]
        self._before = np.stack((before[:, TOTAL] - before[:, GOOD], before[:, TOTAL]), axis=1)
        tail = np.arange((last + 1) * HOUR, bound.end, HOUR, dtype=np.int64)
        at = np.arange(first, last + 1, dtype=np.int64) * HOUR
        marks = np.concatenate(([bound.start], at, tail, [bound.end])).astype(np.int64)
        late = ledger.edges(conn, self._ids, [*tail.tolist(), bound.end])
        cum = np.concatenate(
            (
                self._before[None],
                kept.hourly(self._ids, first, last),
                np.stack((late[:, :, TOTAL] - late[:, :, GOOD], late[:, :, TOTAL]), axis=2),
            )
        )
        keep = np.concatenate(([True], np.diff(marks) > 0))  # a window may start on the hour
        self._k, self._cum = marks[keep] - bound.start, cum[keep]

    def answers(self, falling: Mapping[int, exhaustion.Falling]) -> Answers:
        """The first crossing of each, or None."""
        going = [falling[j] for j in self._members]
        spans = self._spans(going)
        answers: Answers = dict.fromkeys(self._members)
        pending = dict(enumerate(spans))
        while pending:
            asked = {
                i: span for i, left in pending.items() if (span := next(left, None)) is not None
            }
            minutes = self._minutes(asked)
            for i in list(pending):
                if i not in asked:
                    del pending[i]
                    continue
                k, leaving = minutes[i]
                lost, gained = leaving[::-1] if going[i].swapped else leaving
                hits = np.flatnonzero(going[i].reached(k, lost, gained))
                if len(hits):
                    answers[self._members[i]] = int(k[hits[0]])
                    del pending[i]
        return answers

    def _spans(self, going: Sequence[exhaustion.Falling]) -> list[Iterator[int]]:
        """Per search the spans (k[s], k[s + 1]] that may hold its crossing, in order."""
        h = np.asarray([f.h for f in going], dtype=np.float64)
        start = np.asarray([f.start for f in going])
        gain = np.asarray([f.gain for f in going])
        swapped = np.asarray([f.swapped for f in going])
        gone = self._cum - self._before
        may, bad = gone[:, :, ALL] * self._share, gone[:, :, BAD] * self._scale
        lost, gained = np.where(swapped, bad, may), np.where(swapped, may, bad)
        bound = exhaustion.bounds_of(h * start, h * lost, h * gained, self._k, gain)
        flagged = bound <= exhaustion.MARGIN * h * (np.abs(start) + lost[-1] + gained[-1])
        return [iter(np.flatnonzero(column).tolist()) for column in flagged.T]

    def _minutes(self, asked: Mapping[int, int]) -> dict[int, tuple[IntArray, exhaustion.Leaving]]:
        """(k, what has left by each) of every minute of these spans."""
        ks = {i: np.arange(self._k[s] + 1, self._k[s + 1] + 1) for i, s in asked.items()}
        hour = {i: int(self._bound.start + self._k[s]) // HOUR for i, s in asked.items()}
        packed = [i for i in asked if hour[i] < self._last]
        kept = self._kept.minutes(self._conn, [(int(self._ids[i]), hour[i]) for i in packed])
        cum: dict[int, FloatArray] = {}
        for i in packed:
            at = self._bound.start + ks[i] - hour[i] * HOUR
            cum[i] = kept[int(self._ids[i]), hour[i]][at]
        hot = [i for i in asked if hour[i] >= self._last]
        requests = [(int(self._ids[i]), self._bound.start + ks[i]) for i in hot]
        for i, raw in zip(hot, edges_many(self._conn, requests), strict=True):
            cum[i] = np.stack((raw[:, TOTAL] - raw[:, GOOD], raw[:, TOTAL]), axis=1)
        return {i: (ks[i], self._leaving(i, cum[i])) for i in asked}

    def _leaving(self, i: int, cum: FloatArray) -> exhaustion.Leaving:
        gone = cum - self._before[i]
        return gone[:, ALL] * self._share[i], gone[:, BAD] * self._scale[i]


# ---------------------------------------------------------------- one by one


def _falling(bound: Bounds, found: gather.Sweep, j: int, *, recover: bool) -> exhaustion.Falling:
    readings, row = found.readings, found.rate_rows[j]
    bad = (readings.total[:, j] - readings.good[:, j]) * readings.scale[j]
    may = readings.may[:, j]
    rate = (float(may[row]), float(bad[row]), round(found.rate_minutes[j]))
    make = exhaustion.recovers if recover else exhaustion.exhausts
    counted = exhaustion.counting_minutes(found.terms[j].holes, bound.end)
    return make(float(may[OWN]), float(bad[OWN]), rate, counted)


def _horizon(bound: Bounds) -> int:
    return bound.length if bound.rolling else bound.period_end - bound.end


def _run(
    conn: Connection,
    subjects: Sequence[Subject],
    bounds: Sequence[Bounds],
    found: gather.Sweep,
    searches: Mapping[int, exhaustion.Search],
) -> dict[int, int | None]:
    """Let all searches go on side by side: what they ask for in a round is read in one go."""
    answers: dict[int, int | None] = {}
    asking: dict[int, IntArray] = {}
    special: dict[int, Callable[[IntArray], exhaustion.Leaving]] = {}
    for j, going in searches.items():
        if _horizon(bounds[j]) <= 0:
            answers[j] = None
            continue
        asking[j] = next(going)
        if not bounds[j].rolling:
            special[j] = exhaustion.nothing_leaves
        elif not found.terms[j].plain:
            view = View(gather.reader(conn, subjects[j].sli_id), found.terms[j])
            special[j] = _leaving(view, bounds[j])
    told = {j: found.leaving[j] for j in asking if j in found.leaving}
    told |= _answer(conn, subjects, bounds, found, _but(asking, told), special)
    while asking:
        for j, leaving in politely(told.items()):
            try:
                asking[j] = searches[j].send(leaving)
            except StopIteration as done:
                answers[j] = done.value
                del asking[j]
        told = _answer(conn, subjects, bounds, found, asking, special)
    return answers


def _but(asking: Mapping[int, IntArray], told: Mapping[int, object]) -> dict[int, IntArray]:
    return {j: k for j, k in asking.items() if j not in told}


def _answer(
    conn: Connection,
    subjects: Sequence[Subject],
    bounds: Sequence[Bounds],
    found: gather.Sweep,
    asking: Mapping[int, IntArray],
    special: Mapping[int, Callable[[IntArray], exhaustion.Leaving]],
) -> dict[int, exhaustion.Leaving]:
    told = {j: special[j](k) for j, k in asking.items() if j in special}
    plain = [j for j in asking if j not in special]
    requests = [(subjects[j].sli_id, bounds[j].start + asking[j]) for j in plain]
    for j, cum in zip(plain, edges_many(conn, requests), strict=True):
        gone = cum - found.before[j]
        its = found.terms[j]
        bad = (gone[:, TOTAL] - gone[:, GOOD]) * its.scale
        told[j] = (gone[:, TOTAL] * its.parts[0][1], bad)
    return told


def _leaving(view: View, bound: Bounds) -> Callable[[IntArray], exhaustion.Leaving]:
    base = view.cum([bound.start])[0]

    def leaving(k: IntArray) -> exhaustion.Leaving:
        gone = view.cum(bound.start + k) - base
        return gone[:, MAY], (gone[:, TOTAL] - gone[:, GOOD]) * view.terms.scale

    return leaving
