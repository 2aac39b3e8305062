"""Reading a channel's settings, with secrets resolved; nothing of them is ever printed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from watchkeeper.kernel.duration import parse_duration
from watchkeeper.kernel.errors import UserError
from watchkeeper.kernel.secrets import secret
from watchkeeper.notify.guarded import DEFAULT_TIMEOUT, Web
from watchkeeper.notify.model import TransportError
from watchkeeper.spec.duty import ChannelDefinition


class Settings:
    """The settings of one channel."""

    def __init__(self, definition: ChannelDefinition) -> None:
        self.name = definition.name
        self._data: Mapping[str, Any] = definition.settings

    def __repr__(self) -> str:
        return f"Settings({self.name!r})"

    def get(self, key: str, default: str = "") -> str:
        """A text or a secret by reference. Raises TransportError when it cannot be resolved."""
        value = self._data.get(key)
        if value is None:
            return default
        try:
            return str(value) if isinstance(value, int | float) else secret(value, key)
        except UserError as error:
            raise TransportError(f"channel {self.name}: {error.message}", error.hint) from None

    def must(self, key: str) -> str:
        """One that must be there."""
        found = self.get(key)
        if not found:
            raise TransportError(f"channel {self.name}: '{key}' is not set", permanent=True)
        return found

    def flag(self, key: str) -> bool:
        """True or false."""
        return self._data.get(key) is True

    @property
    def timeout(self) -> float:
        """Seconds that one attempt may take."""
        text = self.get("timeout")
        try:
            return parse_duration(text).seconds if text else DEFAULT_TIMEOUT
        except ValueError:
            return DEFAULT_TIMEOUT

    def url(self, default: str) -> str:
        """The base address, without a slash at the end."""
        return self.get("url", default).rstrip("/")

    def web(self) -> Web:
        """A guarded HTTP client."""
        return Web(self.flag("allow_private"), self.timeout)
