"""What a page says, from what people wrote. Pure.

**A public page** tells of an incident from its first public update on, and of nothing else:

1. An update is about the components that it names; one that names none is about those of the
   public update before it, else about those that the incident touches. It belongs to the pages
   that have one of them; when no public page has any, to all of them: what somebody wanted to be
   public is never told to nobody.
2. From an update on each of its components is as the update says (``impact``); where it says
   nothing, by the severity at that time: the worst is a major outage, the second a partial one, all
   others are degraded performance. While it is only watched (`monitoring`) that is degraded
   performance at most, and after `resolved` operational.
3. When people end the incident without a last word, the page ends it too, in one plain sentence.
   Of an incident that was merged into another the end is the other's.
4. Its title is the last headline that an update was given, else the components and how they are:
   never the title that it has inside. Drills are never shown.

**An internal page** tells of each incident that touches it, from its declaration on, with every
update, by the title that it has inside, and whether it is a drill (which changes no state). Beside
that, a component one of whose objectives burns is at least degraded: a machine says no more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from watchkeeper.incidents.model import Incident, IncidentState
from watchkeeper.incidents.status.model import (
    PHASES,
    WORDS,
    Case,
    Level,
    Planned,
    Post,
    Span,
    Story,
    worst,
)
from watchkeeper.kernel.clock import Seconds
from watchkeeper.slo.model import Fleet, Look
from watchkeeper.spec.model import Specs
from watchkeeper.spec.response import ComponentDefinition, StatusPageDefinition

ENDED = "This incident is resolved."
"""What is said when people ended an incident without a last public word."""
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_PHASE_OF = {
    IncidentState.IDENTIFIED: "identified",
    IncidentState.MITIGATED: "monitoring",
    IncidentState.RESOLVED: "resolved",
}


@dataclass(frozen=True, slots=True)
class World:
    """What a page is told against: all pages, in the order written, and what is defined."""

    specs: Specs

    @property
    def public(self) -> Sequence[StatusPageDefinition]:
        """The pages that anybody may read."""
        return [p for p in self.specs.response.status_pages.values() if p.public]


def public_id(*parts: object) -> str:
    """Twelve of [0-9a-z], the form of Statuspage: always the same for the same parts."""
    text = "/".join(str(p) for p in parts).encode()
    value = int.from_bytes(hashlib.sha256(text).digest()[:8], "big")
    digits = []
    for _ in range(12):
        value, rest = divmod(value, 36)
        digits.append(_ALPHABET[rest])
    return "".join(digits)


# ---------------------------------------------------------------- who is touched


def touched(page: StatusPageDefinition, incident: Incident, specs: Specs) -> list[str]:
    """The components of a page that an incident touches.

    By its objectives and journeys; when those touch none, by its services, a journey being a part
    of its service.
    """
    slos, journeys = set(incident.slos), set(incident.journeys)
    near = [
        c.name
        for c in page.components
        if set(c.slos) & slos or set(c.journeys) & journeys or set(_slos_of(c, specs)) & slos
    ]
    if near:
        return near
    services = set(incident.services)
    return [c.name for c in page.components if _services_of(c, specs) & services]


def _services_of(component: ComponentDefinition, specs: Specs) -> set[str]:
    found = {specs.journeys[j].service for j in component.journeys if j in specs.journeys}
    return found | set(component.services)


def _slos_of(component: ComponentDefinition, specs: Specs) -> list[str]:
    named = [n for n in component.slos if n in specs.slos]
    known = [specs.journeys[j] for j in component.journeys if j in specs.journeys]
    return named or [s for j in known for s in j.slos if s in specs.slos]


def objectives(component: ComponentDefinition, specs: Specs) -> list[str]:
    """What speaks for a component: its own objectives, else its journeys', else its services'."""
    wanted = set(component.services)
    return _slos_of(component, specs) or [n for n, s in specs.slos.items() if s.service in wanted]


def _addressed(
    page: StatusPageDefinition, named: Sequence[str], incident: Incident, world: World
) -> list[str] | None:
    """The components of this page that an update is about; None: it is not for this page."""
    every = {c.name for p in world.public for c in p.components}
    known = [n for n in named if n in every]
    if known:
        mine = [c.name for c in page.components if c.name in known]
        return mine or None
    mine = touched(page, incident, world.specs)
    if mine:
        return mine
    elsewhere = any(touched(p, incident, world.specs) for p in world.public)
    return None if elsewhere else []


# ---------------------------------------------------------------- how it is


def level_of(severity: str, order: Sequence[str]) -> Level:
    """How components are by a severity of this order, the worst first."""
    rank = order.index(severity) if severity in order else len(order)
    return Level.MAJOR if rank == 0 else Level.PARTIAL if rank == 1 else Level.DEGRADED


def _level(data: Mapping[str, object], phase: str, order: Sequence[str]) -> Level:
    if phase == "resolved":
        return Level.OPERATIONAL
    said = str(data.get("impact", ""))
    if said in list(Level):
        return Level(said)
    if phase == "monitoring":
        return Level.DEGRADED
    return level_of(str(data.get("severity", "")), order)


# ---------------------------------------------------------------- stories


def story(page: StatusPageDefinition, case: Case, world: World) -> Story | None:
    """An incident as this page tells it; None: it does not."""
    told = _public(page, case, world) if page.public else _internal(page, case, world)
    if told is None:
        return None
    posts, title = told
    its = case.incident
    ended = posts[-1].phase == "resolved" if posts else False
    if case.ends is not None and not ended:
        calm = dict.fromkeys(_components(posts), Level.OPERATIONAL)
        at = max(case.ends, posts[-1].at) if posts else case.ends
        posts = [*posts, Post(0, at, "resolved", ENDED, calm)]
        ended = True
    shown = [n.name for n in page.components if n.name in set(_components(posts))]
    if not page.public and not shown:
        shown = touched(page, its, world.specs)
    levels = [level for p in posts for level in p.levels.values()]
    order = list(world.specs.response.severities)
    return Story(
        id=public_id("incident", page.name, its.id),
        incident=its.id,
        title=title or _title(page, shown, worst(levels)),
        level=worst(levels) if levels else level_of(its.severity, order),
        phase=posts[-1].phase if posts else _PHASE_OF.get(its.state, "investigating"),
        began=posts[0].at if page.public else min([its.declared_at, *(p.at for p in posts)]),
        posts=posts[::-1],
        components=shown,
        monitoring_at=next((p.at for p in posts if p.phase == "monitoring"), None),
        resolved_at=posts[-1].at if ended else None,
        severity="" if page.public else its.severity,
        drill=its.drill,
    )


def _components(posts: Sequence[Post]) -> list[str]:
    return list(dict.fromkeys(n for p in posts for n in p.levels))


def _public(page: StatusPageDefinition, case: Case, world: World) -> tuple[list[Post], str] | None:
    if case.incident.drill:
        return None
    order = list(world.specs.response.severities)
    posts: list[Post] = []
    named: Sequence[str] = ()
    title = ""
    for each in case.updates:
        data = each.entry.data
        if not data.get("public"):
            continue
        named = data.get("components") or named
        mine = _addressed(page, named, case.incident, world)
        if mine is None:
            continue
        phase = _phase(data)
        # What an earlier update named and this one does not stays as it was, but for the end.
        level = _level(data, phase, order)
        at_end = _components(posts) if phase == "resolved" else []
        levels = dict.fromkeys([*mine, *at_end], level)
        posts.append(Post(each.entry.number, each.at, phase, each.text, levels))
        title = str(data.get("headline", "")) or title
    return (posts, title) if posts else None


def _internal(
    page: StatusPageDefinition, case: Case, world: World
) -> tuple[list[Post], str] | None:
    its, order = case.incident, list(world.specs.response.severities)
    mine = {c.name for c in page.components}
    near = touched(page, its, world.specs)
    posts: list[Post] = []
    for each in case.updates:
        data = each.entry.data
        phase = _phase(data)
        about = [n for n in data.get("components", ()) if n in mine] or near
        calm = its.drill or phase == "resolved"
        level = Level.OPERATIONAL if calm else _level(data, phase, order)
        posts.append(
            Post(each.entry.number, each.at, phase, each.text, dict.fromkeys(about, level),
                 bool(data.get("public")))
        )  # fmt: skip
    if not near and not any(p.levels for p in posts):
        return None
    return posts, its.title


def _phase(data: Mapping[str, object]) -> str:
    said = str(data.get("phase", ""))
    return said if said in PHASES else "investigating"


def _title(page: StatusPageDefinition, components: Sequence[str], level: Level) -> str:
    titles = [c.title for c in page.components if c.name in components]
    about = listed(titles) or page.display_name
    return f"{about}: {WORDS[level].lower() if level is not Level.OPERATIONAL else 'trouble'}"


def listed(titles: Sequence[str]) -> str:
    """``Checkout, Search and Accounts``."""
    if len(titles) < 2:
        return "".join(titles)
    return f"{', '.join(titles[:-1])} and {titles[-1]}"


# ---------------------------------------------------------------- spans and states


def spans(story: Story, now: Seconds) -> list[Span]:
    """How each component was because of one incident, from update to update."""
    found: list[Span] = []
    if story.drill:
        return found
    since: dict[str, tuple[Level, Seconds]] = {}
    for post in reversed(story.posts):
        for name, level in post.levels.items():
            held = since.pop(name, None)
            if held is not None and post.at > held[1]:
                found.append(Span(name, held[0], held[1], post.at, story.title))
            if level is not Level.OPERATIONAL:
                since[name] = (level, post.at)
    found += [Span(n, level, at, now, story.title) for n, (level, at) in since.items() if now > at]
    if not story.posts and story.resolved_at is None:
        found += [Span(n, story.level, story.began, now, story.title) for n in story.components]
    return found


def state_now(
    component: ComponentDefinition, stories: Sequence[Story], planned: Sequence[Planned]
) -> tuple[Level, Seconds | None]:
    """How a component is because of open incidents and planned work, and since when."""
    found: list[tuple[Level, Seconds]] = []
    for each in stories:
        if each.resolved_at is not None or each.drill:
            continue
        posts = [p for p in each.posts if component.name in p.levels]
        if posts:
            found.append((posts[0].levels[component.name], posts[0].at))
        elif not each.posts and component.name in each.components:
            found.append((each.level, each.began))
    found += [
        (Level.MAINTENANCE, p.start)
        for p in planned
        if p.state == "in_progress" and component.name in p.components
    ]
    return max(found, key=lambda f: f[0].rank, default=(Level.OPERATIONAL, None))


def burning(component: ComponentDefinition, specs: Specs, fleet: Fleet) -> bool:
    """Whether one of its objectives burns, in any of its groups."""
    names = set(objectives(component, specs))
    return any(s.look is Look.BURN and s.name.partition("[")[0] in names for s in fleet.statuses)


def overall(levels: Sequence[Level], open_: Sequence[Story]) -> Level:
    """How the page is: as its worst component; at least degraded while an incident is open that
    hurts and names none."""
    found = worst(levels)
    loose = [s for s in open_ if not s.drill and not s.components and s.phase != "monitoring"]
    return worst([found, *(s.level for s in loose)])
