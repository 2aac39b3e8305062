"""Impact and suggested severity, read from the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from watchkeeper.incidents import impact as rules
from watchkeeper.incidents.durations import durations
from watchkeeper.incidents.impact import Suggestion
from watchkeeper.incidents.model import Impact, Incident
from watchkeeper.kernel.clock import MINUTE, Minute, Seconds
from watchkeeper.slo import work as slo_work
from watchkeeper.slo.model import Fleet
from watchkeeper.slo.subjects import base_name
from watchkeeper.spec.model import Specs

BEFORE, AFTER = 30, 15
"""Minutes that are shown before an incident began and after it was mitigated."""
MOST_SHOWN = 1440
"""Of a longer one the last day is shown."""
LATELY = 5
"""Minutes over which a severity is suggested."""


def affected(incident: Incident, specs: Specs) -> list[str]:
    """The SLOs by which it is measured: its own, else those of its journeys, else its services'."""
    if incident.slos:
        return [n for n in incident.slos if n in specs.slos]
    journeys = [specs.journeys[j] for j in incident.journeys if j in specs.journeys]
    named = [s for j in journeys for s in j.slos]
    return named or [n for n, s in specs.slos.items() if s.service in incident.services]


def measure(
    conn: Connection, specs: Specs, fleet: Fleet, incident: Incident, now: Seconds
) -> Impact:
    """What an incident cost, exact to the event, as far as it is measured."""
    names = affected(incident, specs)
    start, end = rules.interval(incident, now)
    counts = slo_work.minutes_of(conn, specs, names, start, end)
    services = {n: specs.slos[base_name(n)].service for n in counts}
    if end * MINUTE < now and counts:
        # Of one that is over the budget of then, or what it cost would change for ever.
        fleet = slo_work.evaluate_fleet(conn, specs, end * float(MINUTE), list(counts))
    budgets = {s.name: s.budget.total for s in fleet.statuses if s.name in counts}
    found = rules.assess(incident, counts, services, budgets, specs.services, now)
    took = durations(incident)
    return replace(
        found,
        to_detect=took.detect,
        to_acknowledge=took.acknowledge,
        to_mitigate=took.mitigate,
        to_resolve=took.resolve,
    )


@dataclass(frozen=True, slots=True)
class Course:
    """The objective that an incident hurt most, minute by minute from ``start``: events, and those
    that were bad."""

    slo: str
    title: str
    service: str
    start: Minute
    total: Sequence[float]
    bad: Sequence[float]


def course(conn: Connection, specs: Specs, incident: Incident, now: Seconds) -> Course | None:
    """How it went, with some time before and after; None when nothing of it is measured."""
    start, end = rules.interval(incident, now)
    start = max(start, end - MOST_SHOWN)
    first, last = start - BEFORE, min(end + AFTER, int(now // MINUTE))
    names = affected(incident, specs)
    found = slo_work.minutes_of(conn, specs, names, first, max(last, first + 1))
    if not found:
        return None
    bad = {n: c[:, 1] - c[:, 0] for n, c in found.items()}
    during = {n: float(b[start - first : end - first].sum()) for n, b in bad.items()}
    worst = max(during, key=lambda n: during[n])
    slo, counts = specs.slos[base_name(worst)], found[worst][:, 1].tolist()
    title = slo.display_name if worst == slo.name else worst  # of many instances, which
    return Course(worst, title, slo.service, first, counts, bad[worst].tolist())


def suggest(conn: Connection, specs: Specs, now: Seconds) -> Suggestion | None:
    """The severity that the last minutes suggest; None: no journey is hurt."""
    names = {n: j.name for j in specs.journeys.values() for n in j.slos}
    events = slo_work.recent(conn, specs, list(names), LATELY, now)
    shares: dict[str, float] = {}
    for slo, its in events.items():
        if its.total > 0:
            journey = names[base_name(slo)]
            shares[journey] = max(shares.get(journey, 0.0), its.bad / its.total)
    critical = [j.name for j in specs.journeys.values() if j.critical]
    return rules.suggest(shares, critical, list(specs.response.severities))
