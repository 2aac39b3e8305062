"""The list of alerts: what its address asks for, and its rows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from watchkeeper.alerting.folding import INFORMATION
from watchkeeper.alerting.model import Alert, AlertState, Urgency
from watchkeeper.alerting.store_lists import NOT_CLOSED, Wanted
from watchkeeper.faces.alert_pages import Listed
from watchkeeper.faces.web import words
from watchkeeper.faces.web.words import Badge
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.oncall.model import Page, PageState
from watchkeeper.spec.model import Specs

PER_PAGE = 50
MOST_LETTERS = 200
STATES = {
    "": ("Open or acknowledged", NOT_CLOSED),
    "open": ("Open", ("open",)),
    "acknowledged": ("Acknowledged", ("acknowledged",)),
    "closed": ("Closed", ("closed",)),
    "all": ("Every state", ()),
}
SEVERITIES = ("critical", "error", "warning", "info")
HEAD = (
    "id", "state", "urgency", "severity", "service", "source", "summary", "key", "count",
    "opened_at", "last_at", "closed_at", "page", "quiet",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AlertAsk:
    """What an address asks for; the defaults ask for all that is not closed."""

    q: str = ""
    state: str = ""
    severity: str = ""
    service: str = ""
    source: str = ""
    before: int | None = None

    @classmethod
    def read(cls, params: Mapping[str, str]) -> AlertAsk:
        """From an address's parameters; what makes no sense there is left out, never an error."""
        state, severity = params.get("state", ""), params.get("severity", "")
        before = params.get("before", "")
        plain = before.isascii() and before.isdigit() and len(before) < 16
        return cls(
            q=_plain(params.get("q", "")),
            state=state if state in STATES else "",
            severity=severity if severity in SEVERITIES else "",
            service=_plain(params.get("service", "")),
            source=_plain(params.get("source", "")),
            before=int(before) if plain else None,
        )

    @property
    def narrow(self) -> bool:
        """True when something is filtered out."""
        return replace(self, before=None) != AlertAsk()

    def wanted(self) -> Wanted:
        """In the words of the store."""
        states = STATES[self.state][1]
        return Wanted(states, self.severity, "", self.service, self.source, self.q)

    def query(self, **changes: object) -> str:
        """As the query of an address, ``?…`` or ''."""
        new = replace(self, **changes)  # type: ignore[arg-type]
        pairs = [(n, v) for n in self.__slots__ if (v := getattr(new, n))]
        return f"?{urlencode(pairs)}" if pairs else ""


def _plain(written: str) -> str:
    """What both databases can look for."""
    kept = written.encode("utf-8", "ignore").decode().replace("\0", "")
    return kept[:MOST_LETTERS].strip()


@dataclass(frozen=True, slots=True)
class Choice:
    """An entry of a filter."""

    value: str
    label: str
    selected: bool


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert in a list."""

    id: int
    url: str
    title: str
    sub: str
    badge: Badge
    severity: str
    service: str
    since: str
    page: str
    page_url: str
    holder: str
    ack: str
    close: str
    silence: str


@dataclass(frozen=True, slots=True)
class AlertsView:
    """The list with its filters."""

    rows: Sequence[AlertRow]
    total: str
    narrow: bool
    asks_open: bool
    filters: Sequence[tuple[str, str, Sequence[Choice]]]
    q: str
    query: str
    refresh: str
    csv: str
    json: str
    older: str
    newest: str


def alerts_view(found: Listed, ask: AlertAsk, specs: Specs, now: Seconds) -> AlertsView:
    """Newest first, PER_PAGE at a time."""
    more = len(found.alerts) == PER_PAGE and found.total > PER_PAGE
    every = ask.query(before=None)
    return AlertsView(
        rows=[alert_row(a, found.pages.get(a.page_id or 0), specs, now) for a in found.alerts],
        total=words.plural(found.total, "alert"),
        narrow=ask.narrow,
        asks_open=ask.state == "",
        filters=_filters(found, ask, specs),
        q=ask.q,
        query=every,
        refresh="/parts/alert-list" + ask.query(),
        csv="/alerts.csv" + every,
        json="/alerts.json" + every,
        older="/alerts" + ask.query(before=found.alerts[-1].id) if more else "",
        newest="/alerts" + every if ask.before is not None else "",
    )


def _filters(found: Listed, ask: AlertAsk, specs: Specs) -> list[tuple[str, str, Sequence[Choice]]]:
    duty = specs.duty
    services = {*specs.services, *found.services, *([ask.service] if ask.service else [])}
    sources = {*duty.integrations, *found.integrations, *([ask.source] if ask.source else [])}
    named = {s: words.service_name(specs, s) for s in services}
    return [
        ("state", "State", _choices({k: v[0] for k, v in STATES.items()}, ask.state)),
        ("severity", "Severity", _choices(_any("severities", SEVERITIES), ask.severity)),
        ("service", "Service", _choices({"": "All services", **_by_label(named)}, ask.service)),
        ("source", "Source", _choices(_any("sources", sorted(sources)), ask.source)),
    ]


def _any(what: str, values: Iterable[str]) -> dict[str, str]:
    return {"": f"All {what}", **{v: v for v in values}}


def _by_label(named: Mapping[str, str]) -> dict[str, str]:
    return dict(sorted(named.items(), key=lambda item: item[1].casefold()))


def _choices(values: Mapping[str, str], chosen: str) -> list[Choice]:
    return [Choice(v, label, v == chosen) for v, label in values.items()]


def alert_row(alert: Alert, page: Page | None, specs: Specs, now: Seconds) -> AlertRow:
    """One alert."""
    times = f" · heard {text.number(alert.count, 0)} times" if alert.count > 1 else ""
    quiet = f" · {alert.quiet}" if alert.quiet and alert.quiet != INFORMATION else ""
    running = page is not None and page.state is not PageState.RESOLVED
    open_ = alert.state is not AlertState.CLOSED
    return AlertRow(
        id=alert.id,
        url=f"/alerts/{alert.id}",
        title=alert.summary,
        sub=f"#{alert.id} · {source_words(alert.integration)}{times}{quiet}",
        badge=badge(alert),
        severity=alert.severity,
        service=words.service_name(specs, alert.service) or "–",
        since=since(alert, now),
        page=f"#{page.id}" if page is not None else "",
        page_url=f"/pages/{page.id}" if page is not None else "",
        holder=holder(page),
        ack=f"/pages/{page.id}/ack"
        if page is not None and running and open_ and page.state is PageState.OPEN
        else "",
        close=f"/alerts/{alert.id}/close" if open_ else "",
        silence=f"/silences?alert={alert.id}#new" if open_ else "",
    )


def source_words(integration: str) -> str:
    """An integration's name; our own policies say what they watch."""
    return "budget policy" if integration == "slo" else integration


def badge(alert: Alert) -> Badge:
    """An alert's state as shape and word."""
    if alert.state is AlertState.CLOSED:
        return Badge("ok", "Closed")
    if alert.state is AlertState.ACKNOWLEDGED:
        return Badge("watch", "Acknowledged")
    if alert.urgency is Urgency.INFO or alert.quiet == INFORMATION:
        return Badge("none", "Information")
    if alert.quiet:
        return Badge("none", "Silenced")
    return Badge("burn", "Open") if alert.urgency is Urgency.PAGE else Badge("watch", "Ticket")


def since(alert: Alert, now: Seconds) -> str:
    """When it opened, and how long it lasted or has lasted."""
    opened = words.day_clock(alert.opened_at)
    if alert.closed_at is not None:
        return f"{opened}, for {text.duration(max(0.0, alert.closed_at - alert.opened_at))}"
    return f"{opened} · {text.duration(max(0.0, now - alert.opened_at))} ago"


def holder(page: Page | None) -> str:
    """Who has the page."""
    match page.state if page is not None else None:
        case PageState.OPEN:
            return "nobody has it"
        case PageState.ACKED:
            assert page is not None
            return page.acked_by
        case PageState.RESOLVED:
            return "resolved"
        case _:
            return ""


# ---------------------------------------------------------------- as files


def export_rows(alerts: Sequence[Alert]) -> list[tuple[object, ...]]:
    """In the order of HEAD."""
    return [
        (
            a.id, str(a.state), str(a.urgency), a.severity, a.service, a.integration, a.summary,
            a.key, a.count, iso(a.opened_at), iso(a.last_at),
            None if a.closed_at is None else iso(a.closed_at), a.page_id, a.quiet,
        )
        for a in alerts
    ]  # fmt: skip


def export_json(alerts: Sequence[Alert]) -> list[dict[str, Any]]:
    """The same, with labels."""
    return [
        {**dict(zip(HEAD, row, strict=True)), "labels": dict(a.labels)}
        for a, row in zip(alerts, export_rows(alerts), strict=True)
    ]
