"""Matrix by the client-server API: the delivery's key is the transaction id, so repeats are one."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from watchkeeper.notify.model import Message, MessageKind, Receipt
from watchkeeper.notify.render import html, plain
from watchkeeper.notify.settings import Settings
from watchkeeper.spec.duty import ChannelDefinition


class MatrixTransport:
    """Sends to a room; the address is the room's id (``!abc:example.org``)."""

    def __init__(self, definition: ChannelDefinition) -> None:
        self._settings = Settings(definition)
        self._web = self._settings.web()

    def send(self, message: Message, address: str) -> Receipt:
        """Send one event. The server answers a repeated transaction with the first event's id."""
        room, transaction = quote(address, safe=""), quote(message.id, safe="")
        path = f"/_matrix/client/v3/rooms/{room}/send/m.room.message/{transaction}"
        headers = {"Authorization": f"Bearer {self._settings.must('token')}"}
        url = self._settings.must("url").rstrip("/") + path
        answer = self._web.call("PUT", url, json=body(message), headers=headers)
        return Receipt(str(answer.json().get("event_id", "")), "the homeserver took it")

    def close(self) -> None:
        """Let go of connections."""
        self._web.close()


def body(message: Message) -> dict[str, Any]:
    """The content of ``m.room.message``; updates are notices, which wake nobody."""
    notice = message.kind in (MessageKind.UPDATE, MessageKind.RESOLVED)
    return {
        "msgtype": "m.notice" if notice else "m.text",
        "body": f"{message.title}\n\n{plain(message)}",
        "format": "org.matrix.custom.html",
        "formatted_body": html(message),
    }
