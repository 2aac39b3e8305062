"""The page of silences and maintenance: who is not called for what, until when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from watchkeeper.access.model import Permission
from watchkeeper.alerting.model import Alert
from watchkeeper.alerting.quiet import Silence, in_force, occurrences
from watchkeeper.alerting.silencing import matcher_of
from watchkeeper.faces import alert_pages
from watchkeeper.faces.alerts import alerts_of
from watchkeeper.faces.duty import Duty
from watchkeeper.faces.services import Services
from watchkeeper.faces.web import words
from watchkeeper.faces.web.acting import (
    Acting,
    Form,
    actor,
    allowed,
    as_csv,
    number,
    sorry,
)
from watchkeeper.faces.web.alert_list import badge
from watchkeeper.faces.web.words import Badge
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.kernel.duration import parse_duration
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.spec.duty import MaintenanceDefinition, Matcher

HEAD = ("id", "state", "matchers", "start", "end", "author", "reason")
MOST_OVER = 50
NEXT = 3
"""Occurrences of a maintenance that are shown."""
MOST_SHOWN = 8
"""Matching alerts that are named below the form; the number is of all."""
LENGTHS = (("30m", "30 minutes"), ("1h", "1 hour"), ("2h", "2 hours"), ("4h", "4 hours"),
           ("12h", "12 hours"), ("1d", "1 day"), ("1w", "1 week"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class SilenceRow:
    """A silence in the list."""

    id: str
    matchers: Sequence[str]
    badge: Badge
    span: str
    left: str
    author: str
    reason: str
    matches: str
    ends: bool


@dataclass(frozen=True, slots=True)
class MaintenanceRow:
    """A maintenance window from the definitions."""

    name: str
    matchers: Sequence[str]
    badge: Badge
    lasts: str
    rule: str
    next: Sequence[str]
    reason: str
    place: str


@dataclass(frozen=True, slots=True)
class Entered:
    """What stands in the form."""

    matchers: str = ""
    length: str = "2h"
    start: str = ""
    until: str = ""
    reason: str = ""
    alert: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a silence that is being written would hold for."""

    problem: str
    count: int
    says: str
    alerts: Sequence[tuple[str, str, Badge]]
    pages: int


def state(silence: Silence, now: Seconds) -> Badge:
    """In force, coming or over."""
    if silence.end <= now:
        return Badge("none", "Over")
    return Badge("watch", "Coming") if silence.start > now else Badge("ok", "In force")


def silence_row(silence: Silence, alerts: Sequence[Alert], now: Seconds) -> SilenceRow:
    """One silence; ``alerts`` are the open ones that match it."""
    found = state(silence, now)
    left = {
        "In force": f"{text.duration(silence.end - now)} left",
        "Coming": f"in {text.duration(silence.start - now)}",
    }.get(found.word, f"{text.duration(max(0.0, now - silence.end))} ago")
    span = f"{words.day_clock(silence.start)} to {words.day_clock(silence.end)}"
    matches = words.plural(len(alerts), "open alert") if silence.end > now else ""
    return SilenceRow(
        silence.id,
        [f"{m.label}{m.op}{m.value}" for m in silence.matchers],
        found,
        span,
        left,
        silence.author,
        silence.reason,
        matches,
        silence.end > now,
    )


def maintenance_row(planned: MaintenanceDefinition, now: Seconds) -> MaintenanceRow:
    """One maintenance with its next occurrences."""
    coming = occurrences(planned, now, NEXT)
    active = in_force(planned, now)
    found = Badge("ok", "In force") if active else Badge("watch" if coming else "none", "Planned"
                                                         if coming else "Over")  # fmt: skip
    return MaintenanceRow(
        planned.name,
        [f"{m.label}{m.op}{m.value}" for m in planned.matchers],
        found,
        text.duration(planned.duration),
        planned.rrule or "once",
        [f"{words.day_clock(s)} to {words.clock(s + planned.duration)[:5]} UTC" for s in coming],
        planned.reason,
        f"{planned.place.file}:{planned.place.line}" if planned.place.file else "",
    )


def from_alert(alert: Alert) -> Entered:
    """The form filled for one alert: what others like it will have as well, such as its name, and
    not what changes from one to the next, such as a host; its sentence if there is nothing else."""
    labels = alert.labels
    names = ("slo", "alertname", "class", "component", "source", "summary")
    chosen = next((n for n in names if labels.get(n)), "")
    found = [f"{n}={labels[n]}" for n in ("service", chosen) if labels.get(n)]
    return Entered(matchers="\n".join(dict.fromkeys(found)), alert=str(alert.id))


def matchers_in(written: str) -> list[Matcher]:
    """One a line. Raises UserError."""
    lines = [line.strip() for line in written.replace("\r", "").split("\n")]
    found = [matcher_of(line) for line in lines if line]
    if not found:
        raise UserError("A silence needs a matcher.", "E.g. service=checkout, one a line.")
    return found


def span_of(form: Mapping[str, str], now: Seconds) -> tuple[Seconds | None, Seconds]:
    """(start or None for now, end) of a form's fields. Raises UserError."""
    start = _utc(form["start"]) if form.get("start") else None
    if form.get("until"):
        return start, _utc(form["until"])
    try:
        length = parse_duration(form.get("for", ""))
    except ValueError as error:
        raise UserError(f"{error}.", "Choose how long, or until when.") from None
    return start, (now if start is None else start) + length.average_seconds


def _utc(written: str) -> Seconds:
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        raise UserError(f"{written!r} is no time.", "Give a day and a time, in UTC.") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


class SilenceHandlers(Acting):
    """All handlers, over the same services."""

    def __init__(self, duty: Duty, services: Services) -> None:
        super().__init__(services)
        self.duty, self.alerts = duty, alerts_of(duty)

    def all(
        self, request: Request, problem: str = "", entered: Entered | None = None, status: int = 200
    ) -> Response:
        """In force, coming, over; a form to make one."""
        filled = entered or self._entered(request)
        return self.pages.page(
            request,
            "silences.html",
            "silences",
            status,
            view=self._all(),
            entered=filled,
            preview=self._preview(filled.matchers),
            lengths=LENGTHS,
            problem=problem,
            open=bool(problem or filled.matchers),
            may_edit=allowed(request, Permission.EDIT),
        )

    def part(self, request: Request) -> Response:
        """The lists again."""
        may_edit = allowed(request, Permission.EDIT)
        return self.pages.part("_silences.html", view=self._all(), may_edit=may_edit)

    def matching(self, request: Request) -> Response:
        """What the matchers that are being typed hold for, now."""
        written = request.query_params.get("matchers", "")[:5000].replace("\0", "")
        return self.pages.part("_matching.html", preview=self._preview(written))

    def _all(self) -> dict[str, object]:
        now, planned = self.duty.clock.now(), self.duty.specs().duty.maintenance.values()
        silences = self.alerts.silences(over_too=True)
        everyone = self._everyone() if any(s.end > now for s in silences) else ()
        rows = [silence_row(s, _held(s, everyone, now), now) for s in silences]
        rows.sort(key=lambda r: ("In force", "Coming", "Over").index(r.badge.word))
        active = [r for r in rows if r.badge.word == "In force"]
        over = [r for r in rows if r.badge.word == "Over"]
        return {
            "headline": _headline(len(active)),
            "now": _now(len(active), sum(r.badge.word == "Coming" for r in rows)),
            "active": active,
            "coming": [r for r in rows if r.badge.word == "Coming"],
            "over": over[::-1][:MOST_OVER],
            "maintenance": [maintenance_row(m, now) for m in planned],
        }

    def _everyone(self) -> Sequence[Alert]:
        return alert_pages.everything_open(self.alerts)

    def _entered(self, request: Request) -> Entered:
        asked = request.query_params.get("alert", "")
        if not asked:
            return Entered()
        return from_alert(alert_pages.story(self.alerts, number(asked, "alert")).alert)

    def _preview(self, written: str) -> Preview:
        if not written.strip():
            return Preview("", 0, "Write a matcher to see which open alerts it holds for.", (), 0)
        try:
            found = alert_pages.matched(self._everyone(), matchers_in(written))
        except UserError as error:
            return Preview(sorry(error), 0, "", (), 0)
        shown = [(f"/alerts/{a.id}", a.summary, badge(a)) for a in found.alerts[:MOST_SHOWN]]
        many = words.plural(len(found.alerts), "open alert matches", "open alerts match")
        says = f"{many} now." if found.alerts else "No open alert matches now; new ones would."
        return Preview("", len(found.alerts), says, shown, len(found.pages))

    def make(self, request: Request, form: Form) -> Response:
        """Make one; the pages of alerts that match are snoozed until it ends, if asked for."""
        now = self.duty.clock.now()
        try:
            matchers, (start, end) = matchers_in(form.get("matchers", "")), span_of(form, now)
            held = alert_pages.matched(self._everyone(), matchers)
            who = actor(request)
            self.alerts.silence(matchers, start, end, who, form.get("reason", ""))
            if form.get("snooze") == "yes" and start is None:
                self._snooze(held.pages, who, end - now)
        except NotFound:
            raise
        except UserError as error:
            given = {n: form.get(n, "") for n in ("matchers", "start", "until", "reason", "alert")}
            return self.all(
                request, sorry(error), Entered(length=form.get("for", ""), **given), 400
            )
        return RedirectResponse("/silences", 303)

    def _snooze(self, pages: Sequence[int], who: str, seconds: float) -> None:
        for page in pages:
            try:
                self.duty.snooze(page, who, seconds)
            except UserError:
                continue  # it was resolved in the meantime

    def end(self, request: Request, _: Form) -> Response:
        """End one now."""
        self.alerts.end_silence(request.path_params["id"], actor(request))
        return RedirectResponse("/silences", 303)

    def export(self, _: Request) -> Response:
        """All of them as CSV."""
        now = self.duty.clock.now()
        rows = [
            (s.id, state(s, now).word.lower(), " ".join(f"{m.label}{m.op}{m.value}"
             for m in s.matchers), iso(s.start), iso(s.end), s.author, s.reason)
            for s in self.alerts.silences(over_too=True)
        ]  # fmt: skip
        return as_csv("silences", HEAD, rows)


def _held(silence: Silence, everyone: Sequence[Alert], now: Seconds) -> Sequence[Alert]:
    if silence.end <= now:
        return ()
    return alert_pages.matched(everyone, silence.matchers).alerts


def _headline(active: int) -> str:
    if not active:
        return "Nothing is silenced"
    return words.plural(active, "silence is", "silences are") + " in force"


def _now(active: int, coming: int) -> str:
    return f"{active} in force, {coming} coming"


def silence_routes(duty: Duty, services: Services) -> Sequence[BaseRoute]:
    """All routes of this page."""
    its = SilenceHandlers(duty, services)
    return [
        Route("/silences", its.shown(its.all), methods=["GET"]),
        Route("/silences", its.posted(its.make), methods=["POST"]),
        Route("/silences.csv", its.shown(its.export)),
        Route("/silences/{id}/end", its.posted(its.end), methods=["POST"]),
        Route("/parts/silences", its.shown(its.part)),
        Route("/parts/silences/matching", its.shown(its.matching)),
    ]
