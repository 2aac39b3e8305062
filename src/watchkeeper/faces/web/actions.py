"""The board of action items, and the page of one: what was promised, by whom, until when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from watchkeeper.access.model import Permission
from watchkeeper.faces.actions import LIVE, Wanted, actions_of
from watchkeeper.faces.duty import Duty
from watchkeeper.faces.services import Services
from watchkeeper.faces.web import words
from watchkeeper.faces.web.acting import Acting, Form, actor, allowed, as_csv, number, sorry
from watchkeeper.faces.web.words import Badge
from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.kernel.errors import UserError
from watchkeeper.postmortems.items import OVER
from watchkeeper.postmortems.model import ActionItem, ActionState, ActionType
from watchkeeper.spec.response import DAY
from watchkeeper.store.timeline import Event

HEAD = ("id", "text", "type", "state", "owner", "team", "due_at", "done_at", "incident", "tracker",
        "external", "url")  # fmt: skip
MOST, MOST_DONE, MOST_EXPORTED = 200, 30, 50_000
SOON = 3 * DAY
BADGES: Mapping[ActionState, Badge] = {
    ActionState.OPEN: Badge("none", "Open"),
    ActionState.DOING: Badge("watch", "In work"),
    ActionState.DONE: Badge("ok", "Done"),
    ActionState.DROPPED: Badge("none", "Dropped"),
}
TOLD = {
    "action.added": "Made",
    "action.changed": "Changed",
    "action.moved": "Moved",
    "action.reopened": "Opened again",
    "action.reminded": "Reminded",
    "action.linked": "Made in the other tracker",
    "action.synced": "Taken over from the other tracker",
    "action.gone": "Gone from the other tracker",
}


@dataclass(frozen=True, slots=True)
class Card:
    """An item on the board. ``late``: how it stands with its day, as a badge; None: far off."""

    id: int
    text: str
    badge: Badge
    type: str
    owner: str
    due: str
    late: Badge | None
    where: str
    url: str
    incident: int | None


@dataclass(frozen=True, slots=True)
class Told:
    """One line of an item's story."""

    at: str
    what: str
    who: str
    detail: str


def card(item: ActionItem, now: Seconds) -> Card:
    """How an item is shown."""
    late: Badge | None = None
    if item.due_at is not None and item.state not in OVER:
        days = (item.due_at - now) / DAY
        if days < 0:
            late = Badge("burn", f"{words.plural(max(1, int(-days)), 'day')} late")
        elif item.due_at - now < SOON:
            late = Badge("watch", "due soon")
    where = f"{item.tracker} {item.external}".strip() if item.tracker else ""
    return Card(
        item.id,
        item.text,
        BADGES[item.state],
        str(item.type),
        item.owner,
        _day(item.due_at),
        late,
        where,
        item.url,
        item.incident_id,
    )


def columns(found: Sequence[ActionItem], now: Seconds) -> list[tuple[str, list[Card]]]:
    """The columns of the board; what is late first, then by due date."""
    ordered = sorted(found, key=lambda i: (i.due_at is None, i.due_at or 0.0, i.priority, i.id))
    live = [
        (word, [card(i, now) for i in ordered if i.state is state])
        for word, state in (("To do", ActionState.OPEN), ("In work", ActionState.DOING))
    ]
    over = sorted((i for i in found if i.state in OVER), key=lambda i: -(i.done_at or 0.0))
    return [*live, ("Done or dropped", [card(i, now) for i in over[:MOST_DONE]])]


def headline(found: Sequence[ActionItem], now: Seconds) -> str:
    """What matters first."""
    live = [i for i in found if i.state not in OVER]
    late = sum(1 for i in live if i.due_at is not None and i.due_at < now)
    if late:
        return words.plural(late, "action item is", "action items are") + " late"
    if live:
        return words.plural(len(live), "action item") + " to do, none late"
    return "No action item is open"


def told(event: Event) -> Told:
    """One line of the story."""
    data = event.data
    parts = [
        str(data[key])
        for key in ("to", "why", "text", "url")
        if data.get(key) and isinstance(data[key], str)
    ]
    if isinstance(data.get("now"), dict):
        parts += [f"{k}: {_said(k, v)}" for k, v in data["now"].items()]
    if data.get("conflicts"):
        parts.append(f"both had changed {', '.join(data['conflicts'])}")
    what = TOLD.get(event.kind, event.kind)
    return Told(words.day_clock(event.at), what, event.actor, "; ".join(parts))


def _said(key: str, value: object) -> str:
    return _day(value) if key == "due_at" and isinstance(value, float) else str(value)


def _day(at: Seconds | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at, UTC).strftime("%d %b %Y").lstrip("0")


class ActionHandlers(Acting):
    """All handlers, over the same services."""

    def __init__(self, duty: Duty, services: Services) -> None:
        super().__init__(services)
        self.duty, self.actions = duty, actions_of(duty)

    def board(
        self, request: Request, problem: str = "", entered: Form | None = None, status: int = 200
    ) -> Response:
        """The board, and a form to make an item."""
        return self.pages.page(
            request,
            "actions.html",
            "actions",
            status,
            **self._view(request),
            problem=problem,
            entered=entered or {},
            types=list(ActionType),
            users=list(self.duty.specs().duty.users.values()),
        )

    def part(self, request: Request) -> Response:
        """The board again."""
        return self.pages.part("_actions.html", **self._view(request))

    def _view(self, request: Request) -> dict[str, object]:
        asked = request.query_params
        wanted = {k: asked.get(k, "")[:200].replace("\0", "") for k in ("q", "team")}
        now = self.duty.clock.now()
        live = self.actions.find(
            Wanted(states=LIVE, text=wanted["q"], team=wanted["team"]), limit=MOST
        )
        over = [str(s) for s in OVER]
        done = self.actions.find(
            Wanted(states=over, text=wanted["q"], team=wanted["team"]), limit=MOST_DONE
        )
        query = urlencode({k: v for k, v in wanted.items() if v})
        return {
            "headline": headline(live, now),
            "columns": columns([*live, *done], now),
            "q": wanted["q"],
            "team": wanted["team"],
            "teams": list(self.duty.specs().teams.values()),
            "trackers": list(self.duty.specs().response.trackers),
            "refresh": "/parts/actions" + (f"?{query}" if query else ""),
            "csv": "/actions.csv" + (f"?{query}" if query else ""),
            "full": len(live) == MOST,
            "may_respond": allowed(request, Permission.RESPOND),
        }

    def one(self, request: Request, problem: str = "", status: int = 200) -> Response:
        """One item and what happened to it."""
        story = self.actions.story(number(request.path_params["id"], "action item"))
        now = self.duty.clock.now()
        day = "" if story.item.due_at is None else iso(story.item.due_at)[:10]
        return self.pages.page(
            request,
            "action.html",
            "actions",
            status,
            item=story.item,
            card=card(story.item, now),
            day=day,
            story=[told(e) for e in reversed(story.events)],
            says=story.tracker_says,
            states=[(str(s), BADGES[s].word) for s in ActionState],
            types=list(ActionType),
            users=list(self.duty.specs().duty.users.values()),
            problem=problem,
            may_respond=allowed(request, Permission.RESPOND),
        )

    def make(self, request: Request, form: Form) -> Response:
        """Make one."""
        try:
            fields: dict[str, object] = {"type_": form.get("type", "prevent")}
            fields["owner"] = form.get("owner", "")
            if form.get("due"):
                fields["due_at"] = _end_of(form["due"])
            made = self.actions.add(form.get("text", ""), actor(request), fields)
        except UserError as error:
            return self.board(request, sorry(error), form, 400)
        return RedirectResponse(f"/actions/{made.id}", 303)

    def change(self, request: Request, form: Form) -> Response:
        """Change one."""
        item_id, who = number(request.path_params["id"], "action item"), actor(request)
        item = self.actions.story(item_id).item
        try:
            given: dict[str, object] = {k: form[k] for k in ("text", "type", "owner") if k in form}
            if form.get("due"):
                given["due_at"] = _end_of(form["due"], item)
            differs = {k: v for k, v in given.items() if v != getattr(item, k)}
            if differs:
                self.actions.change(item_id, differs, who)
            state = form.get("state", str(item.state))
            if state != item.state:
                self.actions.move(item_id, state, who, form.get("why", ""))
        except UserError as error:
            return self.one(request, sorry(error), 400)
        back = "/actions" if form.get("from") == "board" else f"/actions/{item_id}"
        return RedirectResponse(back, 303)

    def export(self, request: Request) -> Response:
        """All of them as CSV."""
        asked = request.query_params
        wanted = Wanted(text=asked.get("q", "")[:200], team=asked.get("team", "")[:200])
        rows = [
            (i.id, i.text, str(i.type), str(i.state), i.owner, i.team,
             iso(i.due_at) if i.due_at else "", iso(i.done_at) if i.done_at else "",
             i.incident_id, i.tracker, i.external, i.url)
            for i in self.actions.find(wanted, limit=MOST_EXPORTED)
        ]  # fmt: skip
        return as_csv("action-items", HEAD, rows)


def _end_of(day: str, item: ActionItem | None = None) -> Seconds:
    """The end of a working day, in UTC; an unchanged day keeps its hour. Raises UserError."""
    if item is not None and item.due_at is not None and iso(item.due_at)[:10] == day:
        return item.due_at
    try:
        return datetime.fromisoformat(f"{day}T17:00:00+00:00").timestamp()
    except ValueError:
        raise UserError(f"{day!r} is no day.", "Write it like 2026-12-01.") from None


def action_routes(duty: Duty, services: Services) -> Sequence[BaseRoute]:
    """All routes of these pages."""
    its = ActionHandlers(duty, services)
    return [
        Route("/actions", its.shown(its.board), methods=["GET"]),
        Route("/actions", its.posted(its.make), methods=["POST"]),
        Route("/actions.csv", its.shown(its.export)),
        Route("/actions/{id}", its.shown(its.one), methods=["GET"]),
        Route("/actions/{id}", its.posted(its.change), methods=["POST"]),
        Route("/parts/actions", its.shown(its.part)),
    ]
