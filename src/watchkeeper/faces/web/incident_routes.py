"""The handlers of the pages on incidents: parse, call, render."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from watchkeeper.access.model import Permission
from watchkeeper.faces.channel import Channel, headers_of
from watchkeeper.faces.duty import Duty
from watchkeeper.faces.incidents import incidents_of
from watchkeeper.faces.learning import learning_of
from watchkeeper.faces.mitigations import mitigations_of
from watchkeeper.faces.postmortems import postmortems_of
from watchkeeper.faces.services import Services
from watchkeeper.faces.status.pages import status_pages_of
from watchkeeper.faces.web import incident_views as views
from watchkeeper.faces.web import mitigation_views
from watchkeeper.faces.web.acting import (
    Acting,
    Form,
    actor,
    allowed,
    as_csv,
    as_json,
    done,
    number,
    refused,
    sorry,
    told,
)
from watchkeeper.faces.web.attaching import attaching
from watchkeeper.faces.web.incident_chart import incident_chart
from watchkeeper.incidents.chat.commands import HELP, is_command, plain
from watchkeeper.incidents.export import as_document, as_markdown
from watchkeeper.incidents.impact import sentence
from watchkeeper.incidents.keeping import By
from watchkeeper.incidents.rules import TIMES
from watchkeeper.incidents.status.model import PHASES, WORDS
from watchkeeper.kernel.clock import MINUTE, Seconds
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.spec.model import Specs

PER_PAGE = 50
MOST_OPEN = 200
MOST_EXPORTED = 50_000


class IncidentHandlers(Acting):
    """All handlers, over the same services."""

    def __init__(self, duty: Duty, services: Services) -> None:
        super().__init__(services)
        self.duty, self.incidents, self.channel = duty, incidents_of(duty), Channel(duty)
        self.postmortems, self.learning = postmortems_of(duty), learning_of(duty)
        self.status = status_pages_of(duty)
        self.mitigations, self.services = mitigations_of(duty), services

    # -- the list
    def listed(self, request: Request) -> Response:
        """Which incidents are open; then those that are over."""
        return self.pages.page(request, "incidents.html", "incidents", 200, **self._list(request))

    def list_part(self, request: Request) -> Response:
        """The same again."""
        return self.pages.part("_incidents.html", **self._list(request))

    def _list(self, request: Request) -> dict[str, object]:
        ask, specs, now = views.Ask.read(request.query_params), self._specs(), self._now()
        live = self.incidents.find(ask.wanted(views.LIVE), limit=MOST_OPEN)
        over = self.incidents.find(ask.wanted(("resolved",)), ask.before, PER_PAGE)
        roles = self.incidents.roles([i.id for i in (*live, *over)])
        rows = [views.row(i, roles.get(i.id, ()), specs, now) for i in live]
        order = list(specs.response.severities)
        rows.sort(key=lambda r: order.index(r.severity.word) if r.severity.word in order else 99)
        return {
            "headline": views.headline(rows),
            "live": rows,
            "over": [views.row(i, roles.get(i.id, ()), specs, now) for i in over],
            "ask": ask,
            "more": ask.query(before=over[-1].id) if len(over) == PER_PAGE else "",
            "refresh": "/parts/incidents" + ask.query(before=ask.before),
            "files": ask.query(),
            "severities": list(specs.response.severities.values()),
            "services": list(specs.services.values()),
            "may_respond": allowed(request, Permission.RESPOND),
        }

    def export(self, request: Request) -> Response:
        """The incidents that an address selects, as CSV or JSON."""
        found = self.incidents.find(
            views.Ask.read(request.query_params).wanted(), limit=MOST_EXPORTED
        )
        roles = self.incidents.roles([i.id for i in found])
        rows = [views.export_row(i, roles.get(i.id, ())) for i in found]
        if request.url.path.endswith(".json"):
            return as_json("incidents", [dict(zip(views.HEAD, r, strict=True)) for r in rows])
        return as_csv("incidents", views.HEAD, rows)

    # -- declare
    def form(
        self, request: Request, problem: str = "", entered: Form | None = None, status: int = 200
    ) -> Response:
        """One step: what users notice, how bad it is, what is affected."""
        given = dict(entered or {})
        page = request.query_params.get("page", "") if not entered else given.get("page", "")
        if page and not entered:
            story = self.duty.story(number(page, "page"))
            given = {"title": story.page.title, "service": story.page.service, "page": page}
        specs, suggestion = self._specs(), self.incidents.suggest()
        if suggestion is not None:
            given.setdefault("severity", suggestion.severity)
        return self.pages.page(
            request,
            "declare.html",
            "incidents",
            status,
            entered=given,
            problem=problem,
            suggestion=suggestion,
            severities=[
                (s, views.severity_badge(s.name, specs.response.severities))
                for s in specs.response.severities.values()
            ],
            services=list(specs.services.values()),
            journeys=list(specs.journeys.values()),
            similar=self.learning.like_new(
                given.get("title", ""),
                [given["service"]] if given.get("service") else [],
                pages=[number(page, "page")] if page else [],
            ),
        )

    def declare(self, request: Request, form: Form) -> Response:
        """Declare it, and go there."""
        try:
            page = form.get("page", "")
            made = self.incidents.declare(
                form.get("title", ""),
                form.get("severity", ""),
                _by(request),
                page_ids=[number(page, "page")] if page else [],
                services=[form["service"]] if form.get("service") else [],
                journeys=[form["journey"]] if form.get("journey") else [],
                summary=form.get("summary", ""),
                drill=form.get("drill") == "1",
            )
        except UserError as error:
            return self.form(request, sorry(error), form, 400)
        return RedirectResponse(f"/incidents/{made.id}", 303)

    # -- one incident
    def room(
        self, request: Request, problem: str = "", status: int = 200, told: str = ""
    ) -> Response:
        """What to do next, who does what, what happened."""
        specs = self._specs()
        view = self._room(request)
        templates = self.status.templates(view.row.id)
        asked = request.query_params.get("template", "")
        components = {
            c.name: c.title for p in specs.response.status_pages.values() for c in p.components
        }
        return self.pages.page(
            request,
            "incident.html",
            "incidents",
            status,
            view=view,
            problem=problem,
            **self._aid(view.row.id),
            told=told,
            commands=HELP,
            states=[(str(s), b.word) for s, b in views.STATES.items()],
            severities=list(specs.response.severities.values()),
            users=list(specs.duty.users.values()),
            components=list(components.items()),
            templates=templates,
            chosen=next((t for t in templates if t.name == asked), None),
            phases=PHASES,
            impacts=[(str(level), word) for level, word in WORDS.items()],
            times=[(n, n.removesuffix("_at")) for n in TIMES],
            may_respond=allowed(request, Permission.RESPOND),
            postmortem=self.postmortems.of_incident(view.row.id),
            similar=self.learning.like_incident(view.row.id),
            **self._again(view.row.id),
        )

    def room_part(self, request: Request) -> Response:
        """The upper half again (what to do next), or the lower one (what happened)."""
        may_respond = allowed(request, Permission.RESPOND)
        if request.query_params.get("half") == "again":
            kept = self._again(_id(request))
            return self.pages.part("_again.html", may_respond=may_respond, **kept)
        view = self._room(request)
        if request.query_params.get("half") != "top":
            return self.pages.part("_incident_log.html", view=view, may_respond=may_respond)
        return self.pages.part(
            "_incident_top.html", view=view, may_respond=may_respond, **self._aid(view.row.id)
        )

    def _again(self, incident_id: int) -> dict[str, object]:
        return {"again_id": incident_id, "again": self.learning.again(incident_id),
                "since": self.learning.since(incident_id)}  # fmt: skip

    def _aid(self, incident_id: int) -> dict[str, object]:
        found = self.mitigations.first_aid(incident_id)
        course, chart = self.incidents.course(incident_id), None
        if course is not None:
            start, end = course.start * MINUTE, (course.start + len(course.total)) * MINUTE
            changes = self.services.marks(course.service, start, end)
            chart = incident_chart(course, found.incident, changes, found.runs)
        return {"aid": mitigation_views.aid(found, self._now()), "chart": chart}

    def _room(self, request: Request) -> views.RoomView:
        story = self.incidents.story(_id(request))
        only = request.query_params.get("kind", "")[:20]
        cost = sentence(self.incidents.impact(story.incident.id))
        rooms = self.channel.rooms(story.incident.id)
        return views.room(story, self._specs(), actor(request), only, self._now(), cost, rooms)

    def document(self, request: Request) -> Response:
        """The timeline as a file: JSON with its digests, or Markdown."""
        story = self.incidents.story(_id(request))
        if request.url.path.endswith(".json"):
            return as_json(
                f"incident-{story.incident.id}", as_document(story.incident, story.entries)
            )
        text = as_markdown(story.incident, story.entries)
        headers = {"content-disposition": f'attachment; filename="incident-{story.incident.id}.md"'}
        return PlainTextResponse(text, media_type="text/markdown", headers=headers)

    def act(self, request: Request, form: Form) -> Response:
        """Do something in it; then show where one was."""
        incident_id = _id(request)
        named = request.path_params["act"]
        act = _ACTS.get(named)
        if act is None:
            raise NotFound(f"An incident has no act {named!r}.", "See the API.")
        try:
            found = act(self, incident_id, _by(request), form)
        except NotFound:
            raise
        except UserError as error:
            return refused(request, error, lambda said: self.room(request, said, 400))
        if isinstance(found, str):  # a command's answer, for its writer alone
            return told(request, found, lambda said: self.room(request, told=said))
        return done(request, f"/incidents/{incident_id}", "/incidents")

    def attach(self, request: Request, name: str, content: bytes, text: str) -> Response:
        """Keep a file with what it shows; then show where one was."""
        incident_id = _id(request)
        try:
            self.channel.attach(incident_id, name, content, _by(request), text)
        except NotFound:
            raise
        except UserError as error:
            return refused(request, error, lambda said: self.room(request, said, 400))
        return done(request, f"/incidents/{incident_id}", "/incidents")

    def file(self, request: Request) -> Response:
        """A file: to be saved, or with ``?show`` an image in its place."""
        info, content = self.channel.file(_id(request), number(request.path_params["file"], "file"))
        return Response(content, headers=headers_of(info, inline="show" in request.query_params))

    def _specs(self) -> Specs:
        return self.duty.specs()

    def _now(self) -> Seconds:
        return self.duty.clock.now()


def _by(request: Request) -> By:
    return By(actor(request), "web")


def _id(request: Request) -> int:
    written = request.path_params["id"]
    try:
        return number(written, "incident")
    except NotFound:
        raise NotFound(
            f"There is no incident {written[:40]!r}.", "/incidents lists them."
        ) from None


def _update(its: IncidentHandlers, incident: int, by: By, form: Form) -> object:
    phase = form.get("phase", "")
    return its.incidents.update(
        incident, form.get("text", ""), by, public=form.get("public") == "1",
        phase=phase if phase in PHASES else "", headline=form.get("headline", ""),
        impact=form.get("impact", ""),
        components=[k.partition(":")[2] for k in form if k.startswith("component:")],
    )  # fmt: skip


def _say(its: IncidentHandlers, incident: int, by: By, form: Form) -> object:
    at = _instant(form["at"], its._now()) if form.get("at") else None
    kind, text = form.get("kind", "message"), form.get("text", "")
    if kind == "message" and is_command(text):
        return its.channel.run(incident, text, by)
    return its.incidents.say(incident, kind, plain(text), by, at)


def _amend(its: IncidentHandlers, incident: int, by: By, form: Form) -> object:
    entry = _entry(form)
    if "pinned" in form:
        return its.incidents.amend(incident, entry, by, pinned=form["pinned"] == "1")
    at = _instant(form["at"], its._now()) if form.get("at") else None
    return its.incidents.amend(
        incident, entry, by, why=form.get("why", ""), text=form.get("text") or None, at=at
    )


def _entry(form: Form) -> int:
    written = form.get("entry", "")
    if not (written.isascii() and written.isdigit()) or not 0 < len(written) < 10:
        raise UserError("That is no number of an entry.", "Give the number shown beside it.")
    return int(written)


def _role(its: IncidentHandlers, incident: int, by: By, form: Form) -> object:
    role, user = form.get("role", ""), form.get("user", "")
    match form.get("how"):
        case "accept":
            return its.incidents.accept(incident, role, by)
        case "offer":
            return its.incidents.offer(incident, role, user, by)
        case "take":
            return its.incidents.assign(incident, role, by.actor, by)
        case _:
            return its.incidents.assign(incident, role, user, by)


def _link(its: IncidentHandlers, incident: int, by: By, form: Form) -> object:
    if form.get("merge_into"):
        return its.incidents.merge(incident, number(form["merge_into"], "incident"), by)
    page, service = form.get("page", "").strip().lstrip("#"), form.get("service", "")
    return its.incidents.link(
        incident, by, page_ids=[number(page, "page")] if page else [],
        services=[service] if service else [],
    )  # fmt: skip


def _times(its: IncidentHandlers, incident: int, by: By, form: Form) -> object:
    now = its._now()
    given = {n: _instant(form[n], now) for n in TIMES if form.get(n)}
    return its.incidents.set_times(incident, given, form.get("why", ""), by)


def _recurs(its: IncidentHandlers, incident: int, by: By, form: Form) -> object:
    of = number(form.get("of", ""), "incident")
    return its.learning.decide(incident, of, form.get("same") == "1", form.get("why", ""), by)


def _describe(its: IncidentHandlers, incident: int, by: By, form: Form) -> object:
    causes = [c.strip() for c in form.get("causes", "").split(",") if c.strip()]
    return its.incidents.describe(
        incident, by, title=form.get("title"), summary=form.get("summary"), causes=causes
    )


def _instant(written: str, now: Seconds) -> Seconds:
    """``10:42`` (today in UTC, or yesterday when that is still to come), or a whole instant."""
    try:
        if len(written) <= 8 and ":" in written:
            day = datetime.fromtimestamp(now, UTC).date().isoformat()
            at = datetime.fromisoformat(f"{day}T{written}+00:00").timestamp()
            return at if at <= now else at - 86_400
        moment = datetime.fromisoformat(written)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise UserError(
            f"{written[:40]!r} is no time.", "Write it like 10:42 or 2026-12-01T10:42 (UTC)."
        ) from None


_ACTS: dict[str, Callable[[IncidentHandlers, int, By, Form], object]] = {
    "severity": lambda its, i, by, form: its.incidents.set_severity(
        i, form.get("severity", ""), form.get("why", ""), by
    ),
    "state": lambda its, i, by, form: its.incidents.set_state(
        i, form.get("state", ""), form.get("why", ""), by
    ),
    "update": _update,
    "say": _say,
    "amend": _amend,
    "role": _role,
    "link": _link,
    "times": _times,
    "describe": _describe,
    "recurs": _recurs,
}


def incident_routes(duty: Duty, services: Services) -> Sequence[BaseRoute]:
    """All routes of these pages."""
    its = IncidentHandlers(duty, services)
    return [
        Route("/incidents", its.shown(its.listed), methods=["GET"]),
        Route("/incidents", its.posted(its.declare), methods=["POST"]),
        Route("/incidents.csv", its.shown(its.export)),
        Route("/incidents.json", its.shown(its.export)),
        Route("/incidents/declare", its.shown(its.form)),
        Route("/incidents/{id}.json", its.shown(its.document)),
        Route("/incidents/{id}.md", its.shown(its.document)),
        Route("/incidents/{id}", its.shown(its.room)),
        Route("/incidents/{id}/attach", attaching(its), methods=["POST"]),
        Route("/incidents/{id}/files/{file}", its.shown(its.file)),
        Route("/incidents/{id}/{act}", its.posted(its.act), methods=["POST"]),
        Route("/parts/incidents", its.shown(its.list_part)),
        Route("/parts/incidents/{id}", its.shown(its.room_part)),
    ]
