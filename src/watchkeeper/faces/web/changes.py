"""The list of changes, and the page of one: what was changed, when, where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from watchkeeper.access.model import Permission
from watchkeeper.changes.model import Change, ChangeKind, Intent, Outcome, Report
from watchkeeper.changes.rules import away_from_users
from watchkeeper.changes.store import Wanted
from watchkeeper.faces.changes import HEAD, Changes, change_json, cursor, cursor_of, row
from watchkeeper.faces.services import Services
from watchkeeper.faces.web import words
from watchkeeper.faces.web.acting import (
    Acting,
    Form,
    actor,
    allowed,
    as_csv,
    as_json,
    number,
    sorry,
)
from watchkeeper.faces.web.change_rows import BADGES, change_row
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import UserError

PAGE, MOST_EXPORTED = 100, 10_000
DAY = 86_400.0
SPANS: Mapping[str, tuple[str, float | None]] = {
    "1d": ("Last 24 hours", DAY),
    "7d": ("Last 7 days", 7 * DAY),
    "30d": ("Last 30 days", 30 * DAY),
    "all": ("All times", None),
}
ENDS = (Outcome.SUCCEEDED, Outcome.FAILED, Outcome.ROLLED_BACK)


@dataclass(frozen=True, slots=True)
class Ask:
    """What an address asks for."""

    q: str = ""
    service: str = ""
    kind: str = ""
    outcome: str = ""
    span: str = "7d"

    @classmethod
    def read(cls, params: Mapping[str, str]) -> Ask:
        """What makes no sense asks for nothing."""
        said = {n: params.get(n, "")[:200].replace("\0", "").strip() for n in cls.__slots__}
        known: Mapping[str, Sequence[str]] = {
            "kind": list(ChangeKind),
            "outcome": list(Outcome),
            "span": list(SPANS),
        }
        for name, allowed_words in known.items():
            if said[name] not in allowed_words:
                said[name] = "7d" if name == "span" else ""
        return cls(**said)

    def wanted(self, now: Seconds) -> Wanted:
        """The same for the store."""
        length = SPANS[self.span][1]
        return Wanted(
            services=[self.service] if self.service else [],
            kinds=[self.kind] if self.kind else [],
            outcome=self.outcome,
            text=self.q,
            start=None if length is None else now - length,
        )

    def query(self, **more: str) -> str:
        """As the query of an address."""
        pairs = {n: getattr(self, n) for n in self.__slots__ if getattr(self, n)} | more
        return f"?{urlencode(pairs)}"


def facts(c: Change, now: Seconds) -> list[tuple[str, str]]:
    """What is known of it."""
    said = [
        ("Kind", str(c.kind)),
        ("What for", "" if c.intent is Intent.UNKNOWN else str(c.intent)),
        ("Environment", f"{c.environment} (no users)" if away_from_users(c) else c.environment),
        ("Version", c.version),
        ("Before", c.previous_version),
        ("Began", f"{words.day_clock(c.started_at)} UTC, {words.ago(c.started_at, now)}"),
        ("Ended", f"{words.day_clock(c.ended_at)} UTC" if c.ended_at is not None else ""),
        ("Took", text.duration(c.ended_at - c.started_at) if c.ended_at else ""),
        ("Source", c.source),
    ]
    return [(name, value) for name, value in said if value]


def report_line(r: Report) -> tuple[str, str, str]:
    """(when, by whom, what) of a report."""
    said = BADGES[r.told.outcome].word.lower() if r.told.outcome else "told of it"
    return words.day_clock(r.at), r.by, said


class ChangeHandlers(Acting):
    """All handlers, over the same services."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self.changes, self.clock = Changes(services), services.clock

    def list(self, request: Request) -> Response:
        """What changed of late."""
        shown = self._view(request)
        return self.pages.page(
            request,
            "changes.html",
            "changes",
            200,
            **shown,
            names=self.changes.names(),
            kinds=list(ChangeKind),
            outcomes=[(str(o), b.word) for o, b in BADGES.items()],
            spans=[(key, word) for key, (word, _) in SPANS.items()],
        )

    def part(self, request: Request) -> Response:
        """The list again."""
        return self.pages.part("_changes.html", **self._view(request))

    def _view(self, request: Request) -> dict[str, object]:
        ask, now, specs = Ask.read(request.query_params), self.clock.now(), self.changes.specs()
        wanted = ask.wanted(now)
        found = self.changes.find(wanted, cursor(request.query_params.get("after", "")[:60]), PAGE)
        total = self.changes.count(wanted)
        more = ask.query(after=cursor_of(found[-1])) if len(found) == PAGE else ""
        return {
            "ask": ask,
            "rows": [change_row(c, specs) for c in found],
            "headline": headline(total, ask),
            "more": more,
            "files": ask.query(),
            "refresh": "/parts/changes" + ask.query(),
        }

    def one(self, request: Request, problem: str = "", status: int = 200) -> Response:
        """One change."""
        story = self.changes.story(number(request.path_params["id"], "change"))
        c, now, specs = story.change, self.clock.now(), self.changes.specs()
        labels = {k: v for r in story.reports for k, v in r.told.labels.items()}
        return self.pages.page(
            request,
            "change.html",
            "changes",
            status,
            change=change_row(c, specs),
            services=[(s, words.service_name(specs, s), s in specs.services) for s in c.services],
            facts=facts(c, now),
            links=c.links,
            labels=sorted(labels.items()),
            reports=[report_line(r) for r in reversed(story.reports)],
            ends=[(str(o), BADGES[o].word) for o in ENDS],
            open=c.outcome is Outcome.IN_PROGRESS,
            problem=problem,
            may_end=allowed(request, Permission.RESPOND),
        )

    def end(self, request: Request, form: Form) -> Response:
        """It has ended, this way."""
        change_id = number(request.path_params["id"], "change")
        try:
            if form.get("outcome") not in set(ENDS):
                raise UserError("Say how it ended.", "Choose one of the three.")
            self.changes.end(change_id, Outcome(form["outcome"]), actor(request))
        except UserError as error:
            return self.one(request, sorry(error), error.http_status)
        return RedirectResponse(f"/changes/{change_id}", 303)

    def export(self, request: Request) -> Response:
        """All that the address asks for, as a file."""
        wanted = Ask.read(request.query_params).wanted(self.clock.now())
        found = self.changes.find(wanted, limit=MOST_EXPORTED)
        if request.url.path.endswith(".csv"):
            return as_csv("changes", HEAD, [row(c) for c in found])
        return as_json("changes", [change_json(c) for c in found])


def headline(total: int, ask: Ask) -> str:
    """What the page answers first."""
    when = SPANS[ask.span][0].lower()
    said = words.plural(total, "change") if total else "No change"
    return f"{said} {'in all' if ask.span == 'all' else 'in the ' + when}"


def changes_routes(services: Services) -> Sequence[BaseRoute]:
    """All routes of these pages."""
    its = ChangeHandlers(services)
    return [
        Route("/changes", its.shown(its.list)),
        Route("/changes.csv", its.shown(its.export)),
        Route("/changes.json", its.shown(its.export)),
        Route("/changes/{id}", its.shown(its.one), methods=["GET"]),
        Route("/changes/{id}/end", its.posted(its.end), methods=["POST"]),
        Route("/parts/changes", its.shown(its.part)),
    ]
