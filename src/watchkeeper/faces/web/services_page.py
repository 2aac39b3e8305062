"""The services page: every service and journey, worst first. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from watchkeeper.faces.web import words
from watchkeeper.faces.web.ask import Ask
from watchkeeper.faces.web.words import Badge, Bar
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Seconds
from watchkeeper.slo.model import Fleet, SloStatus
from watchkeeper.spec.model import Aspect, JourneyDefinition, ServiceDefinition, Specs

PAGE_SIZE = 40


@dataclass(frozen=True, slots=True)
class Cell:
    """One aspect of a journey; ``url`` None: there is no such objective."""

    aspect: str
    url: str | None
    badge: Badge | None
    left: str
    note: str


@dataclass(frozen=True, slots=True)
class JourneyRow:
    """A journey and its three aspects."""

    name: str
    critical: bool
    cells: Sequence[Cell]


@dataclass(frozen=True, slots=True)
class Other:
    """An objective of the service outside its journeys."""

    url: str
    title: str
    badge: Badge
    left: str


@dataclass(frozen=True, slots=True)
class ServiceBlock:
    """A service with its worst objective, journeys and other objectives."""

    id: str
    name: str
    about: str
    badge: Badge
    bar: Bar | None
    worst: str
    worst_url: str
    fate: str
    owner: str
    tier: str
    depends_on: Sequence[tuple[str, str]]
    links: Sequence[tuple[str, str]]
    journeys: Sequence[JourneyRow]
    others: Sequence[Other]
    objectives: str
    all_url: str


@dataclass(frozen=True, slots=True)
class ServicesView:
    """One page of services."""

    headline: str
    summary: str
    services: Sequence[ServiceBlock]
    span: str
    previous: str | None
    next: str | None
    refresh: str


MOST_OTHERS = 8


def services_view(fleet: Fleet, specs: Specs, page: int = 1) -> ServicesView:
    """A page of services, the one whose worst objective is worst first."""
    by_service: dict[str, list[SloStatus]] = {name: [] for name in specs.services}
    for status in fleet.statuses:
        by_service.setdefault(status.service, []).append(status)
    for statuses in by_service.values():
        statuses.sort(key=badness)
    names = sorted(by_service, key=lambda n: (_worst_of(by_service[n]), n))
    last = max(1, -(-len(names) // PAGE_SIZE))
    page = min(max(1, page), last)
    start = (page - 1) * PAGE_SIZE
    shown = names[start : start + PAGE_SIZE]
    troubled = sum(1 for s in by_service.values() if s and s[0].look in ("burn", "spent"))
    return ServicesView(
        headline=_headline(troubled),
        summary=f"{words.plural(len(names), 'service')} and "
        f"{words.plural(len(specs.journeys), 'journey')}, worst first.",
        services=[_block(n, by_service[n], specs, fleet.as_of) for n in shown],
        span=f"{start + 1}–{start + len(shown)} of {len(names)}",
        previous=_page_url(page - 1) if page > 1 else None,
        next=_page_url(page + 1) if page < last else None,
        refresh="/parts" + _page_url(page),
    )


def badness(status: SloStatus) -> tuple[int, float, str]:
    """Sorts the worst first: by look, then by budget left."""
    left = status.budget.remaining_ratio
    return (words.URGENCY[status.look], 0.0 if left is None else left, status.name)


def _worst_of(statuses: Sequence[SloStatus]) -> tuple[int, float]:
    # A service without any objective comes last: nothing is known of it.
    return badness(statuses[0])[:2] if statuses else (len(words.LOOKS), 0.0)


def _headline(troubled: int) -> str:
    if troubled:
        return f"{words.plural(troubled, 'service needs', 'services need')} someone now"
    return "Every service is within its budgets"


def _page_url(page: int) -> str:
    return f"/services?page={page}" if page > 1 else "/services"


def _block(name: str, statuses: Sequence[SloStatus], specs: Specs, now: Seconds) -> ServiceBlock:
    defined = specs.services.get(name)
    worst = statuses[0] if statuses else None
    journeys = [j for j in specs.journeys.values() if j.service == name]
    in_journeys = {j.name for j in journeys}
    others = [s for s in statuses if s.journey not in in_journeys or s.aspect is None]
    return ServiceBlock(
        id=name,
        name=words.service_name(specs, name),
        about=defined.description if defined else "",
        badge=words.badge(worst.look) if worst else Badge("none", "No objectives"),
        bar=words.bar(worst) if worst else None,
        worst=(worst.display_name or worst.name) if worst else "",
        worst_url=words.slo_url(worst.name) if worst else "",
        fate=f"{text.left(worst.budget.remaining_ratio)}, {words.fate(worst, now)}"
        if worst
        else "",
        owner=words.team_name(specs, defined.owner) if defined else "",
        tier=f"Tier {defined.tier}" if defined and defined.tier is not None else "",
        depends_on=_links_to(specs, defined.depends_on if defined else ()),
        links=_links(defined),
        journeys=[_journey(j, statuses) for j in journeys],
        others=[_other(s) for s in others[:MOST_OTHERS]],
        objectives=words.plural(len(statuses), "objective"),
        all_url="/" + Ask(service=name).query(),
    )


def _links_to(specs: Specs, names: Iterable[str]) -> list[tuple[str, str]]:
    return [(words.service_name(specs, n), f"/services#{n}") for n in names]


def _links(defined: ServiceDefinition | None) -> list[tuple[str, str]]:
    """Links that a browser may follow: what was written may be anything, ``javascript:`` too."""
    links: Mapping[str, str] = defined.links if defined else {}
    return [(n, url) for n, url in links.items() if url.startswith(("https://", "http://"))]


def _other(status: SloStatus) -> Other:
    return Other(
        words.slo_url(status.name),
        status.display_name or status.name,
        words.badge(status.look),
        text.left(status.budget.remaining_ratio),
    )


def _journey(journey: JourneyDefinition, statuses: Sequence[SloStatus]) -> JourneyRow:
    mine = [s for s in statuses if s.journey == journey.name]
    return JourneyRow(
        journey.display_name or journey.name,
        journey.critical,
        [_cell(aspect, mine, journey.critical) for aspect in Aspect],
    )


def _cell(aspect: Aspect, mine: Sequence[SloStatus], critical: bool) -> Cell:
    found = [s for s in mine if s.aspect == aspect]
    if not found:
        note = "missing" if critical else "not measured"
        return Cell(str(aspect).title(), None, None, "", note)
    worst = found[0]
    note = f"worst of {len(found)}" if len(found) > 1 else ""
    return Cell(
        str(aspect).title(),
        words.slo_url(worst.name),
        words.badge(worst.look),
        text.left(worst.budget.remaining_ratio),
        note,
    )
