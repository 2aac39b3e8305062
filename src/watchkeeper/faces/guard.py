"""The guard at the door: who asks, may they, and the headers that keep browsers safe.

`doors` says what each door needs; what it does not name needs an admin. A bearer token opens the
API; a session cookie opens the pages. On a loopback address a server may be told to let anonymous
readers in.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import replace
from html import escape
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as AsgiScope

from watchkeeper.access.model import Permission, Principal, Scope
from watchkeeper.access.roles import may
from watchkeeper.access.work import principal_of_session, principal_of_token
from watchkeeper.faces.doors import Found, Free, needed
from watchkeeper.kernel.clock import Clock
from watchkeeper.store import Database

SESSION_COOKIE = "wk_session"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

TeamOf = Callable[[str, str], str | None]
"""(kind, name) of what a request is about → the team that owns it, or None."""

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}
CSP = (
    "default-src 'self'; img-src 'self' data:; style-src 'self'; style-src-attr 'unsafe-inline'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

FORBIDDEN = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Not allowed · Watchkeeper</title><link rel="stylesheet" href="/static/app.css"></head>
<body class="plain"><main id="main" class="signin"><h1>Not allowed</h1>
<p>{what}</p><p class="muted">{hint}</p>
<p><a class="btn" href="/">All objectives</a></p></main></body></html>"""


class Guard:
    """ASGI middleware: authentication, scopes, same-origin checks, security headers.

    The principal is left in ``request.state.principal``.
    """

    def __init__(
        self,
        app: ASGIApp,
        db: Database,
        clock: Clock,
        anonymous: frozenset[Scope],
        team_of: TeamOf = lambda kind, name: None,
        published: Callable[[str], bool] = lambda name: False,
    ) -> None:
        self.app = app
        self.db = db
        self.clock = clock
        self.anonymous = anonymous
        self.team_of = team_of
        self.published = published

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Let the request pass, or answer it here."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        refusal = await self._refusal(request)
        target = refusal if refusal is not None else self.app
        await target(scope, receive, _with_headers(send))

    async def _refusal(self, request: Request) -> Response | None:
        found = needed(request.method, request.scope["path"])
        request.state.principal = None
        if found.needs is Free.PUBLISHED and not self.published(found.name):
            # Whether there is no such page or one that is not public, a stranger is told the same.
            found = replace(found, needs=Permission.READ)
        if isinstance(found.needs, Free):
            # Whoever else is signed in has no say at a door that has a key of its own.
            return None
        principal, by_cookie = await run_in_threadpool(self._identify, request)
        request.state.principal = principal
        if principal is None:
            return _unauthorised(request)
        if not await self._allowed(principal, found.needs, found):
            return _forbidden(request, principal, found)
        # A cookie or an address says nothing of who wrote the page that sends the request.
        if by_browser(by_cookie, request) and not same_origin(request.headers):
            return _json(403, "The request comes from another site.", "Send it from our own pages.")
        return None

    async def _allowed(self, principal: Principal, needs: Permission, found: Found) -> bool:
        if may(principal, needs):
            return True
        if not found.kind or not any(may(principal, needs, team) for team in principal.teams):
            return False
        team = await run_in_threadpool(self.team_of, found.kind, found.name)
        return may(principal, needs, team)

    def _identify(self, request: Request) -> tuple[Principal | None, bool]:
        now = self.clock.now()
        kind, _, secret = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and secret:
            with self.db.read() as conn:
                return principal_of_token(conn, secret.strip(), now), False
        cookie = request.cookies.get(SESSION_COOKIE)
        if cookie:
            with self.db.read() as conn:
                found = principal_of_session(conn, cookie, now)
            if found is not None:
                return found[0], True
        if self.anonymous:
            return Principal("anonymous", self.anonymous), False
        return None, False


def by_browser(by_cookie: bool, request: Request) -> bool:
    """True for a change that a page, perhaps of another site, may have sent.

    Browsers say so with each change they send; without a cookie and these headers it is a script.
    """
    if request.method in SAFE or "authorization" in request.headers:
        return False
    return by_cookie or "sec-fetch-site" in request.headers or "origin" in request.headers


def same_origin(headers: Headers) -> bool:
    """True when the browser says that our own page sends this (Sec-Fetch-Site, else Origin)."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and hmac.compare_digest(
        urlsplit(origin).netloc.encode(), headers.get("host", "").encode()
    )


def _unauthorised(request: Request) -> Response:
    wants_page = "text/html" in request.headers.get("accept", "")
    if wants_page and request.method == "GET":
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/signin?next={quote(here, safe='')}", 303)
    answer = _json(401, "This needs a token or a sign-in.", "Send 'Authorization: Bearer wk_…'.")
    answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def _forbidden(request: Request, principal: Principal, found: Found) -> Response:
    what = f"This needs the permission '{found.needs}'."
    hint = f"{principal.name} lacks it. Ask an admin for another role."
    if not found.declared:
        what = f"This needs the permission '{found.needs}', or there is no such address."
        hint = "The navigation leads to all that is open to you."
    if "text/html" not in request.headers.get("accept", ""):
        return _json(403, what, hint)
    return HTMLResponse(FORBIDDEN.format(what=escape(what), hint=escape(hint)), 403)


def _json(status: int, error: str, hint: str) -> JSONResponse:
    return JSONResponse({"error": error, "hint": hint}, status)


def _with_headers(send: Send) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Content-Security-Policy", CSP)
        await send(message)

    return wrapped
