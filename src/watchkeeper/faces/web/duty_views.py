"""What the pages on alerts and on-call show. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from watchkeeper.faces.web import words
from watchkeeper.faces.web.words import Badge
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Seconds
from watchkeeper.notify.addresses import shown
from watchkeeper.notify.outbox import Delivery
from watchkeeper.oncall.model import Page, PageState
from watchkeeper.spec.duty import EscalationPolicyDefinition, EscalationTarget
from watchkeeper.spec.model import Specs
from watchkeeper.store.timeline import Event

BADGES: Mapping[PageState, Badge] = {
    PageState.OPEN: Badge("burn", "Nobody has it"),
    PageState.ACKED: Badge("watch", "Acknowledged"),
    PageState.RESOLVED: Badge("ok", "Resolved"),
}


@dataclass(frozen=True, slots=True)
class PageRow:
    """A page in the list."""

    id: int
    url: str
    title: str
    sub: str
    badge: Badge
    urgency: str
    since: str
    who: str
    next: str
    open: bool
    acked: bool


@dataclass(frozen=True, slots=True)
class PagesView:
    """The list of pages: who has what, what comes next."""

    headline: str
    summary: str
    rows: Sequence[PageRow]
    weak: Sequence[str]
    every: bool
    refresh: str
    more: str | None


def pages_view(
    pages: Sequence[Page],
    specs: Specs,
    weak: Iterable[str],
    now: Seconds,
    every: bool,
    limit: int,
    after: int | None = None,
) -> PagesView:
    """Pages that nobody has, then those that somebody has, then tickets, then what is over."""
    ordered = sorted(pages, key=_order)
    alone = sum(p.state is PageState.OPEN and p.urgency == "page" for p in pages)
    waiting = sum(p.state is PageState.OPEN and p.urgency != "page" for p in pages)
    held = sum(p.state is PageState.ACKED and p.urgency == "page" for p in pages)
    return PagesView(
        headline=_headline(alone, held, waiting),
        summary="Open pages call people until somebody acknowledges; nothing is dropped.",
        rows=[page_row(p, specs, now) for p in ordered],
        weak=tuple(weak),
        every=every,
        refresh="/parts/alerts"
        + ("?all=1" if every else "")
        + (f"&from={after}" if every and after is not None else ""),
        more=f"/alerts?all=1&from={min(p.id for p in pages)}"
        if every and len(pages) == limit
        else None,
    )


def _order(page: Page) -> tuple[int, float]:
    rank = {PageState.OPEN: 0, PageState.ACKED: 1, PageState.RESOLVED: 4}[page.state]
    if page.urgency != "page" and page.state is not PageState.RESOLVED:
        rank += 2
    return rank, -page.opened_at if page.state is PageState.RESOLVED else page.opened_at


def _headline(alone: int, held: int, waiting: int) -> str:
    if alone:
        return f"{words.plural(alone, 'page is', 'pages are')} open and nobody has " + (
            "it yet" if alone == 1 else "them yet"
        )
    if held:
        return f"{words.plural(held, 'page is', 'pages are')} in someone's hands"
    if waiting:
        return f"Nobody is needed now; {words.plural(waiting, 'ticket waits', 'tickets wait')}"
    return "Nobody is needed now"


def page_row(page: Page, specs: Specs, now: Seconds) -> PageRow:
    """One page."""
    more = f" · {words.plural(page.alerts, 'alert')}" if page.alerts > 1 else ""
    kind = "Fire drill" if page.kind == "drill" else words.service_name(specs, page.service)
    told = page.state is PageState.OPEN and page.urgency != "page"
    return PageRow(
        id=page.id,
        url=f"/pages/{page.id}",
        title=page.title,
        sub=f"#{page.id} · {kind or 'no service'}{more}",
        badge=Badge("watch", "Ticket") if told else BADGES[page.state],
        urgency=page.urgency,
        since=f"{words.day_clock(page.opened_at)} · {text.duration(now - page.opened_at)} ago",
        who=_who(page, now),
        next=_next(page, now),
        open=page.state is not PageState.RESOLVED,
        acked=page.state is PageState.ACKED,
    )


def _who(page: Page, now: Seconds) -> str:
    if page.state is PageState.RESOLVED:
        took = (page.resolved_at or now) - page.opened_at
        return f"{page.resolved_by}, after {text.duration(took)}"
    if page.state is PageState.ACKED:
        return page.acked_by
    if page.calls:
        return words.plural(page.calls, "call") + " so far"
    return "about to call" if page.urgency == "page" else "nobody is woken by a ticket"


def _next(page: Page, now: Seconds) -> str:
    if page.state is PageState.RESOLVED:
        return "–"
    if page.due_at is None:
        return "none: acknowledged for good"
    when = text.duration(max(0.0, page.due_at - now))
    if page.state is PageState.ACKED:
        why = "snooze ends" if page.snoozed_until is not None else "calls again"
        return f"{why} in {when}"
    return f"{_next_step(page)} in {when}" if page.due_at > now else f"{_next_step(page)} now"


def _next_step(page: Page) -> str:
    policy = page.policy
    if policy is None:
        return "looking for a policy"
    if page.urgency != "page":
        return f"told in working hours: {targets(policy.steps[0].targets)}"
    if page.step < len(policy.steps):
        return f"step {page.step + 1}: {targets(policy.steps[page.step].targets)}"
    if page.round < policy.repeat:
        return f"round {page.round + 2}: {targets(policy.steps[0].targets)}"
    return f"fallback: {targets(policy.fallback or policy.steps[-1].targets)}"


def targets(given: Sequence[EscalationTarget]) -> str:
    """``schedule shop, user ann``."""
    return ", ".join(f"{t.kind} {t.name} {shown(None, t.address)}".rstrip() for t in given)


# ---------------------------------------------------------------- one page


@dataclass(frozen=True, slots=True)
class Line:
    """Something that happened."""

    at: str
    what: str
    sub: str
    key: str


def steps_of(policy: EscalationPolicyDefinition | None, at: int) -> list[tuple[str, str, str]]:
    """(title, targets, state) of each step, for the graph; ``at`` is the one that comes next."""
    if policy is None:
        return []
    made = [
        (
            f"Step {i + 1}",
            targets(s.targets),
            "next" if i == at else "done" if i < at else "",
        )
        for i, s in enumerate(policy.steps)
    ]
    repeat = f"Repeat {policy.repeat}×" if policy.repeat else "No repeat"
    fallback = targets(policy.fallback) if policy.fallback else "the last step again"
    state = "next" if at >= len(policy.steps) else ""
    return [*made, (f"{repeat}, then", fallback, state)]


_WHAT = {
    "page.opened": ("Opened", "burn"),
    "page.called": ("Called", "watch"),
    "page.nobody": ("Nobody to call", "spent"),
    "page.waits": ("Waits for the day", "none"),
    "page.joined": ("More alerts joined", "burn"),
    "page.acknowledged": ("Acknowledged", "ok"),
    "page.resolved": ("Resolved", "ok"),
    "page.snoozed": ("Snoozed", "watch"),
    "page.reassigned": ("Reassigned", "watch"),
    "page.responders": ("Called as well", "watch"),
    "page.note": ("Note", "none"),
    "drill.started": ("Drill started", "watch"),
}


def event_line(event: Event) -> Line:
    """An event of a page's story."""
    what, key = _WHAT.get(event.kind, (event.kind, "none"))
    return Line(
        words.day_clock(event.at) + words.clock(event.at)[5:],
        what,
        _said(event.kind, event.data, event.actor),
        key,
    )


def _said(kind: str, data: Mapping[str, Any], actor: str) -> str:
    match kind:
        case "page.called" | "page.responders":
            by = f" ({', '.join(data['via'])})" if data.get("via") else ""
            return f"{', '.join(data.get('called', ()))}{by}: {data.get('what', actor)}"
        case "page.note":
            return f"{actor}: {data.get('text', '')}"
        case "page.reassigned":
            note = f": {data['note']}" if data.get("note") else ""
            return f"by {actor} to {', '.join(data.get('to', ()))}{note}"
        case "page.joined" | "page.opened":
            policy = f", policy {data['policy']}" if data.get("policy") else ""
            return words.plural(int(data.get("count", 0)), "alert") + policy
        case "page.waits":
            return f"until {words.day_clock(float(data['until']))} UTC: tickets wake nobody"
        case "page.nobody":
            return str(data.get("what", ""))
        case _:
            return f"by {actor}"


def send_line(row: Delivery, now: Seconds) -> tuple[str, str, str, str, str]:
    """(shape, word, to whom, when, outcome) of a delivery."""
    state = {"sent": "ok", "failed": "spent", "cancelled": "none"}.get(row.state, "watch")
    if row.state == "due":
        word = f"due in {text.duration(max(0.0, row.due_at - now))}"
    else:
        word = {"leased": "being sent"}.get(row.state, row.state)
    when = words.day_clock(row.sent_at) + words.clock(row.sent_at)[5:] if row.sent_at else "–"
    twice = " · perhaps a duplicate" if row.maybe_duplicate else ""
    note = f"{row.outcome}{twice}" if row.outcome else twice.removeprefix(" · ")
    return state, word, f"{row.user or 'shared'} by {row.channel} ({row.address})", when, note
