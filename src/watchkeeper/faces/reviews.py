"""What faces stand on for weekly reviews: each use case one method."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection

from watchkeeper.faces.assets import font_url
from watchkeeper.faces.duty import Duty
from watchkeeper.faces.printing import pdf
from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.reviews import paper, render, store, work
from watchkeeper.reviews.model import Frozen, Note, NoteKind, Review
from watchkeeper.reviews.weeks import Week
from watchkeeper.spec.model import Specs

T = TypeVar("T")
WEEKS_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Seen:
    """A review as it is read: with its notes, and how it was kept, if it was."""

    review: Review
    notes: Sequence[Note]
    kept: Frozen | None
    week: Week
    sent_to: int
    """How many targets its definitions name."""


@dataclass(frozen=True, slots=True)
class TeamWeeks:
    """A team, and its last weeks with why each is kept, '' when it is not."""

    team: str
    title: str
    weeks: Sequence[tuple[Week, str]]
    send: Sequence[str]


@dataclass
class Reviews:
    """The use cases of weekly reviews."""

    duty: Duty

    def specs(self) -> Specs:
        """The definitions in use."""
        return self.duty.specs()

    def teams(self, weeks: int = WEEKS_SHOWN) -> Sequence[TeamWeeks]:
        """Every team with its last weeks, the latest first."""
        specs, now = self.specs(), self.duty.clock.now()
        with self.duty.db.read() as conn:
            kept = store.frozen_weeks(conn)
        return [
            TeamWeeks(
                name,
                title,
                [
                    (w, kept.get((name, w.name), ""))
                    for w in work.weeks_back(specs, name, now, weeks)
                ],
                [r.schedule for r in specs.reviews.values() if r.team == name],
            )
            for name, title in work.teams(specs)
        ]

    def seen(self, team: str, week: str) -> Seen:
        """A review: as it was kept, else as it is now. Raises NotFound, UserError."""
        specs, now = self.specs(), self.duty.clock.now()
        its = work.chosen(specs, team, week, now)
        with self.duty.db.read() as conn:
            review, kept = work.read(conn, specs, team, its, now)
            notes = store.notes(conn, team, its.name)
        sent_to = sum(len(r.send) for r in specs.reviews.values() if r.team == team)
        return Seen(review, notes, kept, its, sent_to)

    def note(self, team: str, week: str, kind: NoteKind, text: str, author: str) -> Note:
        """Write down what was said or decided. Raises NotFound, UserError."""
        its = self.seen(team, week).review
        return self._do(lambda conn, now: work.add_note(conn, its, kind, text, author, now))

    def change_note(self, note_id: int, text: str, kind: NoteKind | None, author: str) -> Note:
        """Write a note anew. Raises NotFound, UserError."""
        return self._do(lambda conn, now: work.change_note(conn, note_id, text, kind, author, now))

    def send(self, team: str, week: str, by: str) -> int:
        """Send it now to whom its definitions name. Raises NotFound, UserError."""
        specs, site = self.specs(), self.duty.site
        seen = self.seen(team, week)
        targets = work.targets_of(specs, team)

        def act(conn: Connection, now: Seconds) -> int:
            key = f"{team}/{seen.week.name}/{now}"
            return work.send(conn, specs, site, seen.review, targets, by, key, now)

        return self._do(act)

    def markdown(self, seen: Seen) -> str:
        """It as Markdown."""
        return render.markdown(seen.review, seen.notes, self.duty.site.base_url)

    def pdf(self, seen: Seen) -> bytes:
        """It as PDF. Raises UserError when nothing can print it."""
        return pdf(self.html(seen))

    def html(self, seen: Seen) -> str:
        """It as a document that stands alone, for paper."""
        return paper.html(seen.review, seen.notes, font_url("vendor/inter-latin.woff2"))

    def _do(self, act: Callable[[Connection, Seconds], T]) -> T:
        now = self.duty.clock.now()
        with self.duty.db.write() as conn:
            done = act(conn, now)
        self.duty.board.post()
        self.duty.wake()
        return done


def note_json(note: Note) -> dict[str, Any]:
    """A note."""
    return {
        **asdict(note), "kind": str(note.kind), "at": iso(note.at),
        "changed_at": None if note.changed_at is None else iso(note.changed_at),
    }  # fmt: skip


def seen_json(seen: Seen) -> dict[str, Any]:
    """A review, its notes, and how it is kept."""
    its = seen.review
    kept = seen.kept
    return {
        **asdict(its), "start": iso(its.start), "end": iso(its.end), "made_at": iso(its.made_at),
        "notes": [note_json(n) for n in seen.notes],
        "frozen": None if kept is None else {"at": iso(kept.at), "why": kept.why},
    }  # fmt: skip
