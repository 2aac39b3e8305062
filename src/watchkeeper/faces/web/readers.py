"""Who reads the pages of on-call, and in which time zone."""

from __future__ import annotations

from zoneinfo import ZoneInfo, available_timezones

from starlette.requests import Request

from watchkeeper.access.model import Principal
from watchkeeper.kernel.errors import UserError
from watchkeeper.spec.model import Specs

ZONE_COOKIE = "wk_zone"
"""What the browser says of its time zone; see static/oncall.js."""


def account(request: Request) -> str:
    """The account of who asks; '' for a token of nobody and for anonymous readers."""
    principal: Principal | None = getattr(request.state, "principal", None)
    return (principal.user or "") if principal else ""


def zone_of(request: Request, specs: Specs) -> str:
    """The reader's time zone: that of their definition, else of their browser, else UTC."""
    person = specs.duty.users.get(account(request))
    if person is not None:
        return person.time_zone
    said = request.cookies.get(ZONE_COOKIE, "").replace("%2F", "/")
    return said if said in available_timezones() else "UTC"


def known_zone(written: str, usual: str) -> str:
    """A time zone that a form gives. Raises UserError."""
    if not written:
        return usual
    if written not in available_timezones():
        raise UserError(f"There is no time zone {written!r}.", "Write it as Europe/Berlin.")
    return ZoneInfo(written).key
