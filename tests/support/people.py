"""A whole server in this process, and people of every role who ask it for things."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote, urlencode

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp

from tests.support import definitions, duty
from watchkeeper.access.model import Role
from watchkeeper.access.people import NewAccount, account_named, add_account
from watchkeeper.access.work import open_session
from watchkeeper.engine.board import Board
from watchkeeper.faces.duty import Duty
from watchkeeper.faces.gate_door import GateDoor
from watchkeeper.faces.intake import IntakeDoor
from watchkeeper.faces.server import build_server
from watchkeeper.faces.services import Services
from watchkeeper.kernel.clock import VirtualClock
from watchkeeper.oncall import work as oncall_work
from watchkeeper.slo.model import Fleet
from watchkeeper.spec.duty import TargetKind
from watchkeeper.spec.model import Specs
from watchkeeper.store import Database

NOW = duty.START
PASSWORD = "correct horse battery staple"
HOST = "wk.test"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; of a stream, its beginning."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    @property
    def cookie(self) -> str:
        """The session that this answer opens, as a Cookie header; '' when it opens none."""
        found = self.headers.get("set-cookie", "")
        return found.split(";")[0] if found.startswith("wk_session=") else ""


@dataclass
class House:
    """The real application on a database, with a fleet of one SLO owned by the team shop."""

    db: Database
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(NOW))
    app: ASGIApp = field(init=False)
    services: Services = field(init=False)

    def __post_init__(self) -> None:
        board = Board()
        board.post(specs=world(), fleet=Fleet((), NOW, 0), ticked_at=NOW)
        self.services = Services(self.db, board, self.clock)
        pages = Duty(self.db, board, self.clock, duty.SITE)
        self.app = build_server(self.services, duty=pages)

    def add(self, name: str, role: Role, **team_roles: Role) -> None:
        """An account with the password that all have here."""
        new = NewAccount(name, PASSWORD, role, team_roles=team_roles)
        add_account(self.db, new, self.clock.now(), "test")

    def session(self, name: str) -> str:
        """A fresh session of this person, as a Cookie header."""
        with self.db.write() as conn:
            who = account_named(conn, name)
            return "wk_session=" + open_session(conn, self.clock.now(), account_id=who.id)[0]

    def page(self, policy: str) -> int:
        """A new page of this policy; its number."""
        with self.db.write() as conn:
            specs = self.services.specs()
            return oncall_work.drill(conn, policy, "test", specs, self.clock.now()).id

    def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        body: bytes = b"",
        address: str = "192.0.2.1",
    ) -> Answer:
        """One request from ``address``, answered by the real application."""
        sent = {"host": HOST, **{k.lower(): v for k, v in (headers or {}).items()}}
        if form is not None:
            body = urlencode(form).encode()
            sent["content-type"] = "application/x-www-form-urlencoded"
        elif body:
            sent.setdefault("content-type", "application/json")
        return asyncio.run(_ask(self.app, method, path, sent, body, address))

    def sign_in(self, name: str, password: str, address: str = "192.0.2.1") -> Answer:
        """Send the form of the sign-in page, as its own page does."""
        form = {"name": name, "password": password, "next": "/services"}
        own = {"Sec-Fetch-Site": "same-origin"}
        return self.ask("POST", "/signin", own, form, address=address)


async def _ask(
    app: ASGIApp, method: str, path: str, headers: Mapping[str, str], body: bytes, address: str
) -> Answer:
    where, _, query = path.partition("?")
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(where),
        "raw_path": where.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
        "client": (address, 50_000),
        "server": (HOST, 80),
    }
    queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    await queue.put({"type": "http.request", "body": body, "more_body": False})
    begun, parts = asyncio.Event(), []

    async def send(message: Any) -> None:  # noqa: ANN401 - ASGI's own
        parts.append(message)
        if message["type"] == "http.response.start":
            begun.set()

    async def answer() -> None:
        await app(scope, queue.get, send)

    running = asyncio.ensure_future(answer())
    waiting = asyncio.ensure_future(begun.wait())
    await asyncio.wait({running, waiting}, timeout=30, return_when=asyncio.FIRST_COMPLETED)
    streams = parts and b"text/event-stream" in dict(parts[0]["headers"]).get(b"content-type", b"")
    if streams:
        await queue.put({"type": "http.disconnect"})
        running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.wait_for(running, 30)
    waiting.cancel()
    start = parts[0]
    found = {k.decode().lower(): v.decode() for k, v in start["headers"]}
    return Answer(start["status"], found, b"".join(m.get("body", b"") for m in parts[1:]))


def world() -> Specs:
    """An SLO, a service, a schedule and a policy of the team shop, and a policy of nobody's."""
    target = duty.to(TargetKind.SCHEDULE, "first")
    shop = duty.policy((target, 300.0), name="shop", team="shop")
    base = duty.specs(
        escalation_policies={"shop": shop, "lone": duty.policy((target, 300.0), name="lone")},
        schedules={"first": duty.schedule("first", "ann", "ben", team="shop")},
    )
    api = definitions.slo("api", service="checkout")
    owned = {n: replace(s, owner="shop") for n, s in base.services.items()}
    return replace(base, slos={"api": api}, services=owned)


def routes_of(app: ASGIApp) -> set[str]:
    """Every route of an application as ``METHOD pattern``, mounted and included ones too.

    Raises TypeError for a kind of route that it does not know: nothing may hide from it. The doors
    before the pages have no routes: their keys and tokens have tests of their own.
    """
    while isinstance(app, IntakeDoor | GateDoor):
        app = app.app
    if not isinstance(app, Starlette):
        raise TypeError(f"What stands before the pages: {app!r}?")
    return set(_walk(app.routes, ""))


def _walk(routes: Iterable[BaseRoute], prefix: str) -> Iterator[str]:
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            context = getattr(route, "include_context", None)
            yield from _walk(included.routes, prefix + str(getattr(context, "prefix", "")))
        elif isinstance(route, Mount):
            if route.routes:
                yield from _walk(route.routes, prefix + route.path)
            else:
                yield f"GET {prefix}{route.path}/{{path:path}}"
        elif getattr(route, "methods", None) is not None:
            for method in route.methods - {"HEAD"}:  # type: ignore[attr-defined]
                yield f"{method} {prefix}{route.path}"  # type: ignore[attr-defined]
        else:
            raise TypeError(f"What is open through {route!r}?")
