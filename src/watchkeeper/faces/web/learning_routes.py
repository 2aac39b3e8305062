"""The pages of what was learnt: how incidents go, what has held, what resembles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from watchkeeper.faces.duty import Duty
from watchkeeper.faces.learning import learning_of
from watchkeeper.faces.services import Services
from watchkeeper.faces.web import words
from watchkeeper.faces.web.acting import Acting, Form, actor, as_csv, as_json, number
from watchkeeper.faces.web.words import Badge
from watchkeeper.kernel import text
from watchkeeper.kernel.errors import UserError
from watchkeeper.postmortems.figures import TIMES, Figures, Group
from watchkeeper.postmortems.knowing import Proof
from watchkeeper.postmortems.recurrence import Verdict

PERIODS = (30, 90, 365)
MOST_GROUPS = 12
HEAD = (
    "by",
    "name",
    "incidents",
    *(f"{t}_{w}" for t in TIMES for w in ("n", "median_s", "mean_s")),
)
PROOF_HEAD = ("item", "text", "type", "state", "incident", "verdict", "quiet_s", "came_before",
              "chance", "recurred_in")  # fmt: skip
VERDICTS: Mapping[Verdict, Badge] = {
    Verdict.PROVEN: Badge("ok", "Held: proven"),
    Verdict.HOLDS: Badge("ok", "Holds so far"),
    Verdict.RECURRED: Badge("burn", "Recurred"),
    Verdict.OPEN: Badge("watch", "Not done yet"),
    Verdict.UNKNOWN: Badge("none", "Cannot be told"),
}


@dataclass(frozen=True, slots=True)
class MonthBar:
    """A month of the chart; ``height`` in percent of the highest."""

    label: str
    count: int
    height: float
    resolve: str


@dataclass(frozen=True, slots=True)
class ProofRow:
    """An item that promised to prevent, and whether it has."""

    id: int
    text: str
    incident: int
    title: str
    badge: Badge
    quiet: str
    why: str
    recurred_in: int | None


def group_cells(group: Group) -> list[tuple[str, str]]:
    """(median, mean and n) of each of the four times."""
    cells = []
    for name in TIMES:
        time = group.times[name]
        if time.median is None or time.mean is None:
            cells.append((text.NOTHING, ""))
        else:
            cells.append((text.duration(time.median),
                          f"mean {text.duration(time.mean)}, n {time.n}"))  # fmt: skip
    return cells


def month_bars(found: Figures) -> list[MonthBar]:
    """One bar a month, also where nothing happened."""
    most = max((g.count for g in found.by_month), default=0) or 1
    return [
        MonthBar(g.name, g.count, round(100 * g.count / most, 1), group_cells(g)[3][0])
        for g in found.by_month
    ]


def trend_words(found: Figures) -> str:
    """What the chart says, in a sentence."""
    busiest = max(found.by_month, key=lambda g: g.count, default=None)
    if busiest is None or not busiest.count:
        return "No incident in this time."
    now = found.by_month[-1]
    said = f"Most in {busiest.name}: {words.plural(busiest.count, 'incident')}"
    return said + ("." if busiest is now else f"; {now.count} in {now.name} so far.")


def proof_row(proof: Proof) -> ProofRow:
    """One line of the page."""
    held = proof.held
    quiet = "" if held.quiet is None else text.duration(held.quiet)
    came = "it had come once" if held.before == 1 else f"it had come {held.before} times"
    match held.verdict:
        case Verdict.RECURRED:
            why = f"it came again {quiet} after this was done"
        case Verdict.OPEN:
            why = came.replace("had", "has")
        case Verdict.UNKNOWN:
            why = "its incident has neither an alert of its own nor a named cause"
        case _ if held.chance is None:
            why = f"{came}; how often it comes is not known, so 90 quiet days count as proof"
        case _:
            odds = text.percent(held.chance, 1 if held.chance >= 0.001 else 3)
            why = f"{came}; by chance it would be as quiet in {odds} of cases"
    return ProofRow(
        proof.item.id, proof.item.text, proof.incident.id, proof.incident.title,
        VERDICTS[held.verdict], quiet, why, held.recurred_in,
    )  # fmt: skip


class LearningHandlers(Acting):
    """All handlers, over the same services."""

    def __init__(self, duty: Duty, services: Services) -> None:
        super().__init__(services)
        self.duty, self.learning = duty, learning_of(duty)

    # -- figures
    def figures(self, request: Request) -> Response:
        """How incidents go: how often, how long, by what; never by whom."""
        asked, found = self._figures(request, MOST_GROUPS)
        specs = self.duty.specs()
        items = found.items
        by = [("Severity", found.by_severity), ("Cause", found.by_cause),
              ("Service", found.by_service)]  # fmt: skip
        late = f", {items.late} late" if items.late else ""
        closed = text.percent(items.done / items.made, 0) if items.made else text.NOTHING
        return self.pages.page(
            request, "learning.html", "figures",
            headline=words.plural(found.all.count, "incident")
            + f" in {words.plural(asked['days'], 'day')}",
            lead=[(f"To {name}", *cell)
                  for name, cell in zip(TIMES, group_cells(found.all), strict=True)],
            groups=[(title, [(g.name, g.count, group_cells(g)) for g in groups],
                     found.left_out.get(title.lower(), 0)) for title, groups in by],
            bars=month_bars(found), trend=trend_words(found), months=found.by_month,
            cells=group_cells, items=items, closed=closed, late=late,
            in_time=text.percent(items.in_time / items.due, 0) if items.due else text.NOTHING,
            took=text.NOTHING if items.days is None else text.duration(items.days),
            by_type=found.items_by_type, periods=PERIODS, asked=asked, query=_query(asked),
            services=list(specs.services.values()),
            severities=list(specs.response.severities.values()),
        )  # fmt: skip

    def figures_file(self, request: Request) -> Response:
        """The same as CSV or JSON."""
        _, found = self._figures(request)
        rows = figure_rows(found)
        if request.url.path.endswith(".json"):
            return as_json("incident-figures", [dict(zip(HEAD, r, strict=True)) for r in rows])
        return as_csv("incident-figures", HEAD, rows)

    def _figures(self, request: Request, most: int | None = None) -> tuple[dict[str, Any], Figures]:
        asked = request.query_params
        days = asked.get("days", "")
        known = int(days) if days.isascii() and days.isdigit() and len(days) < 5 else 365
        named = {k: asked.get(k, "")[:200].replace("\0", "") for k in ("service", "severity")}
        found = self.learning.figures(min(max(known, 1), 3660), **named, most=most)
        return {"days": min(max(known, 1), 3660), **named}, found

    # -- proof
    def proof(self, request: Request) -> Response:
        """Which promises have held, and for how long."""
        found = self.learning.proofs()
        rows = [proof_row(p) for p in found]
        count = {v: sum(p.held.verdict is v for p in found) for v in Verdict}
        return self.pages.page(
            request, "proof.html", "proof",
            headline=proof_headline(count), rows=rows[:500], more=max(0, len(rows) - 500),
            proven=count[Verdict.PROVEN], holds=count[Verdict.HOLDS],
            recurred=count[Verdict.RECURRED], open=count[Verdict.OPEN],
        )  # fmt: skip

    def proof_file(self, _: Request) -> Response:
        """The same as CSV."""
        rows = [
            (p.item.id, p.item.text, str(p.item.type), str(p.item.state), p.incident.id,
             str(p.held.verdict), p.held.quiet, p.held.before, p.held.chance, p.held.recurred_in)
            for p in self.learning.proofs()
        ]  # fmt: skip
        return as_csv("did-it-recur", PROOF_HEAD, rows)

    # -- similar ones, the digest
    def similar(self, request: Request) -> Response:
        """What an incident that is about to be declared resembles, while its form is filled in."""
        asked = request.query_params
        page = asked.get("page", "")
        found = self.learning.like_new(
            asked.get("title", "")[:300].replace("\0", ""),
            [asked["service"][:300]] if asked.get("service") else [],
            [asked["journey"][:300]] if asked.get("journey") else [],
            [number(page, "page")] if page else [],
        )
        return self.pages.part("_similar.html", similar=found, quiet=True)

    def subscribe(self, request: Request, form: Form) -> Response:
        """Send oneself the weekly digest, or no more."""
        who = actor(request)
        try:
            if form.get("end") == "1":
                self.learning.unsubscribe_me(who)
            else:
                self.learning.subscribe(who, user=who)
        except UserError as error:
            return self.others.trouble(request, error)
        return RedirectResponse("/postmortems", 303)


def figure_rows(found: Figures) -> list[tuple[object, ...]]:
    """All groups, in the order of HEAD."""
    every: Sequence[tuple[str, Sequence[Group]]] = (
        ("all", [found.all]), ("severity", found.by_severity), ("cause", found.by_cause),
        ("service", found.by_service), ("month", found.by_month),
    )  # fmt: skip
    return [
        (by, g.name, g.count,
         *(v for t in TIMES for v in (g.times[t].n, g.times[t].median, g.times[t].mean)))
        for by, groups in every
        for g in groups
    ]  # fmt: skip


def proof_headline(count: Mapping[Verdict, int]) -> str:
    """The answer of the page in a line."""
    held = count[Verdict.PROVEN] + count[Verdict.HOLDS]
    if not sum(count.values()):
        return "Nothing was promised yet"
    said = f"{words.plural(held, 'promise')} held"
    again = count[Verdict.RECURRED]
    return f"{said}, {again} did not" if again else said


def _query(asked: Mapping[str, object]) -> str:
    return urlencode({k: v for k, v in asked.items() if v})


def learning_routes(duty: Duty, services: Services) -> Sequence[BaseRoute]:
    """All routes of these pages."""
    its = LearningHandlers(duty, services)
    return [
        Route("/learning", its.shown(its.figures)),
        Route("/learning.csv", its.shown(its.figures_file)),
        Route("/learning.json", its.shown(its.figures_file)),
        Route("/learning/proof", its.shown(its.proof)),
        Route("/learning/proof.csv", its.shown(its.proof_file)),
        Route("/learning/digests/me", its.posted(its.subscribe), methods=["POST"]),
        Route("/parts/similar", its.shown(its.similar)),
    ]
