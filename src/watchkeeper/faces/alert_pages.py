"""What the pages on alerts, integrations, silences and heartbeats read, each at one instant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from watchkeeper.alerting import keys, store_doors, store_intake, store_lists, triage, work
from watchkeeper.alerting.model import Alert
from watchkeeper.alerting.store_doors import Key
from watchkeeper.alerting.store_intake import Received, Tally
from watchkeeper.alerting.store_lists import Wanted
from watchkeeper.faces.addresses import shown_rows
from watchkeeper.faces.alerts import Alerts
from watchkeeper.kernel.errors import NotFound
from watchkeeper.notify import outbox
from watchkeeper.notify.outbox import Delivery
from watchkeeper.oncall import store as pages_store
from watchkeeper.oncall.model import Page
from watchkeeper.oncall.routing import dependencies
from watchkeeper.spec.duty import Matcher
from watchkeeper.spec.model import Specs
from watchkeeper.store import timeline
from watchkeeper.store.timeline import Event

MOST_BESIDE = 30
MOST_EARLIER = 6
MOST_MATCHED = 20_000
"""Open alerts that a silence which is being written is tried on."""


@dataclass(frozen=True, slots=True)
class Listed:
    """Alerts of a list with the pages that they are on, and how many there are in all."""

    alerts: Sequence[Alert]
    pages: Mapping[int, Page]
    total: int
    services: Sequence[str]
    integrations: Sequence[str]


@dataclass(frozen=True, slots=True)
class AlertStory:
    """Everything about one alert."""

    alert: Alert
    page: Page | None
    events: Sequence[Event]
    page_events: Sequence[Event]
    deliveries: Sequence[Delivery]
    beside: Sequence[Alert]
    earlier: Sequence[Alert]
    received: Received | None


@dataclass(frozen=True, slots=True)
class Doors:
    """Keys and counts of every integration and heartbeat that is defined."""

    keys: Mapping[str, Sequence[Key]]
    tallies: Mapping[str, Tally]


@dataclass(frozen=True, slots=True)
class Matched:
    """Open alerts that matchers hold for; ``pages`` are those of which every open alert matches."""

    alerts: Sequence[Alert]
    pages: Sequence[int]


def listed(alerts: Alerts, wanted: Wanted, before: int | None, limit: int) -> Listed:
    """One page of a list."""
    with alerts.db.read() as conn:
        found = store_lists.find(conn, wanted, before, limit)
        on = {a.page_id for a in found if a.page_id is not None}
        pages = {i: p for i in sorted(on) if (p := pages_store.get(conn, i)) is not None}
        return Listed(
            found,
            pages,
            store_lists.count(conn, wanted),
            store_lists.values_of_open(conn, "service"),
            store_lists.values_of_open(conn, "integration"),
        )


def story(alerts: Alerts, alert_id: int) -> AlertStory:
    """One alert with all that happened. Raises NotFound."""
    specs, now = alerts.board.posting.specs, alerts.clock.now()
    with alerts.db.read() as conn:
        one = work.get(conn, alert_id)
        if one is None:
            raise NotFound(f"There is no alert {alert_id}.", "/alerts lists them.")
        on = one.page_id
        family = [one.service, *callees(specs, one.service), *callers(specs, one.service)]
        return AlertStory(
            one,
            pages_store.get(conn, on) if on is not None else None,
            timeline.read(conn, subject=f"alert/{alert_id}", limit=500),
            timeline.read(conn, subject=f"page/{on}", limit=1000) if on is not None else (),
            shown_rows(specs, outbox.of_page(conn, on)) if on is not None else (),
            store_lists.beside(conn, one, [s for s in family if s], now, MOST_BESIDE),
            store_lists.earlier(conn, one, MOST_EARLIER),
            store_intake.message_of(conn, alert_id),
        )


def callees(specs: Specs, service: str) -> set[str]:
    """What a service depends on, directly or not."""
    return dependencies(service, {n: s.depends_on for n, s in specs.services.items()})


def callers(specs: Specs, service: str) -> set[str]:
    """What depends on a service, directly or not."""
    reverse: dict[str, list[str]] = {}
    for name, each in specs.services.items():
        for callee in each.depends_on:
            reverse.setdefault(callee, []).append(name)
    return dependencies(service, reverse)


def doors(alerts: Alerts) -> Doors:
    """Every door, its keys and what came in by it."""
    with alerts.db.read() as conn:
        found, tallies = store_doors.keys(conn), store_intake.counts(conn)
    duty = alerts.board.posting.specs.duty
    names = [*duty.integrations, *(keys.HEARTBEAT + n for n in duty.heartbeats)]
    return Doors({n: [k for k in found if k.integration == n] for n in names}, tallies)


def everything_open(alerts: Alerts) -> Sequence[Alert]:
    """Alerts that are not closed."""
    with alerts.db.read() as conn:
        return store_lists.open_alerts(conn, 0, MOST_MATCHED)


def matched(everyone: Sequence[Alert], matchers: Sequence[Matcher]) -> Matched:
    """Which of these a silence with these matchers would hold for."""
    held = [a for a in everyone if triage.matches(matchers, a.labels)]
    ids = {a.id for a in held}
    others = {a.page_id for a in everyone if a.id not in ids}
    return Matched(held, sorted({p for a in held if (p := a.page_id) and p not in others}))
