"""The API of alerts, pages and on-call: parse, call one use case, render."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field

from watchkeeper.access.model import Principal
from watchkeeper.faces.api import render
from watchkeeper.faces.api.asked import actor
from watchkeeper.faces.api.duty_json import change_json, page_json, shift_json, story_json
from watchkeeper.faces.api.reach import reach_routes
from watchkeeper.faces.duty import Duty
from watchkeeper.kernel.errors import UserError

DAY = 86_400.0
MOST_DAYS = 400


class Names(BaseModel):
    """Whom to call: users, ``schedule:name``, ``team:name``, ``channel:name@address``."""

    to: list[str] = Field(min_length=1, max_length=20)
    note: str = Field("", max_length=5000)


class Snooze(BaseModel):
    """For how long."""

    seconds: float = Field(ge=60, le=30 * DAY)


class Note(BaseModel):
    """What the next person should know."""

    text: str = Field(min_length=1, max_length=5000)


class ChangeIn(BaseModel):
    """An override, swap or leave; times in RFC 3339."""

    kind: Literal["override", "swap", "leave"]
    start: str
    end: str
    user: str = ""
    replaces: str = ""
    reason: str = Field("", max_length=1000)


PageId = Annotated[int, Path(ge=1, le=2**53)]


def duty_router(router: APIRouter, duty: Duty) -> None:
    """Add the routes."""
    _pages(router, duty)
    _answers(router, duty)
    _schedules(router, duty)
    reach_routes(router, duty)


def _pages(router: APIRouter, duty: Duty) -> None:
    @router.get("/pages", tags=["pages"])
    def list_pages(
        state: Annotated[list[Literal["open", "acked", "resolved"]] | None, Query()] = None,
        before: Annotated[int | None, Query(ge=1, le=2**53)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> list[dict[str, Any]]:
        """Pages, newest first; go on with `before` the last id."""
        return [page_json(p) for p in duty.pages(tuple(state or ()), before, limit)]

    @router.get("/pages/{page_id}", tags=["pages"])
    def get_page(page_id: PageId) -> dict[str, Any]:
        """One page with its alerts, its messages and all that happened."""
        return story_json(duty.story(page_id))

    @router.get("/load", tags=["oncall"])
    def get_load(days: Annotated[int, Query(ge=1, le=MOST_DAYS)] = 30) -> list[dict[str, Any]]:
        """What being on call cost, by rotation; never by person. Times in seconds."""
        now = duty.clock.now()
        return [asdict(each) for each in duty.load(now - days * DAY, now)]

    @router.get("/audit/engine", tags=["oncall"])
    def get_faults() -> list[dict[str, Any]]:
        """Broken promises of the engine, and what would keep a page from reaching somebody."""
        return [asdict(f) for f in duty.faults()]


def _answers(router: APIRouter, duty: Duty) -> None:
    @router.post("/pages/{page_id}/ack", tags=["pages"])
    def acknowledge(page_id: PageId, request: Request) -> dict[str, Any]:
        """I have it: nobody is called any more."""
        return page_json(duty.acknowledge(page_id, actor(request)))

    @router.post("/pages/{page_id}/resolve", tags=["pages"])
    def resolve(page_id: PageId, request: Request) -> dict[str, Any]:
        """It is over; its alerts close."""
        return page_json(duty.resolve(page_id, actor(request)))

    @router.post("/pages/{page_id}/snooze", tags=["pages"])
    def snooze(page_id: PageId, body: Snooze, request: Request) -> dict[str, Any]:
        """Call again after this time."""
        return page_json(duty.snooze(page_id, actor(request), body.seconds))

    @router.post("/pages/{page_id}/reassign", tags=["pages"])
    def reassign(page_id: PageId, body: Names, request: Request) -> dict[str, Any]:
        """Call these instead, from now on."""
        return page_json(duty.reassign(page_id, actor(request), body.to, body.note))

    @router.post("/pages/{page_id}/responders", tags=["pages"])
    def add_responders(page_id: PageId, body: Names, request: Request) -> dict[str, Any]:
        """Call these as well."""
        return {"called": list(duty.add_responders(page_id, actor(request), body.to))}

    @router.post("/pages/{page_id}/notes", status_code=201, tags=["pages"])
    def add_note(page_id: PageId, body: Note, request: Request) -> dict[str, Any]:
        """Write into the page's story."""
        duty.note(page_id, actor(request), body.text)
        return {"page": page_id}


def _schedules(router: APIRouter, duty: Duty) -> None:
    @router.get("/schedules", tags=["oncall"])
    def list_schedules() -> list[dict[str, Any]]:
        """Every schedule: who is on call now, who is next, gaps in the next 14 days."""
        return [
            {
                "name": each.schedule.name,
                "display_name": each.schedule.display_name,
                "time_zone": each.schedule.time_zone,
                "now": list(each.now.users),
                "shadows": list(each.now.shadows),
                "next": shift_json(each.next) if each.next else None,
                "gaps": [shift_json(g) for g in each.gaps],
                "feed": duty.ical("schedule", each.schedule.name),
            }
            for each in duty.on_duty()
        ]

    @router.get("/schedules/{name}/shifts", tags=["oncall"])
    def list_shifts(
        name: str, start: str = "", end: str = "", days: Annotated[int, Query(ge=1, le=400)] = 14
    ) -> list[dict[str, Any]]:
        """The final schedule of an interval; from now on for `days` when none is given."""
        begin = render.seconds(start) if start else duty.clock.now()
        until = render.seconds(end) if end else begin + days * DAY
        return [shift_json(s) for s in duty.shifts(name, begin, min(until, begin + 400 * DAY))]

    @router.get("/schedules/{name}/shares", tags=["oncall"])
    def list_shares(
        name: str, days: Annotated[int, Query(ge=1, le=MOST_DAYS)] = 84
    ) -> list[dict[str, Any]]:
        """Planned hours on call of each person from now on, and how many are out of hours."""
        return [asdict(share) for share in duty.shares(name, days * DAY)]

    @router.get("/shifts", tags=["oncall"])
    def list_shifts_of(
        request: Request,
        user: Annotated[str, Query(max_length=200, description="yourself when not given")] = "",
        start: str = "",
        days: Annotated[int, Query(ge=1, le=MOST_DAYS)] = 28,
    ) -> list[dict[str, Any]]:
        """A person's shifts in all schedules, by time."""
        begin = render.seconds(start) if start else duty.clock.now()
        found = duty.shifts_of(user or _self(request), begin, begin + days * DAY)
        return [{"schedule": s.name, **shift_json(shift)} for s, shift in found]

    @router.get("/feeds", tags=["oncall"])
    def list_feeds() -> list[dict[str, Any]]:
        """The calendar feed of every schedule and of every user; the key is in the path."""
        its = duty.specs().duty
        named = [("schedule", n) for n in its.schedules] + [("user", n) for n in its.users]
        return [{"kind": k, "name": n, "path": duty.ical(k, n)} for k, n in named]

    @router.get("/schedules/{name}/changes", tags=["oncall"])
    def list_changes(name: str) -> list[dict[str, Any]]:
        """Overrides, swaps and leave that are not over."""
        return [change_json(c) for c in duty.changes(name)]

    @router.post("/schedules/{name}/changes", status_code=201, tags=["oncall"])
    def add_change(name: str, body: ChangeIn, request: Request) -> dict[str, Any]:
        """Somebody takes over; leave with the name `*` holds in all schedules."""
        start, end = render.seconds(body.start), render.seconds(body.end)
        schedule = "" if name == "*" else name
        made = duty.change(
            schedule, body.kind, start, end, body.user, body.replaces, body.reason, actor(request)
        )
        return change_json(made)

    @router.delete("/schedules/changes/{change_id}", status_code=204, tags=["oncall"])
    def remove_change(change_id: str, request: Request) -> Response:
        """Take a change back."""
        duty.remove_change(change_id, actor(request))
        return Response(status_code=204)


def _self(request: Request) -> str:
    """The account whose token or session this is. Raises UserError when it is nobody's."""
    principal: Principal | None = request.state.principal
    if principal is None or principal.user is None:
        raise UserError("This token belongs to no person.", "Give `user`, or a token of a person.")
    return principal.user
