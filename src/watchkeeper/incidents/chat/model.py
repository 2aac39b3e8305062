"""Rooms of incidents in other chats, and what is done in them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from watchkeeper.kernel.clock import Seconds


@dataclass(frozen=True, slots=True)
class Room:
    """Where one incident goes on in one chat.

    ``channel``: the definition by which it is reached. ``external``: the chat's id of it, '' until
    it is made. ``told``: the number of the last entry that was told there; ``topic`` and
    ``invited`` likewise. ``doubt``: the last attempt may have arrived. ``said``: what went wrong
    last, '' nothing; ``since``: since when. ``lease``: until when somebody works on it.
    """

    incident_id: int
    channel: str
    name: str
    external: str = ""
    told: int = 0
    topic: str = ""
    invited: tuple[str, ...] = ()
    open: bool = True
    due_at: Seconds = 0.0
    tries: int = 0
    doubt: bool = False
    said: str = ""
    since: Seconds | None = None
    lease: Seconds | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody to be invited: by the chat's own id of them, else by e-mail."""

    user: str
    external: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """What came from a room. ``event``: the chat's id of the delivery, the same when repeated.

    ``message``: the id of the message. ``amends``: the message that it replaces, '' none.
    ``writer``: the chat's id of who wrote it; ``name``: what the chat calls them.
    """

    event: str
    room: str
    message: str
    writer: str
    text: str
    at: Seconds | None = None
    amends: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """Somebody in a chat: the user that they are here, '' when nobody knows; their name there."""

    user: str
    name: str


class Chat(Protocol):
    """One chat. Each call may raise TransportError; ``doubt`` says that the same call may have
    arrived before, so that it must be looked for first. ``key`` is the same for each attempt."""

    def make(self, name: str, topic: str, key: str, *, doubt: bool) -> tuple[str, str]:
        """Make a room; its id and the name that it got."""
        ...

    def invite(self, room: str, guests: Sequence[Guest]) -> Sequence[tuple[Guest, str]]:
        """Ask people in; each with the chat's id of them, '' for one whom it does not know."""
        ...

    def topic(self, room: str, text: str) -> None:
        """Say what it is about."""
        ...

    def post(self, room: str, text: str, key: str, *, doubt: bool) -> str:
        """Write a message, in Markdown; its id."""
        ...

    def edit(self, room: str, message: str, text: str, key: str) -> None:
        """Put another text in the place of a message of ours."""
        ...

    def pin(self, room: str, message: str, *, pinned: bool) -> None:
        """Pin a message, or take the pin away."""
        ...

    def whisper(self, room: str, writer: str, text: str, key: str) -> None:
        """Tell one person, and nobody else where the chat can do that."""
        ...

    def known(self, writer: str) -> tuple[str, str]:
        """(name, e-mail) of somebody; '' for what the chat does not tell."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
