"""Opsgenie outward: the Alert API, for those who are still moving."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from watchkeeper.notify.model import Message, MessageKind, Receipt
from watchkeeper.notify.settings import Settings
from watchkeeper.spec.duty import ChannelDefinition


class OpsgenieTransport:
    """Creates, acknowledges and closes by alias; the address is the API key."""

    def __init__(self, definition: ChannelDefinition) -> None:
        self._settings = Settings(definition)
        self._web = self._settings.web()

    def send(self, message: Message, address: str) -> Receipt:
        """Send one request. Repeats change nothing: the alias is the page."""
        base = self._settings.url("https://api.opsgenie.com") + "/v2/alerts"
        alias = (message.thread or message.id)[:512]
        ending = {MessageKind.RESOLVED: "close", MessageKind.UPDATE: "acknowledge"}.get(
            message.kind
        )
        url = f"{base}/{quote(alias, safe='')}/{ending}?identifierType=alias" if ending else base
        made = {"source": "Watchkeeper", "note": message.title} if ending else body(message, alias)
        headers = {"Authorization": f"GenieKey {address}"}
        answer = self._web.call("POST", url, json=made, headers=headers)
        return Receipt(str(answer.json().get("requestId", "")), "Opsgenie took it")

    def close(self) -> None:
        """Let go of connections."""
        self._web.close()


def body(message: Message, alias: str) -> dict[str, Any]:
    """The JSON of ``create alert``, within its limits."""
    return {
        "message": message.title[:130],
        "alias": alias,
        "description": f"{message.title}\n{message.body}\n{message.url}"[:15_000],
        "priority": "P1" if message.urgency == "page" else "P3",
        "source": "Watchkeeper",
        "details": dict(message.fields),
    }
