"""What handlers of pages with forms share: who asks, what they may do, where they go back to."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from watchkeeper.access.model import Permission, Principal
from watchkeeper.access.roles import may
from watchkeeper.faces.guard import same_origin
from watchkeeper.faces.services import Services
from watchkeeper.faces.web.render import Pages
from watchkeeper.faces.web.routes import Handlers, read_form
from watchkeeper.kernel.errors import NotFound, UserError, WatchkeeperError

Form = Mapping[str, str]


class Acting:
    """Handlers over the same services: pages, parts, and forms that only our own pages send."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.pages = Pages(services)
        self.others = Handlers(services)

    def shown(self, handler: Callable[[Request], Response]) -> Callable[[Request], Response]:
        """A page, with errors that say what to do."""
        return self.others.guarded(handler)

    def posted(
        self, act: Callable[[Request, Form], Response]
    ) -> Callable[[Request], Awaitable[Response]]:
        """A form; refused when another site sends it."""

        async def answer(request: Request) -> Response:
            try:
                form = await read_form(request)
                return await run_in_threadpool(checked, request, form)
            except WatchkeeperError as error:
                return await run_in_threadpool(self.others.trouble, request, error)

        def checked(request: Request, form: Form) -> Response:
            if not same_origin(request.headers):
                return self.others.foreign(request)
            return act(request, form)

        return answer


def actor(request: Request) -> str:
    """Who asks."""
    principal: Principal | None = getattr(request.state, "principal", None)
    return principal.name if principal else "unknown"


def allowed(request: Request, permission: Permission) -> bool:
    """Whether who asks has this permission, everywhere or in a team; buttons that lead to a
    refusal for certain are not shown."""
    principal: Principal | None = getattr(request.state, "principal", None)
    if principal is None:
        return False
    return any(may(principal, permission, team) for team in (None, *principal.teams))


def number(written: str, what: str) -> int:
    """An id in a path. Raises NotFound."""
    if not (written.isascii() and written.isdigit()) or len(written) > 15:
        raise NotFound(f"There is no {what} {written[:40]!r}.", "/alerts lists them.")
    return int(written)


def done(request: Request, usual: str, within: str = "") -> Response:
    """After a change: 204 for htmx, whose page refreshes itself; else back to where one was, when
    that is a page that begins with ``within``, or to ``usual``."""
    if request.headers.get("hx-request") == "true":
        return Response(status_code=204)
    back = urlsplit(request.headers.get("referer", ""))
    here = f"{back.path}?{back.query}" if back.query else back.path
    ours = within and back.netloc == request.headers.get("host", "") and back.path == within
    return RedirectResponse(here if ours else usual, 303)


def sorry(error: UserError) -> str:
    """An error in one line."""
    return f"{error.message} {error.hint}".strip()


def refused(request: Request, error: UserError, page: Callable[[str], Response]) -> Response:
    """What a form that cannot be taken is answered: a line for htmx, else the page again."""
    if request.headers.get("hx-request") == "true":
        return PlainTextResponse(sorry(error), error.http_status)
    return page(sorry(error))


def told(request: Request, said: str, page: Callable[[str], Response]) -> Response:
    """What only who asked is told: a text for htmx, else the page again."""
    if request.headers.get("hx-request") == "true":
        return PlainTextResponse(said)
    return page(said)


def as_csv(name: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """A table as a file; RFC 4180. Text that a spreadsheet would run is marked as text."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(head)
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return _file(out.getvalue(), f"{name}.csv", "text/csv; charset=utf-8")


def as_json(name: str, rows: Any) -> Response:  # noqa: ANN401 - whatever JSON holds
    """The same as JSON."""
    return _file(json.dumps(rows, indent=1), f"{name}.json", "application/json")


def _file(content: str, name: str, kind: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=kind, headers=headers)


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return "" if value is None else value
