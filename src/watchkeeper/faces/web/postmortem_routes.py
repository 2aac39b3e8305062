"""The pages of postmortems: the list, reading, writing together, versions, a feed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from xml.etree import ElementTree

from markdown_it import MarkdownIt
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from watchkeeper.access.model import Permission
from watchkeeper.faces.duty import Duty
from watchkeeper.faces.learning import learning_of
from watchkeeper.faces.postmortems import postmortems_of
from watchkeeper.faces.services import Services
from watchkeeper.faces.web import words
from watchkeeper.faces.web.acting import Acting, Form, actor, allowed, number, sorry
from watchkeeper.faces.web.incident_views import severity_badge
from watchkeeper.faces.web.why_tree import answered, tree
from watchkeeper.faces.web.words import Badge
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.postmortems.checks import check
from watchkeeper.postmortems.document import parse
from watchkeeper.postmortems.excerpt import excerpt, places
from watchkeeper.postmortems.model import Postmortem, PostmortemState
from watchkeeper.postmortems.rules import missing

PER_PAGE = 50
BADGES: Mapping[PostmortemState, Badge] = {
    PostmortemState.DRAFT: Badge("watch", "Draft"),
    PostmortemState.IN_REVIEW: Badge("watch", "In review"),
    PostmortemState.PUBLISHED: Badge("ok", "Published"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A postmortem in a list."""

    id: int
    title: str
    badge: Badge
    severity: Badge | None
    owner: str
    incident: int | None
    due: str
    late: bool
    published: str


@cache
def _markdown() -> MarkdownIt:
    # Raw HTML stays text, and links lead only to the web: what people write cannot run here.
    return MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table")


def marked_words(part: str, asked: str) -> Markup:
    """A part of a text with the words marked that were searched."""
    found, last = Markup(), 0
    for start, end in places(part, asked):
        found += escape(part[last:start]) + Markup("<mark>") + escape(part[start:end])
        found += Markup("</mark>")
        last = end
    return found + escape(part[last:])


def rendered(source: str) -> Markup:
    """Markdown as HTML that is safe to show."""
    return Markup(_markdown().render(source))  # noqa: S704 - HTML in it is escaped


class PostmortemHandlers(Acting):
    """All handlers, over the same services."""

    def __init__(self, duty: Duty, services: Services) -> None:
        super().__init__(services)
        self.duty, self.postmortems = duty, postmortems_of(duty)
        self.learning = learning_of(duty)

    def listed(self, request: Request) -> Response:
        """What is to be written, then what was published; or what has these words."""
        q = request.query_params.get("q", "")[:300].replace("\0", "").strip()
        if q:
            return self._found(request, q)
        before = request.query_params.get("before", "")
        after = int(before) if before.isascii() and before.isdigit() and len(before) < 16 else None
        now = self.duty.clock.now()
        open_states = (str(PostmortemState.DRAFT), str(PostmortemState.IN_REVIEW))
        waiting = [self._row(p, now) for p in self.postmortems.find(open_states, limit=200)]
        shared = self.postmortems.find(
            (str(PostmortemState.PUBLISHED),), before=after, limit=PER_PAGE
        )
        waiting.sort(key=lambda r: (not r.late, r.due))
        late = sum(r.late for r in waiting)
        said = words.plural(len(waiting), "postmortem") + " to write"
        headline = f"{said}, {late} late" if late else said if waiting else "Nothing is owed"
        who = actor(request)
        return self.pages.page(
            request,
            "postmortems.html",
            "postmortems",
            headline=headline,
            waiting=waiting,
            shared=[self._row(p, now) for p in shared],
            q="",
            more=shared[-1].id if len(shared) == PER_PAGE else None,
            digest=any(s.user == who for s in self.learning.digests()),
            may_subscribe=who in self.duty.specs().duty.users
            and allowed(request, Permission.RESPOND),
        )

    def _found(self, request: Request, q: str) -> Response:
        found, total = self.postmortems.search(q)
        now = self.duty.clock.now()
        hits = [(self._row(p, now), marked_words(excerpt(p.text, q), q)) for p in found]
        more = f", the best {len(hits)} below" if total > len(hits) else ""
        headline = f"{words.plural(total, 'postmortem')} found{more}" if total else "Nothing found"
        return self.pages.page(
            request, "postmortems.html", "postmortems", headline=headline, hits=hits, q=q
        )

    def _row(self, p: Postmortem, now: Seconds) -> Row:
        severities = self.duty.specs().response.severities
        late = p.published_at is None and p.due_at is not None and p.due_at <= now
        due = ""
        if p.due_at is not None and p.published_at is None:
            due = (
                f"late by {text.duration(now - p.due_at)}"
                if late
                else f"in {text.duration(p.due_at - now)}"
            )
        return Row(
            p.id, p.title, BADGES[p.state],
            severity_badge(p.severity, severities) if p.severity else None,
            p.owner, p.incident_id, due, late,
            "" if p.published_at is None else words.day_clock(p.published_at),
        )  # fmt: skip

    # -- one
    def one(self, request: Request, problem: str = "", status: int = 200) -> Response:
        """To be read."""
        its = self._its(request)
        now = self.duty.clock.now()
        return self.pages.page(
            request,
            "postmortem.html",
            "postmortems",
            status,
            its=its,
            row=self._row(its, now),
            body=rendered(its.text),
            findings=check(its.text),
            missing=missing(its),
            **self._beside(its, its.text),
            items=self.postmortems.items(its),
            users=list(self.duty.specs().duty.users.values()),
            problem=problem,
            may_respond=allowed(request, Permission.RESPOND),
        )

    def edit(
        self, request: Request, problem: str = "", written: str | None = None,
        base: int | None = None, status: int = 200,
    ) -> Response:  # fmt: skip
        """To be written, with what the checks find beside it."""
        its = self._its(request)
        source = its.text if written is None else written
        return self.pages.page(
            request,
            "postmortem_edit.html",
            "postmortems",
            status,
            its=its,
            source=source,
            base=its.version if base is None else base,
            findings=check(source),
            problem=problem,
            body=rendered(source),
            **self._beside(its, source),
        )

    def _beside(self, its: Postmortem, source: str) -> dict[str, object]:
        """What stands beside a text: its tree of whys, and past incidents that are like it."""
        like = self.learning.like_incident(its.incident_id, source) if its.incident_id else ()
        url = f"/postmortems/{its.id}/whys"
        return {"tree": tree(parse(source)), "similar": like, "whys_url": url}

    def answer_why(self, request: Request, form: Form) -> Response:
        """One more answer in the tree of whys, or how a branch ends; a version of its own."""
        its = self._its(request)
        line = number(form.get("line", ""), "line")
        base = form.get("base", "")
        try:
            if base != str(its.version):
                raise UserError("The text has changed meanwhile.", "Answer it again, below.")
            after = answered(its.text, line, form)
            self.postmortems.save(its.id, its.version, after, actor(request))
        except UserError as error:
            return self.one(request, sorry(error), 400)
        return RedirectResponse(f"/postmortems/{its.id}#whys", 303)

    def checked(self, request: Request, form: Form) -> Response:
        """What the checks find in a text that is being written, and how it will look."""
        its = self._its(request)
        source = form.get("text", "")[:500_000]
        return self.pages.part(
            "_findings.html", findings=check(source), body=rendered(source), preview=True,
            oob=True, editing=True, **self._beside(its, source),
        )  # fmt: skip

    def save(self, request: Request, form: Form) -> Response:
        """Save what was written; show both sides where two wrote the same lines."""
        its, source = self._its(request), form.get("text", "")
        base = form.get("base", "")
        try:
            known = int(base) if base.isascii() and base.isdigit() and len(base) < 9 else 0
            done = self.postmortems.save(its.id, known, source, actor(request))
        except NotFound:
            raise
        except UserError as error:
            base_ = known if 1 <= known <= its.version else None
            return self.edit(request, sorry(error), source, base_, 400)
        if done.conflicts:
            said = (
                f"Somebody saved version {done.its.version} meanwhile and changed the same lines,"
                f" in {words.plural(done.conflicts, 'place')}. Both are below, between marks: keep"
                " what is right, remove the marks, save again. Nothing of yours is lost."
            )
            return self.edit(request, said, done.text, done.its.version, 409)
        return RedirectResponse(f"/postmortems/{its.id}", 303)

    def act(self, request: Request, form: Form) -> Response:
        """Review, approve, publish, reopen, hand over, take back a version."""
        its, verb = self._its(request), request.path_params["act"]
        who = actor(request)
        try:
            match verb:
                case "hand":
                    self.postmortems.hand(its.id, form.get("owner", ""), who)
                case "take-back":
                    self.postmortems.take_back_text(
                        its.id, number(form.get("version", ""), "version"), who
                    )
                case _:
                    self.postmortems.act(its.id, verb, who, form.get("why", ""))
        except NotFound:
            raise
        except UserError as error:
            return self.one(request, sorry(error), 400)
        return RedirectResponse(f"/postmortems/{its.id}", 303)

    def open(self, request: Request, form: Form) -> Response:
        """Open the one of an incident now."""
        incident = number(form.get("incident", ""), "incident")
        there = self.postmortems.of_incident(incident)
        made = there or self.postmortems.open_for(incident, actor(request))
        return RedirectResponse(f"/postmortems/{made.id}", 303)

    def versions(self, request: Request) -> Response:
        """Every text, and what changed between two of them."""
        its = self._its(request)
        asked = request.query_params
        found = self.postmortems.versions(its.id)
        one, two = max(1, its.version - 1), its.version
        if asked.get("one", "").isdigit() and asked.get("two", "").isdigit():
            one, two = int(asked["one"][:9]), int(asked["two"][:9])
        lines = [(_look(line), line) for line in self.postmortems.diff(its.id, one, two)]
        return self.pages.page(
            request,
            "postmortem_versions.html",
            "postmortems",
            its=its,
            versions=[(v, words.day_clock(v.at)) for v in found],
            one=one,
            two=two,
            lines=lines,
            may_respond=allowed(request, Permission.RESPOND),
        )

    def source(self, request: Request) -> Response:
        """The Markdown as a file."""
        its = self._its(request)
        headers = {"content-disposition": f'attachment; filename="postmortem-{its.id}.md"'}
        return PlainTextResponse(its.text, media_type="text/markdown", headers=headers)

    def feed(self, _: Request) -> Response:
        """Those that were published, as Atom (RFC 4287)."""
        base = self.duty.site.base_url
        root = ElementTree.Element("feed", xmlns="http://www.w3.org/2005/Atom")
        shared = self.postmortems.feed()
        newest = max((p.published_at or 0.0 for p in shared), default=0.0)
        for tag, value in (("id", f"{base}/postmortems/feed"), ("title", "Postmortems"),
                           ("updated", iso(newest))):  # fmt: skip
            ElementTree.SubElement(root, tag).text = value
        ElementTree.SubElement(root, "link", rel="self", href=f"{base}/postmortems/feed")
        for p in shared:
            entry = ElementTree.SubElement(root, "entry")
            url = f"{base}/postmortems/{p.id}"
            ElementTree.SubElement(entry, "id").text = url
            ElementTree.SubElement(entry, "title").text = p.title
            ElementTree.SubElement(entry, "updated").text = iso(p.published_at or 0.0)
            ElementTree.SubElement(entry, "link", href=url)
            author = ElementTree.SubElement(entry, "author")
            ElementTree.SubElement(author, "name").text = "Watchkeeper"
        body = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
        return Response(body, media_type="application/atom+xml")

    def _its(self, request: Request) -> Postmortem:
        written = request.path_params["id"]
        try:
            return self.postmortems.get(number(written, "postmortem"))
        except NotFound:
            said = f"There is no postmortem {written[:40]!r}."
            raise NotFound(said, "/postmortems lists them.") from None


def _look(line: str) -> str:
    return {"+": "add", "-": "del", "@": "at"}.get(line[:1], "")


def postmortem_routes(duty: Duty, services: Services) -> Sequence[BaseRoute]:
    """All routes of these pages."""
    its = PostmortemHandlers(duty, services)
    return [
        Route("/postmortems", its.shown(its.listed), methods=["GET"]),
        Route("/postmortems", its.posted(its.open), methods=["POST"]),
        Route("/postmortems/feed", its.shown(its.feed)),
        Route("/postmortems/{id}.md", its.shown(its.source)),
        Route("/postmortems/{id}", its.shown(its.one)),
        Route("/postmortems/{id}/edit", its.shown(its.edit), methods=["GET"]),
        Route("/postmortems/{id}/edit", its.posted(its.save), methods=["POST"]),
        Route("/postmortems/{id}/checked", its.posted(its.checked), methods=["POST"]),
        Route("/postmortems/{id}/versions", its.shown(its.versions)),
        Route("/postmortems/{id}/whys", its.posted(its.answer_why), methods=["POST"]),
        Route("/postmortems/{id}/{act}", its.posted(its.act), methods=["POST"]),
    ]
