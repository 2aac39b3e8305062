"""Which team owns what a request is about; the guard asks, so that no handler can forget to."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Connection

from watchkeeper.faces.guard import TeamOf
from watchkeeper.faces.services import Services
from watchkeeper.oncall import store as oncall_store
from watchkeeper.slo.subjects import base_name
from watchkeeper.spec.model import Specs


def team_of(services: Services) -> TeamOf:
    """The look-up over the definitions in use and the pages in the database."""

    def owner(kind: str, name: str) -> str | None:
        if kind == "page":
            with services.db.read() as conn:
                return _of_page(conn, services.specs(), name)
        return OWNERS[kind](services.specs(), name)

    return owner


def _of_slo(specs: Specs, name: str) -> str | None:
    found = specs.slos.get(name) or specs.slos.get(base_name(name))
    return _of_service(specs, found.service) if found else None


def _of_service(specs: Specs, name: str) -> str | None:
    found = specs.services.get(name)
    return found.owner if found else None


def _of_schedule(specs: Specs, name: str) -> str | None:
    found = specs.duty.schedules.get(name)
    return found.team if found else None


def _of_policy(specs: Specs, name: str) -> str | None:
    found = specs.duty.escalation_policies.get(name)
    return found.team if found else None


def _of_page(conn: Connection, specs: Specs, name: str) -> str | None:
    """The team of the page's escalation policy, as it was then; else of its service."""
    page = oncall_store.get(conn, int(name)) if name.isascii() and name.isdigit() else None
    if page is None:
        return None
    if page.policy is not None and page.policy.team is not None:
        return page.policy.team
    return _of_service(specs, page.service)


OWNERS: Mapping[str, Callable[[Specs, str], str | None]] = {
    "slo": _of_slo,
    "service": _of_service,
    "schedule": _of_schedule,
    "policy": _of_policy,
}
