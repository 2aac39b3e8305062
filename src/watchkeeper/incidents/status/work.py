"""Status pages: read at one revision. Each function is one use case within one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from sqlalchemy import Connection

from watchkeeper.incidents import chain
from watchkeeper.incidents import store as incidents
from watchkeeper.incidents.model import EntryKind, Incident, IncidentState
from watchkeeper.incidents.status import history, planning, rules, store
from watchkeeper.incidents.status.model import (
    Case,
    ComponentView,
    Level,
    Planned,
    Span,
    Story,
    View,
    worst,
)
from watchkeeper.incidents.status.rules import World
from watchkeeper.kernel.clock import Minute, Seconds, window_end
from watchkeeper.oncall.model import Site
from watchkeeper.slo import ledger
from watchkeeper.slo import work as slo_work
from watchkeeper.slo.model import Fleet, FloatArray
from watchkeeper.spec.model import Aspect, Specs
from watchkeeper.spec.response import ComponentDefinition, StatusPageDefinition

MOST_MERGES = 20
"""How far the way of merged incidents is followed."""


def address(page: StatusPageDefinition, site: Site) -> str:
    """Where the world sees a page, without a slash at the end."""
    return page.url.rstrip("/") or f"{site.base_url}/status/{page.name}"


def view(
    conn: Connection, specs: Specs, fleet: Fleet, site: Site, page: StatusPageDefinition,
    now: Seconds,
) -> View:  # fmt: skip
    """A page now: how its components are and were, and what was said in the last 90 days."""
    since = history.first_day(now)
    told = stories(conn, specs, page, since)
    work = planning.planned(page, specs, since, now)
    spans = [s for each in told for s in rules.spans(each, now)] + planning.spans(work, now)
    shown = measured(page)
    counts = _counts(conn, specs, page, now) if shown else {}
    components = [
        _component(c, told, work, spans, counts.get(c.name), specs, fleet, page, now)
        for c in page.components
    ]
    open_ = [s for s in told if s.resolved_at is None]
    past = [s for s in told if s.resolved_at is not None]
    times = [s.updated for s in told] + [t for p in work for t in (p.start, p.end) if t <= now]
    return View(
        page=page,
        url=address(page, site),
        as_of=now,
        level=rules.overall([c.level for c in components], open_),
        components=components,
        open=sorted(open_, key=lambda s: (-s.level.rank, -s.began)),
        past=sorted(past, key=lambda s: -s.began),
        planned=work,
        updated=max(times, default=since),
        measured_at=fleet.as_of if shown or not page.public else None,
        revision=store.revision(conn),
    )


def measured(page: StatusPageDefinition) -> bool:
    """Whether the page shows what was measured."""
    return not page.public if page.measured is None else page.measured


def stories(
    conn: Connection, specs: Specs, page: StatusPageDefinition, since: Seconds,
    until: Seconds | None = None,
) -> list[Story]:  # fmt: skip
    """What this page tells of incidents of [since, until), and of those still open."""
    find = store.told_since if page.public else store.declared_since
    world = World(specs)
    found = (rules.story(page, c, world) for c in cases(conn, find(conn, since, until)))
    return [s for s in found if s is not None]


def cases(conn: Connection, ids: Sequence[int]) -> list[Case]:
    """Incidents with their updates as they are read now."""
    found = incidents.some(conn, ids)
    entries = incidents.entries_of(conn, ids, (EntryKind.UPDATE, EntryKind.AMENDMENT))
    ends = _ends(conn, found)
    return [Case(i, chain.tell(entries.get(i.id, ())), ends[i.id]) for i in found]


def _ends(conn: Connection, found: Sequence[Incident]) -> Mapping[int, Seconds | None]:
    known = {i.id: i for i in found}
    for _ in range(MOST_MERGES):
        missing = {i.merged_into for i in known.values() if i.merged_into} - set(known)
        if not missing:
            break
        known.update({i.id: i for i in incidents.some(conn, sorted(missing))})
    return {i.id: _end(i, known) for i in found}


def _end(incident: Incident, known: Mapping[int, Incident]) -> Seconds | None:
    its = incident
    for _ in range(MOST_MERGES):
        if its.merged_into is None or its.merged_into not in known:
            break
        its = known[its.merged_into]
    return its.resolved_at if its.state is IncidentState.RESOLVED else None


# ---------------------------------------------------------------- components


def _component(
    component: ComponentDefinition, told: Sequence[Story], work: Sequence[Planned],
    spans: Sequence[Span], counts: tuple[list[float], list[float]] | None, specs: Specs,
    fleet: Fleet, page: StatusPageDefinition, now: Seconds,
) -> ComponentView:  # fmt: skip
    level, since = rules.state_now(component, told, work)
    if not page.public and rules.burning(component, specs, fleet):
        level = worst([level, Level.DEGRADED])
    mine = [s for s in spans if s.component == component.name]
    if counts is None:
        days = history.days_of(mine, None, 0.0, now)
        return ComponentView(
            component, level, days, history.uptime_of_time(mine, now), False, since
        )
    shares = history.shares_of(*counts)
    good, total = sum(counts[0]), sum(counts[1])
    days = history.days_of(mine, shares, _target(component, specs), now)
    return ComponentView(component, level, days, good / total if total else None, True, since)


def _speaking(component: ComponentDefinition, specs: Specs) -> list[str]:
    """The objectives by which a component is measured: those on availability, if there are any."""
    names = [n for n in rules.objectives(component, specs) if specs.slos[n].sli is not None]
    return [n for n in names if specs.slos[n].aspect is Aspect.AVAILABILITY] or names


def _target(component: ComponentDefinition, specs: Specs) -> float:
    targets = [float(specs.slos[n].target) for n in _speaking(component, specs)]
    return min(targets, default=0.0)


def _counts(
    conn: Connection, specs: Specs, page: StatusPageDefinition, now: Seconds
) -> dict[str, tuple[list[float], list[float]]]:
    """(good, total) events of each of the last days by component, from the ledger's edges; what
    corrections exclude from an objective is not counted."""
    speaking: dict[str, dict[str, str]] = {}
    for component in page.components:
        slis = {n: specs.slos[n].sli for n in _speaking(component, specs)}
        if slis:
            speaking[component.name] = {s.key: n for n, s in slis.items() if s is not None}
    known = ledger.find(conn, sorted({key for its in speaking.values() for key in its}))
    rows = [(name, slo, row.id) for name, its in speaking.items() for key, slo in its.items()
            for row in known.get(key, [])]  # fmt: skip
    if not rows:
        return {name: ([0.0] * history.DAYS, [0.0] * history.DAYS) for name in speaking}
    days = _days(conn, [(slo, row) for _, slo, row in rows], _edges(now))
    found = {}
    for name in speaking:
        mine = days[:, [n for n, row in enumerate(rows) if row[0] == name], :].sum(axis=1)
        found[name] = (mine[:, 0].tolist(), mine[:, 1].tolist())
    return found


def _days(conn: Connection, rows: Sequence[tuple[str, int]], marks: Sequence[Minute]) -> FloatArray:
    """Events [days, rows, 3] between each two marks of (SLO, ledger row), without those that
    corrections of the SLO exclude."""
    holes = {slo: [(c.start, c.end) for c in slo_work.corrections(conn, slo)]
             for slo in dict.fromkeys(slo for slo, _ in rows)}  # fmt: skip
    cuts = {m for its in holes.values() for hole in its for m in hole}
    edges = sorted({*marks, *(m for m in cuts if marks[0] < m < marks[-1])})
    ids = np.asarray([row for _, row in rows], np.int64)
    steps = np.diff(ledger.edges(conn, ids, edges), axis=0)
    at = np.asarray(edges[:-1])
    for column, (slo, _) in enumerate(rows):
        for start, end in holes[slo]:
            steps[(at >= start) & (at < end), column] = 0.0
    return np.add.reduceat(steps, np.searchsorted(at, marks[:-1]), axis=0)


def _edges(now: Seconds) -> list[Minute]:
    """The minutes at which the last days begin, and the end of the one that lasts now."""
    first = int(history.first_day(now) // 60)
    return [*(first + i * 1440 for i in range(history.DAYS)), window_end(now)]
