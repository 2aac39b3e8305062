"""Templates, and the frame that every page stands in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope as AsgiScope

from watchkeeper import __version__
from watchkeeper.access.model import Permission, Principal, Scope
from watchkeeper.access.roles import may
from watchkeeper.faces.assets import STATIC, static_url
from watchkeeper.faces.web import words
from watchkeeper.faces.web.contract import WebServices
from watchkeeper.faces.web.nav import NAV
from watchkeeper.kernel.text import together
from watchkeeper.slo.model import Fleet, Look

__all__ = ["STATIC", "Frame", "Pages", "Static", "environment", "static_url"]

HERE = Path(__file__).resolve().parent
THEMES = ("light", "dark")
THEME_COOKIE = "wk_theme"
YEAR = 31_536_000


class Static(StaticFiles):
    """Static files; one asked for with its hash (``?v=``) never changes."""

    async def get_response(self, path: str, scope: AsgiScope) -> Response:
        """The file; a year in caches when its address has a hash, else asked for again."""
        answer = await super().get_response(path, scope)
        hashed = scope.get("query_string", b"").startswith(b"v=")
        answer.headers["Cache-Control"] = (
            f"public, max-age={YEAR}, immutable" if hashed else "no-cache"
        )
        return answer


def environment() -> Environment:
    """The templates: everything is escaped, an unknown name is an error."""
    found = Environment(
        loader=FileSystemLoader([HERE / "templates", HERE.parent / "status" / "templates"]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["together"] = together
    found.globals.update(static=static_url, version=__version__, nav=NAV)
    return found


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around a page: who reads, how it looks, what everyone should know."""

    here: str
    theme: str
    number: int
    as_of: str
    needed: int
    demo: str
    trouble: str
    broken: tuple[str, ...]
    user: str
    may_leave: bool
    alone: int
    responding: int
    inbox: bool
    admin: bool


def frame(request: Request, services: WebServices, here: str) -> Frame:
    """The frame of a page in the part ``here`` of the navigation."""
    # The number is taken before the fleet: a change between the two is then seen again, not missed.
    number = services.wait_for_change(-1, 0.0)
    fleet = services.fleet()
    principal: Principal | None = getattr(request.state, "principal", None)
    theme = request.cookies.get(THEME_COOKIE, "")
    return Frame(
        here=here,
        theme=theme if theme in THEMES else "",
        number=number,
        as_of=words.clock(fleet.as_of) if fleet.as_of else "",
        needed=needed(fleet),
        demo=services.demo_note(),
        trouble=services.trouble(),
        broken=tuple(str(f) for f in services.reload_problem()),
        user=principal.name if principal else "",
        may_leave=principal is not None and principal.name != "anonymous",
        alone=services.alone(),
        responding=services.responding(),
        inbox=any(c.type == "inbox" for c in services.specs().duty.channels.values()),
        admin=principal is not None and may(principal, Permission.ADMINISTER),
    )


def may_write(request: Request) -> bool:
    """Whether who asks may change something; forms that they cannot send are not shown."""
    principal: Principal | None = getattr(request.state, "principal", None)
    return principal is not None and principal.may(Scope.WRITE)


def needed(fleet: Fleet) -> int:
    """How many objectives need someone."""
    return sum(1 for s in fleet.statuses if s.look in (Look.BURN, Look.SPENT))


class Pages:
    """Renders templates in their frame."""

    def __init__(self, services: WebServices) -> None:
        self.services = services
        self.templates = environment()

    def page(
        self, request: Request, template: str, here: str, status: int = 200, **values: object
    ) -> Response:
        """A whole page."""
        around = frame(request, self.services, here)
        content = self.templates.get_template(template).render(frame=around, **values)
        answer = HTMLResponse(content, status)
        answer.headers["Cache-Control"] = "no-store"
        return answer

    def part(self, template: str, **values: object) -> Response:
        """A piece of a page, for htmx."""
        answer = HTMLResponse(self.templates.get_template(template).render(**values))
        answer.headers["Cache-Control"] = "no-store"
        return answer

    def wrong(self, request: Request, status: int, title: str, what: str, hint: str) -> Response:
        """An error page that says what happened and what to do."""
        return self.page(
            request, "error.html", "", status, code=status, title=title, what=what, hint=hint
        )
