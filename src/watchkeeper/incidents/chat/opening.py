"""The chat behind a channel; opened when first needed, anew when its definition changes."""

from __future__ import annotations

import threading
from collections.abc import Callable

from watchkeeper.incidents.chat.matrix import MatrixChat
from watchkeeper.incidents.chat.model import Chat
from watchkeeper.incidents.chat.slack import SlackChat
from watchkeeper.notify.model import TransportError
from watchkeeper.spec.duty import ChannelDefinition, ChannelType, Duty


def open_chat(definition: ChannelDefinition, *, private: bool) -> Chat:
    """The chat of a channel. Raises TransportError for one that can have no rooms."""
    match definition.type:
        case ChannelType.SLACK:
            return SlackChat(definition, private=private)
        case ChannelType.MATRIX:
            return MatrixChat(definition, private=private)
        case _:
            raise TransportError(f"{definition.type} has no rooms", permanent=True)


class Chats:
    """The chats in use. ``duty`` gives the definitions of now."""

    def __init__(self, duty: Callable[[], Duty]) -> None:
        self._duty = duty
        self._open: dict[str, tuple[ChannelDefinition, bool, Chat]] = {}
        self._opening = threading.Lock()

    def __call__(self, name: str) -> Chat:
        """The chat of a channel. Raises TransportError when there is none."""
        duty = self._duty()
        definition = duty.channels.get(name)
        private = next((m.private for m in duty.mirrors.values() if m.channel == name), None)
        if definition is None or private is None:
            raise TransportError(f"channel {name!r} has no rooms any more", permanent=True)
        with self._opening:
            held = self._open.get(name)
            if held is not None and held[:2] == (definition, private):
                return held[2]
            # One that was replaced is let go of when nobody uses it any more.
            made = open_chat(definition, private=private)
            self._open[name] = (definition, private, made)
        return made
