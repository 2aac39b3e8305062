"""What a page says: on a lock screen, in a mail, by voice. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from watchkeeper.alerting.model import Alert
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Seconds
from watchkeeper.oncall.links import VALID_SECONDS, Tap, sign
from watchkeeper.oncall.model import Page, PageKind, Site

MOST_LINES = 20


def content(
    page: Page, alerts: Sequence[Alert], user: str, site: Site, now: Seconds
) -> Mapping[str, Any]:
    """The message that calls somebody: title, body, voice, links and actions for this person."""
    url = f"{site.base_url}/pages/{page.id}"
    return {
        "title": title_of(page),
        "body": _body(page, alerts, now),
        "voice": _voice(page),
        "thread": thread_of(page),
        "url": url,
        "lines": _lines(page, alerts),
        "fields": {"Page": f"#{page.id}", "Service": page.service or "none named"},
        "actions": [_action(page, name, user, site, now) for name in ("ack", "resolve")],
    }


def short(page: Page, said: str, site: Site) -> Mapping[str, Any]:
    """A message that tells what became of a page and asks for nothing."""
    return {
        "title": said,
        "body": _after(page) if page.title in said else page.title,
        "thread": thread_of(page),
        "url": f"{site.base_url}/pages/{page.id}",
        "fields": {"Page": f"#{page.id}", "Service": page.service or "none named"},
    }


def thread_of(page: Page) -> str:
    """The same for all messages about one page."""
    return f"page-{page.id}"


def title_of(page: Page) -> str:
    """``#12 checkout: 2.1 % of requests fail``; what kind of page comes first."""
    drill = "Drill: " if page.kind is PageKind.DRILL else ""
    more = f" (+{page.alerts - 1:,} more)" if page.alerts > 1 else ""
    named = page.service and page.service.lower() in page.title.lower()
    service = "" if named or not page.service else f"{page.service}: "
    return f"{drill}#{page.id} {service}{page.title}{more}"


def _body(page: Page, alerts: Sequence[Alert], now: Seconds) -> str:
    if page.kind is PageKind.DRILL:
        return "This is a fire drill. Acknowledge it, so that we know that pages reach you."
    if not alerts:
        return page.title
    first = alerts[0]
    # The title says the summary already, unless another alert was the first.
    summary = first.summary if first.summary != page.title else ""
    why = str(first.details.get("explanation", "")) if first.details else ""
    since = f"Since {text.clock_time(min(a.opened_at for a in alerts), now)} UTC."
    return "\n".join(x for x in (summary, _sentence(why), since) if x)


def _sentence(said: str) -> str:
    return f"{said[0].upper()}{said[1:].rstrip('.')}." if said else ""


def _voice(page: Page) -> str:
    kind = "This is a fire drill of Watchkeeper." if page.kind is PageKind.DRILL else "Watchkeeper."
    return f"{kind} Page {page.id}. {page.title}."


def _after(page: Page) -> str:
    if page.resolved_at is None:
        return ""
    return f"It was open for {text.duration(page.resolved_at - page.opened_at)}."


def _lines(page: Page, alerts: Sequence[Alert]) -> list[str]:
    """The alerts that the title does not tell of already."""
    first = next((a for a in alerts if a.summary == page.title), None)
    others = [a for a in alerts if a is not first]
    if first is None and len(others) < 2:
        return []
    shown = [f"{a.service or a.integration}: {a.summary}" for a in others[:MOST_LINES]]
    left = len(others) - len(shown)
    return [*shown, f"… and {left:,} more"] if left else shown


def _action(page: Page, name: str, user: str, site: Site, now: Seconds) -> list[str]:
    signed = sign(Tap(page.id, name, user, int(now + VALID_SECONDS)), site.secret)
    label = {"ack": "Acknowledge", "resolve": "Resolve"}[name]
    return [name, label, f"{site.base_url}/t/{signed}", "POST", signed]
