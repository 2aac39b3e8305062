"""Signed links for subscribers: to confirm an address, and to change or end a subscription. Pure.

In the form of the one-tap links of pages, but signed by a key of their own, so that neither opens
the door of the other.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from watchkeeper.kernel.clock import Seconds
from watchkeeper.oncall import links
from watchkeeper.oncall.links import Tap

CONFIRM, MANAGE = "confirm", "manage"
VALID = {CONFIRM: 86_400.0, MANAGE: 400 * 86_400.0}
"""Seconds that a link is good for: a day to confirm; a mail of a year ago can still be unsubscribed
from."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What a link says: do ``action`` for subscriber ``subscriber`` of ``page``."""

    subscriber: int
    action: str
    page: str


def sign(its: Pass, secret: bytes, now: Seconds) -> str:
    """The link's text: URL-safe, no padding."""
    expires = int(now + VALID[its.action])
    return links.sign(Tap(its.subscriber, its.action, its.page, expires), _key(secret))


def verify(text: str, page: str, secret: bytes, now: Seconds) -> Pass | None:
    """What it says, or None when it is forged, cut, expired or another page's."""
    tap = links.verify(text, _key(secret), now)
    if tap is None or tap.user != page or tap.action not in VALID:
        return None
    return Pass(tap.page_id, tap.action, tap.user)


def _key(secret: bytes) -> bytes:
    return hmac.new(secret, b"status pages", hashlib.sha256).digest()
