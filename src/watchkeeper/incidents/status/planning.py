"""Planned work as a page announces it, and texts to begin updates with. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from watchkeeper.alerting.quiet import occurrences
from watchkeeper.incidents.model import Incident
from watchkeeper.incidents.status.model import Level, Planned, Post, Span, Story
from watchkeeper.incidents.status.rules import listed, public_id, touched
from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.spec.duty import MaintenanceDefinition
from watchkeeper.spec.model import Specs
from watchkeeper.spec.response import UPDATE_TEMPLATES, StatusPageDefinition

AHEAD = 30 * 86_400.0
"""How far ahead planned work is announced."""
KEPT = 86_400.0
"""Seconds for which it may take to tell all subscribers that planned work began or ended."""
MOST = 200
"""Occurrences of one definition that are shown."""


def planned(
    page: StatusPageDefinition, specs: Specs, since: Seconds, now: Seconds
) -> list[Planned]:
    """Planned work that this page announces and that ends after ``since``, in order."""
    found: list[Planned] = []
    for each in specs.duty.maintenance.values():
        if page.name in each.status_pages:
            starts = occurrences(each, since, MOST)
            found += [_one(page, each, s, now) for s in starts if s < now + AHEAD]
    return sorted(found, key=lambda p: (p.start, p.id))


BEGAN, ENDED = 1, 2
"""Numbers of the two posts that tell of planned work."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Planned work began or ended. ``number``: BEGAN or ENDED."""

    work: Planned
    number: int


def moments(page: StatusPageDefinition, specs: Specs, since: Seconds, now: Seconds) -> list[Moment]:
    """What began or ended in (since, now], in order; not what did both: that is no news."""
    found: list[tuple[Seconds, Moment]] = []
    for each in planned(page, specs, since, now):
        if since < each.start <= now < each.end:
            found.append((each.start, Moment(each, BEGAN)))
        elif each.start <= since < each.end <= now:
            found.append((each.end, Moment(each, ENDED)))
    return [moment for _, moment in sorted(found, key=lambda f: f[0])]


def story_of(
    page: StatusPageDefinition, specs: Specs, work: str, number: int, at: Seconds
) -> Story | None:
    """Planned work as subscribers are told of it; None when it is not planned any more."""
    every = planned(page, specs, at - KEPT, at)
    found = next((p for p in every if p.id == work), None)
    if found is None:
        return None
    began = number == BEGAN
    ends = f"It is to last until {iso(found.end)[:10]} {_clock(found.end)}."
    said = f"The work has begun. {ends}" if began else "The work is over."
    text = f"{said} {found.text}".strip() if began else said
    levels = dict.fromkeys(found.components, Level.MAINTENANCE) if began else {}
    phase = "in_progress" if began else "completed"
    when = found.start if began else found.end
    post = Post(number, when, phase, text, levels)
    resolved = None if began else found.end
    return Story(found.id, 0, found.title, Level.MAINTENANCE, phase, found.start, [post],
                 found.components, resolved_at=resolved)  # fmt: skip


def _one(
    page: StatusPageDefinition, each: MaintenanceDefinition, start: Seconds, now: Seconds
) -> Planned:
    end = start + each.duration
    state = "scheduled" if now < start else "in_progress" if now < end else "completed"
    mine = [c.name for c in page.components if not each.components or c.name in each.components]
    title = each.title or "Planned maintenance"
    key = public_id("maintenance", page.name, each.name, int(start))
    return Planned(key, each.name, title, each.text, start, end, mine, state)


def spans(work: Sequence[Planned], now: Seconds) -> list[Span]:
    """When components were, or are, under maintenance."""
    return [
        Span(name, Level.MAINTENANCE, p.start, min(p.end, now), p.title)
        for p in work
        if p.start < now
        for name in p.components
    ]


@dataclass(frozen=True, slots=True)
class Filled:
    """A template with its fields filled in for one incident."""

    name: str
    headline: str
    text: str
    phase: str
    fits: bool


def filled(specs: Specs, incident: Incident, phase: str, now: Seconds) -> list[Filled]:
    """The templates for an incident: first those of its severity and ``phase``."""
    pages = specs.response.status_pages.values()
    own = [t for p in pages for t in p.templates]
    names = {t.name for t in own}
    every = [*own, *(t for t in UPDATE_TEMPLATES if t.name not in names)]
    titles = [c.title for p in pages for c in p.components if c.name in touched(p, incident, specs)]
    words = {
        "components": listed(list(dict.fromkeys(titles))) or "Our service",
        "severity": incident.severity,
        "began": _clock(incident.began_at or incident.declared_at),
        "next": _next(specs, incident, now),
    }
    found = [
        Filled(t.name, _fill(t.headline, words), _fill(t.text, words), t.phase,
               t.phase in ("", phase))
        for t in every
        if t.severity in ("", incident.severity)
    ]  # fmt: skip
    return sorted(found, key=lambda f: not f.fits)


def _fill(text: str, words: dict[str, str]) -> str:
    for name, word in words.items():
        text = text.replace("{" + name + "}", word)
    return text


def _next(specs: Specs, incident: Incident, now: Seconds) -> str:
    grade = specs.response.severities.get(incident.severity)
    if grade is None or grade.update_every is None:
        return "when there is news"
    return f"by {_clock(now + grade.update_every)}"


def _clock(at: Seconds) -> str:
    return f"{iso(at)[11:16]} UTC"
