"""The pages that the world reads, rendered: the same for the server and for files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from watchkeeper.faces.status.links import Links
from watchkeeper.incidents.status import tokens
from watchkeeper.incidents.status.model import (
    WORDS,
    ComponentView,
    Day,
    Level,
    Planned,
    Story,
    Subscriber,
    View,
)
from watchkeeper.incidents.status.rules import listed
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.spec.response import StatusPageDefinition

HERE = Path(__file__).resolve().parent
RECENT_DAYS = 14
"""Days of past incidents on the page itself."""
MOST_AGAIN = 3
"""How often it is said when planned work comes again."""
STALE = 180.0
"""Seconds after which measurements are said to be old."""
DAY = 86_400.0
HEADLINES: Mapping[Level, str] = {
    Level.OPERATIONAL: "All systems operational",
    Level.MAINTENANCE: "Maintenance under way",
    Level.DEGRADED: "Some systems are slower than usual or have errors",
    Level.PARTIAL: "Some systems are partly unavailable",
    Level.MAJOR: "Major outage",
}
KEYS: Mapping[Level, str] = {
    Level.OPERATIONAL: "ok",
    Level.MAINTENANCE: "plan",
    Level.DEGRADED: "slow",
    Level.PARTIAL: "part",
    Level.MAJOR: "down",
}
"""Names of shapes and colours."""


@dataclass(frozen=True, slots=True)
class DayBar:
    """A day: its shape, what a pointer is shown, and its row in the table."""

    key: str
    hint: str
    day: str
    word: str
    lasted: str
    share: str


@dataclass(frozen=True, slots=True)
class Line:
    """A component as it is shown. ``says``: its days in one sentence."""

    title: str
    description: str
    key: str
    word: str
    uptime: str
    says: str
    bars: Sequence[DayBar]
    measured: bool
    group: str = ""


@cache
def environment() -> Environment:
    """The templates: everything is escaped, an unknown name is an error."""
    found = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    found.globals.update(
        key=lambda level: KEYS[level], word=lambda level: WORDS[level], iso=iso, clock=clock,
        day=day, span=span, listed=listed, took=took,
    )  # fmt: skip
    return found


def _render(template: str, links: Links, page: StatusPageDefinition, **values: object) -> bytes:
    made = environment().get_template(template).render(links=links, page=page, **values)
    return made.encode()


def home(view: View, links: Links) -> bytes:
    """The page itself."""
    titles = {c.its.name: c.its.title for c in view.components}
    recent = [s for s in view.past if s.began >= view.as_of - RECENT_DAYS * DAY]
    behind = view.measured_at is not None and view.as_of - view.measured_at > STALE
    return _render(
        "page.html", links, view.page,
        view=view,
        headline=headline(view),
        lines=[line(c) for c in view.components],
        titles=titles,
        recent=by_day(recent),
        recent_days=RECENT_DAYS,
        active=[p for p in view.planned if p.state == "in_progress"],
        coming=coming(view),
        behind=clock(view.measured_at or 0.0) if behind else "",
    )  # fmt: skip


def incident(view: View, story: Story, links: Links) -> bytes:
    """One incident."""
    titles = {c.its.name: c.its.title for c in view.components}
    return _render("incident.html", links, view.page, view=view, story=story, titles=titles)


def past(
    view: View,
    months: Sequence[tuple[str, Sequence[Story]]],
    earlier: str,
    later: str,
    links: Links,
) -> bytes:
    """Months with their incidents; ``earlier`` and ``later``: months to go on with, or ''."""
    titles = {c.its.name: c.its.title for c in view.components}
    shown = [(month_words(m), stories) for m, stories in months]
    return _render("history.html", links, view.page, view=view, months=shown, titles=titles,
                   earlier=earlier, later=later)  # fmt: skip


def message(
    page: StatusPageDefinition, links: Links, title: str, lines: Sequence[str],
    facts: Sequence[tuple[str, str]] = (), problem: bool = False,
) -> bytes:  # fmt: skip
    """A page that says one thing."""
    return _render("message.html", links, page, title=title, lines=lines, facts=facts,
                   problem=problem)  # fmt: skip


def manage(
    page: StatusPageDefinition, links: Links, action: str, signed: str, who: Subscriber
) -> bytes:
    """What a subscriber's link leads to: one button that agrees, or what is told and leaving."""
    return _render("manage.html", links, page, signed=signed, who=who,
                   confirms=action == tokens.CONFIRM)  # fmt: skip


# ---------------------------------------------------------------- words


def headline(view: View) -> str:
    """What the page says first."""
    bad = [c for c in view.components if c.level.rank > Level.MAINTENANCE.rank]
    if view.level is Level.OPERATIONAL and view.open:
        return "All systems operational; we are watching one that was not"
    if bad and len(bad) <= 2 and view.level is not Level.OPERATIONAL:
        return "; ".join(f"{c.its.title}: {WORDS[c.level].lower()}" for c in bad)
    if view.level is Level.MAJOR and len(bad) < len(view.components):
        return f"Major outage of {listed([c.its.title for c in bad if c.level is Level.MAJOR])}"
    return HEADLINES[view.level]


def line(its: ComponentView) -> Line:
    """A component with its bars, and the sentence that says the same."""
    bars = [bar(d, its.measured) for d in its.days]
    bad = sum(1 for d in its.days if d.level.rank > Level.MAINTENANCE.rank)
    calm = sum(1 for d in its.days if d.known) - bad
    uptime = "" if its.uptime is None else text.percent(its.uptime, 2)
    said = f"{its.its.title}, last {len(its.days)} days: {calm} without trouble, {bad} with"
    if uptime:
        said += f"; {uptime} {'of requests were good' if its.measured else 'uptime'}"
    word = f"{uptime} {'good requests' if its.measured else 'uptime'}" if uptime else "no data yet"
    return Line(its.its.title, its.its.description, KEYS[its.level], WORDS[its.level], word, said,
                bars, its.measured, its.its.group)  # fmt: skip


def coming(view: View) -> list[tuple[Planned, Sequence[Planned]]]:
    """Planned work, each with when it comes again."""
    found: dict[str, list[Planned]] = {}
    for each in view.planned:
        if each.state == "scheduled":
            found.setdefault(each.name, []).append(each)
    return [(its[0], its[1 : 1 + MOST_AGAIN]) for its in found.values()]


def bar(its: Day, measured: bool) -> DayBar:
    """One day."""
    known = its.known
    word = WORDS[its.level] if known else "No data"
    lasted = listed(
        [f"{WORDS[level].lower()} for {text.duration(s)}"
         for level, s in sorted(its.seconds.items(), key=lambda i: -i[0].rank) if s > 0]
    )  # fmt: skip
    share = "" if its.share is None else text.percent(its.share, 3)
    parts = [day(its.start), word if not lasted else lasted.capitalize()]
    if measured and share:
        parts.append(f"{share} good")
    parts += its.titles
    return DayBar(KEYS[its.level] if known else "none", " · ".join(parts), day(its.start), word,
                  lasted, share)  # fmt: skip


def by_day(stories: Sequence[Story]) -> list[tuple[str, list[Story]]]:
    """Incidents under the day on which they began, newest first."""
    found: dict[str, list[Story]] = {}
    for each in stories:
        found.setdefault(day(each.began), []).append(each)
    return list(found.items())


def day(at: Seconds) -> str:
    """``27 November 2026``."""
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment.day} {moment:%B %Y}"


def clock(at: Seconds) -> str:
    """``27 Nov, 14:03 UTC``."""
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment.day} {moment:%b, %H:%M} UTC"


def span(start: Seconds, end: Seconds) -> str:
    """``27 Nov, 02:00 to 04:00 UTC``."""
    one, two = datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC)
    until = f"{two:%H:%M}" if one.date() == two.date() else f"{two.day} {two:%b, %H:%M}"
    return f"{one.day} {one:%b, %H:%M} to {until} UTC"


def took(story: Story) -> str:
    """How long it lasted, or has lasted."""
    return text.duration(max(story.resolved_at - story.began, 1.0)) if story.resolved_at else ""


def month_words(month: str) -> str:
    """``November 2026`` of ``2026-11``."""
    return f"{datetime.fromisoformat(month + '-01'):%B %Y}"
