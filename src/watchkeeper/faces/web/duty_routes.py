"""The handlers of the pages on alerts and on-call: parse, call, render."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from watchkeeper.access.model import Principal
from watchkeeper.faces.duty import Duty
from watchkeeper.faces.guard import same_origin
from watchkeeper.faces.services import Services
from watchkeeper.faces.web import duty_rota as rota
from watchkeeper.faces.web import duty_views as views
from watchkeeper.faces.web import words
from watchkeeper.faces.web.render import Pages, may_write
from watchkeeper.faces.web.routes import Handlers, read_form
from watchkeeper.kernel.errors import NotFound, UserError, WatchkeeperError
from watchkeeper.notify.outbox import Delivery
from watchkeeper.oncall.schedule.model import Change
from watchkeeper.spec.duty import ChannelType

Form = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ChannelBlock:
    """A channel with its last messages."""

    name: str
    type: str
    example: str
    last: Sequence[tuple[str, str, str, str, str]]


@dataclass(frozen=True, slots=True)
class InboxMessage:
    """A message as a phone would show it."""

    to: str
    at: str
    title: str
    body: str
    key: str
    actions: Sequence[tuple[str, str]]


class DutyHandlers:
    """All handlers, over the same services."""

    def __init__(self, duty: Duty, services: Services) -> None:
        self.duty = duty
        self.pages = Pages(services)
        self.others = Handlers(services)

    def _now(self) -> float:
        return self.duty.clock.now()

    # -- one-tap links
    def tap(self, request: Request) -> Response:
        """One big button: scanners of mail follow links, and must acknowledge nothing."""
        return self._tapped(request, "")

    def do_tap(self, request: Request, _: Form) -> Response:
        """The button was pressed, or a phone's action posted."""
        tap = self.duty.tap(request.path_params["signed"])
        page = self.duty.do_tap(tap)
        done = "You have it." if tap.action == "ack" else "It is resolved."
        if "text/html" not in request.headers.get("accept", ""):
            return JSONResponse({"page": page.id, "state": str(page.state), "by": tap.user})
        return self._tapped(request, done)

    def _tapped(self, request: Request, done: str) -> Response:
        signed = request.path_params["signed"]
        tap = self.duty.tap(signed)
        story = self.duty.story(tap.page_id)
        row = views.page_row(story.page, self.duty.specs(), self._now())
        verb = "Acknowledge" if tap.action == "ack" else "Resolve"
        return self.pages.page(
            request, "tap.html", "alerts", page=row, verb=verb, done=done, signed=signed,
            user=tap.user,
        )  # fmt: skip

    # -- on call
    def oncall(self, request: Request, problem: str = "", status: int = 200) -> Response:
        """Who, until when, who next, where are gaps."""
        specs, now = self.duty.specs(), self._now()
        start = now - now % rota.DAY
        shown: list[rota.ScheduleView] = []
        changes: list[Change] = []
        for each in self.duty.on_duty():
            name = each.schedule.name
            shifts = self.duty.shifts(name, start, start + rota.SPAN_DAYS * rota.DAY)
            feed = self.duty.ical("schedule", name)
            view = rota.schedule_view(each.schedule, shifts, each.gaps, specs, start, now, feed)
            shown.append(view)
            changes.extend(self.duty.changes(name))
        holes = sum(len(s.gaps) for s in shown)
        unique = {c.id: c for c in changes}.values()
        return self.pages.page(
            request,
            "oncall.html",
            "oncall",
            status,
            headline=_oncall_headline(len(shown), holes),
            summary="In each schedule's own time zone; overrides and leave are in it.",
            schedules=shown,
            users=list(specs.duty.users),
            changes=[_change(c) for c in unique],
            policies=[
                (p.name, p.display_name, views.steps_of(p, -1))
                for p in specs.duty.escalation_policies.values()
            ],
            may_edit=may_write(request),
            may_respond=may_write(request),
            problem=problem,
        )

    def add_change(self, request: Request, form: Form) -> Response:
        """Keep an override, swap or leave."""
        try:
            kind = form.get("kind", "override")
            self.duty.change(
                form.get("schedule", ""),
                kind,
                _utc(form.get("from", "")),
                _utc(form.get("to", "")),
                form.get("user", ""),
                form.get("replaces", ""),
                form.get("reason", ""),
                _actor(request),
            )
        except UserError as error:
            return self.oncall(request, f"{error.message} {error.hint}".strip(), 400)
        return RedirectResponse("/oncall", 303)

    def remove_change(self, request: Request, _: Form) -> Response:
        """Take one back."""
        self.duty.remove_change(request.path_params["id"], _actor(request))
        return RedirectResponse("/oncall", 303)

    def drill(self, request: Request, form: Form) -> Response:
        """Start a drill, and show it."""
        page = self.duty.drill(form.get("policy", ""), _actor(request))
        return RedirectResponse(f"/pages/{page.id}", 303)

    def load(self, request: Request) -> Response:
        """What being on call cost."""
        asked = request.query_params.get("days", "30")
        days = int(asked) if asked in ("7", "30", "90") else 30
        now, span = self._now(), days * rota.DAY
        rows = rota.load_rows(
            self.duty.load(now - span, now), self.duty.load(now - 2 * span, now - span)
        )
        over = sum(r.over_key == "burn" for r in rows)
        headline = (
            f"{words.plural(over, 'rotation')} over the limit"
            if over
            else "Every rotation is within its limit"
        )
        return self.pages.page(
            request, "load.html", "oncall", rows=rows, days=days, headline=headline
        )

    # -- reach
    def reach(
        self, request: Request, problem: str = "", said: str = "", status: int = 200
    ) -> Response:
        """How people are reached, and the last proof."""
        specs, now = self.duty.specs(), self._now()
        found = rota.contacts(specs, self.duty.proofs(), self.duty.outcomes())
        unproved = sum(c.verified == "never" and c.drilled == "never" for c in found)
        blocks = []
        for channel in specs.duty.channels.values():
            last = self.duty.deliveries(channel.name, 5)
            example = next((c.address for c in found if c.channel == channel.name), "")
            sends = [views.send_line(d, now) for d in last]
            blocks.append(ChannelBlock(channel.name, str(channel.type), example, sends))
        return self.pages.page(
            request,
            "reach.html",
            "reach",
            status,
            headline=f"{words.plural(unproved, 'contact is', 'contacts are')} not proved"
            if unproved
            else "Every contact is proved",
            contacts=found,
            channels=blocks,
            drills=[views.page_row(p, specs, now) for p in self.duty.drills(20)],
            may_respond=may_write(request),
            problem=problem,
            said=said,
        )

    def reach_do(self, request: Request, form: Form) -> Response:
        """Send a test or a code, or take a code."""
        user, channel, address = (form.get(k, "") for k in ("user", "channel", "address"))
        said = ""
        try:
            match request.path_params["act"]:
                case "test":
                    self.duty.test_channel(channel, address, _actor(request))
                    said = f"A test is on its way to {address}."
                case "code":
                    self.duty.send_code(user, channel, address)
                    said = f"A code is on its way to {address}."
                case "verify":
                    self.duty.verify_code(user, channel, address, form.get("code", ""))
                    said = f"{address} is proved."
                case _:
                    raise NotFound("There is no such thing to do.", "See the API.")
        except UserError as error:
            return self.reach(request, f"{error.message} {error.hint}".strip(), "", 400)
        return self.reach(request, "", said)

    def inbox(self, request: Request) -> Response:
        """What phones would show, for channels of the type inbox."""
        names = [
            c.name for c in self.duty.specs().duty.channels.values() if c.type is ChannelType.INBOX
        ]
        rows = [d for name in names for d in self.duty.deliveries(name, 100) if d.sent_at]
        rows.sort(key=lambda d: (d.sent_at or 0.0, d.id), reverse=True)
        return self.pages.page(request, "inbox.html", "inbox", messages=[_message(d) for d in rows])


def _message(row: Delivery) -> InboxMessage:
    content: Mapping[str, Any] = row.content
    key = {"page": "burn", "drill": "watch", "resolved": "ok"}.get(str(row.kind), "none")
    lines = content.get("lines") or ()
    title = str(content.get("title", ""))
    return InboxMessage(
        row.address,
        words.day_clock(row.sent_at or 0.0) + words.clock(row.sent_at or 0.0)[5:],
        ("Perhaps a duplicate: " if row.maybe_duplicate else "") + title,
        "\n".join([str(content.get("body", "")), *map(str, lines)]),
        key,
        [(a[1], a[2]) for a in content.get("actions", ())],
    )


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """A change to a schedule, in words."""

    id: str
    what: str
    when: str
    reason: str


def _change(change: Change) -> ChangeLine:
    whose = change.replaces or "everybody"
    who = change.user or "the next in turn"
    where = change.schedule or "all schedules"
    what = f"{change.kind.title()}: {who} for {whose} in {where}"
    span = f"{words.day_clock(change.start)} to {words.day_clock(change.end)} UTC"
    return ChangeLine(
        change.id, what, span, " · ".join(x for x in (change.reason, change.author) if x)
    )


def _oncall_headline(schedules: int, holes: int) -> str:
    if not schedules:
        return "Nobody is on call"
    if holes:
        return f"{words.plural(holes, 'gap')} in the next two weeks"
    return "Somebody is on call everywhere"


def _actor(request: Request) -> str:
    principal: Principal | None = getattr(request.state, "principal", None)
    return principal.name if principal else "unknown"


def _utc(text: str) -> float:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(f"{text!r} is no time.", "Give a day and a time, in UTC.") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def duty_routes(duty: Duty, services: Services) -> Sequence[BaseRoute]:
    """All routes of these pages."""
    its = DutyHandlers(duty, services)
    page = its.others.guarded

    def posted(
        act: Callable[[Request, Form], Response], own_site: bool = True
    ) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            try:
                form = await read_form(request)
                return await run_in_threadpool(checked, request, form)
            except WatchkeeperError as error:
                return await run_in_threadpool(its.others.trouble, request, error)

        def checked(request: Request, form: Form) -> Response:
            if own_site and not same_origin(request.headers):
                return its.others.foreign(request)
            return act(request, form)

        return answer

    return [
        Route("/t/{signed}", page(its.tap), methods=["GET"]),
        Route("/t/{signed}", posted(its.do_tap, own_site=False), methods=["POST"]),
        Route("/oncall", page(its.oncall)),
        Route("/oncall/changes", posted(its.add_change), methods=["POST"]),
        Route("/oncall/changes/{id}/remove", posted(its.remove_change), methods=["POST"]),
        Route("/drills", posted(its.drill), methods=["POST"]),
        Route("/load", page(its.load)),
        Route("/reach", page(its.reach)),
        Route("/reach/{act}", posted(its.reach_do), methods=["POST"]),
        Route("/inbox", page(its.inbox)),
    ]
