"""Signing in and out of the pages with a token."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import parse_qs, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from watchkeeper.access.work import SESSION_SECONDS, sign_in, sign_out
from watchkeeper.faces.guard import SESSION_COOKIE, same_origin
from watchkeeper.faces.services import Services

MAX_FORM = 4096

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>Sign in · Watchkeeper</title><link rel="stylesheet" href="/static/app.css"></head>
<body class="plain"><main id="main" class="signin"><h1>Sign in to Watchkeeper</h1>
<p class="muted">Paste a token. On the server,
<code>wk token create you --scope read --scope write</code> makes one.</p>{problem}
<form method="post" action="/signin">
<input type="hidden" name="next" value="{next}">
<p><label for="token">Token</label><br>
<input id="token" name="token" type="password" autocomplete="current-password" required
autofocus></p>
<p><button class="btn pri">Sign in</button></p></form></main></body></html>"""


def signin_routes(services: Services) -> Sequence[BaseRoute]:
    """`/signin` and `/signout`."""

    async def form(request: Request) -> Response:
        return _page(request.query_params.get("next", "/"))

    async def submit(request: Request) -> Response:
        if not same_origin(request.headers):
            return _page("/", "The form comes from another site.", 403)
        body = await request.body()
        fields = parse_qs(body[:MAX_FORM].decode("utf-8", "replace"))
        secret, where = fields.get("token", [""])[0], fields.get("next", ["/"])[0]
        opened = await run_in_threadpool(_open, services, secret.strip())
        if opened is None:
            return _page(where, "That token opens nothing here.", 403)
        answer = RedirectResponse(local_path(where), 303)
        answer.set_cookie(
            SESSION_COOKIE,
            opened,
            max_age=SESSION_SECONDS,
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return answer

    async def leave(request: Request) -> Response:
        cookie = request.cookies.get(SESSION_COOKIE)
        if cookie:
            await run_in_threadpool(_close, services, cookie)
        answer = RedirectResponse("/signin", 303)
        answer.delete_cookie(SESSION_COOKIE)
        return answer

    return [
        Route("/signin", form, methods=["GET"]),
        Route("/signin", submit, methods=["POST"]),
        Route("/signout", leave, methods=["POST"]),
    ]


def local_path(where: str) -> str:
    """A path on this server, or ``/``: a sign-in never sends a browser to another site."""
    parts = urlsplit(where)
    safe = where.startswith("/") and not where.startswith(("//", "/\\"))
    return where if safe and not parts.scheme and not parts.netloc else "/"


def _page(where: str, problem: str = "", status: int = 200) -> Response:
    note = f'<p class="st is-burn" role="alert">{escape(problem)}</p>' if problem else ""
    return HTMLResponse(PAGE.format(next=escape(local_path(where)), problem=note), status)


def _open(services: Services, secret: str) -> str | None:
    with services.db.write() as conn:
        opened = sign_in(conn, secret, services.clock.now())
    return opened[0] if opened else None


def _close(services: Services, session: str) -> None:
    with services.db.write() as conn:
        sign_out(conn, session)
