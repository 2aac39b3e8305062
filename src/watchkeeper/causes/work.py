"""Doors of the room: where a budget went, what people say of it, and keeping verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from sqlalchemy import Connection

from watchkeeper.causes import accounting, reading, store
from watchkeeper.causes.accuracy import Accuracy, accuracy
from watchkeeper.causes.episodes import LOOK_BACK, Steps, cut
from watchkeeper.causes.judging import THIN
from watchkeeper.causes.model import Account, Episode, Hypothesis, Kind, Label, Verdict
from watchkeeper.causes.reading import Usual
from watchkeeper.kernel.clock import DAY_MINUTES, Minute, Seconds, window_end
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.slo import detail as hourly
from watchkeeper.slo import ledger
from watchkeeper.slo import work as slo_work
from watchkeeper.slo.fleet import Subject
from watchkeeper.slo.model import Fleet, FloatArray, IntArray
from watchkeeper.slo.view import GOOD, MAY, TOTAL, View
from watchkeeper.slo.windows import Bounds, bounds
from watchkeeper.spec.model import Specs
from watchkeeper.store import timeline

MOST_SPELLS = 40
"""Spells that are looked into, the costliest first; smaller ones stay in "everything else"."""
MOST_STEPS = DAY_MINUTES
"""A longer spell is looked at in longer steps than a minute."""
MOST_EPISODES = 60
"""Episodes of one window that are told apart, the costliest; the rest is "everything else"."""
MOST_AT_ONCE = 12
"""Episodes that are judged while somebody waits; the rest is judged beside the tick."""
LONGEST_WINDOW = 400 * DAY_MINUTES
NOT_YET = Hypothesis(
    Kind.UNKNOWN, THIN, "Not known yet", ("It is being looked into; come again in a minute.",)
)


def account(
    conn: Connection, specs: Specs, name: str, now: Seconds, minutes: int | None = None
) -> Account:
    """Where the budget of an SLO went: over its window, or the last so many ``minutes``.

    All at one revision; entries add up to exactly what the SLO's status says was consumed. Raises
    NotFound for an unknown name, UserError for a window that cannot be.
    """
    subject = slo_work.subject_of(conn, specs, name)
    return _Book(conn, specs, subject, _bounds(subject, now, minutes)).account()


def verdicts(
    conn: Connection, specs: Specs, name: str, now: Seconds, minutes: int | None = None
) -> list[Verdict]:
    """The episodes of an SLO over its window, each with what is held of it, the oldest first."""
    subject = slo_work.subject_of(conn, specs, name)
    return _Book(conn, specs, subject, _bounds(subject, now, minutes)).verdicts()


def _bounds(subject: Subject, now: Seconds, minutes: int | None) -> Bounds:
    if minutes is None:
        return bounds(subject.definition.window, now)
    if not 0 < minutes <= LONGEST_WINDOW:
        raise UserError("This window cannot be looked at.", "Give one of 1 minute to 400 days.")
    end = window_end(now)
    return Bounds(end - minutes, end, end, rolling=True)


class _Book:
    """One SLO over one window, read once."""

    def __init__(
        self,
        conn: Connection,
        specs: Specs,
        subject: Subject,
        bound: Bounds,
        most: int = MOST_AT_ONCE,
    ) -> None:
        self.conn, self.specs, self.subject, self.bound = conn, specs, subject, bound
        self.most = most
        self.view: View = slo_work.view_of(conn, subject, bound)
        self.edges: IntArray = hourly.hours(bound.start, bound.end)
        self.cum: FloatArray = self.view.cum(self.edges)

    def account(self) -> Account:
        """The account of the window."""
        start, end = self.bound.start, self.bound.end
        counts = self.cum[-1] - self.cum[0]
        total = Fraction(float(counts[TOTAL]))
        labels = store.labels(self.conn, self.subject.name, start, end)
        return accounting.account(
            self.subject.name,
            (start, end),
            total - Fraction(float(counts[GOOD])),
            total,
            self.verdicts(),
            labels,
            ledger.revision(self.conn),
        )

    def verdicts(self) -> list[Verdict]:
        """Episodes judged, or as judged before where nothing has changed since."""
        found = self.episodes()
        if not found:
            return []
        span = (found[0].start, found[-1].end)
        kept = store.kept(self.conn, self.subject.name, *span)
        case = reading.case_of(self.conn, self.specs, self.subject, self.view, self._usual(), span)
        still = {
            e.start: _still(kept.get(e.end), e, reading.seen(case.near(e)), self.bound.start)
            for e in found
        }
        anew = sorted((e for e in found if still[e.start] is None), key=lambda e: -e.bad)
        judged = {e.start: reading.judge(case, e) for e in anew[: self.most]}
        judged |= {e.start: Verdict(e, (NOT_YET,), case.usual.rate) for e in anew[self.most :]}
        return [still[e.start] or judged[e.start] for e in found]

    def episodes(self) -> list[Episode]:
        """The episodes of the window, the oldest first; they do not overlap."""
        found: list[Episode] = []
        for i, j in self._spells():
            found.extend(self._cut(int(self.edges[i]), int(self.edges[j])))
        costly = sorted(found, key=lambda e: -e.bad)[:MOST_EPISODES]
        return sorted(costly, key=lambda e: e.start)

    def _spells(self) -> list[tuple[int, int]]:
        steps = np.diff(self.cum, axis=0)
        bad, scale = steps[:, TOTAL] - steps[:, GOOD], self.view.terms.scale
        runs = hourly.episodes(bad * scale, steps[:, MAY])
        costs = {run: float((bad * scale - steps[:, MAY])[run[0] : run[1]].sum()) for run in runs}
        return sorted(sorted(runs, key=lambda r: -costs[r])[:MOST_SPELLS])

    def _cut(self, start: Minute, end: Minute) -> list[Episode]:
        step = max(-(-(end - start) // MOST_STEPS), self.subject.slice_minutes)
        first = LOOK_BACK // step
        edges = np.append(np.arange(start - first * step, end, step, dtype=np.int64), end)
        cum = np.diff(self.view.cum(edges), axis=0)
        may = cum[:, MAY] / self.view.terms.scale
        return cut(Steps(edges, cum[:, TOTAL] - cum[:, GOOD], cum[:, TOTAL], may), first)

    def _usual(self) -> Usual:
        """What the SLO's quiet hours have: those that cost no more than an even spend."""
        steps = np.diff(self.cum, axis=0)
        bad = steps[:, TOTAL] - steps[:, GOOD]
        quiet = (bad * self.view.terms.scale <= steps[:, MAY]) & (steps[:, TOTAL] > 0)
        return Usual(float(bad[quiet].sum()), float(steps[quiet, TOTAL].sum()))


def _still(
    kept: Verdict | None, episode: Episode, seen: str, window_start: Minute
) -> Verdict | None:
    """A verdict that still holds: the same counts, judged of the same changes.

    An episode that the window's start cuts off is the same while its end is.
    """
    if kept is None or kept.seen != seen or kept.episode.ongoing:
        return None
    was = kept.episode
    cut_off = episode.start == window_start and was.start < window_start
    if not cut_off and (was.start, was.bad, was.total) != (
        episode.start,
        episode.bad,
        episode.total,
    ):
        return None
    return Verdict(
        episode,
        kept.hypotheses,
        kept.usual_rate,
        kept.usual_demand,
        kept.slices,
        kept.seen,
    )


# ---------------------------------------------------------------- what people say


def say(
    conn: Connection,
    specs: Specs,
    name: str,
    at: Minute,
    kind: Kind,
    what: str,
    note: str,
    author: str,
    label_id: str,
    now: Seconds,
    change: str = "",
) -> Label:
    """A person says what caused the episode that holds minute ``at``; or agrees with what we hold.

    Raises NotFound when budget was not spent then, UserError when nothing is said of why.
    """
    if len(what) > MOST_WHAT or len(note) > MOST_NOTE:
        raise UserError(
            "This is too long.", f"Name the cause in {MOST_WHAT} characters, note {MOST_NOTE}."
        )
    found = next((v for v in verdicts(conn, specs, name, now) if _holds(v.episode, at)), None)
    if found is None:
        raise NotFound(
            f"{name} has no episode at that time.", "Give a time within one; the causes list them."
        )
    its = found.episode
    label = Label(
        label_id, name, its.start, its.end, kind, what.strip(), note.strip(), author, now,
        found.best.kind, change,
    )  # fmt: skip
    store.add_label(conn, label)
    data = {"id": label.id, "start": its.start, "end": its.end, "kind": str(kind), "what": what}
    timeline.append(conn, now, "cause.said", f"slo/{name}", author, {**data, "note": note})
    return label


MOST_WHAT, MOST_NOTE = 200, 2_000


def _holds(episode: Episode, at: Minute) -> bool:
    return episode.start <= at < episode.end


def unsay(conn: Connection, name: str, label_id: str, author: str, now: Seconds) -> None:
    """Take back what a person said: what we hold counts again. Raises NotFound."""
    gone = store.remove_label(conn, name, label_id)
    data = {"id": gone.id, "start": gone.start, "end": gone.end, "kind": str(gone.kind)}
    timeline.append(conn, now, "cause.unsaid", f"slo/{name}", author, data)


def measured(conn: Connection) -> list[Accuracy]:
    """How right attribution has been, by what people said."""
    return accuracy(store.every_label(conn))


# ---------------------------------------------------------------- keeping up to date


def due(conn: Connection, specs: Specs, fleet: Fleet, now: Seconds, most: int) -> dict[str, float]:
    """SLOs to look at next, with their bad events ever: those whose ledger changed since.

    Late data and corrections of counts change these as well. What burns comes first, then what was
    not looked at for longest; at most ``most``. One read of all heads, whatever the number of SLOs.
    """
    bad = {n: total - good for n, (good, total) in slo_work.counters(conn, specs, now).items()}
    looked = store.looks(conn)
    changed = [n for n, b in bad.items() if b > 0 and looked.get(n, (0.0, 0.0))[0] != b]
    hot = {s.name for s in fleet.statuses if (s.burn_rate.get("1h") or 0.0) > 1}
    never = (0.0, 0.0)
    changed.sort(key=lambda n: (n not in hot, looked.get(n, never)[1], n))
    return {n: bad[n] for n in changed[:most]}


def refreshed(
    conn: Connection, specs: Specs, name: str, now: Seconds
) -> tuple[list[Verdict], tuple[Minute, Minute]]:
    """The verdicts of an SLO as they are now, and of which minutes; to be given to `keep`."""
    subject = slo_work.subject_of(conn, specs, name)
    bound = bounds(subject.definition.window, now)
    book = _Book(conn, specs, subject, bound, MOST_EPISODES)
    return book.verdicts(), (bound.start, bound.end)


def keep(
    conn: Connection,
    name: str,
    found: Sequence[Verdict],
    span: tuple[Minute, Minute],
    now: Seconds,
) -> None:
    """Keep verdicts, drop those of the same minutes that are no episodes any more."""
    store.keep(conn, name, [v for v in found if v.episode.start > span[0]], now)
    store.forget(conn, name, *span, [v.episode.start for v in found])


def note_looks(conn: Connection, bad: dict[str, float], now: Seconds) -> None:
    """These were looked at."""
    store.note_looks(conn, bad, now)
