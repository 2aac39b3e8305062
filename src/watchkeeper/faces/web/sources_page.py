"""The sources page: can the numbers be trusted, source by source. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from watchkeeper.faces.web import words
from watchkeeper.faces.web.words import Badge
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Seconds
from watchkeeper.measure.model import Note, SourceHealth
from watchkeeper.spec.model import Specs

LATE_SECONDS = 180.0
"""A source that was read longer ago than this is late."""

KINDS = {
    "unparsable": "Unreadable lines",
    "reset": "Counter resets",
    "gap": "Gaps",
    "error": "Errors",
    "slow": "Slow answers",
    "limit": "Limits reached",
}


@dataclass(frozen=True, slots=True)
class NoteRow:
    """Something a source had to say."""

    kind: str
    message: str
    count: str
    when: str
    sli: str


@dataclass(frozen=True, slots=True)
class SourceBlock:
    """One source."""

    name: str
    type: str
    badge: Badge
    read: str
    lag: str
    error: str
    objectives: str
    notes: Sequence[NoteRow]
    where: str


@dataclass(frozen=True, slots=True)
class SourcesView:
    """All sources, the troubled first."""

    headline: str
    summary: str
    sources: Sequence[SourceBlock]
    refresh: str


def sources_view(health: Sequence[SourceHealth], specs: Specs, now: Seconds) -> SourcesView:
    """All sources, those with trouble first, else in the order given."""
    used = Counter(s.sli.source for s in specs.slos.values() if s.sli is not None)
    ordered = sorted(health, key=lambda h: words_order(state(h, now)))
    troubled = sum(1 for h in health if state(h, now).key in ("burn", "watch"))
    return SourcesView(
        headline=_headline(troubled, len(health)),
        summary=f"{words.plural(len(health), 'source')} feed "
        f"{words.plural(sum(used.values()), 'objective')}.",
        sources=[_block(h, used[h.name], specs, now) for h in ordered],
        refresh="/parts/sources",
    )


def state(health: SourceHealth, now: Seconds) -> Badge:
    """Failing, late, silent so far, or fine."""
    if health.last_error:
        return Badge("burn", "Failing")
    if health.last_success is None:
        return Badge("none", "Nothing yet")
    if now - health.last_success > LATE_SECONDS:
        return Badge("watch", "Late")
    return Badge("ok", "Fine")


def words_order(badge: Badge) -> int:
    """Failing, late, silent, fine."""
    return ("burn", "watch", "none", "ok").index(badge.key)


def _headline(troubled: int, total: int) -> str:
    if not total:
        return "No measurement sources yet"
    if troubled:
        return f"{words.plural(troubled, 'source is', 'sources are')} not delivering"
    return "Every source delivers"


def _block(health: SourceHealth, used: int, specs: Specs, now: Seconds) -> SourceBlock:
    defined = specs.sources.get(health.name)
    return SourceBlock(
        health.name,
        health.type,
        state(health, now),
        words.ago(health.last_success, now),
        text.duration(health.lag_seconds) if health.lag_seconds is not None else text.NOTHING,
        health.last_error,
        words.plural(used, "objective"),
        [_note(n, now) for n in health.notes],
        f"{defined.place.file}:{defined.place.line}" if defined else "",
    )


def _note(note: Note, now: Seconds) -> NoteRow:
    return NoteRow(
        KINDS.get(note.kind, note.kind.capitalize()),
        note.message,
        text.number(note.count, 0),
        words.ago(note.at, now),
        note.sli,
    )
