"""Channels: a folder for each way to send, all behind one contract (``notify.model.Transport``).

Imports are late: a process loads what its definitions use.
"""

from __future__ import annotations

from watchkeeper.notify.addresses import Resolving
from watchkeeper.notify.model import Transport, TransportError
from watchkeeper.spec.duty import ChannelDefinition, ChannelType


def open_channel(definition: ChannelDefinition) -> Transport:
    """The transport of a channel. Raises TransportError when its settings cannot be used."""
    return Resolving(_open(definition))


def _open(definition: ChannelDefinition) -> Transport:
    match definition.type:
        case ChannelType.INBOX:
            from watchkeeper.notify.channels.inbox import InboxTransport

            return InboxTransport()
        case ChannelType.EMAIL:
            from watchkeeper.notify.channels.email import EmailTransport

            return EmailTransport(definition)
        case ChannelType.NTFY:
            from watchkeeper.notify.channels.ntfy import NtfyTransport

            return NtfyTransport(definition)
        case ChannelType.SLACK:
            from watchkeeper.notify.channels.slack import SlackTransport

            return SlackTransport(definition)
        case ChannelType.MATRIX:
            from watchkeeper.notify.channels.matrix import MatrixTransport

            return MatrixTransport(definition)
        case ChannelType.WEBHOOK:
            from watchkeeper.notify.channels.webhook import WebhookTransport

            return WebhookTransport(definition)
        case ChannelType.SMS | ChannelType.VOICE:
            from watchkeeper.notify.channels.twilio import TwilioTransport

            return TwilioTransport(definition)
        case ChannelType.PAGERDUTY:
            from watchkeeper.notify.channels.pagerduty import PagerDutyTransport

            return PagerDutyTransport(definition)
        case ChannelType.OPSGENIE:
            from watchkeeper.notify.channels.opsgenie import OpsgenieTransport

            return OpsgenieTransport(definition)
        case ChannelType.APPRISE:
            from watchkeeper.notify.channels.apprise import AppriseTransport

            return AppriseTransport(definition)
        case ChannelType.GRAFANA:
            from watchkeeper.notify.channels.grafana import GrafanaTransport

            return GrafanaTransport(definition)
    raise TransportError(f"nothing sends by {definition.type}", permanent=True)
