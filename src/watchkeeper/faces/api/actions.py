"""The API of action items: parse, call one use case, render."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from watchkeeper.faces.actions import Actions, Wanted
from watchkeeper.faces.api import render
from watchkeeper.faces.api.asked import actor, plain
from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.postmortems.items import OVER
from watchkeeper.postmortems.model import ActionItem

ItemId = Annotated[int, Path(ge=1, le=2**53)]
Text = Annotated[str, Query(max_length=300)]
Kind = Literal["prevent", "detect", "mitigate", "process"]
State = Literal["open", "doing", "done", "dropped"]


class ItemIn(BaseModel):
    """An action item. Without ``due`` it is due by the severity: 15 days for SEV1, else 30."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=500)
    type: Kind = "prevent"
    owner: str = Field("", max_length=200)
    due: float | str | None = Field(None, description="RFC 3339 or epoch seconds")
    priority: int = Field(2, ge=1, le=4)
    severity: str = Field("SEV3", max_length=20)
    team: str = Field("", max_length=200)
    incident: int | None = Field(None, ge=1, le=2**53)
    postmortem: int | None = Field(None, ge=1, le=2**53)
    notes: str = Field("", max_length=10_000)


class ItemChange(BaseModel):
    """What changes; what is not given stays."""

    model_config = ConfigDict(extra="forbid")

    text: str | None = Field(None, min_length=1, max_length=500)
    type: Kind | None = None
    owner: str | None = Field(None, max_length=200)
    due: float | str | None = Field(None, description="RFC 3339 or epoch seconds")
    priority: int | None = Field(None, ge=1, le=4)
    team: str | None = Field(None, max_length=200)
    state: State | None = None
    why: str = Field("", max_length=2000)


def action_routes(router: APIRouter, actions: Actions) -> None:
    """Add the routes."""

    @router.get("/actions", tags=["action items"])
    def list_actions(
        state: Annotated[list[State], Query()] = [],  # noqa: B006 - read only
        owner: Text = "",
        team: Text = "",
        q: Text = "",
        incident: Annotated[int | None, Query(ge=1, le=2**53)] = None,
        postmortem: Annotated[int | None, Query(ge=1, le=2**53)] = None,
        overdue: bool = False,
        after: Annotated[int | None, Query(ge=1, le=2**53)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> dict[str, Any]:
        """Action items, newest first. Give `next` as `after` to go on."""
        wanted = Wanted(state, plain(owner), plain(team), plain(q), incident, postmortem, overdue)
        found = actions.find(wanted, after, limit)
        now = actions.clock.now()
        more = found[-1].id if len(found) == limit else None
        return {"actions": [action_json(i, now) for i in found], "next": more}

    @router.post("/actions", status_code=201, tags=["action items"])
    def add_action(body: ItemIn, request: Request) -> dict[str, Any]:
        """Make an action item; it goes to its team's tracker as well, if one is defined."""
        fields: dict[str, Any] = {
            "type_": body.type,
            "owner": plain(body.owner),
            "priority": body.priority,
            "severity": plain(body.severity),
            "team": plain(body.team),
            "incident_id": body.incident,
            "postmortem_id": body.postmortem,
            "notes": plain(body.notes),
        }
        if body.due is not None:
            fields["due_at"] = render.seconds(body.due)
        made = actions.add(plain(body.text), actor(request), fields)
        return action_json(made, actions.clock.now())

    @router.get("/actions/verify", tags=["action items"])
    def verify_actions() -> dict[str, Any]:
        """Asks every tracker now; what is missing there, gone, or says something else."""
        found = actions.verify()
        return {
            "mismatches": [
                {"id": m.item.id, "text": m.item.text, "tracker": m.item.tracker, "what": m.what,
                 "ours": m.ours, "theirs": m.theirs}
                for m in found
            ]
        }  # fmt: skip

    @router.get("/actions/{item_id}", tags=["action items"])
    def get_action(item_id: ItemId) -> dict[str, Any]:
        """One item with its story."""
        story = actions.story(item_id)
        events = [
            {"at": iso(e.at), "kind": e.kind, "actor": e.actor, "data": dict(e.data)}
            for e in story.events
        ]
        shown = action_json(story.item, actions.clock.now())
        return {**shown, "tracker_says": story.tracker_says, "story": events}

    @router.patch("/actions/{item_id}", tags=["action items"])
    def change_action(item_id: ItemId, body: ItemChange, request: Request) -> dict[str, Any]:
        """Change it, or put it into another state; dropping needs a `why`."""
        given = body.model_dump(exclude_none=True, exclude={"state", "why", "due"})
        fields = {k: plain(v) if isinstance(v, str) else v for k, v in given.items()}
        if body.due is not None:
            fields["due_at"] = render.seconds(body.due)
        who = actor(request)
        item = actions.story(item_id).item
        if fields:
            item = actions.change(item_id, fields, who)
        if body.state is not None:
            item = actions.move(item_id, body.state, who, plain(body.why))
        return action_json(item, actions.clock.now())


def action_json(item: ActionItem, now: Seconds) -> dict[str, Any]:
    """An item as the API shows it."""
    late = item.due_at is not None and item.due_at <= now and item.state not in OVER
    return {
        "id": item.id,
        "text": item.text,
        "type": str(item.type),
        "state": str(item.state),
        "owner": item.owner,
        "team": item.team,
        "due_at": iso(item.due_at) if item.due_at is not None else None,
        "overdue": late,
        "priority": item.priority,
        "created_at": iso(item.created_at),
        "done_at": iso(item.done_at) if item.done_at is not None else None,
        "incident": item.incident_id,
        "postmortem": item.postmortem_id,
        "tracker": item.tracker,
        "external": item.external,
        "url": item.url,
        "notes": str(item.data.get("notes", "")),
        "why": str(item.data.get("why", "")),
    }
