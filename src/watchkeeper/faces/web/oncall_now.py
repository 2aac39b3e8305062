"""The page On call: who has it now, until when, who is next, and can they be reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from watchkeeper.access.model import Permission
from watchkeeper.faces import rota_pages as reads
from watchkeeper.faces.duty import Duty
from watchkeeper.faces.reaching import ContactView, proofs_of
from watchkeeper.faces.services import Services
from watchkeeper.faces.web import duty_calendar as cal
from watchkeeper.faces.web import words
from watchkeeper.faces.web.acting import Acting, allowed
from watchkeeper.faces.web.reached import Way, reach_badge, ways
from watchkeeper.faces.web.readers import zone_of
from watchkeeper.faces.web.schedules import Lead, lead, url_of
from watchkeeper.faces.web.words import Badge
from watchkeeper.kernel.clock import Seconds
from watchkeeper.oncall.calling import changes_of
from watchkeeper.oncall.schedule.model import Change
from watchkeeper.oncall.schedule.rules import on_call
from watchkeeper.spec.duty import ScheduleDefinition

WEEK = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class DutyRow:
    """A schedule now."""

    title: str
    url: str
    team: str
    zone: str
    ical: str
    lead: Lead
    reach: Badge
    ways: Sequence[tuple[str, Sequence[Way]]]
    week: cal.Row
    gap: bool


def duty_row(
    schedule: ScheduleDefinition,
    changes: Sequence[Change],
    contacts: Sequence[ContactView],
    duty: Duty,
    zone: str,
    now: Seconds,
) -> DutyRow:
    """One schedule, in the reader's time zone."""
    specs = duty.specs()
    here = on_call(schedule, changes, now)
    first = lead(schedule, changes, specs, zone, now)
    day = datetime.fromtimestamp(now, ZoneInfo(zone)).date()
    reached = [(cal.names((u,), specs), ways(contacts, u, duty.shown, now)) for u in here.users]
    return DutyRow(
        schedule.display_name,
        url_of(schedule.name),
        words.team_name(specs, schedule.team),
        schedule.time_zone,
        duty.ical("schedule", schedule.name),
        first,
        reach_badge(contacts, here.users, now),
        reached,
        cal.strip(schedule, changes, specs, cal.Asked("week", day, zone), now),
        not here.users or (bool(first.gaps) and not schedule.may_be_empty),
    )


class OncallHandlers(Acting):
    """The handler of this page."""

    def __init__(self, duty: Duty, services: Services) -> None:
        super().__init__(services)
        self.duty = duty

    def show(self, request: Request) -> Response:
        """Every schedule, by team."""
        rows = self._rows(request)
        return self.pages.page(
            request,
            "oncall.html",
            "oncall",
            headline=_headline(rows),
            rows=rows,
            zone=zone_of(request, self.duty.specs()),
            may_edit=allowed(request, Permission.EDIT),
        )

    def part(self, request: Request) -> Response:
        """The same again, without the frame."""
        rows = self._rows(request)
        return self.pages.part("_oncall.html", rows=rows, headline=_headline(rows))

    def _rows(self, request: Request) -> list[DutyRow]:
        specs, now = self.duty.specs(), self.duty.clock.now()
        zone, contacts = zone_of(request, specs), proofs_of(self.duty).contacts
        every = reads.all_changes(self.duty, now - WEEK)
        rows = [
            duty_row(s, changes_of(every, name), contacts, self.duty, zone, now)
            for name, s in specs.duty.schedules.items()
        ]
        return sorted(rows, key=lambda r: (r.team == "", r.team, r.title))


def _headline(rows: Sequence[DutyRow]) -> str:
    if not rows:
        return "Nobody is on call"
    empty = [r for r in rows if r.lead.who == "Nobody"]
    if empty:
        return f"Nobody is on call now for {', '.join(r.title for r in empty)}"
    holes = [r for r in rows if r.gap]
    if holes:
        return f"Somebody is on call everywhere now; {words.plural(len(holes), 'schedule')} " + (
            "has a gap ahead" if len(holes) == 1 else "have gaps ahead"
        )
    return "Somebody is on call everywhere, with no gap for 28 days"


def oncall_routes(duty: Duty, services: Services) -> Sequence[BaseRoute]:
    """All routes of this page."""
    its = OncallHandlers(duty, services)
    return [Route("/oncall", its.shown(its.show)), Route("/parts/oncall", its.shown(its.part))]
