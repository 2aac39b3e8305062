"""The pages of weekly reviews: teams and weeks, and the page that a meeting reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from watchkeeper.access.model import Permission
from watchkeeper.faces.reviews import Reviews, Seen, seen_json
from watchkeeper.faces.services import Services
from watchkeeper.faces.web.acting import Acting, Form, actor, allowed, as_json, number, sorry
from watchkeeper.kernel.errors import UserError
from watchkeeper.reviews import render
from watchkeeper.reviews.model import Note, NoteKind
from watchkeeper.reviews.work import MOST_NOTE, path_of

KEPT = {"": "Open", "sent": "Sent", "noted": "Notes taken"}


class ReviewHandlers(Acting):
    """All handlers, over the same services."""

    def __init__(self, reviews: Reviews, services: Services) -> None:
        super().__init__(services)
        self.reviews = reviews

    def teams(self, request: Request) -> Response:
        """Every team, and its last weeks."""
        rows = [
            {
                "title": t.title[:1].upper() + t.title[1:],
                "sent": bool(t.send),
                "weeks": [
                    {"url": path_of(t.team, w.name), "name": w.name, "days": w.days,
                     "kept": KEPT.get(why, why), "key": "ok" if why else "none",
                     "running": i == 0}
                    for i, (w, why) in enumerate(t.weeks)
                ],
            }
            for t in self.reviews.teams()
        ]  # fmt: skip
        return self.pages.page(request, "reviews.html", "reviews", teams=rows)

    def review(self, request: Request, problem: str = "", status: int = 200) -> Response:
        """One review."""
        team, name = request.path_params["team"], request.path_params["week"]
        seen = self.reviews.seen(team, name)
        its, week = seen.review, seen.week
        later = path_of(team, week.after.name) if week.end <= self.reviews.duty.clock.now() else ""
        return self.pages.page(
            request, "review.html", "reviews", status,
            its=its, heading=render.heading(its), span=render.span(its),
            path=path_of(team, its.week), before=path_of(team, week.before.name), later=later,
            kept=_kept(seen),
            notes=[_note(n, its.zone) for n in seen.notes], problem=problem, most=MOST_NOTE,
            nothing=render.NOTHING, may_respond=allowed(request, Permission.RESPOND),
            sent_to=seen.sent_to,
        )  # fmt: skip

    def markdown(self, request: Request) -> Response:
        """It as Markdown."""
        seen = self._asked(request)
        return Response(
            self.reviews.markdown(seen),
            media_type="text/markdown; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{_file(seen)}.md"'},
        )

    def pdf(self, request: Request) -> Response:
        """It as PDF."""
        seen = self._asked(request)
        return Response(
            self.reviews.pdf(seen),
            media_type="application/pdf",
            headers={"Content-Disposition": f'attachment; filename="{_file(seen)}.pdf"'},
        )

    def json(self, request: Request) -> Response:
        """It as JSON."""
        seen = self._asked(request)
        return as_json(_file(seen), seen_json(seen))

    def _asked(self, request: Request) -> Seen:
        return self.reviews.seen(request.path_params["team"], request.path_params["week"])

    # -- forms
    def add_note(self, request: Request, form: Form) -> Response:
        """Write down what was said or decided."""
        team, week = request.path_params["team"], request.path_params["week"]
        kind = NoteKind.DECISION if form.get("kind") == "decision" else NoteKind.NOTE
        try:
            made = self.reviews.note(team, week, kind, form.get("text", ""), actor(request))
        except UserError as error:
            return self.review(request, sorry(error), error.http_status)
        return RedirectResponse(f"{path_of(made.team, made.week)}#notes", 303)

    def change_note(self, request: Request, form: Form) -> Response:
        """Write a note anew."""
        its = number(request.path_params["id"], "note")
        made = self.reviews.change_note(its, form.get("text", ""), None, actor(request))
        return RedirectResponse(f"{path_of(made.team, made.week)}#notes", 303)

    def send(self, request: Request, _: Form) -> Response:
        """Send it now."""
        team, week = request.path_params["team"], request.path_params["week"]
        try:
            self.reviews.send(team, week, actor(request))
        except UserError as error:
            return self.review(request, sorry(error), error.http_status)
        return RedirectResponse(path_of(team, week), 303)


def _kept(seen: Seen) -> str:
    if seen.kept is None:
        return ""
    at = render.moment(seen.kept.at, seen.review.zone)
    why = "it was sent" if seen.kept.why == "sent" else "notes were taken"
    return f"Kept as it read on {at}, when {why}"


def _note(note: Note, zone: str) -> dict[str, Any]:
    changed = "" if note.changed_at is None else f", changed by {note.changed_by}"
    return {
        "id": note.id, "text": note.text, "decision": note.kind is NoteKind.DECISION,
        "who": f"{note.author}, {render.moment(note.at, zone)}{changed}",
    }  # fmt: skip


def _file(seen: Seen) -> str:
    return f"review-{quote(seen.review.team, safe='')}-{seen.review.week}"


def review_routes(reviews: Reviews, services: Services) -> Sequence[BaseRoute]:
    """All routes of these pages."""
    its = ReviewHandlers(reviews, services)
    one = "/reviews/{team:path}/{week}"
    return [
        Route("/reviews", its.shown(its.teams)),
        Route("/reviews/notes/{id}", its.posted(its.change_note), methods=["POST"]),
        Route(f"{one}/notes", its.posted(its.add_note), methods=["POST"]),
        Route(f"{one}/send", its.posted(its.send), methods=["POST"]),
        Route(f"{one}.md", its.shown(its.markdown)),
        Route(f"{one}.pdf", its.shown(its.pdf)),
        Route(f"{one}.json", its.shown(its.json)),
        Route(one, its.shown(its.review)),
    ]
