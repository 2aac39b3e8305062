"""The page of one schedule: its calendar, its shifts, and changes that are tried before kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from watchkeeper.access.model import Permission
from watchkeeper.faces import rota_pages as reads
from watchkeeper.faces.duty import Duty
from watchkeeper.faces.services import Services
from watchkeeper.faces.web import change_form, words
from watchkeeper.faces.web import duty_calendar as cal
from watchkeeper.faces.web.acting import Acting, Form, actor, allowed, as_csv, sorry
from watchkeeper.faces.web.readers import known_zone, zone_of
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.kernel.errors import UserError
from watchkeeper.oncall.schedule.model import Change, Shift
from watchkeeper.oncall.schedule.rules import gaps, next_handoff, on_call, shifts
from watchkeeper.oncall.shares import Share, even
from watchkeeper.spec.duty import ScheduleDefinition
from watchkeeper.spec.model import Specs
from watchkeeper.store.timeline import Event

DAY = 86_400.0
AHEAD = 28
SHARED = 84
"""Days over which the page adds up who is planned for how long."""
HEAD = ("schedule", "start", "end", "hours", "on_call", "shadows", "layer", "reason")


@dataclass(frozen=True, slots=True)
class ShiftRow:
    """A shift in the table behind the calendar."""

    start: str
    end: str
    length: str
    who: str
    why: str
    gap: bool


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A change that is kept."""

    id: str
    what: str
    when: str
    reason: str


@dataclass(frozen=True, slots=True)
class NoteRow:
    """A note at a hand-off."""

    text: str
    by: str


@dataclass(frozen=True, slots=True)
class Lead:
    """The first line: who, until when, who next, gaps ahead."""

    who: str
    shadows: str
    until: str
    left: str
    next: str
    next_at: str
    gaps: Sequence[str]
    gap_words: str


@dataclass(frozen=True, slots=True)
class ShareRow:
    """What one person has ahead."""

    name: str
    hours: str
    out_of_hours: str
    part: str


@dataclass(frozen=True, slots=True)
class Zone:
    """A time zone to look in."""

    key: str
    zone: str
    words: str
    url: str


def url_of(name: str) -> str:
    """The address of a schedule's page."""
    return f"/oncall/schedules/{quote(name, safe='')}"


def lead(
    schedule: ScheduleDefinition, changes: Sequence[Change], specs: Specs, zone: str, now: Seconds
) -> Lead:
    """What the page answers first."""
    here, after = on_call(schedule, changes, now), next_handoff(schedule, changes, now)
    holes = gaps(schedule, changes, now, now + AHEAD * DAY)
    return Lead(
        who=cal.names(here.users, specs) or "Nobody",
        shadows=cal.names(here.shadows, specs),
        until=cal.local(after.start, zone) if after else "no hand-off within a year",
        left=f"in {text.duration(after.start - now)}" if after else "",
        next=(cal.names(after.users, specs) or "Nobody") if after else "–",
        next_at=cal.between(after.start, after.end, zone) if after else "",
        gaps=[cal.between(g.start, g.end, zone) for g in holes],
        gap_words=_gap_words(schedule, len(holes)),
    )


def _gap_words(schedule: ScheduleDefinition, holes: int) -> str:
    if not holes:
        return "None"
    meant = ", as meant" if schedule.may_be_empty else ""
    return words.plural(holes, "gap") + meant


def shift_rows(found: Sequence[Shift], specs: Specs, zone: str) -> list[ShiftRow]:
    """The table behind the calendar."""
    return [
        ShiftRow(
            cal.local(s.start, zone),
            cal.local(s.end, zone),
            text.duration(s.end - s.start),
            cal.names(s.users, specs) or "nobody",
            " · ".join(x for x in (s.layer, s.reason, _shadow(s, specs)) if x),
            not s.users,
        )
        for s in found
    ]


def _shadow(shift: Shift, specs: Specs) -> str:
    return f"shadow {cal.names(shift.shadows, specs)}" if shift.shadows else ""


def change_rows(changes: Sequence[Change], specs: Specs, zone: str) -> list[ChangeRow]:
    """Changes by time."""
    return [
        ChangeRow(
            c.id,
            cal.change_words(c, specs),
            cal.between(c.start, c.end, zone),
            " · ".join(
                x for x in (c.reason, f"by {c.author}", "" if c.schedule else "all schedules") if x
            ),
        )
        for c in sorted((c for c in changes if c.kind != "calendar"), key=lambda c: c.start)
    ]


def share_words(found: Sequence[Share]) -> str:
    """Whether the plan is fair, in a sentence."""
    if len(found) < 2:
        return "One person has all of it." if found else "Nobody is on this schedule."
    if even(found):
        return "It is shared evenly."
    most, least = (f(s.out_of_hours for s in found) for f in (max, min))
    return f"It is not even: from {least:,.0f} h to {most:,.0f} h out of hours."


def share_rows(found: Sequence[Share], specs: Specs) -> list[ShareRow]:
    """Planned hours by person."""
    whole = sum(s.hours for s in found)
    return [
        ShareRow(
            cal.names((s.user,), specs),
            f"{s.hours:,.0f} h",
            f"{s.out_of_hours:,.0f} h",
            text.whole_percent(s.hours / whole) if whole else text.NOTHING,
        )
        for s in found
    ]


def note_rows(events: Sequence[Event], zone: str) -> list[NoteRow]:
    """The newest notes."""
    return [
        NoteRow(str(e.data.get("text", "")), f"{e.actor}, {cal.local(e.at, zone)}") for e in events
    ]


class ScheduleHandlers(Acting):
    """All handlers of this page."""

    def __init__(self, duty: Duty, services: Services) -> None:
        super().__init__(services)
        self.duty = duty

    def show(self, request: Request) -> Response:
        """The calendar; with the fields of a change, as it would be with it."""
        return self._shown(request, request.query_params)

    def _shown(
        self, request: Request, given: Mapping[str, str], problem: str = "", status: int = 200
    ) -> Response:
        schedule = reads.schedule_named(self.duty, request.path_params["name"])
        specs, now = self.duty.specs(), self.duty.clock.now()
        mine = zone_of(request, specs)
        zone = mine if given.get("tz") == "mine" else schedule.time_zone
        asked = _asked(given, zone, now)
        first, last = cal.span(asked)
        since = min(now, cal.midnight(first, zone))
        changes = list(reads.changes_since(self.duty, schedule.name, since))
        form = change_form.entered(given, known_zone(given.get("zone", ""), zone))
        effect: Sequence[change_form.Effect] = ()
        if form.start and not problem:
            try:
                proposed = change_form.change_of(form, schedule.name, actor(request), specs)
                asked = replace(asked, proposed=proposed)
                effect = change_form.effects(schedule, changes, proposed, specs, zone)
            except UserError as error:
                problem = sorry(error)
        may_edit = self._may_edit(request, schedule)
        link = _linker(schedule, asked, given, changes, now) if may_edit else None
        drawn = cal.calendar(schedule, changes, specs, asked, now, link)
        shared = self.duty.shares(schedule.name, SHARED * DAY)
        return self.pages.page(
            request,
            "schedule.html",
            "oncall",
            status,
            title=schedule.display_name,
            name=schedule.name,
            url=url_of(schedule.name),
            team=words.team_name(specs, schedule.team),
            lead=lead(schedule, changes, specs, zone, now),
            calendar=drawn,
            views=[(v, w, self._url(schedule, given, view=v)) for v, (w, _) in cal.VIEWS.items()],
            view=asked.view,
            earlier=self._url(schedule, given, at=drawn.before),
            later=self._url(schedule, given, at=drawn.after),
            today=self._url(schedule, given, at=""),
            zones=self._zones(schedule, given, mine),
            zone=zone,
            at=given.get("at", ""),
            tz=given.get("tz", ""),
            people=_seen(schedule, changes, specs),
            users=[(u.name, u.display_name) for u in specs.duty.users.values()],
            rows=shift_rows(
                shifts(schedule, changes, drawn.start, drawn.end), specs, zone
            ),
            exports=_exports(schedule, drawn.start, drawn.end),
            ical=self._feed(schedule.name),
            changes=change_rows([c for c in changes if c.end > now], specs, zone),
            notes=note_rows(reads.handoffs(self.duty, schedule.name), zone),
            shares=share_rows(shared, specs),
            share_words=share_words(shared),
            holidays=[d for d in schedule.holidays if first.isoformat() <= d < last.isoformat()],
            form=form,
            kinds=[(k, w, says) for k, (_, w, says) in change_form.KINDS.items()],
            open=bool(form.start),
            effects=effect,
            tried=asked.proposed is not None,
            problem=problem,
            may_edit=may_edit,
            may_respond=allowed(request, Permission.RESPOND),
        )  # fmt: skip

    def _may_edit(self, request: Request, schedule: ScheduleDefinition) -> bool:
        return schedule.name != "" and allowed(request, Permission.EDIT)

    def _feed(self, name: str) -> str:
        return f"{self.duty.site.base_url}{self.duty.ical('schedule', name)}"

    def _url(self, schedule: ScheduleDefinition, given: Mapping[str, str], **new: str) -> str:
        kept = {k: given.get(k, "") for k in ("view", "at", "tz")}
        return url_of(schedule.name) + cal.query(**{**kept, **new})

    def _zones(
        self, schedule: ScheduleDefinition, given: Mapping[str, str], mine: str
    ) -> list[Zone]:
        theirs = Zone("", schedule.time_zone, "Schedule", self._url(schedule, given, tz=""))
        yours = Zone("mine", mine, "Yours", self._url(schedule, given, tz="mine"))
        return [theirs, yours]

    def add(self, request: Request, form: Form) -> Response:
        """Keep a change."""
        schedule = reads.schedule_named(self.duty, request.path_params["name"])
        try:
            zone = known_zone(form.get("zone", ""), schedule.time_zone)
            entered = change_form.entered(form, zone)
            made = change_form.change_of(entered, schedule.name, actor(request), self.duty.specs())
            self.duty.change(
                schedule.name,
                made.kind,
                made.start,
                made.end,
                made.user,
                made.replaces,
                made.reason,
                made.author,
            )
        except UserError as error:
            return self._shown(request, form, sorry(error), 400)
        kept = {k: form.get(k, "") for k in ("view", "at", "tz")}
        return RedirectResponse(url_of(schedule.name) + cal.query(**kept), 303)

    def remove(self, request: Request, form: Form) -> Response:
        """Take a change back, and return to where one was."""
        self.duty.remove_change(request.path_params["id"], actor(request))
        name = form.get("schedule", "")
        back = url_of(name) if name in self.duty.specs().duty.schedules else "/oncall"
        return RedirectResponse("/oncall/mine" if form.get("back") == "mine" else back, 303)

    def handoff(self, request: Request, form: Form) -> Response:
        """A note for whoever is on call next."""
        name = request.path_params["name"]
        try:
            reads.note_handoff(self.duty, name, form.get("text", ""), actor(request))
        except UserError as error:
            if error.http_status == 404:
                raise
            return self._shown(request, {}, sorry(error), 400)
        back = "/oncall/mine" if form.get("back") == "mine" else url_of(name)
        return RedirectResponse(back, 303)

    def export(self, request: Request) -> Response:
        """The final schedule of an interval as CSV; times in UTC."""
        given = request.query_params
        schedule = reads.schedule_named(self.duty, given.get("schedule", ""))
        now = self.duty.clock.now()
        start = change_form.at(given["start"], "UTC", "start") if given.get("start") else now
        end = change_form.at(given["end"], "UTC", "end") if given.get("end") else start + 28 * DAY
        found = self.duty.shifts(schedule.name, start, min(end, start + 400 * DAY))
        rows = [
            (schedule.name, iso(s.start), iso(s.end), round((s.end - s.start) / 3600, 2),
             "+".join(s.users), "+".join(s.shadows), s.layer, s.reason)
            for s in found
        ]  # fmt: skip
        return as_csv("shifts", HEAD, rows)


def _asked(given: Mapping[str, str], zone: str, now: Seconds) -> cal.Asked:
    view = given.get("view", "") or "2weeks"
    if view not in cal.VIEWS:
        raise UserError(f"There is no view {view!r}.", f"There are: {', '.join(cal.VIEWS)}.")
    today = datetime.fromtimestamp(now, ZoneInfo(zone)).date()
    if not given.get("at"):
        return cal.Asked(view, today, zone)
    try:
        day = date.fromisoformat(given["at"])
    except ValueError:
        raise UserError(f"{given['at']!r} is no day.", "Write it as 2026-01-05.") from None
    if not 1971 <= day.year <= 2199:
        raise UserError("That day is too far away.", "Give one from 1971 to 2199.")
    return cal.Asked(view, day, zone)


def _linker(
    schedule: ScheduleDefinition,
    asked: cal.Asked,
    given: Mapping[str, str],
    changes: Sequence[Change],
    now: Seconds,
) -> Any:  # noqa: ANN401 - (Shift) -> str
    """A shift as the start of an override: its times, whose it is, and who is next in turn."""

    def link(shift: Shift) -> str:
        if shift.end <= now:
            return ""
        after = next_handoff(schedule, changes, shift.start)
        users = after.users if after else ()
        instead = next((u for u in users if u not in shift.users), "")
        return url_of(schedule.name) + cal.query(
            view=given.get("view", ""),
            at=given.get("at", ""),
            tz=given.get("tz", ""),
            kind="override",
            user=instead,
            replaces=shift.users[0] if len(shift.users) > 1 else "",
            **{"from": cal.typed(max(shift.start, now), asked.zone),
               "to": cal.typed(shift.end, asked.zone)},
            zone=asked.zone,
        ) + "#change"  # fmt: skip

    return link


def _seen(
    schedule: ScheduleDefinition, changes: Sequence[Change], specs: Specs
) -> list[tuple[int, str]]:
    """(colour, name) of those whom the calendar may show."""
    layers = {u for layer in schedule.layers for e in layer.users for u in e.split("+")}
    others = {c.user for c in changes} | {c.replaces for c in changes}
    seen = layers | set(schedule.holiday_users) | others
    every = enumerate(cal.everybody(schedule, specs))
    return [(i % cal.TONES, specs.duty.users[u].display_name) for i, u in every if u in seen]


def _exports(schedule: ScheduleDefinition, start: Seconds, end: Seconds) -> tuple[str, str]:
    when = {"start": iso(start), "end": iso(end)}
    api = f"/api/v1/schedules/{quote(schedule.name, safe='')}/shifts"
    return f"/oncall/shifts.csv{cal.query(schedule=schedule.name, **when)}", api + cal.query(**when)


def schedule_routes(duty: Duty, services: Services) -> Sequence[BaseRoute]:
    """All routes of this page."""
    its = ScheduleHandlers(duty, services)
    base = "/oncall/schedules/{name:path}"
    return [
        Route("/oncall/shifts.csv", its.shown(its.export)),
        Route("/oncall/changes/{id}/remove", its.posted(its.remove), methods=["POST"]),
        Route(f"{base}/changes", its.posted(its.add), methods=["POST"]),
        Route(f"{base}/handoff", its.posted(its.handoff), methods=["POST"]),
        Route(base, its.shown(its.show)),
    ]
