"""Webhooks: JSON, signed with HMAC-SHA256, with an idempotency key."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.notify.model import Message, Receipt
from watchkeeper.notify.settings import Settings
from watchkeeper.spec.duty import ChannelDefinition


class WebhookTransport:
    """Posts to any URL; the address is the URL."""

    def __init__(self, definition: ChannelDefinition) -> None:
        self._settings = Settings(definition)
        self._web = self._settings.web()

    def send(self, message: Message, address: str) -> Receipt:
        """Post once. Receivers tell repeats by ``Idempotency-Key``."""
        what = dict(message.document) or body(message)
        content = json.dumps(what, separators=(",", ":")).encode()
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": message.id,
            "User-Agent": "watchkeeper",
        }
        secret = self._settings.get("secret")
        if message.signer:
            secret = own_secret(self._settings.must("secret"), message.signer)
        if secret:
            headers["X-Watchkeeper-Signature"] = signature(content, secret, message.at)
        answer = self._web.call("POST", address, content=content, headers=headers)
        return Receipt("", f"answered {answer.status}")

    def close(self) -> None:
        """Let go of connections."""
        self._web.close()


def own_secret(secret: str, signer: str) -> str:
    """The secret of one receiver among many, made of the channel's; none of them is kept."""
    return hmac.new(secret.encode(), f"receiver:{signer}".encode(), hashlib.sha256).hexdigest()


def proves_itself(
    definition: ChannelDefinition, url: str, signer: str, challenge: str, now: Seconds
) -> bool:
    """Post a challenge; true when the answer holds it: who is there wants our messages.

    Raises TransportError when it cannot be reached or refuses.
    """
    settings = Settings(definition)
    content = json.dumps({"type": "challenge", "challenge": challenge}).encode()
    secret = own_secret(settings.must("secret"), signer)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "watchkeeper",
        "X-Watchkeeper-Signature": signature(content, secret, now),
    }
    web = settings.web()
    try:
        return challenge in web.call("POST", url, content=content, headers=headers).text
    finally:
        web.close()


def body(message: Message) -> dict[str, Any]:
    """The published form of a message."""
    return {
        "id": message.id,
        "kind": str(message.kind),
        "at": iso(message.at),
        "urgency": message.urgency,
        "title": message.title,
        "body": message.body,
        "alerts": list(message.lines),
        "thread": message.thread,
        "url": message.url,
        "fields": dict(message.fields),
        "actions": [
            {"name": a.name, "label": a.label, "url": a.url, "method": "POST"}
            for a in message.actions
        ],
        "maybe_duplicate": message.maybe_duplicate,
    }


def signature(content: bytes, secret: str, at: Seconds) -> str:
    """``t=<unix seconds>,v1=<hex>``: HMAC-SHA256 over ``<t>.<body>``.

    The time is in it so that a receiver can refuse an old message that is sent again.
    """
    stamp = str(int(at))
    made = hmac.new(secret.encode(), f"{stamp}.".encode() + content, hashlib.sha256).hexdigest()
    return f"t={stamp},v1={made}"
