"""One alert, or one page, with its whole story. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from watchkeeper.alerting.folding import INFORMATION
from watchkeeper.alerting.model import Alert, AlertState
from watchkeeper.faces.alert_pages import AlertStory, callees, callers
from watchkeeper.faces.web import duty_views, words
from watchkeeper.faces.web.alert_list import AlertRow, alert_row, badge, since, source_words
from watchkeeper.faces.web.duty_views import Line, PageRow
from watchkeeper.faces.web.words import Badge
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Seconds
from watchkeeper.notify.outbox import Delivery
from watchkeeper.slo import windows
from watchkeeper.spec.model import Specs
from watchkeeper.store.timeline import Event

MOST_VALUE = 2_000
Figure = tuple[str, str, str]
"""A label, the number, what it means."""


@dataclass(frozen=True, slots=True)
class Beside:
    """Another alert that was open at the time, and how it goes with this one."""

    url: str
    title: str
    badge: Badge
    relation: str
    since: str


@dataclass(frozen=True, slots=True)
class AlertView:
    """All that the page of an alert shows."""

    row: AlertRow
    key: str
    state: str
    says: str
    explanation: str
    lead: Sequence[Figure]
    page: PageRow | None
    facts: Sequence[tuple[str, str]]
    labels: Sequence[tuple[str, str]]
    details: Sequence[tuple[str, str]]
    links: Sequence[tuple[str, str]]
    lines: Sequence[Line]
    beside: Sequence[Beside]
    earlier: Sequence[Beside]
    payload: str
    payload_note: str
    slo_url: str
    open: bool
    refresh: str


def alert_view(story: AlertStory, specs: Specs, slos: Iterable[str], now: Seconds) -> AlertView:
    """What is it, who has it; then the whole story."""
    one = story.alert
    slo = slo_of(one, slos)
    received = story.received
    return AlertView(
        row=alert_row(one, story.page, specs, now),
        key=one.key,
        state=_state(one, now),
        says=one.summary,
        explanation=_plain(one.details.get("explanation", "")),
        lead=lead(one, now),
        page=duty_views.page_row(story.page, specs, now) if story.page is not None else None,
        facts=_facts(one, specs),
        labels=sorted(one.labels.items()),
        details=_details(one.details),
        links=[(t, u) for t, u in one.links if u.startswith(("/", "http://", "https://"))],
        lines=timeline(story.events, story.page_events, story.deliveries, now),
        beside=[_beside(a, one, specs, now) for a in story.beside],
        earlier=[_again(a, now) for a in story.earlier],
        payload=pretty(received.body) if received else "",
        payload_note=_received(received.at, received.content_type, received.size)
        if received
        else "",
        slo_url=words.slo_url(slo) if slo else "",
        open=one.state is not AlertState.CLOSED,
        refresh=f"/parts/alerts/{one.id}",
    )


def slo_of(alert: Alert, slos: Iterable[str]) -> str:
    """The SLO whose policy opened it, when it is still defined; ''."""
    named = alert.labels.get("slo", "") if alert.integration == "slo" else ""
    return named if named in set(slos) else ""


def _state(alert: Alert, now: Seconds) -> str:
    if alert.closed_at is not None:
        return f"It was open for {text.duration(alert.closed_at - alert.opened_at)}"
    if alert.quiet:
        return f"Nobody is called: {alert.quiet}"
    return f"Open for {text.duration(max(0.0, now - alert.opened_at))}"


def lead(alert: Alert, now: Seconds) -> list[Figure]:
    """The numbers that the decision was made with; without any, when it came and how often."""
    found = _measured(alert.details)
    if found:
        return found
    over = alert.closed_at if alert.closed_at is not None else now
    return [
        ("Opened", words.day_clock(alert.opened_at), "UTC"),
        ("Heard", f"{text.number(alert.count, 0)}×", f"last {words.ago(alert.last_at, now)}"),
        (
            "Open for" if alert.closed_at is None else "Was open for",
            text.duration(max(0.0, over - alert.opened_at)),
            "until now" if alert.closed_at is None else f"until {words.day_clock(over)}",
        ),
    ]


def _measured(details: Mapping[str, Any]) -> list[Figure]:
    found: list[Figure] = []
    evidence = details.get("evidence")
    if isinstance(evidence, list) and evidence and isinstance(evidence[0], dict):
        bad, total = _number(evidence[0].get("bad")), _number(evidence[0].get("total"))
        if bad is not None and total:
            share = text.percent(bad / total, 2)
            found.append(("Bad events", text.count(bad), f"of {text.count(total)}: {share}"))
    rates = details.get("burn_rate")
    if isinstance(rates, dict) and _number(rates.get("1h")) is not None:
        short = f"over 1 h; {text.times(_number(rates.get('5m')))} over 5 min"
        found.append(("Burn rate", text.times(_number(rates["1h"])), short))
    left = _number(details.get("budget_remaining_ratio"))
    if left is not None:
        of = f"of {_window(details['window'])}" if details.get("window") else ""
        share = text.percent(left, 1) if left > 0 else text.left(left)
        found.append(("Budget left", share, of))
    if found and "time_to_exhaustion_seconds" in details:
        gone = _number(details["time_to_exhaustion_seconds"])
        spent = ("State", "Spent", "nothing is left to spend")
        found.append(spent if gone == 0 else ("Gone in", text.duration(gone), "at that pace"))
    return found if len(found) >= 3 else []


def _window(name: object) -> str:
    try:
        return windows.in_words(str(name))
    except ValueError:
        return str(name)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and value == value else None


def _facts(alert: Alert, specs: Specs) -> list[tuple[str, str]]:
    facts = [
        ("Service", words.service_name(specs, alert.service)),
        ("Severity", alert.severity),
        ("Urgency", str(alert.urgency)),
        ("Came by", source_words(alert.integration)),
        ("Source", alert.source),
        ("Component", alert.component),
        ("Opened", f"{words.day_clock(alert.opened_at)} UTC"),
        ("Last heard", f"{words.day_clock(alert.last_at)} UTC, {alert.count}× in all"),
        ("Closed", f"{words.day_clock(alert.closed_at)} UTC" if alert.closed_at else ""),
        ("Closes itself", f"{text.duration(alert.auto_close)} after the last news"
         if alert.auto_close else ""),
        ("Escalation", alert.escalation_policy or ""),
    ]  # fmt: skip
    return [(k, v) for k, v in facts if v]


def _gone(seconds: float) -> str:
    return "spent" if seconds == 0 else text.duration(seconds)


_SHOWN = {"explanation", "evidence", "burn_rate"}
_OURS: Mapping[str, tuple[str, Callable[[float], str]]] = {
    "target": ("Target", text.percent),
    "attainment": ("Measured", text.percent),
    "budget_remaining_ratio": ("Budget left", text.left),
    "time_to_exhaustion_seconds": ("Gone in", _gone),
    "time_to_exhaustion_plain_seconds": ("Gone in, if nothing left the window", _gone),
}
"""How the numbers that our own policies decide with are said."""


def _details(details: Mapping[str, Any]) -> list[tuple[str, str]]:
    ours = "evidence" in details and "burn_rate" in details
    found: list[tuple[str, str]] = []
    for name, value in details.items():
        measured = _number(value)
        if ours and name in _OURS and measured is not None:
            found.append((_OURS[name][0], _OURS[name][1](measured)))
        elif ours and name == "window":
            found.append(("Window", _window(value)))
        elif name not in _SHOWN and value not in ({}, []):
            found.append((name.replace("_", " ").capitalize() if ours else name, _value(value)))
    return found


def _value(value: object) -> str:
    said = _plain(value) if not isinstance(value, dict | list) else json.dumps(value, indent=1)
    return said if len(said) <= MOST_VALUE else said[:MOST_VALUE] + " …"


def _plain(value: object) -> str:
    if value is None:
        return "–"
    return value if isinstance(value, str) else json.dumps(value)


def pretty(body: str) -> str:
    """JSON with indents, everything else as it came."""
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body


def _received(at: Seconds, kind: str, size: int) -> str:
    said = [f"{words.day_clock(at)}{words.clock(at)[5:]} UTC", f"{size:,} bytes", kind]
    return " · ".join(s for s in said if s)


def _beside(other: Alert, one: Alert, specs: Specs, now: Seconds) -> Beside:
    if other.service in callees(specs, one.service):
        relation = f"{words.service_name(specs, other.service)}, which it depends on"
    elif other.service in callers(specs, one.service):
        relation = f"{words.service_name(specs, other.service)}, which depends on it"
    elif other.service == one.service and one.service:
        relation = "the same service"
    else:
        relation = "the same page"
    return Beside(f"/alerts/{other.id}", other.summary, badge(other), relation, since(other, now))


def _again(other: Alert, now: Seconds) -> Beside:
    return Beside(f"/alerts/{other.id}", other.summary, badge(other), "", since(other, now))


# ---------------------------------------------------------------- what happened

_WHAT: Mapping[str, tuple[str, str]] = {
    "alert.opened": ("Alert opened", "burn"),
    "alert.acknowledged": ("Alert acknowledged", "watch"),
    "alert.closed": ("Alert closed", "ok"),
    "alert.reopened": ("Nobody has it any more", "burn"),
    "alert.loud": ("Silence over", "burn"),
}


def timeline(
    events: Sequence[Event],
    page_events: Sequence[Event],
    deliveries: Sequence[Delivery],
    now: Seconds,
) -> list[Line]:
    """Everything in order of time, the newest first; at one instant the later step first."""
    told: list[tuple[float, int, Line]] = [(e.at, e.id, _line(e)) for e in events]
    told += [(e.at, e.id, duty_views.event_line(e)) for e in page_events]
    told += [(_when(d), 2**60 + d.id, _sent(d, now)) for d in deliveries]
    told.sort(key=lambda each: each[:2], reverse=True)
    return [line for _, _, line in told]


_OPENED = {"page": ("burn", "as a page"), "ticket": ("watch", "as a ticket"),
           "info": ("none", "as information")}  # fmt: skip


def _line(event: Event) -> Line:
    what, key = _WHAT.get(event.kind, (event.kind, "none"))
    data = event.data
    said = str(data.get("reason") or data.get("quiet") or data.get("was") or "")
    if event.kind == "alert.opened":
        key, how = _OPENED.get(str(data.get("urgency")), _OPENED["page"])
        quiet = f"; nobody is called: {said}" if said and said != INFORMATION else ""
        return Line(
            _clock(event.at), what, f"through {source_words(event.actor)}, {how}{quiet}", key
        )
    who = "" if event.actor == "engine" else f"by {source_words(event.actor)}"
    return Line(_clock(event.at), what, ": ".join(x for x in (who, said) if x), key)


def _when(row: Delivery) -> Seconds:
    return row.sent_at if row.sent_at is not None else row.created_at


def _sent(row: Delivery, now: Seconds) -> Line:
    key, word, to, _, note = duty_views.send_line(row, now)
    kinds = {"update": "what changed,", "resolved": "that it is over,"}
    what = {"sent": "Sent", "failed": "Not delivered", "cancelled": "Not needed any more"}
    about = kinds.get(str(row.kind), "")
    said = " ".join(x for x in (about, "to", to) if x)
    outcome = f": {note}" if note else ""
    return Line(_clock(_when(row)), what.get(row.state, f"Message {word}"), said + outcome, key)


def _clock(at: Seconds) -> str:
    return words.day_clock(at) + words.clock(at)[5:]
