"""iCalendar feeds: for calendars that cannot sign in, so each address carries a key of its own."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from watchkeeper.faces.duty import Duty
from watchkeeper.kernel.errors import NotFound
from watchkeeper.oncall.schedule.ical import feed
from watchkeeper.oncall.schedule.model import Shift

BACK, AHEAD = 14 * 86_400.0, 90 * 86_400.0


def ical_routes(duty: Duty) -> Sequence[BaseRoute]:
    """`/ical/schedule/NAME.ics` and `/ical/user/NAME.ics`."""

    def answer(request: Request) -> Response:
        kind, name = request.path_params["kind"], request.path_params["name"]
        given = request.query_params.get("key", "")
        if not hmac.compare_digest(given.encode(), duty.ical_key(kind, name).encode()):
            return PlainTextResponse("This feed needs its key.", 403)
        try:
            found = _shifts(duty, kind, name)
        except NotFound as error:
            return PlainTextResponse(error.message, 404)
        url = f"{duty.site.base_url}/oncall" if duty.site.base_url else ""
        text = feed(f"On call: {name}", found, duty.clock.now(), url)
        return Response(text, media_type="text/calendar; charset=utf-8")

    return [Route("/ical/{kind}/{name}.ics", answer)]


def _shifts(duty: Duty, kind: str, name: str) -> list[tuple[str, Shift]]:
    now, specs = duty.clock.now(), duty.specs()
    start, end = now - BACK, now + AHEAD
    if kind == "schedule":
        return [(name, s) for s in duty.shifts(name, start, end)]
    if kind != "user" or name not in specs.duty.users:
        raise NotFound(f"There is no feed of {kind} {name!r}.", "See the page On call.")
    return [
        (schedule, shift)
        for schedule in specs.duty.schedules
        for shift in duty.shifts(schedule, start, end)
        if name in shift.users or name in shift.shadows
    ]
