"""What if: another alert policy on an objective's own history, beside the one it has."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from watchkeeper.alerting.backtest import grid, work
from watchkeeper.alerting.backtest.model import Alarm, Plan, Report, Score
from watchkeeper.alerting.policies.rules import rules_in, rules_of
from watchkeeper.faces.services import Services
from watchkeeper.faces.web import whatif_form as forms
from watchkeeper.faces.web import words
from watchkeeper.faces.web.acting import Acting, as_csv, sorry
from watchkeeper.faces.web.routes import Handler
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.slo.model import BurnDown, SloDetail
from watchkeeper.spec.model import Specs

PRESENT = "present"
DAYS = (7, 30, 90)
DAY = 86_400.0
MOST_ROWS = 200
WIDTH, HEIGHT = 1000.0, 100.0
HEAD = ("policy", "urgency", "opened", "closed", "lasted_seconds", "rules")


@dataclass(frozen=True, slots=True)
class Mark:
    """An alert in the chart: where, in percent of its length, and what it was."""

    left: float
    width: float
    key: str
    label: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One policy's alerts in the chart."""

    name: str
    says: str
    marks: Sequence[Mark]


@dataclass(frozen=True, slots=True)
class Row:
    """One policy in figures."""

    name: str
    pages: str
    pages_week: str
    tickets: str
    tickets_week: str
    told: str
    precision: str
    detection: str
    reset: str
    budget: str


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """One alert that would have been."""

    policy: str
    key: str
    urgency: str
    opened: str
    lasted: str
    why: str


@dataclass(frozen=True, slots=True)
class Result:
    """What would have been."""

    says: str
    label: str
    area: str
    line: str
    even: str
    bands: Sequence[tuple[float, float, str]]
    ticks: Sequence[tuple[float, str]]
    lanes: Sequence[Lane]
    rows: Sequence[Row]
    alarms: Sequence[AlarmRow]
    more: int
    notes: Sequence[str]
    yaml: str
    csv: str


def choices(specs: Specs) -> list[tuple[str, str]]:
    """(name, label) of every policy that can be chosen."""
    usual = [p.name for p in grid.usual()]
    ours = [(n, n) for n in specs.alert_policies if n not in usual]
    return [(PRESENT, "the present policy"), *ours, *((n, f"{n} (built in)") for n in usual)]


def chosen(specs: Specs, slo: str, name: str) -> Plan:
    """A policy by name. Raises NotFound."""
    if name == PRESENT:
        rules, guards = rules_of(slo, specs)
        return Plan(PRESENT, rules, guards)
    policy = specs.alert_policies.get(name)
    usual = {p.name: p for p in grid.usual()}
    if policy is None and name not in usual:
        raise NotFound(f"There is no policy {name!r}.", "Choose one of the list.")
    if policy is None:
        return usual[name]
    return Plan(name, rules_in(policy), policy.guards)


def result_of(report: Report, burn: BurnDown, tried: Plan, days: int, query: str) -> Result:
    """A report of two policies as a chart, tables and a sentence."""
    start, end = report.start, report.end
    present, other = report.scores[0], report.scores[-1]
    area, line, even = _curve(burn, start, end)
    says = _sentence(present, other, start, end)
    every = [(s, a) for s in report.scores for a in s.alarms]
    every.sort(key=lambda each: each[1].opened, reverse=True)
    return Result(
        says=says,
        label=f"{says} The line is the budget left, the bars are alerts.",
        area=area,
        line=line,
        even=even,
        bands=[
            (*_place(i.start, i.end, start, end), f"incident {words.day_clock(i.start)}")
            for i in report.incidents
        ],
        ticks=_ticks(start, end),
        lanes=[_lane(s, start, end) for s in report.scores],
        rows=[_row(s) for s in report.scores],
        alarms=[_alarm(s.plan.name, a, end) for s, a in every[:MOST_ROWS]],
        more=max(0, len(every) - MOST_ROWS),
        notes=_notes(report),
        yaml=forms.as_yaml(tried, "what-if"),
        csv=query,
    )


def _sentence(present: Score, other: Score, start: Seconds, end: Seconds) -> str:
    span = text.duration(end - start)
    if present is other:
        return f"Over {span} the present policy would have made {_calls(present)}."
    return (
        f"Over {span} this policy would have made {_calls(other)}; "
        f"the present one {_calls(present)}."
    )


def _calls(score: Score) -> str:
    pages = words.plural(score.pages, "page")
    return f"{pages} and {words.plural(score.tickets, 'ticket')}"


def _place(first: Seconds, last: Seconds, start: Seconds, end: Seconds) -> tuple[float, float]:
    span = max(1.0, end - start)
    left = min(100.0, max(0.0, (first - start) / span * 100))
    right = min(100.0, max(left, (last - start) / span * 100))
    return round(left, 3), round(right - left, 3)


def _lane(score: Score, start: Seconds, end: Seconds) -> Lane:
    marks = []
    for alarm in score.alarms:
        left, width = _place(alarm.opened, alarm.until(end), start, end)
        lasted = text.duration(alarm.until(end) - alarm.opened)
        label = f"{alarm.urgency}, {words.day_clock(alarm.opened)}, {lasted}"
        marks.append(Mark(left, width, _key(alarm), label))
    # Pages are drawn last, above tickets that they lie in.
    marks.sort(key=lambda m: m.key == "burn")
    return Lane(_name(score.plan.name), _calls(score), marks)


def _key(alarm: Alarm) -> str:
    return {"page": "burn", "ticket": "watch"}.get(str(alarm.urgency), "none")


def _name(name: str) -> str:
    return {PRESENT: "Present policy", forms.TRIED: "What if"}.get(name, name)


def _row(score: Score) -> Row:
    found = sum(t.detection is not None for t in score.told)
    budget = score.median("budget")
    return Row(
        _name(score.plan.name),
        str(score.pages),
        _rate(score.pages_per_week),
        str(score.tickets),
        _rate(score.tickets_per_week),
        f"{found} of {len(score.told)}" if score.told else text.NOTHING,
        text.whole_percent(score.precision) if score.precision is not None else text.NOTHING,
        _median(score.median("detection")),
        _median(score.median("reset")),
        text.NOTHING if budget is None else text.percent(budget, 1),
    )


def _rate(per_week: float) -> str:
    return text.number(per_week, 1)


def _median(seconds: float | None) -> str:
    return text.NOTHING if seconds is None else text.duration(seconds)


def _alarm(policy: str, alarm: Alarm, end: Seconds) -> AlarmRow:
    lasted = text.duration(alarm.until(end) - alarm.opened)
    return AlarmRow(
        _name(policy),
        _key(alarm),
        str(alarm.urgency).capitalize(),
        words.day_clock(alarm.opened),
        lasted if alarm.closed is not None else f"{lasted}, still open",
        "; ".join(alarm.rules),
    )


def _notes(report: Report) -> list[str]:
    notes = [n[0].upper() + n[1:] + "." for n in report.notes]
    if report.inferred and report.incidents:
        many = words.plural(len(report.incidents), "stretch was", "stretches were")
        notes.insert(0, f"{many} taken for incidents, as each cost at least 2 % of the budget.")
    return notes


def _curve(burn: BurnDown, start: Seconds, end: Seconds) -> tuple[str, str, str]:
    """The paths of the area, the line and the even spend, in a box of WIDTH by HEIGHT."""
    points: list[tuple[float, float, float]] = []
    for minute, left, even in zip(burn.minutes, burn.left, burn.even, strict=True):
        at = float(minute) * 60
        if start <= at <= end and not math.isnan(left):
            x = (at - start) / max(1.0, end - start) * WIDTH
            points.append((round(x, 1), _height(float(left)), _height(float(even))))
    if len(points) < 2:
        return "", "", ""
    line = "M" + "L".join(f"{x:g} {y:g}" for x, y, _ in points)
    area = f"{line}L{points[-1][0]:g} {HEIGHT:g}L{points[0][0]:g} {HEIGHT:g}Z"
    return area, line, "M" + "L".join(f"{x:g} {e:g}" for x, _, e in points)


def _height(left: float) -> float:
    return round(HEIGHT * (1 - min(1.0, max(0.0, left))), 2)


def _ticks(start: Seconds, end: Seconds) -> list[tuple[float, str]]:
    """Days under the chart, at midnight UTC; none at its end, where there is no room."""
    step = max(1.0, round((end - start) / DAY / 6)) * DAY
    first = math.ceil(start / DAY) * DAY
    found = []
    at = first
    while at < end - (end - start) / 10:
        found.append((_place(at, at, start, end)[0], words.day_clock(at).rsplit(" ", 1)[0]))
        at += step
    return found


class WhatIfHandlers(Acting):
    """All handlers, over the same services."""

    def page(self, request: Request) -> Response:
        """A page of its own; with ``format=csv`` the alerts that would have been."""
        name = request.path_params["name"]
        if request.query_params.get("format") == "csv":
            return self._csv(request, name)
        detail = self.services.detail(name)
        return self.pages.page(request, "whatif.html", "slos", view=self._view(request, detail))

    def part(self, request: Request) -> Response:
        """The form filled with a policy, and what it would have done."""
        detail = self.services.detail(request.path_params["name"])
        return self.pages.part("_whatif.html", view=self._view(request, detail))

    def result(self, request: Request) -> Response:
        """What the policy that is being written would have done."""
        detail = self.services.detail(request.path_params["name"])
        return self.pages.part("_whatif_result.html", view=self._view(request, detail))

    def _view(self, request: Request, detail: SloDetail) -> dict[str, object]:
        name, given = detail.status.name, request.query_params
        policy = given.get("policy", PRESENT)
        days = next((d for d in DAYS if str(d) == given.get("days")), DAYS[1])
        fields = forms.fields_of(chosen(self.services.specs(), name, policy))
        found, problem = None, ""
        try:
            tried = self._tried(given, name, policy)
            fields = forms.fields_of(tried)
            report = self._report(name, tried, days)
            query = self._address(name, {**given, "format": "csv"})
            found = result_of(report, detail.burn_down, tried, days, query)
        except NotFound:
            raise
        except UserError as error:
            problem = sorry(error)
        quoted = quote(name, safe="")
        return {
            "title": detail.status.display_name or name,
            "name": name,
            "slo_url": words.slo_url(name),
            "own_url": self._address(name, given),
            "page_url": f"/whatif/{quoted}",
            "part_url": f"/parts/whatif/{quoted}",
            "result_url": f"/parts/whatif-result/{quoted}",
            "choices": choices(self.services.specs()),
            "policy": policy,
            "days": days,
            "all_days": DAYS,
            "urgencies": forms.URGENCIES,
            "fields": fields,
            "result": found,
            "problem": problem,
        }

    def _address(self, name: str, given: Mapping[str, str]) -> str:
        query = urlencode([(k, v) for k, v in given.items() if v])
        return f"/whatif/{quote(name, safe='')}" + (f"?{query}" if query else "")

    def _tried(self, given: Mapping[str, str], name: str, policy: str) -> Plan:
        if "edited" in given:
            return forms.plan_of({k: v.strip()[:40] for k, v in given.items()})
        plan = chosen(self.services.specs(), name, policy)
        return Plan(forms.TRIED if policy != PRESENT else PRESENT, plan.rules, plan.guards)

    def _report(self, name: str, tried: Plan, days: int) -> Report:
        specs, now = self.services.specs(), self.services.clock.now()
        present = chosen(specs, name, PRESENT)
        plans = [present] if tried.name == PRESENT else [present, tried]
        with self.services.db.read() as conn:
            return work.backtest(conn, specs, name, now - days * DAY, now, plans)

    def _csv(self, request: Request, name: str) -> Response:
        given = request.query_params
        days = next((d for d in DAYS if str(d) == given.get("days")), DAYS[1])
        tried = self._tried(given, name, given.get("policy", PRESENT))
        report = self._report(name, tried, days)
        rows = [
            (s.plan.name, str(a.urgency), iso(a.opened), None if a.closed is None else
             iso(a.closed), a.until(report.end) - a.opened, "; ".join(a.rules))
            for s in report.scores for a in s.alarms
        ]  # fmt: skip
        return as_csv("what-if", HEAD, rows)


def whatif_routes(services: Services) -> Sequence[BaseRoute]:
    """All routes of this page."""
    its = WhatIfHandlers(services)

    def get(path: str, handler: Handler) -> Route:
        return Route(path, its.shown(handler))

    return [
        get("/whatif/{name:path}", its.page),
        get("/parts/whatif/{name:path}", its.part),
        get("/parts/whatif-result/{name:path}", its.result),
    ]
