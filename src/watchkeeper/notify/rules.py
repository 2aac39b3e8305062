"""When to try again, what to bundle, how long to wait: decisions about deliveries. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from watchkeeper.kernel.clock import Seconds
from watchkeeper.notify.model import Action, Message, MessageKind, TransportError
from watchkeeper.notify.outbox import Claim, Delivery

FIRST_RETRY = 2.0
LONGEST_RETRY = 60.0
"""Seconds between two attempts: at first, and at most."""
LONGEST_BULK_RETRY = 900.0
BULK_FOR = 6 * 3600.0
"""Seconds between two attempts at a message to a subscriber at most, and after which it is given
up: nobody waits for it."""
BUNDLE_FREE = 3
BUNDLE_SPAN = 60.0
BUNDLE_GAP = 15.0
"""After 3 messages to an address within a minute, the next waits until 15 s have passed."""
BUNDLE_LINES = 20
"""How many alerts a bundled message lists."""
BUNDLED = (MessageKind.PAGE,)
"""Only pages are bundled: others are few, and each says something of its own."""


@dataclass(frozen=True, slots=True)
class Retry:
    """What to do after a failure: try again at ``at`` (None: never), and whether others take over.

    ``next_channel``: the next way to this person is tried at once.
    """

    at: Seconds | None
    next_channel: bool
    unknown: bool


def backoff(attempts: int, chance: float, longest: Seconds = LONGEST_RETRY) -> Seconds:
    """Seconds to wait after this many attempts: doubling, ± 25 % by ``chance`` in [0, 1)."""
    plain = min(longest, FIRST_RETRY * 2.0 ** min(attempts - 1, 10))
    return plain * (0.75 + 0.5 * chance)


def after_failure(row: Delivery, error: TransportError, now: Seconds, chance: float) -> Retry:
    """A permanent failure is not tried again; all others are, for as long as the page is open.

    The next channel is asked for at each failure, because a crash may have kept the first one from
    being recorded; its key is always the same, so that people are called once by each way. What
    goes to a subscriber is tried less often, and given up after some hours.
    """
    if row.kind is MessageKind.STATUS:
        given_up = error.permanent or now - row.created_at > BULK_FOR
        wait = backoff(row.attempts, chance, LONGEST_BULK_RETRY)
        again = now + max(wait, error.retry_after or 0.0)
        return Retry(None if given_up else again, False, error.unknown)
    others = bool(row.fallbacks)
    if error.permanent:
        return Retry(None, others, error.unknown)
    wait = max(backoff(row.attempts, chance), error.retry_after or 0.0)
    return Retry(now + wait, others, error.unknown)


def hold_until(sent: int, last: Seconds | None, now: Seconds) -> Seconds | None:
    """Until when a message to a busy address waits so that others can join; None: send now."""
    if sent < BUNDLE_FREE or last is None or now - last >= BUNDLE_GAP:
        return None
    return last + BUNDLE_GAP


def message_of(claim: Claim, now: Seconds) -> Message:
    """The message of a claim; bundled ones say so in the title and list the alerts."""
    row, content = claim.row, claim.row.content
    title, body = str(content.get("title", "")), str(content.get("body", ""))
    lines: tuple[str, ...] = tuple(content.get("lines", ()))
    if claim.along:
        title = f"{claim.more + len(claim.along) + 1} pages: {title}"
        lines = (*lines, *claim.along)
        if claim.more:
            lines = (*lines, f"… and {claim.more:,} more")
    return Message(
        id=row.key,
        kind=row.kind,
        title=title,
        body=body,
        at=now,
        urgency=row.urgency,
        thread=str(content.get("thread", "")),
        url=str(content.get("url", "")),
        voice=str(content.get("voice", "")),
        actions=_actions(content.get("actions", ())),
        lines=lines,
        fields=dict(content.get("fields", {})),
        maybe_duplicate=row.maybe_duplicate,
        headers=dict(content.get("headers", {})),
        document=dict(content.get("document", {})),
        signer=str(content.get("signer", "")),
    )


def _actions(given: Sequence[Sequence[str]]) -> tuple[Action, ...]:
    return tuple(Action(*each) for each in given)
