"""The API of postmortems: parse, call one use case, render."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from watchkeeper.faces.api import render
from watchkeeper.faces.api.asked import actor, plain
from watchkeeper.faces.postmortems import Postmortems
from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.postmortems.checks import check
from watchkeeper.postmortems.excerpt import excerpt
from watchkeeper.postmortems.model import Postmortem

TAG: list[str | Enum] = ["postmortems"]
Id = Annotated[int, Path(ge=1, le=2**53)]
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
State = Literal["draft", "in review", "published"]


class Strict(BaseModel):
    """Refuses what it does not know."""

    model_config = ConfigDict(extra="forbid")


class PostmortemIn(Strict):
    """Of an ``incident``, with a draft; or one that was written elsewhere, with its ``text``."""

    incident: int | None = Field(None, ge=1, le=2**53)
    title: str = Field("", max_length=300)
    text: str = Field("", max_length=500_000)
    published_at: float | str | None = Field(None, description="RFC 3339 or epoch seconds")


class TextIn(Strict):
    """A text, and the version that it was begun from."""

    text: str = Field(min_length=1, max_length=500_000)
    base: int = Field(ge=1, le=2**31 - 1)


class ActIn(Strict):
    """What is done with it. `publish` of a text with errors, and `reopen`, need a `why`."""

    act: Literal["review", "approve", "publish", "reopen"]
    why: str = Field("", max_length=2000)


class ChangeIn(Strict):
    """Another owner; or an old version as the newest."""

    owner: str | None = Field(None, max_length=200)
    take_back: int | None = Field(None, ge=1, le=2**31 - 1)


def postmortem_routes(router: APIRouter, postmortems: Postmortems) -> None:
    """Add the routes."""

    @router.get("/postmortems", tags=TAG)
    def list_postmortems(
        state: Annotated[list[State], Query()] = [],  # noqa: B006 - read only
        owner: Annotated[str, Query(max_length=200)] = "",
        after: Annotated[int | None, Query(ge=1, le=2**53)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> dict[str, Any]:
        """Postmortems, newest first, without their texts. Give `next` as `after` to go on."""
        found = postmortems.find(state, plain(owner), after, limit)
        more = found[-1].id if len(found) == limit else None
        now = postmortems.clock.now()
        return {"postmortems": [postmortem_json(p, now) for p in found], "next": more}

    @router.get("/postmortems/search", tags=TAG)
    def search_postmortems(
        q: Annotated[str, Query(min_length=1, max_length=300)],
        state: Annotated[list[State], Query()] = [],  # noqa: B006 - read only
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> dict[str, Any]:
        """Those with all these words, the best first, with the place where they stand.

        The last word may be only begun; what stands between quotes must be there as it is.
        """
        asked = plain(q)
        found, total = postmortems.search(asked, state, limit)
        now = postmortems.clock.now()
        hits = [{**postmortem_json(p, now), "excerpt": excerpt(p.text, asked)} for p in found]
        return {"postmortems": hits, "total": total}

    @router.post("/postmortems", status_code=201, tags=TAG)
    def add_postmortem(body: PostmortemIn, request: Request) -> dict[str, Any]:
        """Open the one of an incident, or bring one that was written elsewhere."""
        if body.incident is not None:
            made = postmortems.open_for(body.incident, actor(request))
        else:
            at = None if body.published_at is None else render.seconds(body.published_at)
            made = postmortems.bring(plain(body.title), plain(body.text), actor(request), at)
        return whole_json(made, postmortems.clock.now())

    @router.get("/postmortems/{postmortem_id}", tags=TAG)
    def get_postmortem(postmortem_id: Id) -> dict[str, Any]:
        """One, with its text and what the checks find in it."""
        return whole_json(postmortems.get(postmortem_id), postmortems.clock.now())

    @router.put("/postmortems/{postmortem_id}/text", tags=TAG)
    def save_text(postmortem_id: Id, body: TextIn, request: Request) -> dict[str, Any]:
        """Save a text. What others saved since `base` is merged in.

        With `conflicts` > 0 nothing was saved: `text` has both sides between marks, to be decided
        and saved again over `version`.
        """
        done = postmortems.save(postmortem_id, body.base, plain(body.text), actor(request))
        return {"version": done.its.version, "conflicts": done.conflicts, "merged": done.merged,
                "text": done.text}  # fmt: skip

    @router.patch("/postmortems/{postmortem_id}", tags=TAG)
    def change_postmortem(postmortem_id: Id, body: ChangeIn, request: Request) -> dict[str, Any]:
        """Give it to another owner, or take back an old version."""
        if body.owner is not None:
            postmortems.hand(postmortem_id, plain(body.owner), actor(request))
        if body.take_back is not None:
            postmortems.take_back_text(postmortem_id, body.take_back, actor(request))
        return whole_json(postmortems.get(postmortem_id), postmortems.clock.now())

    @router.post("/postmortems/{postmortem_id}/acts", tags=TAG)
    def act_on_postmortem(postmortem_id: Id, body: ActIn, request: Request) -> dict[str, Any]:
        """Ask for a review, approve, publish, or make it a draft again."""
        done = postmortems.act(postmortem_id, body.act, actor(request), plain(body.why))
        return postmortem_json(done, postmortems.clock.now())

    @router.get("/postmortems/{postmortem_id}/versions", tags=TAG)
    def list_versions(postmortem_id: Id) -> dict[str, Any]:
        """Every text that was saved, newest first, without the texts."""
        return {
            "versions": [
                {"number": v.number, "at": iso(v.at), "author": v.author, "base": v.base}
                for v in postmortems.versions(postmortem_id)
            ]
        }

    @router.get("/postmortems/{postmortem_id}/diff/{one}/{two}", tags=TAG)
    def get_diff(postmortem_id: Id, one: Number, two: Number) -> dict[str, Any]:
        """What changed from version `one` to `two`, as unified lines."""
        return {"lines": list(postmortems.diff(postmortem_id, one, two))}


def postmortem_json(p: Postmortem, now: Seconds) -> dict[str, Any]:
    """A postmortem without its text."""
    open_ = p.published_at is None
    return {
        "id": p.id,
        "incident": p.incident_id,
        "title": p.title,
        "state": str(p.state),
        "owner": p.owner,
        "severity": p.severity,
        "services": list(p.services),
        "reviewers": list(p.reviewers),
        "approved": list(p.data.get("approved", ())),
        "created_at": iso(p.created_at),
        "due_at": None if p.due_at is None else iso(p.due_at),
        "late": open_ and p.due_at is not None and p.due_at <= now,
        "published_at": None if open_ or p.published_at is None else iso(p.published_at),
        "published_by": p.published_by,
        "despite": str(p.data.get("despite", "")),
        "version": p.version,
    }


def whole_json(p: Postmortem, now: Seconds) -> dict[str, Any]:
    """A postmortem with its text and what the checks find in it."""
    found = [
        {"line": f.line, "code": f.code, "severity": f.severity, "message": f.message,
         "better": f.better}
        for f in check(p.text)
    ]  # fmt: skip
    return {**postmortem_json(p, now), "text": p.text, "findings": found}
