"""The API of changes: parse, call one use case, render."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from watchkeeper.changes.culprits import Culprit
from watchkeeper.changes.model import ChangeKind, Intent, Outcome, Report, Told
from watchkeeper.changes.store import Wanted
from watchkeeper.faces.api import render
from watchkeeper.faces.api.asked import actor, plain
from watchkeeper.faces.changes import Changes, change_json, cursor, cursor_of
from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.kernel.errors import UserError

ChangeId = Annotated[int, Path(ge=1, le=2**53)]
Text = Annotated[str, Query(max_length=300)]
Names = Annotated[list[str], Query(max_length=50)]
Kind = Literal["deployment", "configuration", "flag", "infrastructure", "maintenance", "other"]
Ended = Literal["succeeded", "failed", "rolled_back"]
Stands = Literal["in_progress", "succeeded", "failed", "rolled_back"]
Time = float | str | None


class Strict(BaseModel):
    """What is not known is refused: a mistyped name must not be lost in silence."""

    model_config = ConfigDict(extra="forbid")


class LinkIn(Strict):
    """Where to read more."""

    href: str = Field(max_length=2000, pattern=r"^https?://")
    text: str = Field("", max_length=200)


class ChangeIn(Strict):
    """A change, or more about one: what comes with the same ``key`` is the same change."""

    summary: str = Field("", max_length=1000)
    services: list[Annotated[str, Field(max_length=300)]] = Field([], max_length=50)
    kind: Kind = "other"
    intent: Literal["feature", "reliability", "security", "unknown"] = "unknown"
    environment: str = Field("", max_length=100)
    version: str = Field("", max_length=200)
    previous_version: str = Field("", max_length=200)
    started_at: Time = Field(None, description="RFC 3339 or epoch seconds")
    ended_at: Time = Field(None, description="RFC 3339 or epoch seconds")
    outcome: Stands | None = None
    links: list[LinkIn] = Field([], max_length=20)
    source: str = Field("", max_length=500)
    key: str = Field("", max_length=400)
    labels: dict[str, str] = Field({}, max_length=100)


class EndIn(Strict):
    """How a change ended."""

    outcome: Ended


def change_routes(router: APIRouter, changes: Changes) -> None:
    """Add the routes."""
    _reading(router, changes)

    @router.post("/changes", status_code=201, tags=["changes"])
    def record_change(body: ChangeIn, request: Request, response: Response) -> dict[str, Any]:
        """Record a change: 201 when it is new, 200 when more is known of one now, or nothing."""
        kept = changes.record(_told(body), actor(request))
        response.status_code = 201 if kept.created else 200
        return {**change_json(kept.change), "created": kept.created}

    @router.post("/changes/{change_id}/end", tags=["changes"])
    def end_change(change_id: ChangeId, body: EndIn, request: Request) -> dict[str, Any]:
        """It has ended now, this way."""
        return change_json(changes.end(change_id, Outcome(body.outcome), actor(request)))


def _reading(router: APIRouter, changes: Changes) -> None:
    @router.get("/changes", tags=["changes"])
    def list_changes(
        service: Names = [],  # noqa: B006 - read only
        kind: Annotated[list[Kind], Query()] = [],  # noqa: B006
        environment: Text = "",
        outcome: Stands | None = None,
        q: Text = "",
        start: Annotated[str, Query(alias="from", max_length=40)] = "",
        end: Annotated[str, Query(alias="to", max_length=40)] = "",
        after: Annotated[str, Query(max_length=60)] = "",
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> dict[str, Any]:
        """Changes, those that began last first. Give `next` as `after` to go on."""
        wanted = Wanted(
            services=[plain(s) for s in service],
            kinds=kind,
            environment=plain(environment),
            outcome=outcome or "",
            text=plain(q),
            start=_instant(start),
            end=_instant(end),
        )
        found = changes.find(wanted, cursor(after), limit)
        more = cursor_of(found[-1]) if len(found) == limit else None
        return {"changes": [change_json(c) for c in found], "next": more}

    @router.get("/changes/culprits", tags=["changes"])
    def list_culprits(
        service: Names,
        onset: Annotated[str, Query(max_length=40)] = "",
        limit: Annotated[int, Query(ge=1, le=50)] = 5,
    ) -> dict[str, Any]:
        """What to look at first when these services fail since `onset` (now if not given)."""
        at = _instant(onset)
        since = changes.services.clock.now() if at is None else at
        found = changes.culprits([plain(s) for s in service], since, limit)
        return {"culprits": [culprit_json(c) for c in found]}

    @router.get("/changes/{change_id}", tags=["changes"])
    def get_change(change_id: ChangeId) -> dict[str, Any]:
        """One change with what was told of it."""
        story = changes.story(change_id)
        told = [report_json(r) for r in story.reports]
        return {**change_json(story.change), "reports": told}


def culprit_json(c: Culprit) -> dict[str, Any]:
    """A culprit as the API shows it."""
    return {
        "service": c.service,
        "score": round(c.score, 4),
        "why": c.why,
        "slo": c.slo or None,
        "reasons": list(c.reasons),
        "change": change_json(c.change) if c.change else None,
    }


def report_json(r: Report) -> dict[str, Any]:
    """A report as the API shows it."""
    return {
        "at": iso(r.at),
        "by": r.by,
        "summary": r.told.summary,
        "outcome": str(r.told.outcome) if r.told.outcome else None,
        "labels": dict(r.told.labels),
    }


def _told(body: ChangeIn) -> Told:
    began, ended = (_time(t) for t in (body.started_at, body.ended_at))
    return Told(
        summary=plain(body.summary),
        kind=ChangeKind(body.kind),
        intent=Intent(body.intent),
        services=tuple(plain(s) for s in body.services),
        environment=plain(body.environment),
        version=plain(body.version),
        previous_version=plain(body.previous_version),
        started_at=began,
        ended_at=ended,
        outcome=Outcome(body.outcome) if body.outcome else None,
        links=tuple((plain(link.text) or link.href, plain(link.href)) for link in body.links),
        source=plain(body.source),
        key=plain(body.key),
        labels={plain(k): plain(v) for k, v in body.labels.items()},
    )


def _time(value: Time) -> Seconds | None:
    return None if value is None else render.seconds(value)


def _instant(written: str) -> Seconds | None:
    """An address's time: RFC 3339 or epoch seconds. Raises UserError."""
    if not written:
        return None
    try:
        return render.seconds(float(written))
    except ValueError:
        return render.seconds(plain(written))
    except OverflowError:
        raise UserError(f"{written!r} is not a time.", "Expected 2026-11-23T14:00:00Z.") from None
