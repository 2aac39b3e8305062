"""One page with its whole story: who was called, by what, what came of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from watchkeeper.alerting.model import Alert, AlertState
from watchkeeper.faces.duty import Story
from watchkeeper.faces.web.alert_list import AlertRow, alert_row
from watchkeeper.faces.web.alert_story import Figure, timeline
from watchkeeper.faces.web.duty_views import Line, PageRow, page_row, send_line, steps_of
from watchkeeper.incidents.model import Incident
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.oncall.model import Page, PageState
from watchkeeper.spec.model import Specs

ALERTS_SHOWN = 50
HEAD = ("id", "kind", "state", "urgency", "service", "title", "alerts", "calls", "opened_at",
        "first_call_at", "acked_at", "acked_by", "resolved_at", "resolved_by")  # fmt: skip


@dataclass(frozen=True, slots=True)
class StoryView:
    """One page with all that happened."""

    row: PageRow
    lead: Sequence[Figure]
    alerts: Sequence[AlertRow]
    more: int
    all_url: str
    links: Sequence[tuple[str, str]]
    explanation: str
    steps: Sequence[tuple[str, str, str]]
    lines: Sequence[Line]
    sends: Sequence[tuple[str, str, str, str, str]]
    refresh: str
    incidents: Sequence[tuple[int, str]] = ()


def story_view(
    story: Story, specs: Specs, now: Seconds, incidents: Sequence[Incident] = ()
) -> StoryView:
    """What is it, who has it, what comes next; then the whole story."""
    page, alerts = story.page, story.alerts
    first = alerts[0] if alerts else None
    ordered = sorted(alerts, key=lambda a: (a.state is AlertState.CLOSED, a.urgency, a.id))
    step = page.step if page.state is PageState.OPEN else -1
    return StoryView(
        row=page_row(page, specs, now),
        lead=_lead(page, now),
        alerts=[alert_row(a, None, specs, now) for a in ordered[:ALERTS_SHOWN]],
        more=max(0, page.alerts - ALERTS_SHOWN),
        all_url=f"/alerts?state=all&service={page.service}" if page.service else "/alerts",
        links=_links(alerts),
        explanation=str(first.details.get("explanation", "")) if first else "",
        steps=steps_of(page.policy, step),
        lines=timeline((), story.events, story.deliveries, now),
        sends=[send_line(d, now) for d in story.deliveries],
        refresh=f"/parts/pages/{page.id}",
        incidents=[(i.id, i.title) for i in incidents],
    )


def _links(alerts: Sequence[Alert]) -> list[tuple[str, str]]:
    found = {u: t for a in alerts[:5] for t, u in a.links if u.startswith(("/", "http"))}
    return [(t, u) for u, t in found.items()]


def _lead(page: Page, now: Seconds) -> list[Figure]:
    acked = page.acked_at - page.opened_at if page.acked_at is not None else None
    over = page.resolved_at - page.opened_at if page.resolved_at is not None else None
    called = page.first_call_at - page.opened_at if page.first_call_at is not None else None
    open_for = f"open for {text.duration(now - page.opened_at)}"
    return [
        ("First called", _after(called), "after it opened"),
        ("Acknowledged", _after(acked), page.acked_by or "nobody"),
        ("Resolved", _after(over), page.resolved_by or open_for),
    ]


def _after(seconds: float | None) -> str:
    return text.NOTHING if seconds is None else text.duration(seconds)


def export_rows(pages: Sequence[Page]) -> list[tuple[object, ...]]:
    """Pages in the order of HEAD."""
    return [
        (
            p.id, str(p.kind), str(p.state), p.urgency, p.service, p.title, p.alerts, p.calls,
            iso(p.opened_at), _iso(p.first_call_at), _iso(p.acked_at), p.acked_by,
            _iso(p.resolved_at), p.resolved_by,
        )
        for p in pages
    ]  # fmt: skip


def _iso(at: Seconds | None) -> str | None:
    return None if at is None else iso(at)
