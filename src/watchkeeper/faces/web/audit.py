"""The audit log as a page: who did what, filtered, paged, exported. For admins."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from watchkeeper.access import audit
from watchkeeper.access.audit import MOST_EXPORTED, Search
from watchkeeper.faces.people import People
from watchkeeper.faces.services import Services
from watchkeeper.faces.web.render import Pages
from watchkeeper.faces.web.routes import Handlers
from watchkeeper.kernel.clock import iso
from watchkeeper.kernel.errors import UserError
from watchkeeper.store.timeline import Event

ROWS = 100
EARLIEST = 1e9
TIMES = ("at", "until", "start", "end", "due", "began")
"""The last word of the names of data that are instants, as epoch seconds after `EARLIEST`."""
FIELDS = ("actor", "subject", "kind", "from", "to")


@dataclass(frozen=True, slots=True)
class AuditRow:
    """An event in words."""

    at: str
    when: str
    kind: str
    subject: str
    actor: str
    data: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class AuditView:
    """The page: what was asked, what was found, where to go on."""

    asked: Mapping[str, str]
    rows: Sequence[AuditRow]
    older: str
    newest: str
    csv: str
    json: str
    problem: str


def audit_routes(services: Services) -> Sequence[BaseRoute]:
    """`/audit` and its exports."""
    pages, people, others = Pages(services), People(services.db, services.clock), Handlers(services)

    def show(request: Request) -> Response:
        asked = {name: request.query_params.get(name, "")[:500].strip() for name in FIELDS}
        found, problem = _found(people, asked, request.query_params.get("before", ""))
        view = audit_view(asked, found, problem)
        return pages.page(request, "audit.html", "audit", 400 if problem else 200, view=view)

    def export(request: Request) -> Response:
        asked = {name: request.query_params.get(name, "")[:500].strip() for name in FIELDS}
        found = people.audit(_search(asked), None, MOST_EXPORTED)
        as_csv = request.url.path.endswith(".csv")
        name = f"audit.{'csv' if as_csv else 'json'}"
        return Response(
            audit.to_csv(found) if as_csv else audit.to_json(found),
            media_type="text/csv; charset=utf-8" if as_csv else "application/json",
            headers={
                "Content-Disposition": f'attachment; filename="{name}"',
                "Cache-Control": "no-store",
            },
        )

    return [
        Route("/audit", others.guarded(show)),
        Route("/audit.csv", others.guarded(export)),
        Route("/audit.json", others.guarded(export)),
    ]


def audit_view(asked: Mapping[str, str], found: Sequence[Event], problem: str = "") -> AuditView:
    """What the page shows. ``found`` holds one row more than fits when there are older ones."""
    shown = found[:ROWS]
    given = {name: value for name, value in asked.items() if value}
    query = f"?{urlencode(given)}" if given else ""
    more = {**given, "before": str(shown[-1].id)} if len(found) > ROWS else {}
    return AuditView(
        asked=asked,
        rows=[_row(e) for e in shown],
        older=f"/audit?{urlencode(more)}" if more else "",
        newest=f"/audit{query}",
        csv=f"/audit.csv{query}",
        json=f"/audit.json{query}",
        problem=problem,
    )


def _found(people: People, asked: Mapping[str, str], before: str) -> tuple[Sequence[Event], str]:
    try:
        below = int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None
        return people.audit(_search(asked), below, ROWS + 1), ""
    except UserError as error:
        return (), f"{error.message} {error.hint}".strip()


def _search(asked: Mapping[str, str]) -> Search:
    return Search(
        asked["actor"],
        asked["subject"],
        asked["kind"],
        _instant(asked["from"], "from"),
        _instant(asked["to"], "to"),
    )


def _instant(written: str, field: str) -> float | None:
    """A ``datetime-local`` field, which is in UTC here."""
    if not written:
        return None
    try:
        found = datetime.fromisoformat(written)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise UserError(
            f"'{field}' is no time: {written!r}.", "Write it as 2026-11-23T14:02, in UTC."
        ) from None


def _row(event: Event) -> AuditRow:
    at = iso(event.at)
    data = [(name.replace("_", " "), _said(name, value)) for name, value in event.data.items()]
    return AuditRow(
        at,
        at.replace("T", " ").removesuffix("Z"),
        event.kind,
        event.subject,
        event.actor,
        [(name, said) for name, said in sorted(data) if said],
    )


def _said(name: str, value: object) -> str:
    """A value in words: times of day where the name says that it is one, JSON for what is nested.
    What is empty says nothing."""
    if value is None or value in ("", [], {}):
        return ""
    if isinstance(value, float) and value > EARLIEST and name.rpartition("_")[2] in TIMES:
        return iso(value).replace("T", " ").replace("Z", " UTC")
    if isinstance(value, list) and all(isinstance(each, str | int) for each in value):
        return ", ".join(map(str, value))
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
