"""Inbox: messages stay in the outbox's own rows, and the page ``/inbox`` shows them.

For demonstrations and tests; it reaches nobody who does not look.
"""

from __future__ import annotations

from watchkeeper.notify.model import Message, Receipt


class InboxTransport:
    """Takes everything: what it took is a sent delivery, which the inbox page reads."""

    def send(self, message: Message, address: str) -> Receipt:
        """Nothing to do: the row itself is the message."""
        del address
        return Receipt(message.id, "in the inbox")

    def close(self) -> None:
        """Nothing to let go of."""
