"""The page of what a service can afford: the answer first, then what it follows from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from watchkeeper.faces.afford import Affording
from watchkeeper.faces.services import Services
from watchkeeper.faces.web import words
from watchkeeper.faces.web.acting import Acting, as_json
from watchkeeper.faces.web.budget_card import BADGES
from watchkeeper.faces.web.words import Badge, Bar
from watchkeeper.kernel import text
from watchkeeper.policy import affordwords, rules
from watchkeeper.policy.affording import HISTORY_DAYS, Afford, CostOf, CostRow, Purse
from watchkeeper.policy.affordjson import afford_json, costs_csv
from watchkeeper.policy.ladder import Gone, Rung
from watchkeeper.slo import windows

HISTORIES = ((30, "30 days"), (90, "90 days"), (365, "a year"))
MOST_SHOWN = 20
WORST_FIRST = "The costliest first; what cost nothing is not listed."

Row = dict[str, Any]


def view_of(found: Afford) -> Row:
    """Everything that the page shows."""
    purse, spent = found.purse, found.spent
    costly = [c for c in found.changes if c.bad]
    return {
        "answer": affordwords.answer(found),
        "badge": BADGES[rules.state_of(purse.left, purse.terms)],
        "bar": _bar(purse.left, purse),
        "recovers": affordwords.recovers(found),
        "outage": affordwords.outage(found),
        "purse": _purse(purse),
        "purses": [
            {**_purse(p), "badge": BADGES[rules.state_of(p.left, p.terms)]} for p in found.purses
        ],
        "history": affordwords.days_of(found),
        "costs": [_cost(row, found) for row in found.costs],
        "changes": [_change(c, purse) for c in costly[:MOST_SHOWN]],
        "more": max(0, len(costly) - MOST_SHOWN),
        "attributed": [
            (what, text.number(float(bad), 0), _share(float(bad / found.consumed)))
            for what, bad in (
                (f"Changes of {found.service}", sum(spent.own.values())),
                ("Changes of other services", spent.elsewhere),
                ("Changes that are not recorded", spent.unnamed),
                ("No change", spent.other),
            )
            if found.consumed
        ],
        "consumed": text.number(float(found.consumed), 0),
        "path": [(words.day_clock(at), text.left(left)) for at, left in found.recovery.path],
        "rungs": [_rung(r) for r in found.rungs],
        "nine": affordwords.next_nine(found.next_nine),
        "gone": [_gone(g) for g in found.next_nine.causes],
    }


def _purse(its: Purse) -> Row:
    return {
        "name": its.slo,
        "url": words.slo_url(its.slo),
        "policy": its.policy,
        "target": text.percent(float(its.target), 5),
        "window": windows.in_words(its.window),
        "left": rules.share_words(its.left),
        "budget": text.number(float(its.budget), 0),
        "minutes": text.duration(its.minutes * 60),
    }


def _bar(left: float, purse: Purse) -> Bar:
    width = round(100 * min(1.0, max(0.0, left)), 2)
    return Bar(BADGES[rules.state_of(left, purse.terms)].key, width, None, rules.share_words(left))


def _cost(row: CostRow, found: Afford) -> Row:
    seen, purse = row.spread, found.purse
    budget = float(purse.budget)
    between = ""
    if seen.low is not None and seen.high is not None:
        between = f"{_share(seen.low / budget)} to {_share(seen.high / budget)}"
    elif seen.may_cost is not None and seen.n > 1:
        between = f"at most {text.whole_percent(seen.may_cost)} of them cost anything"
    return {
        "what": affordwords.name_of(row).capitalize(),
        "n": seen.n,
        "costly": seen.costly,
        "mean": _share(seen.mean / budget),
        "between": between or "too few to say",
        "median": _share(seen.median / budget),
        "range": f"{_share(seen.p10 / budget)} to {_share(seen.p90 / budget)}",
        "bad": text.number(seen.mean, 1),
        "minutes": text.duration(seen.mean / budget * purse.minutes * 60),
        "expected": affordwords.limit(row.fit.expected, few=row.fit.few),
        "cautious": affordwords.limit(row.fit.cautious, few=row.fit.few),
        "says": affordwords.fits(row, found),
    }  # fmt: skip


def _change(its: CostOf, purse: Purse) -> Row:
    change, share = its.change, float(its.bad / purse.budget)
    return {
        "url": f"/changes/{change.id}",
        "what": change.summary,
        "kind": str(change.kind),
        "intent": "" if change.intent == "unknown" else str(change.intent),
        "at": words.day_clock(change.started_at),
        "share": _share(share),
        "bad": text.number(float(its.bad), 0),
        "minutes": text.duration(share * purse.minutes * 60),
    }


def _rung(its: Rung) -> Row:
    return {
        "target": text.percent(its.target, 5),
        "now": its.now,
        "budget": text.number(float(its.budget), 0),
        "used": _share(its.consumed),
        "days": its.depleted_days,
        "halted": its.halted,
        "pages": its.pages,
        "badge": Badge("spent", "not met") if its.bad > its.budget else Badge("ok", "met"),
    }


def _gone(its: Gone) -> Row:
    episode = its.entry.episode
    return {
        "what": its.entry.what,
        "when": words.minute_clock(episode.start) if episode else "",
        "bad": text.number(float(its.entry.bad), 0),
        "left": text.number(float(its.left), 0),
    }


def _share(ratio: float | None) -> str:
    return text.NOTHING if ratio is None else text.percent(ratio, 1)


class AffordHandlers(Acting):
    """All handlers, over the same services."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self.affording = Affording(services)

    def page(self, request: Request) -> Response:
        """What a service can afford."""
        found, days = self._asked(request)
        slo = request.query_params.get("slo", "")
        specs = self.services.specs()
        return self.pages.page(
            request, "afford.html", "budgets", view=view_of(found), service=found.service,
            title=words.service_name(specs, found.service), slo=slo, days=days,
            histories=HISTORIES, url=words.afford_url(found.service), worst_first=WORST_FIRST,
            query=urlencode({"slo": slo, "days": days}),
        )  # fmt: skip

    def export(self, request: Request) -> Response:
        """The same as CSV (what changes cost) or JSON (everything)."""
        told = afford_json(self._asked(request)[0])
        if request.url.path.endswith(".json"):
            return as_json("afford", told)
        return Response(
            costs_csv(told),
            media_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="afford.csv"'},
        )

    def _asked(self, request: Request) -> tuple[Afford, int]:
        asked = request.query_params
        days = next((d for d, _ in HISTORIES if str(d) == asked.get("days", "")), HISTORY_DAYS)
        service, slo = request.path_params["service"], asked.get("slo", "")[:500]
        return self.affording.of(service, slo, days), days


def afford_routes(services: Services) -> Sequence[BaseRoute]:
    """The routes; exports first, as the name of a service may hold anything."""
    its = AffordHandlers(services)
    return [
        Route("/afford/{service}/costs.csv", its.shown(its.export)),
        Route("/afford/{service}/all.json", its.shown(its.export)),
        Route("/afford/{service}", its.shown(its.page)),
    ]
