"""What subscribers are sent: mails with one-click unsubscribing (RFC 8058), and webhooks. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from watchkeeper.incidents.status import tokens
from watchkeeper.incidents.status.model import WORDS, Level, Post, Story, Subscriber
from watchkeeper.incidents.status.rules import listed, public_id
from watchkeeper.incidents.status.tokens import CONFIRM, MANAGE, Pass
from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.notify.model import MessageKind
from watchkeeper.notify.outbox import BULK, NewDelivery
from watchkeeper.spec.response import StatusPageDefinition


@dataclass(frozen=True, slots=True)
class Envelope:
    """What every message of a page needs: where the page is, and what signs its links."""

    page: StatusPageDefinition
    url: str
    secret: bytes

    def link(self, subscriber: Subscriber, action: str, now: Seconds) -> str:
        """A signed link for one subscriber."""
        its = Pass(subscriber.id, action, self.page.name)
        return f"{self.url}/s/{tokens.sign(its, self.secret, now)}"


def confirmation(envelope: Envelope, to: Subscriber, now: Seconds) -> NewDelivery:
    """Asks an address whether it wants to be told. Nothing is sent to it before it says so."""
    name = envelope.page.display_name
    link = envelope.link(to, CONFIRM, now)
    body = (
        f"Somebody, probably you, asked to be told of incidents of {name}.\n\n"
        f"To agree, open this link within a day:\n{link}\n\n"
        "If it was not you, do nothing: nothing more will be sent."
    )
    content = {"title": f"{name}: confirm that you want to be told", "body": body}
    return _delivery(f"status-confirm-{to.id}-{int(now)}", to, envelope.page.channel, content, now)


def update_mail(
    envelope: Envelope, story: Story, post: Post, to: Subscriber, now: Seconds
) -> NewDelivery:
    """An update, as a mail."""
    page, manage = envelope.page, envelope.link(to, MANAGE, now)
    about = [c.title for c in page.components if c.name in story.components]
    parts = [post.text]
    if about:
        parts.append(f"Affected: {listed(about)}. {_now(post)}".strip())
    parts.append(
        f"You are told because you subscribed to {page.display_name}."
        f" Change that, or unsubscribe: {manage}"
    )
    phase = post.phase.capitalize().replace("_", " ")
    content = {
        "title": f"[{page.display_name}] {phase}: {story.title}",
        "body": "\n\n".join(parts),
        "url": _address(envelope, story),
        "thread": f"status-{page.name}-{story.id}",
        "headers": {
            "List-Unsubscribe": f"<{manage}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "List-Id": f"<{page.name}.status>",
            "Precedence": "bulk",
        },
    }
    return _delivery(_key(page, story, post, to), to, page.channel, content, now)


def update_hook(
    envelope: Envelope, story: Story, post: Post, to: Subscriber, now: Seconds
) -> NewDelivery:
    """An update, as Statuspage posts it to webhooks: ``meta``, ``page``, ``incident``."""
    page = envelope.page
    level = max(post.levels.values(), key=lambda each: each.rank, default=Level.OPERATIONAL)
    document: dict[str, Any] = {
        "meta": {
            "unsubscribe": envelope.link(to, MANAGE, now),
            "documentation": envelope.url,
            "generated_at": iso(now),
        },
        "page": {
            "id": public_id("page", page.name),
            "status_indicator": INDICATORS[level],
            "status_description": WORDS[level],
        },
        "incident": {
            "id": story.id,
            "name": story.title,
            "status": post.phase,
            "impact": INDICATORS[story.level],
            "shortlink": _address(envelope, story),
            "created_at": iso(story.began),
            "updated_at": iso(story.updated),
            "resolved_at": None if story.resolved_at is None else iso(story.resolved_at),
            "incident_updates": [_post(story, p) for p in story.posts],
        },
    }
    content = {"title": story.title, "document": document, "signer": str(to.id)}
    return _delivery(_key(page, story, post, to), to, page.webhooks, content, now)


INDICATORS: Mapping[Level, str] = {
    Level.OPERATIONAL: "none",
    Level.MAINTENANCE: "maintenance",
    Level.DEGRADED: "minor",
    Level.PARTIAL: "major",
    Level.MAJOR: "critical",
}
"""How bad it is, in Statuspage's words."""


def _post(story: Story, post: Post) -> dict[str, Any]:
    return {
        "id": public_id("update", story.id, post.number),
        "incident_id": story.id,
        "status": post.phase,
        "body": post.text,
        "created_at": iso(post.at),
        "updated_at": iso(post.at),
        "display_at": iso(post.at),
    }


def _address(envelope: Envelope, story: Story) -> str:
    return f"{envelope.url}/incidents/{story.id}" if story.incident else envelope.url


def _now(post: Post) -> str:
    levels = set(post.levels.values())
    return f"Now: {WORDS[levels.pop()].lower()}." if len(levels) == 1 else ""


def _key(page: StatusPageDefinition, story: Story, post: Post, to: Subscriber) -> str:
    about = story.incident or story.id
    return f"status-{public_id(page.name)}-{about}-{post.number}-{int(post.at)}-{to.id}"


def _delivery(
    key: str, to: Subscriber, channel: str, content: Mapping[str, Any], now: Seconds
) -> NewDelivery:
    return NewDelivery(
        key=key, kind=MessageKind.STATUS, urgency="info", user="", channel=channel,
        address=to.address, content=content, due_at=now, priority=BULK,
    )  # fmt: skip
