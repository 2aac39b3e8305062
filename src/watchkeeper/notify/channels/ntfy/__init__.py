"""ntfy (and UnifiedPush servers that speak it): push with buttons that act by themselves."""

from __future__ import annotations

import base64
from typing import Any

from watchkeeper.notify.model import Message, MessageKind, Receipt
from watchkeeper.notify.render import plain
from watchkeeper.notify.settings import Settings
from watchkeeper.spec.duty import ChannelDefinition

PRIORITY = {"page": 5, "ticket": 3}
TAGS = {
    MessageKind.PAGE: "rotating_light",
    MessageKind.DRILL: "test_tube",
    MessageKind.RESOLVED: "white_check_mark",
    MessageKind.UPDATE: "speech_balloon",
}
MOST_MESSAGE = 4000
MOST_ACTIONS = 3


class NtfyTransport:
    """Publishes as JSON; the address is the topic."""

    def __init__(self, definition: ChannelDefinition) -> None:
        self._settings = Settings(definition)
        self._web = self._settings.web()

    def send(self, message: Message, address: str) -> Receipt:
        """Publish to one topic."""
        url = self._settings.url("https://ntfy.sh")
        answer = self._web.call("POST", url, json=body(message, address), headers=self._auth())
        return Receipt(str(answer.json().get("id", "")), "ntfy took it")

    def close(self) -> None:
        """Let go of connections."""
        self._web.close()

    def _auth(self) -> dict[str, str]:
        token, user = self._settings.get("token"), self._settings.get("username")
        if token:
            return {"Authorization": f"Bearer {token}"}
        if user:
            pair = f"{user}:{self._settings.get('password')}".encode()
            return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        return {}


def body(message: Message, topic: str) -> dict[str, Any]:
    """The JSON of a publication. A button posts to the signed link: one tap and it is done."""
    made: dict[str, Any] = {
        "topic": topic,
        "title": message.title[:250],
        "message": plain(message, links=False)[:MOST_MESSAGE] or message.title,
        "priority": 2
        if message.kind in (MessageKind.UPDATE, MessageKind.RESOLVED)
        else PRIORITY.get(message.urgency, 3),
        "tags": [TAGS.get(message.kind, "bell")],
    }
    if message.url:
        made["click"] = message.url
    actions = [
        {"action": "http", "label": a.label, "url": a.url, "method": "POST", "clear": True}
        for a in message.actions[:MOST_ACTIONS]
    ]
    if actions:
        made["actions"] = actions
    return made
