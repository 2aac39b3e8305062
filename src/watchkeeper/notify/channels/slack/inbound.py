"""What Slack sends us: verified, and read. Pure."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from watchkeeper.kernel.clock import Seconds

REPLAY = 300.0
"""Seconds after which a signed request is refused, as Slack advises."""
_STAMP = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button was pressed: its signed value, and who pressed it, by name and by member id."""

    value: str
    user: str
    response_url: str
    member: str = ""


def genuine(body: bytes, stamp: str, given: str, secret: str, now: Seconds) -> bool:
    """True when Slack signed this body, lately."""
    if not _STAMP.fullmatch(stamp) or abs(now - int(stamp)) > REPLAY or not secret:
        return False
    base = b"v0:" + stamp.encode() + b":" + body
    made = "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()
    return hmac.compare_digest(made.encode(), given.encode())


def challenge(body: bytes) -> str:
    """The challenge of a ``url_verification``, else ''."""
    found = _object(body)
    return str(found.get("challenge", "")) if found.get("type") == "url_verification" else ""


def pressed(body: bytes) -> Pressed | None:
    """The button of a ``block_actions`` payload, else None."""
    form = parse_qs(body.decode("utf-8", "replace"))
    payload = _object(form["payload"][0].encode()) if "payload" in form else _object(body)
    actions = payload.get("actions")
    if payload.get("type") != "block_actions" or not isinstance(actions, list) or not actions:
        return None
    first, user = actions[0], payload.get("user")
    if not isinstance(first, dict) or not isinstance(user, dict) or "value" not in first:
        return None
    who = str(user.get("username") or user.get("name") or user.get("id") or "")
    url, member = str(payload.get("response_url", "")), str(user.get("id") or "")
    return Pressed(str(first["value"]), who, url, member)


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
