"""Everything else (Teams, Mattermost, Telegram, Pushover, …) through Apprise, an optional extra."""

from __future__ import annotations

from watchkeeper.notify.model import Message, Receipt, TransportError
from watchkeeper.notify.render import plain
from watchkeeper.spec.duty import ChannelDefinition


class AppriseTransport:
    """Sends to an Apprise URL; the address is the URL."""

    def __init__(self, definition: ChannelDefinition) -> None:
        self._name = definition.name
        try:
            import apprise
        except ImportError:
            raise TransportError(
                f"channel {self._name}: Apprise is not installed",
                "Install it: pip install 'watchkeeper[apprise]'.",
            ) from None
        self._apprise = apprise

    def send(self, message: Message, address: str) -> Receipt:
        """Send once. Apprise tells only yes or no, so a no is tried again."""
        target = self._apprise.Apprise()
        if not target.add(address):
            raise TransportError("Apprise does not know this kind of URL", permanent=True)
        if not target.notify(title=message.title, body=plain(message)):
            raise TransportError("Apprise could not deliver it", unknown=True)
        return Receipt("", "Apprise delivered it")

    def close(self) -> None:
        """Nothing is kept open."""
