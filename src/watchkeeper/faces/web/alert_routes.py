"""The handlers of the pages on alerts: parse, call, render."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from watchkeeper.access.model import Permission
from watchkeeper.faces import alert_pages
from watchkeeper.faces.alerts import alerts_of
from watchkeeper.faces.duty import Duty
from watchkeeper.faces.incidents import incidents_of
from watchkeeper.faces.services import Services
from watchkeeper.faces.web import alert_list, alert_story, page_story
from watchkeeper.faces.web import duty_views as views
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
)
from watchkeeper.faces.web.alert_list import PER_PAGE, AlertAsk
from watchkeeper.faces.web.routes import Handler
from watchkeeper.kernel.errors import NotFound, UserError

PAGES_SHOWN = 100
MOST_EXPORTED = 50_000
"""Alerts in one file; more can be had in parts, by time, from the API."""


class AlertHandlers(Acting):
    """All handlers, over the same services."""

    def __init__(self, duty: Duty, services: Services) -> None:
        super().__init__(services)
        self.duty, self.alerts = duty, alerts_of(duty)

    # -- the list
    def alerts_page(self, request: Request) -> Response:
        """Who has what, what comes next; then every alert."""
        return self.pages.page(
            request,
            "alerts.html",
            "alerts",
            view=self._pages(request),
            list=self._list(request),
            **_rights(request),
        )

    def pages_part(self, request: Request) -> Response:
        """The upper half again."""
        return self.pages.part("_alerts.html", view=self._pages(request), **_rights(request))

    def list_part(self, request: Request) -> Response:
        """The lower half again: after a change, a search, or for another page."""
        ask = AlertAsk.read(request.query_params)
        answer = self.pages.part("_alert_list.html", list=self._list(request), **_rights(request))
        if request.headers.get("hx-source", "").startswith("form"):
            answer.headers["HX-Replace-Url"] = "/alerts" + ask.query()
        return answer

    def _pages(self, request: Request) -> views.PagesView:
        every = request.query_params.get("all") == "1"
        before = request.query_params.get("from", "")
        after = int(before) if before.isascii() and before.isdigit() and len(before) < 16 else None
        states = () if every else ("open", "acked")
        found = self.duty.pages(states, after, PAGES_SHOWN)
        posting = self.duty.board.posting
        weak = [f.text for f in (*posting.broken, *posting.weak)]
        return views.pages_view(
            found, self.duty.specs(), weak, self._now(), every, PAGES_SHOWN, after
        )

    def _list(self, request: Request) -> alert_list.AlertsView:
        ask = AlertAsk.read(request.query_params)
        found = alert_pages.listed(self.alerts, ask.wanted(), ask.before, PER_PAGE)
        return alert_list.alerts_view(found, ask, self.duty.specs(), self._now())

    def _now(self) -> float:
        return self.duty.clock.now()

    def export(self, request: Request) -> Response:
        """The alerts that an address selects, all pages of them, as CSV or JSON."""
        wanted = AlertAsk.read(request.query_params).wanted()
        found = alert_pages.listed(self.alerts, wanted, None, MOST_EXPORTED).alerts
        if request.url.path.endswith(".json"):
            return as_json("alerts", alert_list.export_json(found))
        return as_csv("alerts", alert_list.HEAD, alert_list.export_rows(found))

    def pages_export(self, _: Request) -> Response:
        """The newest pages, whatever their state, as CSV."""
        found = self.duty.pages((), None, MOST_EXPORTED)
        return as_csv("pages", page_story.HEAD, page_story.export_rows(found))

    # -- one alert
    def alert_page(self, request: Request, problem: str = "", status: int = 200) -> Response:
        """What is it, who has it, what happened."""
        view = self._alert(request)
        rights = _rights(request)
        return self.pages.page(
            request, "alert.html", "alerts", status, view=view, problem=problem, **rights
        )

    def alert_part(self, request: Request) -> Response:
        """The same again."""
        return self.pages.part("_alert.html", view=self._alert(request), **_rights(request))

    def _alert(self, request: Request) -> alert_story.AlertView:
        story = alert_pages.story(self.alerts, number(request.path_params["id"], "alert"))
        slos = (s.name for s in self.services.fleet().statuses)
        return alert_story.alert_view(story, self.duty.specs(), slos, self._now())

    def close(self, request: Request, form: Form) -> Response:
        """It is over."""
        alert_id = number(request.path_params["id"], "alert")
        reason = form.get("reason", "").strip()[:1000] or "closed by hand"
        self.alerts.close(alert_id, actor(request), reason)
        return done(request, f"/alerts/{alert_id}", "/alerts")

    # -- one page
    def page(self, request: Request, problem: str = "", status: int = 200) -> Response:
        """What is it, who has it, what comes next."""
        specs = self.duty.specs()
        who = [
            *specs.duty.users,
            *(f"schedule:{n}" for n in specs.duty.schedules),
            *(f"team:{n}" for n in specs.teams),
        ]
        return self.pages.page(
            request,
            "page.html",
            "alerts",
            status,
            view=self._story(request),
            problem=problem,
            who=who,
            **_rights(request),
        )

    def page_part(self, request: Request) -> Response:
        """The same again, without its forms."""
        return self.pages.part("_page.html", view=self._story(request), **_rights(request))

    def _story(self, request: Request) -> page_story.StoryView:
        story = self.duty.story(number(request.path_params["id"], "page"))
        found = incidents_of(self.duty).of_page(story.page.id)
        return page_story.story_view(story, self.duty.specs(), self._now(), found)

    def answer(self, request: Request, form: Form) -> Response:
        """Acknowledge, resolve, hand over, snooze, note; then show where one was."""
        page_id = number(request.path_params["id"], "page")
        named = request.path_params["act"]
        act = _ACTS.get(named)
        if act is None:
            raise NotFound(f"A page cannot be answered with {named!r}.", "See the API.")
        try:
            act(self, page_id, actor(request), form)
        except NotFound:
            raise
        except UserError as error:
            return refused(request, error, lambda said: self.page(request, said, 400))
        return done(request, f"/pages/{page_id}", "/alerts")

    def board(self, _: Request) -> Response:
        """Pages have no list of their own: it is the upper half of the alerts."""
        return RedirectResponse("/alerts?all=1", 307)


def _rights(request: Request) -> dict[str, bool]:
    return {
        "may_respond": allowed(request, Permission.RESPOND),
        "may_edit": allowed(request, Permission.EDIT),
    }


def _to(form: Form) -> list[str]:
    return [n.strip() for n in form.get("to", "").split(",") if n.strip()]


def _snooze(its: AlertHandlers, page_id: int, who: str, form: Form) -> object:
    return its.duty.snooze(page_id, who, 60 * _minutes(form.get("minutes", "")))


_ACTS: dict[str, Callable[[AlertHandlers, int, str, Form], object]] = {
    "ack": lambda its, page, who, _: its.duty.acknowledge(page, who),
    "resolve": lambda its, page, who, _: its.duty.resolve(page, who),
    "reassign": lambda its, page, who, form: its.duty.reassign(
        page, who, _to(form), form.get("note", "")
    ),
    "responders": lambda its, page, who, form: its.duty.add_responders(page, who, _to(form)),
    "snooze": _snooze,
    "note": lambda its, page, who, form: its.duty.note(page, who, form.get("text", "")),
}


def _minutes(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:6]) <= 43_200:
        raise UserError("That is no length of time.", "Give minutes, up to 30 days.")
    return int(text)


def alert_routes(duty: Duty, services: Services) -> Sequence[BaseRoute]:
    """All routes of these pages."""
    its = AlertHandlers(duty, services)

    def get(path: str, handler: Handler) -> Route:
        return Route(path, its.shown(handler))

    return [
        get("/alerts", its.alerts_page),
        get("/alerts.csv", its.export),
        get("/alerts.json", its.export),
        get("/pages", its.board),
        get("/pages.csv", its.pages_export),
        get("/parts/alerts", its.pages_part),
        get("/parts/alert-list", its.list_part),
        get("/alerts/{id}", its.alert_page),
        get("/parts/alerts/{id}", its.alert_part),
        Route("/alerts/{id}/close", its.posted(its.close), methods=["POST"]),
        get("/pages/{id}", its.page),
        get("/parts/pages/{id}", its.page_part),
        Route("/pages/{id}/{act}", its.posted(its.answer), methods=["POST"]),
    ]
