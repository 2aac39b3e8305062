"""Addresses that are secrets: resolved when a message is sent, never kept, logged or shown.

A routing key, an API key or a webhook's URL lets whoever knows it send. So the outbox, the story
of a page and every face hold the reference to it (``{env: NAME}``), and a channel's errors are
cleaned of what it stands for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from watchkeeper.kernel.errors import UserError
from watchkeeper.kernel.secrets import is_reference, resolve
from watchkeeper.notify.guarded import shown as shown_url
from watchkeeper.notify.model import Message, Receipt, Transport, TransportError
from watchkeeper.spec.duty import ChannelType

HIDDEN = "…"
_KEY = re.compile(r"[\w-]{20,}")
"""What a key looks like, where the type of the channel is not known."""
SHOWN_END = 4
"""How much of a key is shown, so that people can tell two apart."""


@dataclass(frozen=True, slots=True)
class Resolving:
    """A channel that is handed references and sends to what they stand for."""

    inner: Transport

    def send(self, message: Message, address: str) -> Receipt:
        """Send to the resolved address. Raises TransportError, which names only the reference."""
        if not is_reference(address):
            return self.inner.send(message, address)
        try:
            where = resolve(address, f"the address {address}")
        except UserError as error:
            raise TransportError(error.message, error.hint) from None
        if not where:
            raise TransportError(f"the address {address} is empty", "Set it.")
        try:
            receipt = self.inner.send(message, where)
        except TransportError as error:
            raise _clean(error, where, address) from None
        return Receipt(
            receipt.provider_id.replace(where, address), receipt.detail.replace(where, address)
        )

    def close(self) -> None:
        """Let go of connections."""
        self.inner.close()


def _clean(error: TransportError, where: str, address: str) -> TransportError:
    return TransportError(
        error.message.replace(where, address),
        error.hint.replace(where, address),
        permanent=error.permanent,
        unknown=error.unknown,
        retry_after=error.retry_after,
    )


def shown(kind: ChannelType | None, address: str) -> str:
    """The address as people may read it, for a channel of this type (None: it is gone)."""
    if is_reference(address):
        return address
    match kind:
        case ChannelType.PAGERDUTY | ChannelType.OPSGENIE:
            long = len(address) > 3 * SHOWN_END
            return HIDDEN + (address[-SHOWN_END:] if long else "")
        case ChannelType.APPRISE:
            return address.partition("://")[0] + "://" + HIDDEN
        case ChannelType.WEBHOOK:
            return shown_url(address)
        case None:
            hidden = HIDDEN if _KEY.fullmatch(address) else address
            return shown_url(address) if "://" in address else hidden
        case _:
            return address
