"""Messages, addresses and outcomes: what every channel is handed and answers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import WatchkeeperError


class MessageKind(StrEnum):
    """Why a message is sent."""

    PAGE = "page"  # somebody must act
    UPDATE = "update"  # acknowledged, reassigned, …: to channels that were told of the page
    RESOLVED = "resolved"
    DRILL = "drill"  # a page that proves the way works
    TEST = "test"  # the test button
    VERIFY = "verify"  # carries a code that proves an address
    STATUS = "status"  # to subscribers of a status page or of changes; many at once, none urgent


@dataclass(frozen=True, slots=True)
class Action:
    """Something the receiver can do with one tap: a signed URL, to be sent as ``method``.

    ``name`` is stable (``ack``, ``resolve``, ``open``), ``label`` is for people. ``value`` is an
    opaque signed string for channels that call back by themselves (Slack buttons).
    """

    name: str
    label: str
    url: str
    method: str = "GET"
    value: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent. ``id`` is the idempotency key: the same for every attempt.

    ``title`` fits a lock screen; ``body`` is plain text of some lines; ``voice`` is what a voice
    reads. ``thread`` is the same for all messages about one page, so that channels can put them
    together. ``lines`` are alerts bundled into this message. ``maybe_duplicate``: an earlier
    attempt may have arrived; say so in the message. ``headers`` go with a mail. ``document`` is
    what a webhook is posted instead of the usual form, signed by a secret of ``signer``'s own.
    """

    id: str
    kind: MessageKind
    title: str
    body: str
    at: Seconds
    urgency: str = "page"
    thread: str = ""
    url: str = ""
    voice: str = ""
    actions: tuple[Action, ...] = ()
    lines: tuple[str, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    maybe_duplicate: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    document: Mapping[str, Any] = field(default_factory=dict)
    signer: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The provider took it: its own id, where it gives one."""

    provider_id: str = ""
    detail: str = ""


class TransportError(WatchkeeperError):
    """It was not (or perhaps not) sent; the error carries the decision on trying again.

    ``permanent``: the same message to the same address will never succeed (wrong address, revoked
    token): go to the next channel. ``unknown``: it may have arrived (time-out or broken connection
    after the request was written). ``retry_after``: seconds that the provider asks to wait.
    ``status``: the HTTP status of a refusal.
    """

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        permanent: bool = False,
        unknown: bool = False,
        retry_after: float | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message, hint)
        self.status = status
        self.permanent = permanent
        self.unknown = unknown
        self.retry_after = retry_after


class Transport(Protocol):
    """One configured channel. Safe for use by many threads."""

    def send(self, message: Message, address: str) -> Receipt:
        """Send, or raise TransportError. Never blocks longer than the channel's time-out."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
