"""Slack by its Web API: Block Kit with buttons; answers come back signed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from watchkeeper.notify.model import Message, Receipt, TransportError
from watchkeeper.notify.settings import Settings
from watchkeeper.spec.duty import ChannelDefinition

MOST_TEXT = 3000
MOST_HEADER = 150
MOST_VALUE = 2000
TEMPORARY = frozenset({"ratelimited", "rate_limited", "internal_error", "fatal_error",
                       "service_unavailable", "request_timeout", "team_added_to_org"})  # fmt: skip


class SlackTransport:
    """Posts with ``chat.postMessage``; the address is a channel's or a user's id or name."""

    def __init__(self, definition: ChannelDefinition) -> None:
        self._settings = Settings(definition)
        self._web = self._settings.web()

    def send(self, message: Message, address: str) -> Receipt:
        """Post one message. The key goes along as metadata, so that repeats can be told."""
        url = self._settings.url("https://slack.com/api") + "/chat.postMessage"
        headers = {"Authorization": f"Bearer {self._settings.must('token')}"}
        answer = self._web.call("POST", url, json=body(message, address), headers=headers)
        said: Mapping[str, Any] = answer.json()
        if not said.get("ok"):
            error = str(said.get("error", "unknown"))
            raise TransportError(f"Slack refused: {error}", permanent=error not in TEMPORARY)
        return Receipt(f"{said.get('channel', '')}:{said.get('ts', '')}", "Slack took it")

    def close(self) -> None:
        """Let go of connections."""
        self._web.close()


def body(message: Message, channel: str) -> dict[str, Any]:
    """The JSON of ``chat.postMessage``, within its limits."""
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": message.title[:MOST_HEADER]}}
    ]
    text = "\n".join(p for p in (escape(message.body), _lines(message), _mark(message)) if p)
    if text:
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": text[:MOST_TEXT]}})
    if message.fields:
        fields = [
            {"type": "mrkdwn", "text": f"*{escape(k)}*\n{escape(v)}"[:MOST_MESSAGE]}
            for k, v in list(message.fields.items())[:10]
        ]
        blocks.append({"type": "section", "fields": fields})
    buttons = _buttons(message)
    if buttons:
        blocks.append(
            {"type": "actions", "block_id": message.thread or "page", "elements": buttons}
        )
    return {
        "channel": channel,
        "text": escape(message.title)[:MOST_TEXT],
        "blocks": blocks,
        "metadata": {"event_type": "watchkeeper", "event_payload": {"id": message.id}},
        "unfurl_links": False,
    }


MOST_MESSAGE = 2000


def _buttons(message: Message) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for i, action in enumerate(message.actions):
        button: dict[str, Any] = {
            "type": "button",
            "action_id": action.name,
            "text": {"type": "plain_text", "text": action.label[:75]},
        }
        if action.value and len(action.value) <= MOST_VALUE:
            button["value"] = action.value
        else:
            button["url"] = action.url
        if i == 0:
            button["style"] = "primary"
        made.append(button)
    if message.url:
        made.append(
            {
                "type": "button",
                "action_id": "open",
                "text": {"type": "plain_text", "text": "Open"},
                "url": message.url,
            }
        )
    return made


def _lines(message: Message) -> str:
    return "\n".join(f"• {escape(line)}" for line in message.lines)


def _mark(message: Message) -> str:
    return "_This may be a duplicate._" if message.maybe_duplicate else ""


def escape(text: str) -> str:
    """Slack's three control characters."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
