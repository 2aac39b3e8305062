"""A tracker's settings, with references to secrets resolved, and people's names there."""

from __future__ import annotations

from collections.abc import Mapping

from watchkeeper.kernel.errors import UserError
from watchkeeper.kernel.secrets import secret
from watchkeeper.notify.guarded import Web
from watchkeeper.notify.model import TransportError
from watchkeeper.spec.response import TrackerDefinition

TIMEOUT = 20.0


class TrackerSettings:
    """What a tracker's client needs; nothing of it is ever printed."""

    def __init__(self, definition: TrackerDefinition) -> None:
        self.name = definition.name
        self._data = definition.settings
        users = definition.settings.get("users")
        self._users: Mapping[str, str] = users if isinstance(users, Mapping) else {}

    def __repr__(self) -> str:
        return f"TrackerSettings({self.name!r})"

    def must(self, key: str) -> str:
        """A text or a secret by reference. Raises TransportError when it is not there."""
        value = self.get(key)
        if not value:
            raise TransportError(f"tracker {self.name}: '{key}' is not set", permanent=True)
        return value

    def get(self, key: str, default: str = "") -> str:
        """The same, with something in its place. Raises TransportError for a broken reference."""
        value = self._data.get(key)
        if value is None:
            return default
        try:
            return str(value) if isinstance(value, int | float) else secret(value, key)
        except UserError as error:
            raise TransportError(f"tracker {self.name}: {error.message}", error.hint) from None

    def there(self, user: str) -> str:
        """What this person is called there; '' when nobody said."""
        return str(self._users.get(user, ""))

    def here(self, name: str) -> str:
        """Who of ours is called so there; '' for nobody."""
        return next((ours for ours, theirs in self._users.items() if theirs == name), "")

    def web(self) -> Web:
        """A guarded HTTP client."""
        return Web(self._data.get("allow_private") is True, TIMEOUT)
