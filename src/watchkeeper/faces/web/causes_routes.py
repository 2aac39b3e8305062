"""The page of an SLO's causes: all of them, with evidence, exports, and the form to correct one."""

from __future__ import annotations

import json
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from watchkeeper.access.model import Permission
from watchkeeper.causes import contract
from watchkeeper.causes.model import Account, Kind
from watchkeeper.causes.work import Saying
from watchkeeper.faces.causes import Causes, kind_of
from watchkeeper.faces.services import Services
from watchkeeper.faces.web import causes_view, words
from watchkeeper.faces.web.acting import Acting, Form, actor, allowed
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import DAY_MINUTES
from watchkeeper.kernel.errors import NotFound, UserError

WINDOWS: Sequence[tuple[str, str, int | None]] = (
    ("", "Its window", None),
    ("1d", "1 day", DAY_MINUTES),
    ("7d", "7 days", 7 * DAY_MINUTES),
    ("28d", "28 days", 28 * DAY_MINUTES),
    ("90d", "90 days", 90 * DAY_MINUTES),
)


class CausesHandlers(Acting):
    """All handlers, over the same services."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self.causes = Causes(services)

    def page(self, request: Request, problem: str = "", status: int = 200) -> Response:
        """Every cause with its evidence."""
        name, kind = request.path_params["name"], request.query_params.get("kind", "")
        window, account = self._asked(request)
        view = causes_view.causes_view(account, most=None)
        found = self.services.fleet().get(name)
        rows = [r for r in view.rows if not kind or r.kind_value == kind]
        return self.pages.page(
            request,
            "causes.html",
            "slos",
            status,
            name=name,
            title=(found.display_name if found else "") or name,
            url=words.slo_url(name),
            view=view,
            rows=rows,
            kinds=causes_view.kind_rows(account),
            accuracy=causes_view.accuracy_rows(self.causes.measured()),
            choices=list(causes_view.KINDS.items()),
            window=window,
            windows=WINDOWS,
            kind=kind if kind in {str(k) for k in Kind} else "",
            total=text.number(float(account.consumed), 0),
            problem=problem,
            may_say=allowed(request, Permission.RESPOND),
        )

    def _asked(self, request: Request) -> tuple[str, Account]:
        asked = request.query_params.get("window", "")
        window, minutes = next(((w, m) for w, _, m in WINDOWS if w == asked), ("", None))
        return window, self.causes.account(request.path_params["name"], minutes)

    def export(self, request: Request) -> Response:
        """The same as CSV or JSON."""
        told = contract.account_json(self._asked(request)[1])
        as_csv = request.url.path.endswith(".csv")
        name = f"causes.{'csv' if as_csv else 'json'}"
        return Response(
            contract.account_csv(told) if as_csv else json.dumps(told, indent=1),
            media_type="text/csv; charset=utf-8" if as_csv else "application/json",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    def say(self, request: Request, form: Form) -> Response:
        """What caused it, as a person says."""
        name = request.path_params["name"]
        try:
            at = _instant(form.get("at", ""))
            said = Saying(kind_of(form.get("kind", "")), form.get("what", ""), form.get("note", ""))
            label = self.causes.say(name, at, said, actor(request))
        except NotFound:
            raise
        except UserError as error:
            return self.page(request, f"{error.message} {error.hint}".strip(), 400)
        return RedirectResponse(f"{words.slo_url(name)}/causes#e{label.start}", 303)

    def unsay(self, request: Request, _: Form) -> Response:
        """Take it back."""
        name = request.path_params["name"]
        self.causes.unsay(name, request.path_params["id"], actor(request))
        return RedirectResponse(f"{words.slo_url(name)}/causes", 303)


def _instant(written: str) -> float:
    if not (written.isascii() and written.isdigit()) or len(written) > 12:
        raise UserError("The time of the episode is missing.", "Use the form beside it.")
    return float(written)


def causes_routes(services: Services) -> Sequence[BaseRoute]:
    """The routes; they come before that of a single SLO, whose name may hold slashes."""
    its = CausesHandlers(services)
    return [
        Route("/slo/{name:path}/causes.csv", its.shown(its.export)),
        Route("/slo/{name:path}/causes.json", its.shown(its.export)),
        Route("/slo/{name:path}/causes/{id}/remove", its.posted(its.unsay), methods=["POST"]),
        Route("/slo/{name:path}/causes", its.posted(its.say), methods=["POST"]),
        Route("/slo/{name:path}/causes", its.shown(its.page)),
    ]
