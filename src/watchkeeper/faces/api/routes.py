"""The routes of the API: parse, call one work function, render."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from watchkeeper import __version__
from watchkeeper.faces.actions import actions_of
from watchkeeper.faces.alerts import alerts_of
from watchkeeper.faces.api import render
from watchkeeper.faces.api.actions import action_routes
from watchkeeper.faces.api.afford import afford_routes
from watchkeeper.faces.api.alerts import alert_routes
from watchkeeper.faces.api.asked import actor
from watchkeeper.faces.api.backtest import backtest_routes
from watchkeeper.faces.api.causes import cause_routes
from watchkeeper.faces.api.changes import change_routes
from watchkeeper.faces.api.channel import channel_routes
from watchkeeper.faces.api.duty import duty_router
from watchkeeper.faces.api.gate import gate_routes
from watchkeeper.faces.api.incidents import incident_routes
from watchkeeper.faces.api.learning import learning_routes
from watchkeeper.faces.api.mitigations import mitigation_routes
from watchkeeper.faces.api.models import CorrectionIn, SloOut
from watchkeeper.faces.api.people import people_routes
from watchkeeper.faces.api.postmortems import postmortem_routes
from watchkeeper.faces.api.push import Api
from watchkeeper.faces.api.reviews import review_routes
from watchkeeper.faces.api.status import status_routes
from watchkeeper.faces.changes import Changes
from watchkeeper.faces.channel import Channel
from watchkeeper.faces.duty import Duty
from watchkeeper.faces.gate import gate_of
from watchkeeper.faces.incidents import incidents_of
from watchkeeper.faces.learning import learning_of
from watchkeeper.faces.mitigations import mitigations_of
from watchkeeper.faces.postmortems import postmortems_of
from watchkeeper.faces.reviews import Reviews
from watchkeeper.faces.services import Services
from watchkeeper.faces.status.pages import status_pages_of
from watchkeeper.kernel.errors import NotFound, WatchkeeperError
from watchkeeper.slo.contract import status_json

State = Literal["ok", "at_risk", "depleted", "no_data"]


def build_api(services: Services, duty: Duty) -> FastAPI:
    """The API as an application to be mounted at ``/api``."""
    app = Api(
        title="Watchkeeper",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        servers=[{"url": "/api"}],
    )
    router = APIRouter(prefix="/v1")
    cause_routes(router, services)
    afford_routes(router, services)
    # Pipelines ask it at every release, and routes are tried in order.
    gate_routes(router, gate_of(duty))
    _slo_routes(router, services)
    _correction_routes(router, services)
    _context_routes(router, services)
    people_routes(router, services)
    duty_router(router, duty)
    alert_routes(router, alerts_of(duty))
    backtest_routes(router, services)
    action_routes(router, actions_of(duty))
    learning_routes(router, learning_of(duty))
    change_routes(router, Changes(services))
    incident_routes(router, incidents_of(duty))
    channel_routes(router, Channel(duty))
    mitigation_routes(router, mitigations_of(duty))
    postmortem_routes(router, postmortems_of(duty))
    status_routes(router, status_pages_of(duty))
    review_routes(router, Reviews(duty))
    app.include_router(router)
    app.add_exception_handler(WatchkeeperError, _our_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    return app


def _slo_routes(router: APIRouter, services: Services) -> None:
    @router.get("/slos", response_model=list[SloOut], tags=["slos"])
    def list_slos(
        response: Response,
        state: State | None = None,
        service: str | None = None,
        team: str | None = None,
        journey: str | None = None,
        q: Annotated[str, Query(max_length=200, description="in name or service")] = "",
        limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
        offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    ) -> list[dict[str, Any]]:
        """Every SLO's status, least budget first. The number that match is in `X-Total-Count`."""
        wanted = render.filtered(services.fleet().statuses, state, service, team, journey, q)
        response.headers["X-Total-Count"] = str(len(wanted))
        return [status_json(status) for status in wanted[offset : offset + limit]]

    # The two longer paths come first: a name may hold slashes.
    @router.get("/slos/{name:path}/detail", tags=["slos"])
    def slo_detail(name: str) -> dict[str, Any]:
        """One SLO in depth: burn-down, events per hour and minute, where the budget went."""
        return render.detail_json(services.detail(name))

    @router.get("/slos/{name:path}/corrections", tags=["corrections"])
    def list_corrections(name: str) -> list[dict[str, Any]]:
        """The intervals excluded from this SLO."""
        return [render.correction_json(c) for c in services.corrections(name)]

    @router.get("/slos/{name:path}", response_model=SloOut, tags=["slos"])
    def get_slo(name: str) -> dict[str, Any]:
        """One SLO's status."""
        found = services.fleet().get(name)
        if found is None:
            raise NotFound(f"There is no SLO named {name!r}.", "GET /api/v1/slos lists them all.")
        return status_json(found)


def _correction_routes(router: APIRouter, services: Services) -> None:
    @router.post("/slos/{name:path}/corrections", status_code=201, tags=["corrections"])
    def add_correction(name: str, body: CorrectionIn, request: Request) -> dict[str, Any]:
        """Exclude an interval from this SLO's arithmetic, with a reason."""
        made = services.add_correction(
            name, render.seconds(body.start), render.seconds(body.end), body.reason, actor(request)
        )
        return render.correction_json(made)

    @router.delete(
        "/slos/{name:path}/corrections/{correction_id}", status_code=204, tags=["corrections"]
    )
    def remove_correction(name: str, correction_id: str, request: Request) -> Response:
        """Count a corrected interval again."""
        services.remove_correction(name, correction_id, actor(request))
        return Response(status_code=204)


def _context_routes(router: APIRouter, services: Services) -> None:
    @router.get("/services", tags=["catalog"])
    def list_services() -> list[dict[str, Any]]:
        """Services with owner, tier and what they depend on."""
        return [render.service_json(s) for s in services.specs().services.values()]

    @router.get("/journeys", tags=["catalog"])
    def list_journeys() -> list[dict[str, Any]]:
        """Journeys with the names of their SLOs."""
        return [render.journey_json(j) for j in services.specs().journeys.values()]

    @router.get("/sources", tags=["sources"])
    def list_sources() -> list[dict[str, Any]]:
        """How each measurement source is doing, with what it had to say."""
        return [render.source_json(h) for h in services.source_health()]

    @router.get("/findings", tags=["specs"])
    def list_findings() -> dict[str, Any]:
        """Lint findings of the specs in use, and of a broken change that was not taken over."""
        posting = services.posting()
        return {
            "in_use": [str(f) for f in posting.findings],
            "not_taken_over": [str(f) for f in posting.reload_problem],
        }


def _our_error(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, WatchkeeperError):
        raise error
    return JSONResponse({"error": error.message, "hint": error.hint}, error.http_status)


def _invalid(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    parts = [
        f"{'.'.join(str(p) for p in problem['loc'])}: {problem['msg']}"
        for problem in error.errors()
    ]
    return JSONResponse({"error": "; ".join(parts), "hint": "See /api/v1/openapi.json."}, 400)
