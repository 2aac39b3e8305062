"""Which alerts go on which page: by service, and by what depends on what. Pure.

A storm is many alerts of few causes. Alerts of one service share a page; the alert of a service
whose dependency has a page joins that page, because the dependency is where work must be done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from watchkeeper.alerting.model import RANK, Due, Urgency
from watchkeeper.kernel.clock import Seconds
from watchkeeper.spec.duty import EscalationPolicyDefinition
from watchkeeper.spec.model import Specs

JOIN_ACKED = 7200.0
"""Seconds since its last alert for which an acknowledged page takes new ones of its service."""


@dataclass(frozen=True, slots=True)
class OpenPage:
    """What routing must know of a page that is not resolved."""

    id: int
    group: str
    urgency: str
    acked: bool
    last_alert_at: Seconds
    ended: bool = False  # its alerts are over, so lately that the same trouble may come back


@dataclass
class Placement:
    """Alerts that go together: on the page ``page_id``, or on a new one for ``group``."""

    group: str
    page_id: int | None
    alerts: list[Due] = field(default_factory=list)


def group_of(alert: Due) -> str:
    """Alerts of one group share a page: the service, or else the integration it came by."""
    return alert.service or f"integration:{alert.integration}"


def place(
    alerts: Sequence[Due], pages: Sequence[OpenPage], specs: Specs, now: Seconds
) -> list[Placement]:
    """Where each alert goes. Callees first, so that their callers find their page."""
    graph = {name: s.depends_on for name, s in specs.services.items()}
    causes = {service: dependencies(service, graph) for service in {a.service for a in alerts}}
    placed: dict[str, Placement] = {}
    # Those that run come last, so that they win over those that have ended.
    inorder = sorted(pages, key=lambda p: (not p.ended, p.id))
    by_group = {p.group: p for p in inorder if _takes(p, now)}
    for alert in _callees_first(alerts, causes):
        group = _group_for(alert, by_group, placed, causes[alert.service])
        if group not in placed:
            page = by_group.get(group)
            fits = page is not None and _fits(page, alert)
            placed[group] = Placement(group, page.id if page and fits else None)
        placed[group].alerts.append(alert)
    return list(placed.values())


def _takes(page: OpenPage, now: Seconds) -> bool:
    return page.ended or not page.acked or now - page.last_alert_at < JOIN_ACKED


def _callees_first(alerts: Sequence[Due], causes: Mapping[str, set[str]]) -> Iterable[Due]:
    """The most urgent first, and of these those that depend on the fewest others."""
    depth = {service: len(found & causes.keys()) for service, found in causes.items()}
    return sorted(alerts, key=lambda a: (-RANK[a.urgency], depth[a.service], a.id))


def _group_for(
    alert: Due,
    pages: Mapping[str, OpenPage],
    placed: Mapping[str, Placement],
    causes: set[str],
) -> str:
    own = group_of(alert)
    for group in (own, *sorted(causes)):
        page, there = pages.get(group), placed.get(group)
        # A cause that is over explains nothing new of what depends on it.
        if page is not None and _fits(page, alert) and (group == own or not page.ended):
            return group
        if there:  # the most urgent were placed first: it waits for one as urgent already
            return group
    return own


def _fits(page: OpenPage, alert: Due) -> bool:
    """A page takes what is no more urgent. One that is over comes back only for its like: the
    ticket that is left of an outage is no reason to go on calling for the outage."""
    if page.ended:
        return page.urgency == str(alert.urgency)
    return RANK[Urgency(page.urgency)] >= RANK[alert.urgency]


def dependencies(service: str, graph: Mapping[str, Sequence[str]]) -> set[str]:
    """All that a service depends on, directly or not; cycles are followed once."""
    found: set[str] = set()
    waiting = list(graph.get(service, ()))
    while waiting:
        name = waiting.pop()
        if name not in found and name != service:
            found.add(name)
            waiting.extend(graph.get(name, ()))
    return found


def policy_for(alert: Due, group: str, specs: Specs) -> EscalationPolicyDefinition | None:
    """The alert's own, else its service's (see `policy_of_service`)."""
    policies = specs.duty.escalation_policies
    if alert.escalation_policy and alert.escalation_policy in policies:
        return policies[alert.escalation_policy]
    return policy_of_service(group if group in specs.services else alert.service, specs)


def policy_of_service(name: str, specs: Specs) -> EscalationPolicyDefinition | None:
    """The service's own, its owner's, the one named default, the first."""
    policies = specs.duty.escalation_policies
    service = specs.services.get(name)
    if service and service.escalation_policy and service.escalation_policy in policies:
        return policies[service.escalation_policy]
    owner = service.owner if service else None
    for policy in policies.values():
        if owner and policy.team == owner:
            return policy
    return policies.get("default") or next(iter(policies.values()), None)
