"""The guard at the door: who asks, may they, and the headers that keep browsers safe.

Everything needs a principal, except the paths in OPEN. A bearer token opens the API; a session
cookie opens the pages. On a loopback address a server may be told to let anonymous readers in.
"""

from __future__ import annotations

import hmac
import re
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as AsgiScope

from watchkeeper.access.model import Principal, Scope
from watchkeeper.access.work import principal_of_session, principal_of_token
from watchkeeper.kernel.clock import Clock
from watchkeeper.store import Database

OPEN = re.compile(r"^/(healthz|readyz|signin|static/.*|favicon\.ico)$")
PUSH = re.compile(r"^/(api/v1/push|v1/metrics|api/v1/otlp/v1/metrics)$")
SESSION_COOKIE = "wk_session"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

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


class Guard:
    """ASGI middleware: authentication, scopes, same-origin checks, security headers.

    The principal is left in ``request.state.principal``.
    """

    def __init__(
        self, app: ASGIApp, db: Database, clock: Clock, anonymous: frozenset[Scope]
    ) -> None:
        self.app = app
        self.db = db
        self.clock = clock
        self.anonymous = anonymous

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
        principal, by_cookie = await run_in_threadpool(self._identify, request)
        request.state.principal = principal
        path = request.url.path
        if OPEN.match(path):
            return None
        needed = scope_for(request.method, path)
        if principal is None:
            return _unauthorised(request)
        if not principal.may(needed):
            return _json(403, f"This needs the scope '{needed}'.", f"{principal.name} lacks it.")
        # A cookie or an address says nothing of who wrote the page that sends the request.
        if by_browser(by_cookie, request) and not same_origin(request.headers):
            return _json(403, "The request comes from another site.", "Send it from our own pages.")
        return None

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


def scope_for(method: str, path: str) -> Scope:
    """Which scope a request needs."""
    if PUSH.match(path):
        return Scope.PUSH
    return Scope.READ if method in SAFE or path == "/signout" else Scope.WRITE


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
    answer = _json(401, "This needs a token.", "Send 'Authorization: Bearer wk_…'.")
    answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


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
