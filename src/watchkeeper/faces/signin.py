"""Signing in and out, setting up the first admin, and one's own account."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from html import escape
from urllib.parse import parse_qs, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from watchkeeper.access import people, store
from watchkeeper.access.model import Principal
from watchkeeper.access.people import NewAccount, TooManyTriesError
from watchkeeper.access.work import SESSION_SECONDS, sign_in, sign_out
from watchkeeper.faces import signin_pages as pages
from watchkeeper.faces.guard import SESSION_COOKIE, same_origin
from watchkeeper.faces.services import Services
from watchkeeper.kernel.errors import NotFound, UserError

MAX_FORM = 4096
FOREIGN = "The form comes from another site."
Fields = Mapping[str, str]
Submit = Callable[[Request, Fields], Response]


class Desk:
    """The handlers, over the services."""

    def __init__(self, services: Services) -> None:
        self.db = services.db
        self.clock = services.clock

    # -- in and out
    def form(self, request: Request) -> Response:
        """The sign-in page."""
        return self._signin(request.query_params.get("next", "/"))

    def _signin(
        self, where: str, problem: str = "", status: int = 200, name: str = ""
    ) -> HTMLResponse:
        with self.db.read() as conn:
            accounts, fresh = people.has_accounts(conn), people.needs_setup(conn)
        shown = pages.signin(local_path(where), problem, name, accounts=accounts, fresh=fresh)
        return _page(shown, status)

    def submit(self, request: Request, fields: Fields) -> Response:
        """Sign in with a name and a password, or with a token."""
        where, name = fields.get("next", "/"), fields.get("name", "")
        if not same_origin(request.headers):
            return self._signin("/", FOREIGN, 403)
        try:
            opened = self._open(request, fields)
        except TooManyTriesError as error:
            answer = self._signin(where, f"{error.message} {error.hint}", 429, name)
            answer.headers["Retry-After"] = str(int(error.seconds) + 1)
            return answer
        if opened is None:
            said = (
                "That token opens nothing here."
                if fields.get("token")
                else "User name and password do not fit."
            )
            return self._signin(where, said, 403, name)
        return self._enter(request, opened, local_path(where))

    def _open(self, request: Request, fields: Fields) -> tuple[str, str] | None:
        now, secret = self.clock.now(), fields.get("token", "").strip()
        if secret:
            with self.db.write() as conn:
                return sign_in(conn, secret, now)
        name, password = fields.get("name", ""), fields.get("password", "")
        return people.sign_in_with_password(self.db, name, password, address_of(request), now)

    def _enter(self, request: Request, opened: tuple[str, str], where: str) -> Response:
        self._leave(request)
        answer = RedirectResponse(where, 303)
        answer.set_cookie(
            SESSION_COOKIE,
            opened[0],
            max_age=SESSION_SECONDS,
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return answer

    def _leave(self, request: Request) -> None:
        cookie = request.cookies.get(SESSION_COOKIE)
        if cookie:
            with self.db.write() as conn:
                sign_out(conn, cookie)

    def leave(self, request: Request) -> Response:
        """Sign out."""
        self._leave(request)
        answer = RedirectResponse("/signin", 303)
        answer.delete_cookie(SESSION_COOKIE)
        return answer

    # -- the first admin
    def setup_form(self, request: Request) -> Response:
        """The page that makes the first admin, for those who have the link."""
        key = request.query_params.get("key", "")
        with self.db.read() as conn:
            if not people.setup_open(conn, key, self.clock.now()):
                return _page(pages.setup_gone(), 404)
        return _page(pages.setup(key, "", {}))

    def setup_submit(self, request: Request, fields: Fields) -> Response:
        """Make the first admin and sign them in."""
        if not same_origin(request.headers):
            return self._signin("/", FOREIGN, 403)
        key = fields.get("key", "")
        new = NewAccount(
            fields.get("name", "").strip().casefold(),
            fields.get("password", ""),
            display_name=fields.get("display_name", "").strip(),
            email=fields.get("email", "").strip(),
        )
        try:
            _must_agree(fields)
            opened = people.set_up(self.db, key, new, self.clock.now())
        except NotFound:
            return _page(pages.setup_gone(), 404)
        except UserError as error:
            return _page(pages.setup(key, f"{error.message} {error.hint}", fields), 400)
        return self._enter(request, opened, "/")

    # -- one's own account
    def account(self, request: Request) -> Response:
        """Who am I, what may I, and my password."""
        return self._account(request)

    def _account(self, request: Request, problem: str = "", status: int = 200) -> Response:
        principal: Principal = request.state.principal
        if principal.user is None:
            return _page(pages.no_account(principal))
        with self.db.read() as conn:
            found = people.account_named(conn, principal.user)
            sessions = store.sessions_of(conn, found.id, self.clock.now())
        return _page(pages.account(found, sessions, problem), status)

    def password(self, request: Request, fields: Fields) -> Response:
        """Change one's own password; every other session ends."""
        user = _person(request)
        now, address = self.clock.now(), address_of(request)
        old, new = fields.get("old", ""), fields.get("password", "")
        try:
            _must_agree(fields)
            opened = people.change_password(self.db, user, old, new, address, now)
        except UserError as error:
            return self._account(request, f"{error.message} {error.hint}", error.http_status)
        return self._enter(request, opened, "/account")

    def everywhere(self, request: Request) -> Response:
        """End all of one's sessions, this one too."""
        user = _person(request)
        with self.db.write() as conn:
            people.sign_out_everywhere(conn, user, self.clock.now(), user)
        return self.leave(request)


def signin_routes(services: Services) -> Sequence[BaseRoute]:
    """`/signin`, `/signout`, `/setup` and `/account`."""
    desk = Desk(services)
    return [
        Route("/signin", desk.form, methods=["GET"]),
        Route("/signin", _reading(desk.submit), methods=["POST"]),
        Route("/signout", desk.leave, methods=["POST"]),
        Route("/setup", desk.setup_form, methods=["GET"]),
        Route("/setup", _reading(desk.setup_submit), methods=["POST"]),
        Route("/account", desk.account, methods=["GET"]),
        Route("/account/password", _reading(desk.password), methods=["POST"]),
        Route("/account/signout-everywhere", desk.everywhere, methods=["POST"]),
    ]


def address_of(request: Request) -> str:
    """Where a request comes from: the server believes a proxy on the same machine, nobody else."""
    return request.client.host if request.client else ""


def local_path(where: str) -> str:
    """A path on this server, or ``/``: a sign-in never sends a browser to another site."""
    try:
        parts = urlsplit(where)
    except ValueError:
        return "/"
    safe = where.startswith("/") and not where.startswith(("//", "/\\"))
    printable = where.isprintable()
    return where if safe and printable and not parts.scheme and not parts.netloc else "/"


def _reading(submit: Submit) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_FORM:
                return HTMLResponse(escape(f"A form has at most {MAX_FORM} bytes."), 413)
        fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
        given = {name: values[0] for name, values in fields.items()}
        return await run_in_threadpool(submit, request, given)

    return answer


def _page(content: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(content, status, headers={"Cache-Control": "no-store"})


def _must_agree(fields: Fields) -> None:
    if fields.get("password", "") != fields.get("again", ""):
        raise UserError("The two passwords differ.", "Type the same one twice.")


def _person(request: Request) -> str:
    principal: Principal = request.state.principal
    if principal.user is None:
        raise UserError("You are signed in with a token, not as a person.", "Sign in by name.")
    return principal.user
