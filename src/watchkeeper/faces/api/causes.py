"""The API of causes: where a budget went, and what people say of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from watchkeeper.causes import contract
from watchkeeper.causes.work import MOST_NOTE, MOST_WHAT, Saying
from watchkeeper.faces.api import render
from watchkeeper.faces.api.asked import actor, plain
from watchkeeper.faces.api.models import Time
from watchkeeper.faces.causes import Causes, kind_of
from watchkeeper.faces.services import Services
from watchkeeper.kernel.duration import parse_duration
from watchkeeper.kernel.errors import UserError

KindName = Literal["deployment", "infrastructure", "dependency", "traffic_spike", "unknown"]


class CauseIn(BaseModel):
    """What caused the episode that was under way ``at`` (RFC 3339 or epoch seconds)."""

    model_config = ConfigDict(extra="forbid")

    at: Time
    kind: KindName
    what: str = Field(default="", max_length=MOST_WHAT, description="the cause, in a few words")
    note: str = Field(default="", max_length=MOST_NOTE, description="how it is known")
    change: str = Field(default="", max_length=100, description="the id of a change")


def cause_routes(router: APIRouter, services: Services) -> None:
    """Add the routes. They come before that of a single SLO, whose name may hold slashes."""
    causes = Causes(services)

    @router.get("/causes/accuracy", tags=["causes"])
    def cause_accuracy() -> list[dict[str, Any]]:
        """How right attribution has been, by what people said."""
        return contract.accuracy_json(causes.measured())

    @router.get("/slos/{name:path}/causes", tags=["causes"])
    def slo_causes(
        name: str,
        window: Annotated[str, Query(max_length=20, description="e.g. 7d; else its own")] = "",
    ) -> dict[str, Any]:
        """Where the budget went: causes with evidence, which add up to what was consumed."""
        return contract.account_json(causes.account(name, minutes_of(window)))

    @router.post("/slos/{name:path}/causes", status_code=201, tags=["causes"])
    def say_cause(name: str, body: CauseIn, request: Request) -> dict[str, Any]:
        """Say what caused an episode, or agree with what is held of it."""
        said = Saying(kind_of(body.kind), plain(body.what), plain(body.note), plain(body.change))
        label = causes.say(name, render.seconds(body.at), said, actor(request))
        return contract.label_json(label)

    @router.delete("/slos/{name:path}/causes/{label_id}", status_code=204, tags=["causes"])
    def unsay_cause(name: str, label_id: str, request: Request) -> Response:
        """Take back what somebody said: what is held automatically counts again."""
        causes.unsay(name, label_id, actor(request))
        return Response(status_code=204)


def minutes_of(window: str) -> int | None:
    """``7d`` in minutes; None for ''. Raises UserError."""
    if not window:
        return None
    try:
        return round(parse_duration(window).average_seconds / 60)
    except ValueError as error:
        raise UserError(f"{error}.", "Write a number and a unit, such as 7d or 12h.") from None
