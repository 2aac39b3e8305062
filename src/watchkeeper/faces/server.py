"""The server: pages, API, push endpoints, metrics and health behind one guard."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from functools import cached_property

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Asked

from watchkeeper.access.model import Scope
from watchkeeper.engine.loop import Loop
from watchkeeper.faces.api.routes import build_api
from watchkeeper.faces.duty import Duty, duty_of
from watchkeeper.faces.gate import gate_of
from watchkeeper.faces.gate_door import GateDoor
from watchkeeper.faces.guard import Guard
from watchkeeper.faces.hooks import hook_routes
from watchkeeper.faces.ical import ical_routes
from watchkeeper.faces.intake import Intake, IntakeDoor
from watchkeeper.faces.metrics import CONTENT_TYPE, exposition
from watchkeeper.faces.push import push_routes
from watchkeeper.faces.reviews import Reviews
from watchkeeper.faces.services import Services
from watchkeeper.faces.signin import signin_routes
from watchkeeper.faces.status.pages import status_pages_of
from watchkeeper.faces.teams import team_of
from watchkeeper.faces.web.actions import action_routes
from watchkeeper.faces.web.afford_routes import afford_routes
from watchkeeper.faces.web.alert_routes import alert_routes
from watchkeeper.faces.web.app import build_web
from watchkeeper.faces.web.audit import audit_routes
from watchkeeper.faces.web.budgets import budget_routes
from watchkeeper.faces.web.causes_routes import causes_routes
from watchkeeper.faces.web.changes import changes_routes
from watchkeeper.faces.web.duty_routes import duty_routes
from watchkeeper.faces.web.heartbeats import heartbeat_routes
from watchkeeper.faces.web.incident_routes import incident_routes
from watchkeeper.faces.web.integrations import integration_routes
from watchkeeper.faces.web.learning_routes import learning_routes
from watchkeeper.faces.web.mitigation_routes import mitigation_routes
from watchkeeper.faces.web.postmortem_routes import postmortem_routes
from watchkeeper.faces.web.reviews import review_routes
from watchkeeper.faces.web.serving import run
from watchkeeper.faces.web.silences import silence_routes
from watchkeeper.faces.web.status_routes import status_routes
from watchkeeper.faces.web.whatif import whatif_routes
from watchkeeper.kernel.errors import WatchkeeperError

__all__ = ["build_server", "run"]


def build_server(
    services: Services,
    loop: Loop | None = None,
    anonymous: frozenset[Scope] = frozenset(),
    duty: Duty | None = None,
    mail: socket.socket | None = None,
) -> ASGIApp:
    """The whole application. With a loop, ticking starts and stops with it; alerts come by
    ``mail`` too, where that is given."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        if loop is not None:
            loop.start()
        letterbox = await _letterbox(intake, mail) if mail is not None else None
        try:
            yield
        finally:
            if letterbox is not None:
                letterbox.close()
            intake.close()
            if loop is not None:
                await run_in_threadpool(loop.stop)

    duty = duty or duty_of(services)
    # What alerts wake is the pager alone: in a storm every other thread costs them time.
    call = loop.pager.wake if loop is not None and loop.pager is not None else duty.wake
    intake = Intake(services, call)
    status_pages = status_pages_of(duty)
    pages = Starlette(
        routes=[*status_routes(status_pages, services), *_routes(services, duty)],
        middleware=[
            Middleware(
                Guard,
                db=services.db,
                clock=services.clock,
                anonymous=anonymous,
                team_of=team_of(services),
                published=status_pages.published,
            ),
            Middleware(GZipMiddleware, minimum_size=1500, compresslevel=5),
        ],
        exception_handlers={WatchkeeperError: _our_error},
        lifespan=lifespan,
    )
    # Outermost: what comes thousands a second passes through nothing that it does not need.
    return IntakeDoor(GateDoor(pages, gate_of(duty)), intake)


async def _letterbox(intake: Intake, where: socket.socket) -> asyncio.Server:
    from watchkeeper.faces.letterbox import opened  # its library is for those alone who use it

    return await opened(intake, where)


def _routes(services: Services, duty: Duty) -> Sequence[BaseRoute]:
    def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    def readyz(_: Request) -> Response:
        why = services.unready()
        return PlainTextResponse(f"not ready: {why}\n" if why else "ready\n", 503 if why else 200)

    def metrics(_: Request) -> Response:
        return Response(exposition(services), media_type=CONTENT_TYPE)

    return [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
        *signin_routes(services),
        *push_routes(services),
        *audit_routes(services),
        *hook_routes(duty),
        *ical_routes(duty),
        *alert_routes(duty, services),
        *action_routes(duty, services),
        *changes_routes(services),
        *mitigation_routes(duty, services),
        *incident_routes(duty, services),
        *budget_routes(duty, services),
        *afford_routes(services),
        *postmortem_routes(duty, services),
        *learning_routes(duty, services),
        *review_routes(Reviews(duty), services),
        *integration_routes(duty, services),
        *silence_routes(duty, services),
        *heartbeat_routes(duty, services),
        *whatif_routes(services),
        *duty_routes(duty, services),
        *causes_routes(services),
        Mount("/api", WhenAsked(lambda: build_api(services, duty))),
        *build_web(services),
    ]


class WhenAsked:
    """An application that is built when it is first asked for something.

    To build the API takes as long as many requests do; a server is ready without it.
    """

    def __init__(self, build: Callable[[], Starlette]) -> None:
        self._build = build

    @cached_property
    def app(self) -> Starlette:
        """What answers."""
        return self._build()

    @property
    def routes(self) -> list[BaseRoute]:
        """Of the application."""
        return self.app.routes

    async def __call__(self, scope: Asked, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self.app(scope, receive, send)


async def _our_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, WatchkeeperError):
        raise error
    if "text/html" in request.headers.get("accept", ""):
        raise HTTPException(error.http_status, str(error))
    return JSONResponse({"error": error.message, "hint": error.hint}, error.http_status)
