"""The API of status pages: parse, call one use case, render. Statuspage's own read API stands under
each page's address."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field

from watchkeeper.faces.api.asked import actor, plain
from watchkeeper.faces.api.postmortems import Strict
from watchkeeper.faces.status import v2
from watchkeeper.faces.status.pages import StatusPages
from watchkeeper.incidents.status.model import Subscriber, View
from watchkeeper.kernel.clock import iso

TAG: list[str | Enum] = ["status pages"]
Id = Annotated[int, Path(ge=1, le=2**53)]
Name = Annotated[str, Path(max_length=200)]


class SubscriberIn(Strict):
    """An address that is asked whether it wants to be told."""

    kind: Literal["email", "webhook"] = "email"
    address: str = Field(min_length=1, max_length=500)
    components: list[str] = Field([], max_length=100)


def status_routes(router: APIRouter, status: StatusPages) -> None:
    """Add the routes."""

    @router.get("/status-pages", tags=TAG)
    def list_status_pages() -> dict[str, Any]:
        """All status pages and what they say now."""
        return {"pages": [_page(status, p.name) for p in status.listed()]}

    @router.get("/status-pages/{name}", tags=TAG)
    def get_status_page(name: Name) -> dict[str, Any]:
        """One page: components, incidents and planned work, as Statuspage's `summary.json`."""
        view = status.view(plain(name))
        return {**_page(status, view.page.name), "summary": v2.documents(view)["summary.json"]}

    @router.get("/status-pages/{name}/subscribers", tags=TAG)
    def list_subscribers(
        name: Name,
        q: Annotated[str, Query(max_length=200, description="in the address")] = "",
        after: Annotated[int, Query(ge=0, le=2**53)] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> dict[str, Any]:
        """Who subscribed, also those who have not confirmed. Give `next` as `after` to go on."""
        found = status.subscribers(plain(name), plain(q), after, limit)
        more = found[-1].id if len(found) == limit else None
        return {"subscribers": [_subscriber(s) for s in found], "next": more}

    @router.post("/status-pages/{name}/subscribers", status_code=202, tags=TAG)
    def add_subscriber(name: Name, body: SubscriberIn, request: Request) -> dict[str, Any]:
        """Ask an address whether it wants to be told: a mail to confirm, or a challenge."""
        where = request.client.host if request.client else ""
        asked = status.subscribe(
            plain(name), body.kind, plain(body.address), [plain(c) for c in body.components],
            where, actor(request),
        )  # fmt: skip
        return {"asked": True, "secret": asked.secret or None}

    @router.delete("/status-pages/{name}/subscribers/{subscriber_id}", status_code=204, tags=TAG)
    def remove_subscriber(name: Name, subscriber_id: Id, request: Request) -> None:
        """Forget a subscriber; what waits for it is not sent."""
        status.remove(plain(name), subscriber_id, actor(request))

    @router.get("/incidents/{incident_id}/templates", tags=TAG)
    def list_templates(incident_id: Id) -> dict[str, Any]:
        """Texts to begin an update of an incident with, filled in; those that fit now first."""
        return {
            "templates": [
                {"name": t.name, "phase": t.phase, "headline": t.headline, "text": t.text,
                 "fits": t.fits}
                for t in status.templates(incident_id)
            ]
        }  # fmt: skip


def _page(status: StatusPages, name: str) -> dict[str, Any]:
    view: View = status.view(name)
    return {
        "name": name,
        "title": view.page.display_name,
        "public": view.page.public,
        "url": view.url,
        "state": str(view.level),
        "as_of": iso(view.as_of),
        "open_incidents": len(view.open),
        "subscribers": status.told(name),
    }


def _subscriber(s: Subscriber) -> dict[str, Any]:
    return {
        "id": s.id,
        "kind": s.kind,
        "address": s.address,
        "confirmed": s.active,
        "created_at": iso(s.created_at),
        "confirmed_at": None if s.confirmed_at is None else iso(s.confirmed_at),
        "components": list(s.components),
    }
