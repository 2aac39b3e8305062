"""Grafana: an annotation on its dashboards, by ``POST /api/annotations``.

https://grafana.com/docs/grafana/latest/developer-resources/api-reference/http-api/annotations/.
"""

from __future__ import annotations

from watchkeeper.notify.model import Message, Receipt
from watchkeeper.notify.settings import Settings
from watchkeeper.spec.duty import ChannelDefinition

MOST_TEXT = 2000


class GrafanaTransport:
    """Annotates all dashboards of an organisation; the address is a tag more."""

    def __init__(self, definition: ChannelDefinition) -> None:
        self._settings = Settings(definition)
        self._web = self._settings.web()

    def send(self, message: Message, address: str) -> Receipt:
        """Post once. Grafana knows no idempotency: an annotation may stand there twice."""
        url = f"{self._settings.must('url').rstrip('/')}/api/annotations"
        token = self._settings.must("token")
        headers = {"Authorization": f"Bearer {token}", "User-Agent": "watchkeeper"}
        tags = [t for t in ("watchkeeper", address) if t]
        plain = {"time": int(message.at * 1000), "text": f"{message.title}\n{message.body}"}
        made = {**(dict(message.document) or plain)}
        made["text"] = str(made["text"]).strip()[:MOST_TEXT]
        made["tags"] = [*tags, *made.get("tags", [])]
        answer = self._web.call("POST", url, json=made, headers=headers)
        found = answer.json()
        number = found.get("id", "") if isinstance(found, dict) else ""
        return Receipt(str(number), f"annotation {number}".strip())

    def close(self) -> None:
        """Let go of connections."""
        self._web.close()
