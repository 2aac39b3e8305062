"""The API of weekly reviews: read in every form, note, decide, send."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from watchkeeper.faces.api.asked import actor, plain
from watchkeeper.faces.reviews import Reviews, note_json, seen_json
from watchkeeper.kernel.clock import iso
from watchkeeper.reviews.model import NoteKind
from watchkeeper.reviews.work import MOST_NOTE

TAG: list[str | Enum] = ["reviews"]
Team = Annotated[str, Path(max_length=200)]
Name = Annotated[str, Path(max_length=10, description="2026-W47; or this, or last")]


class NoteIn(BaseModel):
    """What was said, or decided."""

    model_config = ConfigDict(extra="forbid")
    text: str = Field(min_length=1, max_length=MOST_NOTE)
    kind: NoteKind = NoteKind.NOTE


class NoteChange(BaseModel):
    """A note anew; ``kind``: as it was when left out."""

    model_config = ConfigDict(extra="forbid")
    text: str = Field(min_length=1, max_length=MOST_NOTE)
    kind: NoteKind | None = None


def review_routes(router: APIRouter, reviews: Reviews) -> None:
    """Add the routes."""

    @router.get("/reviews", tags=TAG)
    def list_reviews(weeks: Annotated[int, Query(ge=1, le=60)] = 8) -> dict[str, Any]:
        """Every team with its last weeks, the latest first, and why each is kept as it was."""
        return {
            "teams": [
                {
                    "team": t.team, "title": t.title, "sent": list(t.send),
                    "weeks": [{"week": w.name, "start": iso(w.start), "end": iso(w.end),
                               "frozen": why} for w, why in t.weeks],
                }
                for t in reviews.teams(weeks)
            ]
        }  # fmt: skip

    @router.patch("/reviews/notes/{note_id}", tags=TAG)
    def change_note(
        note_id: Annotated[int, Path(ge=1, le=2**53)], body: NoteChange, request: Request
    ) -> dict[str, Any]:
        """Write a note anew; the timeline keeps what it said before."""
        made = reviews.change_note(note_id, plain(body.text), body.kind, actor(request))
        return note_json(made)

    @router.post("/reviews/{team:path}/{week}/notes", status_code=201, tags=TAG)
    def add_note(team: Team, week: Name, body: NoteIn, request: Request) -> dict[str, Any]:
        """Write down what was said or decided. From then on the review reads as it was."""
        text = plain(body.text)
        return note_json(reviews.note(plain(team), week, body.kind, text, actor(request)))

    @router.post("/reviews/{team:path}/{week}/send", status_code=202, tags=TAG)
    def send_review(team: Team, week: Name, request: Request) -> dict[str, Any]:
        """Send it now to whom the team's Review names. From then on it reads as it was."""
        return {"told": reviews.send(plain(team), week, actor(request))}

    @router.get("/reviews/{team:path}/{week}", tags=TAG, response_model=None)
    def get_review(
        team: Team, week: Name, format: Literal["json", "md", "html", "pdf"] = "json",
    ) -> dict[str, Any] | Response:  # fmt: skip
        """The review of a week: as it was kept, else as it is now."""
        seen = reviews.seen(plain(team), week)
        if format == "md":
            return Response(reviews.markdown(seen), media_type="text/markdown; charset=utf-8")
        if format == "html":
            return Response(reviews.html(seen), media_type="text/html; charset=utf-8")
        if format == "pdf":
            return Response(reviews.pdf(seen), media_type="application/pdf")
        return seen_json(seen)
