"""Messages that a tool meant for a chat room: what Slack's and Discord's incoming webhooks take.

Many tools can send nothing else. Their titles say the state in words, as subjects of mails do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from watchkeeper.alerting.intake.mail import action_of, severity_in, words_of
from watchkeeper.alerting.intake.model import Asked
from watchkeeper.alerting.intake.reading import links_of, severity_of
from watchkeeper.alerting.model import Signal

_TAIL = re.compile(r"\s*\([^()]*\)$")
"""Behind the labels that an Alertmanager groups by: those that its alerts happen to share now."""
_SEVERITIES = {"danger": "critical", "warning": "warning", "good": "info"}


def read(data: Mapping[str, Any], asked: Asked) -> Signal | None:
    """The message as a signal; None when it has not the form of one."""
    parts = data.get("attachments") or data.get("embeds")
    part = parts[0] if isinstance(parts, list) and parts and isinstance(parts[0], dict) else {}
    title = _first(part, "title", "fallback", "pretext", "text", "description")
    if not title:
        return None
    words, topic = words_of(title)
    grouped = words and words[0] in ("firing", "resolved")
    key = _TAIL.sub("", topic) if grouped else topic
    color = str(part.get("color", ""))
    return Signal(
        key=f"{_first(data, 'channel', 'username')}|{key.lower()}" if key else asked.fresh,
        action=action_of(words),
        summary=title[:1000],
        severity=severity_of(_SEVERITIES.get(color) or severity_in(words, "")),
        source=_first(data, "username", "channel")[:500],
        details=data,
        links=links_of([("Link", _first(part, "title_link", "url"))]),
    )


def _first(data: Mapping[str, Any], *names: str) -> str:
    found = (data.get(name) for name in names)
    return next((v.strip() for v in found if isinstance(v, str) and v.strip()), "")
