"""One-tap links and buttons: signed, for one page, one action, one person, for some days. Pure.

The link opens a page with one button: scanners of mail follow links, and must acknowledge nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass

from watchkeeper.kernel.clock import Seconds

VALID_SECONDS = 7 * 86400.0
_BYTES = 16
"""Of HMAC-SHA256's 32: 128 bits cannot be guessed, and links fit a text message."""


@dataclass(frozen=True, slots=True)
class Tap:
    """What a signed link says: do ``action`` on page ``page_id`` for ``user``."""

    page_id: int
    action: str
    user: str
    expires: int


def sign(tap: Tap, secret: bytes) -> str:
    """The link's text: URL-safe, no padding."""
    body = f"{tap.page_id}:{tap.action}:{tap.expires}:{tap.user}".encode()
    return _b64(body) + "." + _b64(_mac(body, secret))


def verify(text: str, secret: bytes, now: Seconds) -> Tap | None:
    """What it says, or None when it is forged, cut, or expired."""
    head, dot, tail = text.partition(".")
    try:
        body, mac = _unb64(head), _unb64(tail)
        page_id, action, expires, user = body.decode().split(":", 3)
        tap = Tap(int(page_id), action, user, int(expires))
    except ValueError:
        return None
    if not dot or not hmac.compare_digest(mac, _mac(body, secret)) or now > tap.expires:
        return None
    return tap


def _mac(body: bytes, secret: bytes) -> bytes:
    return hmac.new(secret, b"tap:" + body, hashlib.sha256).digest()[:_BYTES]


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
