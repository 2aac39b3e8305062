"""The API of alerts, pages and on-call: parse, call one use case, render."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field

from watchkeeper.access.model import Principal
from watchkeeper.alerting.model import Alert
from watchkeeper.faces.api import render
from watchkeeper.faces.duty import Duty, Story
from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.notify.outbox import Delivery
from watchkeeper.oncall.model import Page
from watchkeeper.oncall.schedule.model import Change, Shift

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


class TestIn(BaseModel):
    """Where a test message goes."""

    address: str = Field(min_length=1, max_length=1000)


class DrillIn(BaseModel):
    """Which policy is drilled."""

    policy: str = Field(max_length=200)


PageId = Annotated[int, Path(ge=1, le=2**53)]


def duty_router(router: APIRouter, duty: Duty) -> None:
    """Add the routes."""
    _pages(router, duty)
    _answers(router, duty)
    _schedules(router, duty)
    _reach(router, duty)


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
        return page_json(duty.acknowledge(page_id, _actor(request)))

    @router.post("/pages/{page_id}/resolve", tags=["pages"])
    def resolve(page_id: PageId, request: Request) -> dict[str, Any]:
        """It is over; its alerts close."""
        return page_json(duty.resolve(page_id, _actor(request)))

    @router.post("/pages/{page_id}/snooze", tags=["pages"])
    def snooze(page_id: PageId, body: Snooze, request: Request) -> dict[str, Any]:
        """Call again after this time."""
        return page_json(duty.snooze(page_id, _actor(request), body.seconds))

    @router.post("/pages/{page_id}/reassign", tags=["pages"])
    def reassign(page_id: PageId, body: Names, request: Request) -> dict[str, Any]:
        """Call these instead, from now on."""
        return page_json(duty.reassign(page_id, _actor(request), body.to, body.note))

    @router.post("/pages/{page_id}/responders", tags=["pages"])
    def add_responders(page_id: PageId, body: Names, request: Request) -> dict[str, Any]:
        """Call these as well."""
        return {"called": list(duty.add_responders(page_id, _actor(request), body.to))}

    @router.post("/pages/{page_id}/notes", status_code=201, tags=["pages"])
    def add_note(page_id: PageId, body: Note, request: Request) -> dict[str, Any]:
        """Write into the page's story."""
        duty.note(page_id, _actor(request), body.text)
        return {"page": page_id}

    @router.post("/drills", status_code=201, tags=["drills"])
    def start_drill(body: DrillIn, request: Request) -> dict[str, Any]:
        """A real page through the real ways of a policy."""
        return page_json(duty.drill(body.policy, _actor(request)))

    @router.get("/drills", tags=["drills"])
    def list_drills() -> list[dict[str, Any]]:
        """Drills, newest first."""
        return [page_json(p) for p in duty.drills()]


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
            schedule, body.kind, start, end, body.user, body.replaces, body.reason, _actor(request)
        )
        return change_json(made)

    @router.delete("/schedules/changes/{change_id}", status_code=204, tags=["oncall"])
    def remove_change(change_id: str, request: Request) -> Response:
        """Take a change back."""
        duty.remove_change(change_id, _actor(request))
        return Response(status_code=204)


def _reach(router: APIRouter, duty: Duty) -> None:
    @router.get("/deliveries", tags=["channels"])
    def list_deliveries(
        channel: Annotated[str, Query(max_length=200)] = "",
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> list[dict[str, Any]]:
        """The newest messages and what came of them."""
        return [delivery_json(d) for d in duty.deliveries(channel, limit)]

    @router.post("/channels/{name}/test", status_code=202, tags=["channels"])
    def test_channel(name: str, body: TestIn, request: Request) -> dict[str, Any]:
        """Send a test message; its outcome is under `deliveries`, by this key."""
        return {"key": duty.test_channel(name, body.address, _actor(request))}


def page_json(page: Page) -> dict[str, Any]:
    """A page as others script against it; times are RFC 3339."""
    return {
        "id": page.id,
        "kind": str(page.kind),
        "state": str(page.state),
        "service": page.service,
        "title": page.title,
        "urgency": page.urgency,
        "alerts": page.alerts,
        "escalation_policy": page.policy.name if page.policy else None,
        "step": page.step,
        "round": page.round,
        "calls": page.calls,
        "opened_at": iso(page.opened_at),
        "next_step_at": _iso(page.due_at),
        "first_call_at": _iso(page.first_call_at),
        "acked_at": _iso(page.acked_at),
        "acked_by": page.acked_by or None,
        "snoozed_until": _iso(page.snoozed_until),
        "resolved_at": _iso(page.resolved_at),
        "resolved_by": page.resolved_by or None,
    }


def story_json(story: Story) -> dict[str, Any]:
    """A page with everything about it."""
    return {
        **page_json(story.page),
        "alerts": [alert_json(a) for a in story.alerts],
        "calls": [
            {"at": iso(c.at), "user": c.user or None, "via": c.via, "number": c.number}
            for c in story.calls
        ],
        "deliveries": [delivery_json(d) for d in story.deliveries],
        "events": [
            {"at": iso(e.at), "kind": e.kind, "actor": e.actor, "data": dict(e.data)}
            for e in story.events
        ],
    }


def alert_json(alert: Alert) -> dict[str, Any]:
    """An alert as others script against it."""
    return {
        "id": alert.id,
        "integration": alert.integration,
        "key": alert.key,
        "state": str(alert.state),
        "urgency": str(alert.urgency),
        "severity": alert.severity,
        "service": alert.service,
        "summary": alert.summary,
        "opened_at": iso(alert.opened_at),
        "last_at": iso(alert.last_at),
        "closed_at": _iso(alert.closed_at),
        "count": alert.count,
        "page": alert.page_id,
        "quiet": alert.quiet or None,
        "labels": dict(alert.labels),
        "details": dict(alert.details),
        "links": [{"text": t, "url": u} for t, u in alert.links],
    }


def delivery_json(row: Delivery) -> dict[str, Any]:
    """A message and what came of it. Its links are left out: they act for the receiver."""
    return {
        "id": row.id,
        "key": row.key,
        "page": row.page_id,
        "kind": str(row.kind),
        "user": row.user or None,
        "channel": row.channel,
        "address": row.address,
        "state": row.state,
        "due_at": iso(row.due_at),
        "sent_at": _iso(row.sent_at),
        "attempts": row.attempts,
        "maybe_duplicate": row.maybe_duplicate,
        "provider_id": row.provider_id or None,
        "outcome": row.outcome,
        "title": row.content.get("title"),
    }


def shift_json(shift: Shift) -> dict[str, Any]:
    """A shift of a final schedule."""
    return {
        "start": iso(shift.start),
        "end": iso(shift.end),
        "users": list(shift.users),
        "shadows": list(shift.shadows),
        "layer": shift.layer,
        "reason": shift.reason or None,
    }


def change_json(change: Change) -> dict[str, Any]:
    """A change to a schedule."""
    return {**asdict(change), "start": iso(change.start), "end": iso(change.end)}


def _iso(at: Seconds | None) -> str | None:
    return None if at is None else iso(at)


def _actor(request: Request) -> str:
    principal: Principal | None = request.state.principal
    return principal.name if principal else "unknown"
