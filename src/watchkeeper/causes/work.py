"""Doors of the room: where a budget went, what people say of it, and keeping verdicts."""

from __future__ import annotations

from dataclasses import dataclass
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
from watchkeeper.slo.model import FloatArray, IntArray
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


def refreshed(
    conn: Connection, specs: Specs, name: str, now: Seconds
) -> tuple[list[Verdict], tuple[Minute, Minute]]:
    """As `verdicts`, all of them judged however many; and of which minutes they are."""
    subject = slo_work.subject_of(conn, specs, name)
    bound = bounds(subject.definition.window, now)
    book = _Book(conn, specs, subject, bound, MOST_EPISODES)
    return book.verdicts(), (bound.start, bound.end)


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
        case = reading.case_of(self.conn, self.specs, self.subject, self.view, self._usual())
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


@dataclass(frozen=True, slots=True)
class Saying:
    """What a person says caused an episode: its kind, in own words, how it is known."""

    kind: Kind
    what: str = ""
    note: str = ""
    change: str = ""


def say(
    conn: Connection,
    specs: Specs,
    name: str,
    at: Minute,
    said: Saying,
    author: str,
    label_id: str,
    now: Seconds,
) -> Label:
    """A person says what caused the episode that holds minute ``at``; or agrees with what we hold.

    Raises NotFound when no budget was spent then, UserError when it is too long.
    """
    if len(said.what) > MOST_WHAT or len(said.note) > MOST_NOTE:
        raise UserError(
            "This is too long.",
            f"Name the cause in {MOST_WHAT} characters; a note may have {MOST_NOTE}.",
        )
    found = next((v for v in verdicts(conn, specs, name, now) if _holds(v.episode, at)), None)
    if found is None:
        raise NotFound(
            f"{name} has no episode at that time.", "Give a time within one; the causes list them."
        )
    its, what, note = found.episode, said.what.strip(), said.note.strip()
    label = Label(
        id=label_id,
        slo=name,
        start=its.start,
        end=its.end,
        kind=said.kind,
        what=what,
        note=note,
        author=author,
        at=now,
        said=found.best.kind,
        change=said.change,
    )
    store.add_label(conn, label)
    data = {"id": label.id, "start": its.start, "end": its.end, "kind": str(said.kind)}
    timeline.append(
        conn, now, "cause.said", f"slo/{name}", author, {**data, "what": what, "note": note}
    )
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
