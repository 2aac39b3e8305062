"""The page of on-call load: by rotation and week, never by person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from watchkeeper.faces import rota_pages as reads
from watchkeeper.faces.duty import Duty
from watchkeeper.faces.rota_pages import BusyShift
from watchkeeper.faces.services import Services
from watchkeeper.faces.web import duty_calendar as cal
from watchkeeper.faces.web import words
from watchkeeper.faces.web.acting import Acting, as_csv, as_json
from watchkeeper.faces.web.readers import zone_of
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import iso
from watchkeeper.oncall.load import LIMIT, Load, Week
from watchkeeper.spec.model import Specs

DAY = 86_400.0
PERIODS = (7, 30, 90)
HEAD = ("rotation", "pages", "out_of_hours", "interrupted_hours", "shifts_over_limit",
        "mtta_seconds", "mttr_seconds")  # fmt: skip


@dataclass(frozen=True, slots=True)
class LoadRow:
    """What being on call cost one rotation, this period and the one before."""

    rotation: str
    url: str
    pages: str
    trend: str
    out_of_hours: str
    interrupted: str
    over: str
    over_key: str
    mtta: str
    mttr: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A week of the chart; heights in percent of the highest."""

    label: str
    in_hours: int
    outside: int
    in_height: float
    out_height: float

    @property
    def total(self) -> int:
        """All pages of the week."""
        return self.in_hours + self.outside


def rotation_words(rotation: str, specs: Specs) -> tuple[str, str]:
    """(name, address of its page) of what was called: a schedule, a user, a team, a channel."""
    kind, _, name = rotation.partition(":")
    if kind == "schedule":
        found = specs.duty.schedules.get(name)
        return (found.display_name, f"/oncall/schedules/{name}") if found else (name, "")
    if kind == "user":
        return "Called by name, not by a rotation", ""
    if kind == "team":
        return f"Team {words.team_name(specs, name)}", ""
    return f"{kind.title()} {name}", ""


def load_rows(this: Sequence[Load], before: Sequence[Load], specs: Specs) -> list[LoadRow]:
    """Rotations by name; none stands for a person."""
    old = {b.rotation: b for b in before}
    return [_row(each, old.get(each.rotation), specs) for each in this]


def _row(each: Load, old: Load | None, specs: Specs) -> LoadRow:
    step = each.pages - (old.pages if old else 0)
    name, url = rotation_words(each.rotation, specs)
    over = each.shifts_over_limit
    return LoadRow(
        name,
        url,
        str(each.pages),
        "as before" if step == 0 else f"{step:+d}".replace("-", "−"),
        str(each.out_of_hours),
        str(each.interrupted_hours),
        f"{words.plural(over, 'shift')} over {LIMIT}" if over else "within the limit",
        "burn" if over else "ok",
        "–" if each.mtta is None else text.duration(each.mtta),
        "–" if each.mttr is None else text.duration(each.mttr),
    )


def bars(weeks: Sequence[Week], first: date, last: date) -> list[Bar]:
    """One bar a week from ``first`` to ``last`` (both Mondays), weeks without pages too."""
    counts: dict[date, tuple[int, int]] = {}
    for week in weeks:
        a, b = counts.get(week.monday, (0, 0))
        counts[week.monday] = (a + week.in_hours, b + week.out_of_hours)
    most = max((a + b for a, b in counts.values()), default=0) or 1
    found, monday = [], first
    while monday <= last:
        a, b = counts.get(monday, (0, 0))
        label = f"{monday.day} {monday:%b}"
        found.append(Bar(label, a, b, round(100 * a / most, 2), round(100 * b / most, 2)))
        monday += timedelta(days=7)
    return found


class LoadHandlers(Acting):
    """All handlers of this page."""

    def __init__(self, duty: Duty, services: Services) -> None:
        super().__init__(services)
        self.duty = duty

    def show(self, request: Request) -> Response:
        """What being on call cost."""
        specs, days, now = self.duty.specs(), _days(request), self.duty.clock.now()
        span = days * DAY
        this = self.duty.load(now - span, now)
        rows = load_rows(this, self.duty.load(now - 2 * span, now - span), specs)
        busy = reads.shifts_over(self.duty, now - span, now)
        chart = self._bars(max(span, 12 * 7 * DAY))
        return self.pages.page(
            request,
            "load.html",
            "oncall",
            rows=rows,
            days=days,
            periods=PERIODS,
            headline=_headline(this),
            chart=chart,
            says=_says(chart),
            busy=[_busy(b, specs, zone_of(request, specs)) for b in busy],
            totals=_totals(this),
        )

    def _bars(self, span: float) -> list[Bar]:
        now = self.duty.clock.now()
        today = datetime.fromtimestamp(now, UTC).date()
        last = today - timedelta(days=today.weekday())
        first = last - timedelta(days=7 * (round(span / DAY) // 7 - 1))
        start = datetime.combine(first, datetime.min.time(), UTC).timestamp()
        return bars(reads.load_by_week(self.duty, start, now), first, last)

    def export(self, request: Request) -> Response:
        """The rotations as CSV."""
        now, days = self.duty.clock.now(), _days(request)
        rows = [tuple(asdict(each).values()) for each in self.duty.load(now - days * DAY, now)]
        return as_csv("load", HEAD, rows)

    def export_json(self, request: Request) -> Response:
        """The rotations, their weeks and the shifts over the limit."""
        now, days = self.duty.clock.now(), _days(request)
        start = now - days * DAY
        found: Mapping[str, object] = {
            "from": iso(start),
            "to": iso(now),
            "rotations": [asdict(each) for each in self.duty.load(start, now)],
            "weeks": [
                {**asdict(w), "monday": w.monday.isoformat()}
                for w in reads.load_by_week(self.duty, start, now)
            ],
            "shifts_over_limit": [
                {**asdict(b), "start": iso(b.start), "end": iso(b.end)}
                for b in reads.shifts_over(self.duty, start, now)
            ],
        }
        return as_json("load", found)


def _days(request: Request) -> int:
    asked = request.query_params.get("days", "30")
    return int(asked) if asked in map(str, PERIODS) else 30


def _busy(each: BusyShift, specs: Specs, zone: str) -> tuple[str, str, str]:
    name = rotation_words(each.rotation, specs)[0]
    return name, cal.between(each.start, each.end, zone), words.plural(each.pages, "page")


def _totals(rows: Sequence[Load]) -> tuple[str, str, str]:
    pages = sum(r.pages for r in rows)
    outside = sum(r.out_of_hours for r in rows)
    share = f"{round(100 * outside / pages)} % of them" if pages else "none was needed"
    return str(pages), str(outside), share


def _headline(rows: Sequence[Load]) -> str:
    over = sum(r.shifts_over_limit > 0 for r in rows)
    if over:
        return f"{words.plural(over, 'rotation')} over the limit of {LIMIT} incidents a shift"
    return "Every rotation is within its limit"


def _says(chart: Sequence[Bar]) -> str:
    half = len(chart) // 2
    before, after = (sum(b.total for b in part) for part in (chart[:half], chart[half:]))
    if before == after:
        return f"{after} pages in the last {len(chart) - half} weeks, as in those before."
    word = "more" if after > before else "fewer"
    return (
        f"{words.plural(after, 'page')} in the last {len(chart) - half} weeks, "
        f"{abs(after - before)} {word} than in the {half} before."
    )


def load_routes(duty: Duty, services: Services) -> Sequence[BaseRoute]:
    """All routes of this page."""
    its = LoadHandlers(duty, services)
    return [
        Route("/load", its.shown(its.show)),
        Route("/load.csv", its.shown(its.export)),
        Route("/load.json", its.shown(its.export_json)),
    ]
