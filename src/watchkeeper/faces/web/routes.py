"""The handlers of the pages: parse, call, render."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from watchkeeper.access.model import Principal
from watchkeeper.faces.guard import same_origin
from watchkeeper.faces.web import (
    chart_changes,
    export,
    overview,
    services_page,
    slo_page,
    sources_page,
    words,
)
from watchkeeper.faces.web.ask import Ask, chosen
from watchkeeper.faces.web.budget_card import policies_in_force
from watchkeeper.faces.web.contract import WebServices
from watchkeeper.faces.web.render import Pages, frame, may_write
from watchkeeper.kernel.errors import NotFound, UserError, WatchkeeperError
from watchkeeper.slo.subjects import base_name

log = logging.getLogger("watchkeeper.web")

MAX_FORM = 16_384
Handler = Callable[[Request], Response]

TITLES: Mapping[int, str] = {
    400: "That does not work",
    403: "Not allowed",
    404: "Not found",
    503: "Not available now",
}


class Handlers:
    """All handlers, over the same services."""

    def __init__(self, services: WebServices) -> None:
        self.services = services
        self.pages = Pages(services)

    # -- overview
    def home(self, request: Request) -> Response:
        """Who needs someone now."""
        fleet, specs = self.services.fleet(), self.services.specs()
        ask = Ask.read(request.query_params)
        if not fleet.statuses and not specs.slos:
            return self.pages.page(request, "welcome.html", "slos")
        return self.pages.page(
            request,
            "overview.html",
            "slos",
            now=overview.now_view(fleet, specs, ask),
            list=self._list(ask),
            form=overview.form_view(fleet, specs, ask),
        )

    def now_part(self, request: Request) -> Response:
        """The upper half again."""
        view = overview.now_view(self.services.fleet(), self.services.specs(), _page_ask(request))
        return self.pages.part("_now.html", now=view)

    def list_part(self, request: Request) -> Response:
        """The lower half again: after a change, a search, or for another page."""
        ask = Ask.read(request.query_params)
        answer = self.pages.part("_list.html", list=self._list(ask))
        if request.headers.get("hx-source", "").startswith("form"):
            answer.headers["HX-Replace-Url"] = "/" + ask.query()
        return answer

    def _list(self, ask: Ask) -> overview.ListView:
        fleet, specs = self.services.fleet(), self.services.specs()
        found = chosen(fleet.statuses, specs, ask)
        _, shown = overview.page_of(found, ask)
        sparks = self.services.sparklines([s.name for s in shown])
        return overview.list_view(fleet, specs, ask, found, sparks)

    def export(self, request: Request) -> Response:
        """The objectives that an address selects, all pages of them, as CSV or JSON."""
        ask = Ask.read(request.query_params)
        found = chosen(self.services.fleet().statuses, self.services.specs(), ask)
        as_csv = request.url.path.endswith(".csv")
        return Response(
            export.to_csv(found) if as_csv else export.to_json(found),
            media_type="text/csv; charset=utf-8" if as_csv else "application/json",
            headers={
                "Content-Disposition": f'attachment; filename="slos.{"csv" if as_csv else "json"}"'
            },
        )

    def notices_part(self, request: Request) -> Response:
        """What stands over every page, and the number beside the navigation, again."""
        around = frame(request, self.services, "")
        return self.pages.part("_notices.html", frame=around, part=True)

    # -- one SLO
    def slo(self, request: Request) -> Response:
        """Where did the budget go."""
        return self._slo_page(request, request.path_params["name"])

    def slo_part(self, request: Request) -> Response:
        """The same again, without its frame and forms."""
        slo = self._slo(request.path_params["name"])
        return self.pages.part("_slo.html", slo=slo, may_write=may_write(request))

    def _slo_page(
        self,
        request: Request,
        name: str,
        problem: str = "",
        entered: Mapping[str, str] | None = None,
        status: int = 200,
    ) -> Response:
        return self.pages.page(
            request,
            "slo.html",
            "slos",
            status,
            slo=self._slo(name),
            may_write=may_write(request),
            problem=problem,
            entered=entered or {},
        )

    def _slo(self, name: str) -> slo_page.SloView:
        specs = self.services.specs()
        detail, account = self.services.in_depth(name)
        defined = specs.slos.get(name) or specs.slos.get(base_name(name))
        parts = defined.composite.parts if defined and defined.composite else ()
        wanted = {part.slo for part in parts}
        fleet = self.services.fleet()
        others = {s.name: s for s in fleet.statuses if s.name in wanted} if wanted else {}
        window, minutes = chart_changes.spans(detail)
        service = detail.status.service
        changes = chart_changes.ChartChanges(
            self.services.marks(service, *window), self.services.marks(service, *minutes)
        )
        health = self.services.source_health()
        view = slo_page.slo_view(
            detail, account, specs, others, health, detail.status.as_of, changes
        )
        return replace(view, policies=policies_in_force(specs, fleet, name))

    # -- corrections
    async def add_correction(self, request: Request) -> Response:
        """Exclude an interval, then show the page again."""
        fields = await read_form(request)
        return await run_in_threadpool(self._add_correction, request, fields)

    def _add_correction(self, request: Request, fields: Mapping[str, str]) -> Response:
        name = request.path_params["name"]
        if not same_origin(request.headers):
            return self.foreign(request)
        try:
            self.services.add_correction(
                name,
                _instant(fields.get("from", ""), "from"),
                _instant(fields.get("to", ""), "to"),
                fields.get("reason", ""),
                _author(request, fields),
            )
        except NotFound:
            raise
        except UserError as error:
            problem = f"{error.message} {error.hint}".strip()
            return self._slo_page(request, name, problem, fields, 400)
        return RedirectResponse(words.slo_url(name) + "#corrections", 303)

    def remove_correction(self, request: Request) -> Response:
        """Count an interval again, then show the page."""
        if not same_origin(request.headers):
            return self.foreign(request)
        name = request.path_params["name"]
        self.services.remove_correction(name, request.path_params["id"], _author(request, {}))
        return RedirectResponse(words.slo_url(name) + "#corrections", 303)

    def foreign(self, request: Request) -> Response:
        """A form of another site is refused."""
        return self.pages.wrong(
            request,
            403,
            TITLES[403],
            "This form comes from another site.",
            "Send it from our own page.",
        )

    # -- services, sources
    def services_list(self, request: Request) -> Response:
        """Every service and journey, worst first."""
        return self.pages.page(request, "services.html", "services", view=self._services(request))

    def services_part(self, request: Request) -> Response:
        """The same again."""
        return self.pages.part("_services.html", view=self._services(request))

    def _services(self, request: Request) -> services_page.ServicesView:
        page = Ask.read(request.query_params).page
        return services_page.services_view(self.services.fleet(), self.services.specs(), page)

    def sources_list(self, request: Request) -> Response:
        """Can the numbers be trusted."""
        return self.pages.page(request, "sources.html", "sources", view=self._sources())

    def sources_part(self, _: Request) -> Response:
        """The same again."""
        return self.pages.part("_sources.html", view=self._sources())

    def _sources(self) -> sources_page.SourcesView:
        health, as_of = self.services.source_health(), self.services.fleet().as_of
        # A source may have been read after the fleet was evaluated; it is not from the future.
        now = max([as_of, *(h.last_success for h in health if h.last_success is not None)])
        return sources_page.sources_view(health, self.services.specs(), now)

    # -- the rest
    def favicon(self, _: Request) -> Response:
        """Browsers ask for it unasked."""
        return RedirectResponse("/static/icon.svg", 301)

    def nothing(self, request: Request) -> Response:
        """No such page."""
        raise NotFound(
            f"There is no page {request.url.path!r} here.",
            "The navigation leads to all that there is.",
        )

    def guarded(self, handler: Handler) -> Handler:
        """The handler, with errors shown as pages that say what to do."""

        @functools.wraps(handler)
        def answer(request: Request) -> Response:
            try:
                return handler(request)
            except WatchkeeperError as error:
                return self.trouble(request, error)

        return answer

    def trouble(self, request: Request, error: WatchkeeperError) -> Response:
        """An error as a page; for htmx, which keeps what it has, as plain text."""
        status = error.http_status
        if status >= 500:
            log.error("%s: %s", request.url.path, error)
        if request.headers.get("hx-request") == "true":
            return PlainTextResponse(str(error), status)
        title = TITLES.get(status, "Something went wrong")
        return self.pages.wrong(request, status, title, error.message, error.hint)


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a small form; raises UserError for one that is too long."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM:
            raise UserError("This form is too long.", f"At most {MAX_FORM} bytes are read.")
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[0].strip() for name, values in fields.items()}


def _instant(written: str, field: str) -> float:
    """A ``datetime-local`` field, which is in UTC here."""
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        raise UserError(
            f"'{field}' is no time: {written!r}.", "Write it as 2026-11-23T14:02, in UTC."
        ) from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _author(request: Request, fields: Mapping[str, str]) -> str:
    principal: Principal | None = getattr(request.state, "principal", None)
    if principal is not None and principal.name != "anonymous":
        return principal.name
    return fields.get("author", "")[:100] or "anonymous"


def _page_ask(request: Request) -> Ask:
    """What the page that sends this asks for: its address may have changed since it was made."""
    query = urlsplit(request.headers.get("hx-current-url", "")).query
    params = {name: values[0] for name, values in parse_qs(query).items()}
    return Ask.read(params if query else request.query_params)
