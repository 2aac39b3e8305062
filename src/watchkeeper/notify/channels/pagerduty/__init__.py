"""PagerDuty outward: Events API v2, for those who keep it beside us for a while."""

from __future__ import annotations

from typing import Any

from watchkeeper.kernel.clock import iso
from watchkeeper.notify.model import Message, MessageKind, Receipt
from watchkeeper.notify.settings import Settings
from watchkeeper.spec.duty import ChannelDefinition

MOST_SUMMARY = 1024


class PagerDutyTransport:
    """Triggers, acknowledges and resolves by dedup key; the address is the routing key."""

    def __init__(self, definition: ChannelDefinition) -> None:
        self._settings = Settings(definition)
        self._web = self._settings.web()

    def send(self, message: Message, address: str) -> Receipt:
        """Send one event. Repeats change nothing: the dedup key is the page."""
        url = self._settings.url("https://events.pagerduty.com") + "/v2/enqueue"
        answer = self._web.call("POST", url, json=body(message, address))
        return Receipt(str(answer.json().get("dedup_key", "")), "PagerDuty took it")

    def close(self) -> None:
        """Let go of connections."""
        self._web.close()


def body(message: Message, routing_key: str) -> dict[str, Any]:
    """An event of the Events API v2."""
    action = {MessageKind.RESOLVED: "resolve", MessageKind.UPDATE: "acknowledge"}.get(
        message.kind, "trigger"
    )
    made: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": action,
        "dedup_key": (message.thread or message.id)[:255],
    }
    if action == "trigger":
        made["payload"] = {
            "summary": message.title[:MOST_SUMMARY],
            "source": message.fields.get("Service", "watchkeeper") or "watchkeeper",
            "severity": "critical" if message.urgency == "page" else "warning",
            "timestamp": iso(message.at),
            "custom_details": {"body": message.body, **message.fields},
        }
        if message.url:
            made["links"] = [{"href": message.url, "text": "Watchkeeper"}]
            made["client"], made["client_url"] = "Watchkeeper", message.url
    return made
