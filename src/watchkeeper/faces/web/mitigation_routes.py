"""The handlers of the pages on mitigations: parse, call, render."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from watchkeeper.access.model import Permission
from watchkeeper.faces.duty import Duty
from watchkeeper.faces.mitigations import mitigations_of
from watchkeeper.faces.services import Services
from watchkeeper.faces.web import mitigation_views as views
from watchkeeper.faces.web.acting import Acting, Form, actor, allowed, number, refused, sorry
from watchkeeper.incidents.keeping import By
from watchkeeper.kernel.errors import NotFound, UserError

FIELD = "p."
"""Before the names of parameters, so that they cannot be mistaken for anything else."""


class MitigationHandlers(Acting):
    """All handlers, over the same services."""

    def __init__(self, duty: Duty, services: Services) -> None:
        super().__init__(services)
        self.duty, self.mitigations = duty, mitigations_of(duty)

    def form(
        self, request: Request, problem: str = "", entered: Form | None = None, status: int = 200
    ) -> Response:
        """What will be done, with which values: the step in which a person confirms it."""
        incident_id, name = _incident(request), request.path_params["name"]
        offered = self.mitigations.offer(incident_id, name)
        specs = self.duty.specs()
        names = {n: s.display_name for n, s in specs.services.items()}
        return self.pages.page(
            request,
            "mitigation.html",
            "incidents",
            status,
            incident=self.mitigations.first_aid(incident_id).incident,
            view=views.form(offered, entered or {}, names),
            problem=problem,
        )

    def ask(self, request: Request, form: Form) -> Response:
        """Run it, or try it; then see what comes of it."""
        incident_id, name = _incident(request), request.path_params["name"]
        values = {k.removeprefix(FIELD): v for k, v in form.items() if k.startswith(FIELD)}
        try:
            asked = self.mitigations.request(
                incident_id, name, values, By(actor(request), "web"),
                dry_run=form.get("how") == "try", confirmed=form.get("how") == "run",
                seen=_seen(form),
            )  # fmt: skip
        except NotFound:
            raise
        except UserError as error:
            if request.headers.get("hx-request") == "true":
                return refused(request, error, lambda said: self.form(request, said))
            return self.form(request, sorry(error), form, 400)
        if request.headers.get("hx-request") == "true":
            return Response(status_code=204)
        return RedirectResponse(f"/incidents/{incident_id}/runs/{asked.run.id}", 303)

    def run(self, request: Request) -> Response:
        """One run, with what it prints."""
        return self.pages.page(
            request, "mitigation_run.html", "incidents", 200, **self._run(request)
        )

    def run_part(self, request: Request) -> Response:
        """The same again."""
        return self.pages.part("_mitigation_run.html", **self._run(request))

    def _run(self, request: Request) -> dict[str, object]:
        incident_id = _incident(request)
        found = self.mitigations.run(incident_id, number(request.path_params["run"], "run"))
        return {
            "view": views.run(found, self.duty.clock.now()),
            "incident": incident_id,
            "may_respond": allowed(request, Permission.RESPOND),
        }


def _incident(request: Request) -> int:
    return number(request.path_params["id"], "incident")


def _seen(form: Form) -> int | None:
    written = form.get("seen", "")
    return int(written) if written.isascii() and written.isdigit() and len(written) < 16 else None


def mitigation_routes(duty: Duty, services: Services) -> Sequence[BaseRoute]:
    """All routes of these pages."""
    its = MitigationHandlers(duty, services)
    return [
        Route("/incidents/{id}/mitigations/{name}", its.shown(its.form), methods=["GET"]),
        Route("/incidents/{id}/mitigations/{name}", its.posted(its.ask), methods=["POST"]),
        Route("/incidents/{id}/runs/{run}", its.shown(its.run)),
        Route("/parts/incidents/{id}/runs/{run}", its.shown(its.run_part)),
    ]
