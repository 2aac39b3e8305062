"""What Slack's Events API and slash commands say. Pure; the signature was checked before."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from watchkeeper.incidents.chat.model import Heard

SAID = (None, "thread_broadcast", "file_share", "me_message")
"""Subtypes of messages that people write; all others tell of something else."""
_SPECIAL = re.compile(r"<([@#!]?)([^>|]*)(?:\|([^>]*))?>")


@dataclass(frozen=True, slots=True)
class Slash:
    """A slash command: ``/wk sev 1`` in a room."""

    room: str
    writer: str
    name: str
    text: str


def heard(body: bytes) -> Heard | None:
    """What a person wrote or changed; None for all else, and for what bots (we too) say."""
    found = _object(body)
    event = found.get("event")
    if found.get("type") != "event_callback" or not isinstance(event, dict):
        return None
    if event.get("type") != "message":
        return None
    amends, message = "", event
    changed = event.get("message")
    if event.get("subtype") == "message_changed" and isinstance(changed, dict):
        message = changed
        before = event.get("previous_message") or {}
        amends = str(message.get("ts", ""))
        if not amends or message.get("text") == before.get("text"):  # a link was unfurled
            return None
    ours = {a.get("user_id") for a in found.get("authorizations") or [] if isinstance(a, dict)}
    writer, text = message.get("user"), message.get("text")
    bot = message.get("bot_id")
    if message.get("subtype") not in SAID or bot or not writer or writer in ours:
        return None
    if not isinstance(text, str) or not text.strip():
        return None
    ts = str(message.get("ts", ""))
    return Heard(
        str(found.get("event_id", "")), str(event.get("channel", "")), ts, str(writer), text,
        _seconds(ts), amends,
    )  # fmt: skip


def slash(body: bytes) -> Slash | None:
    """A slash command, else None."""
    form = parse_qs(body.decode("utf-8", "replace"))
    if not form.get("command") or not form.get("channel_id") or not form.get("user_id"):
        return None
    text = form.get("text", [""])[0]
    name = form.get("user_name", [""])[0]
    return Slash(form["channel_id"][0], form["user_id"][0], name, text)


def mentioned(text: str) -> list[str]:
    """Whom a text of Slack's names."""
    return [m[2] for m in _SPECIAL.finditer(text) if m[1] == "@"]


def as_markdown(text: str, name: Callable[[str], str]) -> str:
    """A text of Slack's as people read it; ``name`` gives the user whom an id means."""

    def shown(m: re.Match[str]) -> str:
        kind, target, label = m[1], m[2], m[3] or ""
        if kind == "@":
            return f"@{name(target) or label or target}"
        if kind == "#":
            return f"#{label or target}"
        if kind == "!":
            return label or f"@{target.partition('^')[0]}"
        return f"[{label}]({target})" if label and label != target else target

    return html.unescape(_SPECIAL.sub(shown, text))


def _seconds(ts: str) -> float | None:
    try:
        return float(ts)
    except ValueError:
        return None


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
