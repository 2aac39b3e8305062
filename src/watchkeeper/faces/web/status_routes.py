"""The addresses of status pages: what the world reads, how it subscribes, and who did."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from watchkeeper.access.model import Permission
from watchkeeper.faces.guard import by_browser, same_origin
from watchkeeper.faces.services import Services
from watchkeeper.faces.status import feeds, site, v2
from watchkeeper.faces.status.links import served
from watchkeeper.faces.status.months import chapter, this_month
from watchkeeper.faces.status.pages import StatusPages
from watchkeeper.faces.web import words
from watchkeeper.faces.web.acting import Acting, Form, actor, allowed, as_csv, number
from watchkeeper.faces.web.routes import read_form
from watchkeeper.incidents.status.model import WORDS, View
from watchkeeper.incidents.status.subscribing import TooOftenError
from watchkeeper.kernel.clock import iso
from watchkeeper.kernel.errors import NotFound, UserError, WatchkeeperError
from watchkeeper.spec.findings import Place
from watchkeeper.spec.response import StatusPageDefinition

HTML, ATOM, RSS, JSON = (
    "text/html; charset=utf-8", "application/atom+xml", "application/rss+xml", "application/json",
)  # fmt: skip
PUBLIC = "public, max-age=30, stale-while-revalidate=30, stale-if-error=86400"
PRIVATE = "private, no-cache"
PER_PAGE = 100
MOST_EXPORTED = 100_000
_MONTH = re.compile(r"20\d\d-(0[1-9]|1[0-2])")
Handler = Callable[[Request], Response]


class StatusHandlers(Acting):
    """All handlers, over the same services."""

    def __init__(self, status: StatusPages, services: Services) -> None:
        super().__init__(services)
        self.status = status

    # -- what the world reads
    def home(self, request: Request) -> Response:
        """The page itself."""
        return self._kept(request, "home", HTML, lambda v: site.home(v, served(v.page.name)))

    def atom(self, request: Request) -> Response:
        """The feed as Atom."""
        return self._kept(request, "atom", ATOM, feeds.atom)

    def rss(self, request: Request) -> Response:
        """The feed as RSS."""
        return self._kept(request, "rss", RSS, feeds.rss)

    def document(self, request: Request) -> Response:
        """A document of Statuspage's read API."""
        path = request.path_params["rest"]
        if path not in v2.PATHS:
            raise NotFound("There is no such document.", f"One of: {', '.join(v2.PATHS)}.")
        answer = self._kept(
            request, f"v2/{path}", JSON, lambda v: orjson.dumps(v2.documents(v)[path])
        )
        if self.status.published(request.path_params["name"]):
            answer.headers["Access-Control-Allow-Origin"] = "*"
        return answer

    def past(self, request: Request) -> Response:
        """Three months, the last of which the address names."""
        view = self.status.view(_name(request))
        last = request.path_params.get("month", this_month(view.as_of))
        if not _MONTH.fullmatch(last):
            raise NotFound("There is no such month.", "Write it like 2026-11.")
        found = chapter(self.status, view, last)
        body = site.past(view, found.months, found.earlier, found.later, served(view.page.name))
        return _answer(request, body, HTML, view.page)

    def incident(self, request: Request) -> Response:
        """One incident."""
        view = self.status.view(_name(request))
        story = self.status.story(view.page.name, request.path_params["id"])
        body = site.incident(view, story, served(view.page.name))
        return _answer(request, body, HTML, view.page)

    def _kept(
        self, request: Request, kind: str, media: str, make: Callable[[View], bytes]
    ) -> Response:
        """What is the same for all who ask is rendered once for each state of the page."""
        kept = self.status.kept(_name(request))
        if kind not in kept.bodies:
            body = make(kept.view)
            kept.bodies[kind] = body, _tag(body)
        body, tag = kept.bodies[kind]
        return _answer(request, body, media, kept.view.page, tag)

    # -- subscribing
    def subscribe(self, request: Request, form: Form) -> Response:
        """Ask for an address to be told."""
        page = self.status.page(_name(request))
        where = request.client.host if request.client else ""
        asked = self.status.subscribe(
            page.name, form.get("kind", "email"), form.get("address", ""), _chosen(form), where
        )
        if asked.secret:
            said = ["Your endpoint answered and is told from now on. Keep the secret: it signs"
                    " what is sent, and is shown here only."]  # fmt: skip
            facts = [("Secret", asked.secret), ("To unsubscribe", asked.manage)]
            return _said(page, "Subscribed", said, 200, facts)
        said = ["If this address is not subscribed yet, a mail is on its way to it. Open the link"
                " in it within a day to confirm."]  # fmt: skip
        return _said(page, "Look into your mailbox", said, 202)

    def passed(self, request: Request) -> Response:
        """What a subscriber's link is for, with a button: scanners of mail follow links."""
        name, signed = _name(request), request.path_params["signed"]
        its, who = self.status.passed(name, signed)
        page = self.status.page(name)
        body = site.manage(page, served(page.name), its.action, signed, who)
        return Response(body, media_type=HTML, headers={"Cache-Control": "no-store"})

    def used(self, request: Request, form: Form) -> Response:
        """Confirm, choose, leave. A mail program's one-click POST (RFC 8058) leaves."""
        name, signed = _name(request), request.path_params["signed"]
        act = form.get("act", "leave")
        its, _ = self.status.passed(name, signed)
        self.status.use(name, signed, act, _chosen(form))
        page = self.status.page(name)
        if its.action == "confirm":
            said = ["You will be told of incidents. Each mail has a link to unsubscribe."]
            return _said(page, "You are subscribed", said)
        if act == "choose":
            return _said(page, "Saved", ["From now on you are told of what you chose."])
        return _said(page, "You are unsubscribed", ["Nothing more will be sent."])

    # -- for those inside
    def listed(self, request: Request) -> Response:
        """All pages."""
        rows = []
        for page in self.status.listed():
            view = self.status.view(page.name)
            badge = words.Badge(site.KEYS[view.level], WORDS[view.level])
            rows.append((page, view, badge, self.status.told(page.name)))
        return self.pages.page(
            request, "status_pages.html", "status", rows=rows,
            may_edit=allowed(request, Permission.EDIT),
        )  # fmt: skip

    def subscribers(self, request: Request) -> Response:
        """Who subscribed."""
        page = self.status.page(_name(request))
        q = request.query_params.get("q", "")[:200].replace("\0", "")
        after = request.query_params.get("after", "")
        since = int(after) if after.isascii() and after.isdigit() and len(after) < 16 else 0
        found = self.status.subscribers(page.name, q, since, PER_PAGE)
        return self.pages.page(
            request, "status_subscribers.html", "status", page=page, q=q,
            rows=[(s, words.day_clock(s.created_at)) for s in found],
            told=self.status.told(page.name),
            more=found[-1].id if len(found) == PER_PAGE else None,
        )  # fmt: skip

    def export(self, request: Request) -> Response:
        """Who subscribed, as CSV."""
        page = self.status.page(_name(request))
        found = self.status.subscribers(page.name, limit=MOST_EXPORTED)
        head = ("id", "kind", "address", "confirmed", "created_at", "components")
        rows = [
            (s.id, s.kind, s.address, s.active, iso(s.created_at), " ".join(s.components))
            for s in found
        ]
        return as_csv(f"subscribers-{page.name}", head, rows)

    def remove(self, request: Request, _: Form) -> Response:
        """Forget a subscriber."""
        name = _name(request)
        self.status.remove(name, number(request.path_params["id"], "subscriber"), actor(request))
        return RedirectResponse(f"/status/{name}/subscribers", 303)

    # -- errors, without the frame of the product
    def open_to_all(self, handler: Handler) -> Handler:
        """A handler whose errors say nothing of the inside."""

        def answer(request: Request) -> Response:
            try:
                return handler(request)
            except WatchkeeperError as error:
                return self._trouble(request, error)

        return answer

    def taken(
        self, act: Callable[[Request, Form], Response], signed: bool = False
    ) -> Callable[[Request], Awaitable[Response]]:
        """A form that anybody may send; from another site only with a signed address."""

        async def answer(request: Request) -> Response:
            try:
                if not signed and by_browser(False, request) and not same_origin(request.headers):
                    raise UserError("This form comes from another site.", "Send it from the page.")
                form = await read_form(request)
                return await run_in_threadpool(act, request, form)
            except WatchkeeperError as error:
                return await run_in_threadpool(self._trouble, request, error)

        return answer

    def _trouble(self, request: Request, error: WatchkeeperError) -> Response:
        page = self.status.specs().response.status_pages.get(_name(request))
        known = getattr(request.state, "principal", None) is not None
        if page is None or not (page.public or known):
            # A link that is no longer good says nothing of a page inside, not even its name.
            page = StatusPageDefinition("", "Status", _NOWHERE)
        status = error.http_status
        lines = [error.message, error.hint]
        if status >= 500:
            lines = ["The status cannot be read just now.", "Try again in a minute."]
        answer = _said(page, "Sorry", [line for line in lines if line], status, problem=True)
        if isinstance(error, TooOftenError):
            answer.headers["Retry-After"] = str(int(error.seconds) + 1)
        return answer


_NOWHERE = Place("nowhere")


def _name(request: Request) -> str:
    return str(request.path_params["name"])


def _chosen(form: Mapping[str, str]) -> list[str]:
    """The components that are ticked in a form."""
    return [k.partition(":")[2] for k in form if k.startswith("component:")]


def _said(
    page: StatusPageDefinition, title: str, lines: Sequence[str], status: int = 200,
    facts: Sequence[tuple[str, str]] = (), problem: bool = False,
) -> Response:  # fmt: skip
    body = site.message(page, served(page.name), title, lines, facts, problem)
    return Response(body, status, media_type=HTML, headers={"Cache-Control": "no-store"})


def _tag(body: bytes) -> str:
    # Weak: what is sent may be compressed on the way.
    return f'W/"{hashlib.sha256(body).hexdigest()[:24]}"'


def _answer(
    request: Request, body: bytes, media: str, page: StatusPageDefinition, tag: str = ""
) -> Response:
    tag = tag or _tag(body)
    headers = {"ETag": tag, "Cache-Control": PUBLIC if page.public else PRIVATE}
    known = {t.strip() for t in request.headers.get("if-none-match", "").split(",")}
    if tag in known or tag.removeprefix("W/") in known:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media, headers=headers)


def status_routes(status: StatusPages, services: Services) -> Sequence[BaseRoute]:
    """All routes of status pages."""
    its = StatusHandlers(status, services)
    at, shown = "/status/{name}", its.open_to_all
    return [
        Route("/status", its.shown(its.listed)),
        Route(f"{at}/subscribers", its.shown(its.subscribers)),
        Route(f"{at}/subscribers.csv", its.shown(its.export)),
        Route(f"{at}/subscribers/{{id}}/remove", its.posted(its.remove), methods=["POST"]),
        Route(at, shown(its.home)),
        Route(f"{at}/history", shown(its.past)),
        Route(f"{at}/history/{{month}}", shown(its.past)),
        Route(f"{at}/incidents/{{id}}", shown(its.incident)),
        Route(f"{at}/history.atom", shown(its.atom)),
        Route(f"{at}/history.rss", shown(its.rss)),
        Route(f"{at}/api/v2/{{rest:path}}", shown(its.document)),
        Route(f"{at}/subscribe", its.taken(its.subscribe), methods=["POST"]),
        Route(f"{at}/s/{{signed}}", shown(its.passed), methods=["GET"]),
        Route(f"{at}/s/{{signed}}", its.taken(its.used, signed=True), methods=["POST"]),
    ]
