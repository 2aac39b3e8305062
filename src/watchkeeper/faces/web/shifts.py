"""The page My shifts: what a person needs to know before, during and after being on call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from watchkeeper.access.model import Permission
from watchkeeper.faces import rota_pages as reads
from watchkeeper.faces.duty import Duty
from watchkeeper.faces.reaching import proofs_of
from watchkeeper.faces.services import Services
from watchkeeper.faces.web import change_form, duty_views, words
from watchkeeper.faces.web import duty_calendar as cal
from watchkeeper.faces.web.acting import Acting, Form, actor, allowed, sorry
from watchkeeper.faces.web.reached import rule_lines, ways
from watchkeeper.faces.web.readers import account, known_zone
from watchkeeper.faces.web.schedules import change_rows, note_rows, url_of
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.oncall.calling import changes_of
from watchkeeper.oncall.schedule.model import Shift
from watchkeeper.oncall.schedule.preview import hours_of
from watchkeeper.spec.duty import ScheduleDefinition, UserDefinition

DAY = 86_400.0
DAYS = 28
Mine = Sequence[tuple[ScheduleDefinition, Shift]]


@dataclass(frozen=True, slots=True)
class MyShift:
    """A shift of mine."""

    schedule: str
    url: str
    when: str
    length: str
    starts: str
    now: bool
    shadow: bool
    why: str
    give: str


@dataclass(frozen=True, slots=True)
class MyHours:
    """Hours on call in four weeks; shadowing does not count."""

    ahead: str
    ahead_outside: str
    back: str


class ShiftHandlers(Acting):
    """All handlers of this page."""

    def __init__(self, duty: Duty, services: Services) -> None:
        super().__init__(services)
        self.duty = duty

    def show(self, request: Request) -> Response:
        """My shifts; with ``?user=`` another person's, to look at."""
        return self._shown(request, dict(request.query_params))

    def _shown(
        self, request: Request, given: Form, problem: str = "", status: int = 200
    ) -> Response:
        people = self.duty.specs().duty.users
        name = given.get("whose", "") or account(request)
        if given.get("whose") and name not in people:
            raise NotFound(f"There is no user {name!r}.", "Users are defined as kind User.")
        person = people.get(name)
        users = [(u.name, u.display_name) for u in people.values()]
        if person is None:
            return self.pages.page(
                request, "mine.html", "oncall", status, person=None, account=account(request),
                users=users, problem=problem,
            )  # fmt: skip
        return self._of(request, person, given, problem, status)

    def _of(
        self, request: Request, person: UserDefinition, given: Form, problem: str, status: int
    ) -> Response:
        now, specs, zone = self.duty.clock.now(), self.duty.specs(), person.time_zone
        mine = self.duty.shifts_of(person.name, now, now + 13 * 7 * DAY)
        form = change_form.entered(given, known_zone(given.get("zone", ""), zone), "leave")
        chosen, effects, tried = given.get("schedule", ""), [], False
        if form.start and not problem:
            try:
                tried, effects = True, self._effects(form, chosen, person.name)
            except UserError as error:
                problem, tried = sorry(error), False
        own, editor = account(request) == person.name, allowed(request, Permission.EDIT)
        every = reads.all_changes(self.duty, now)
        about = {c.id: c for its in every.values() for c in its
                 if person.name in (c.user, c.replaces)}  # fmt: skip
        schedules = list(dict.fromkeys(s.name for s, _ in mine))
        return self.pages.page(
            request,
            "mine.html",
            "oncall",
            status,
            person=person,
            own=own,
            users=[(u.name, u.display_name) for u in specs.duty.users.values()],
            headline=_headline(person, mine, now, own),
            zone=zone,
            shifts=[self._row(s, shift, person, now) for s, shift in mine][:10],
            hours=self._hours(person, mine, now),
            open_pages=[
                duty_views.page_row(p, specs, now) for p in reads.pages_of(self.duty, person.name)
            ],
            ways=ways(proofs_of(self.duty).contacts, person.name, self.duty.shown, now),
            rules=[
                ("Pages", rule_lines(person.page, person, self.duty.shown)),
                ("Tickets", rule_lines(person.ticket, person, self.duty.shown)),
            ],
            ical=f"{self.duty.site.base_url}{self.duty.ical('user', person.name)}",
            changes=change_rows(list(about.values()), specs, zone),
            schedules=[(n, s.display_name) for n, s in specs.duty.schedules.items()],
            notes=[
                (specs.duty.schedules[n].display_name, url_of(n),
                 note_rows(reads.handoffs(self.duty, n, 2), zone))
                for n in schedules
            ],
            form=form,
            chosen=chosen,
            effects=effects,
            tried=tried,
            problem=problem,
            said=given.get("said", "") if request.method == "POST" else "",
            may_change=editor or (own and allowed(request, Permission.RESPOND)),
            may_edit=editor,
            may_respond=allowed(request, Permission.RESPOND),
        )  # fmt: skip

    def _effects(
        self, form: change_form.Entered, schedule: str, author: str
    ) -> list[tuple[str, Sequence[change_form.Effect]]]:
        specs = self.duty.specs()
        change = change_form.change_of(form, schedule, author, specs)
        if schedule:
            reads.schedule_named(self.duty, schedule)
        every = reads.all_changes(self.duty, change.start)
        found = [
            (s.display_name,
             change_form.effects(s, changes_of(every, name), change, specs, form.zone))
            for name, s in specs.duty.schedules.items()
            if schedule in ("", name)
        ]  # fmt: skip
        return [each for each in found if each[1]]

    def _row(
        self, schedule: ScheduleDefinition, shift: Shift, person: UserDefinition, now: Seconds
    ) -> MyShift:
        zone, here = person.time_zone, shift.start <= now < shift.end
        shadow = person.name not in shift.users
        give = "/oncall/mine" + cal.query(
            whose=person.name, kind="leave", replaces=person.name, schedule=schedule.name,
            **{"from": cal.typed(max(now, shift.start), zone), "to": cal.typed(shift.end, zone)},
        ) + "#change"  # fmt: skip
        starts = "now" if here else f"in {text.duration(shift.start - now)}"
        return MyShift(
            schedule.display_name,
            url_of(schedule.name),
            cal.between(shift.start, shift.end, zone),
            text.duration(shift.end - shift.start),
            starts,
            here,
            shadow,
            " · ".join(x for x in (shift.layer, shift.reason, "shadow" if shadow else "") if x),
            "" if shadow else give,
        )

    def _hours(self, person: UserDefinition, mine: Mine, now: Seconds) -> MyHours:
        end = now + DAYS * DAY
        ahead = hours_of(
            [(max(now, s.start), min(end, s.end)) for _, s in mine
             if person.name in s.users and s.start < end],
            person.time_zone,
        )  # fmt: skip
        past = self.duty.shifts_of(person.name, now - DAYS * DAY, now)
        back = hours_of(
            [(s.start, s.end) for _, s in past if person.name in s.users], person.time_zone
        )
        return MyHours(f"{ahead.total:.0f} h", f"{ahead.outside:.0f} h", f"{back.total:.0f} h")

    def add(self, request: Request, form: Form) -> Response:
        """Give a shift of mine away, or take one over: responders for themselves, editors for
        everybody."""
        me, specs = account(request), self.duty.specs()
        whose = form.get("whose", "") or me
        try:
            person = specs.duty.users.get(whose)
            zone = known_zone(form.get("zone", ""), person.time_zone if person else "UTC")
            change = change_form.change_of(
                change_form.entered(form, zone), form.get("schedule", ""), actor(request), specs
            )
            if not allowed(request, Permission.EDIT) and me not in (change.user, change.replaces):
                raise UserError(
                    "This is nobody's shift but your own to change.",
                    "An editor can change those of others.",
                )
            if not allowed(request, Permission.EDIT) and not change.replaces:
                raise UserError("Say whose shifts you take over.", "Choose 'For'.")
            self.duty.change(
                change.schedule, change.kind, change.start, change.end, change.user,
                change.replaces, change.reason, change.author,
            )  # fmt: skip
        except UserError as error:
            return self._shown(request, form, sorry(error), 400)
        return RedirectResponse("/oncall/mine" + cal.query(whose="" if whose == me else whose), 303)

    def test(self, request: Request, form: Form) -> Response:
        """A test message to one of my own addresses."""
        me = account(request)
        person = self.duty.specs().duty.users.get(me)
        channel, address = form.get("channel", ""), form.get("address", "")
        mine = person.contacts if person else ()
        kept = next(
            (c for c in mine if c.channel == channel
             and self.duty.shown(c.channel, c.address) == address), None,
        )  # fmt: skip
        if kept is None:
            raise NotFound("You have no such contact.", "Contacts are defined with the user.")
        self.duty.test_channel(channel, address, actor(request))
        return self._shown(request, {"said": f"A test is on its way to {address}."})


def _headline(person: UserDefinition, mine: Mine, now: Seconds, own: bool) -> str:
    who = "You are" if own else f"{person.display_name} is"
    lead = [(s, x) for s, x in mine if person.name in x.users]
    here = [s.display_name for s, x in lead if x.start <= now < x.end]
    if here:
        return f"{who} on call now for {' and '.join(dict.fromkeys(here))}"
    if lead:
        return f"{who} next on call in {text.duration(lead[0][1].start - now)}"
    return f"{who} not on call in the next {words.plural(13, 'week')}"


def shift_routes(duty: Duty, services: Services) -> Sequence[BaseRoute]:
    """All routes of this page."""
    its = ShiftHandlers(duty, services)
    return [
        Route("/oncall/mine", its.shown(its.show)),
        Route("/oncall/mine/changes", its.posted(its.add), methods=["POST"]),
        Route("/oncall/mine/test", its.posted(its.test), methods=["POST"]),
    ]
