"""The handlers of the pages on alerts and on-call: parse, call, render."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from watchkeeper.access.model import Permission, Principal
from watchkeeper.faces.duty import Duty
from watchkeeper.faces.guard import same_origin
from watchkeeper.faces.reaching import proofs_of
from watchkeeper.faces.services import Services
from watchkeeper.faces.web import duty_rota as rota
from watchkeeper.faces.web import duty_views as views
from watchkeeper.faces.web import words
from watchkeeper.faces.web.acting import allowed, as_csv
from watchkeeper.faces.web.drills import drill_routes
from watchkeeper.faces.web.load_page import load_routes
from watchkeeper.faces.web.oncall_now import oncall_routes
from watchkeeper.faces.web.policies_page import policy_routes
from watchkeeper.faces.web.render import Pages
from watchkeeper.faces.web.routes import Handlers, read_form
from watchkeeper.faces.web.schedules import schedule_routes
from watchkeeper.faces.web.shifts import shift_routes
from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.kernel.errors import NotFound, UserError, WatchkeeperError
from watchkeeper.notify.outbox import Delivery
from watchkeeper.spec.duty import ChannelType

Form = Mapping[str, str]
MOST_EXPORTED = 1_000
"""Messages in a file, the newest."""


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

    # -- reach
    def reach(
        self, request: Request, problem: str = "", said: str = "", status: int = 200
    ) -> Response:
        """How people are reached, and the last proof."""
        specs, now = self.duty.specs(), self._now()
        found = rota.contacts(specs, self.duty.proofs(), self.duty.outcomes(), now)
        unproved = sum(not c.proved for c in found)
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
            may_respond=allowed(request, Permission.RESPOND),
            may_test=allowed(request, Permission.EDIT),
            problem=problem,
            said=said,
        )

    def contacts_file(self, request: Request) -> Response:
        """How people are reached, as CSV."""
        rows = [
            (c.user, c.channel, self.duty.shown(c.channel, c.address), _time(c.verified_at),
             _time(c.drilled_at), c.last.state if c.last else "", c.last.outcome if c.last else "")
            for c in proofs_of(self.duty).contacts
        ]  # fmt: skip
        head = ("user", "channel", "address", "verified_at", "drilled_at", "last_state",
                "last_outcome")  # fmt: skip
        return as_csv("contacts", head, rows)

    def messages_file(self, request: Request) -> Response:
        """The newest messages and what came of them, as CSV."""
        rows = [
            (d.id, iso(d.due_at), _time(d.sent_at), str(d.kind), d.user, d.channel,
             d.address, d.state, d.attempts, d.outcome,
             d.content.get("title", ""), d.page_id or "")
            for d in self.duty.deliveries(limit=MOST_EXPORTED)
        ]  # fmt: skip
        head = ("id", "due_at", "sent_at", "kind", "user", "channel", "address", "state",
                "attempts", "outcome", "title", "page")  # fmt: skip
        return as_csv("messages", head, rows)

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


def _time(at: Seconds | None) -> str:
    return "" if at is None else iso(at)


def _message(row: Delivery) -> InboxMessage:
    content: Mapping[str, Any] = row.content
    key = {"page": "burn", "drill": "watch", "resolved": "ok"}.get(str(row.kind), "none")
    if key == "burn" and row.urgency != "page":
        key = "watch"
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


def _actor(request: Request) -> str:
    principal: Principal | None = getattr(request.state, "principal", None)
    return principal.name if principal else "unknown"


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
        *oncall_routes(duty, services),
        *schedule_routes(duty, services),
        *shift_routes(duty, services),
        *policy_routes(duty, services),
        *drill_routes(duty, services),
        *load_routes(duty, services),
        Route("/reach", page(its.reach)),
        Route("/reach/contacts.csv", page(its.contacts_file)),
        Route("/reach/messages.csv", page(its.messages_file)),
        Route("/reach/{act}", posted(its.reach_do), methods=["POST"]),
        Route("/inbox", page(its.inbox)),
    ]
