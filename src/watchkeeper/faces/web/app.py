"""The pages as routes."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from watchkeeper.faces.web.contract import WebServices
from watchkeeper.faces.web.events import Pulse, stream
from watchkeeper.faces.web.render import STATIC, Static
from watchkeeper.faces.web.routes import Handlers
from watchkeeper.kernel.errors import WatchkeeperError

log = logging.getLogger("watchkeeper.web")

__all__ = ["WebServices", "build_web"]


def build_web(services: WebServices) -> Sequence[BaseRoute]:
    """All routes of the pages. The last one answers every other address with a 404 page."""
    if not (STATIC / "vendor" / "htmx-sse.min.js").is_file():
        log.warning(
            "the front-end assets are missing, so pages neither draw charts nor refresh; "
            "run scripts/build_assets.py (or make setup)"
        )
    handlers = Handlers(services)
    pulse = Pulse(services)

    async def events(request: Request) -> Response:
        return stream(request, services, pulse)

    async def add(request: Request) -> Response:
        return await _shown(handlers, request, handlers.add_correction)

    page = handlers.guarded
    return [
        Mount("/static", Static(directory=STATIC), name="static"),
        Route("/favicon.ico", handlers.favicon),
        Route("/events", events),
        Route("/", page(handlers.home)),
        Route("/parts/notices", page(handlers.notices_part)),
        Route("/parts/now", page(handlers.now_part)),
        Route("/parts/list", page(handlers.list_part)),
        Route("/parts/services", page(handlers.services_part)),
        Route("/parts/sources", page(handlers.sources_part)),
        Route("/parts/slo/{name:path}", page(handlers.slo_part)),
        Route("/export.csv", page(handlers.export)),
        Route("/export.json", page(handlers.export)),
        Route("/services", page(handlers.services_list)),
        Route("/sources", page(handlers.sources_list)),
        # The longer paths come first: a name may hold slashes.
        Route(
            "/slo/{name:path}/corrections/{id}/remove",
            page(handlers.remove_correction),
            methods=["POST"],
        ),
        Route("/slo/{name:path}/corrections", add, methods=["POST"]),
        Route("/slo/{name:path}", page(handlers.slo)),
        Route("/{rest:path}", page(handlers.nothing)),
    ]


async def _shown(
    handlers: Handlers, request: Request, handler: Callable[[Request], Awaitable[Response]]
) -> Response:
    try:
        return await handler(request)
    except WatchkeeperError as error:
        return handlers.trouble(request, error)
