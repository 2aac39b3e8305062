"""Alerts by e-mail, from a mail server or a sender that speaks SMTP: `KEY@anything` is an address.

A message is accepted once its alert is on disk; until then its sender keeps it and tries again.
There is no TLS and no login here: the key is the permission, and this listens on loopback unless
told otherwise, for a mail server beside it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from functools import partial

from aiosmtpd.smtp import SMTP, Envelope, Session

from watchkeeper.alerting.intake.reading import MOST_BYTES
from watchkeeper.faces.intake import Intake, NoKeyError, TooManyError
from watchkeeper.kernel.errors import StoreError, UserError, WatchkeeperError

log = logging.getLogger("watchkeeper.intake")

PATIENCE = 60.0
"""Seconds that a sender may say nothing."""
MOST_RECIPIENTS = 20


class Letterbox:
    """What aiosmtpd asks: whether an address is one, and to take a message."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Refuse an address at once, so that its sender is told."""
        del server, session, options
        if len(envelope.rcpt_tos) >= MOST_RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        try:
            await self._intake.opens(_key(address))
        except StoreError:
            return "451 4.3.0 Send it again in a moment"
        except WatchkeeperError:
            return "550 5.1.1 No integration has this address"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Take the message for each of its addresses; all are on disk when this says so."""
        del server, session
        content = envelope.content
        body = content.encode("utf-8", "replace") if isinstance(content, str) else content or b""
        try:
            for key in dict.fromkeys(_key(address) for address in envelope.rcpt_tos):
                await self._intake.letter(key, body)
        except (TooManyError, StoreError) as error:
            return f"451 4.3.0 {_line(error)}"
        except NoKeyError:
            return "550 5.1.1 No integration has this address"
        except WatchkeeperError as error:
            return f"554 5.6.0 {_line(error)}"
        return "250 2.0.0 Kept"

    async def handle_exception(self, error: Exception) -> str:
        """A defect loses no message: its sender keeps it."""
        log.error("a mail could not be taken", exc_info=error)
        return "451 4.3.0 Something is wrong here; send it again"


def _key(address: str) -> str:
    return address.partition("@")[0].partition("+")[0]


def _line(error: WatchkeeperError) -> str:
    said = f"{error.message} {error.hint}"
    return " ".join(said.encode("ascii", "replace").decode().split())[:400]


def bound(address: str) -> socket.socket:
    """A socket on HOST:PORT. Raises UserError when that is no address, or cannot be had."""
    host, found, port = address.rpartition(":")
    if not found or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise UserError(f"{address!r} is no address.", "HOST:PORT, as in 127.0.0.1:2525.")
    host = host.strip("[]")
    try:
        kind = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, int(port)), family=kind)
    except OSError as error:
        raise UserError(
            f"Mail cannot be taken on {address}: {error.strerror or error}.",
            "Give another --smtp HOST:PORT.",
        ) from error


async def opened(intake: Intake, where: socket.socket) -> asyncio.Server:
    """Take mail there until the server that this returns is closed."""
    made = partial(
        SMTP, Letterbox(intake), data_size_limit=MOST_BYTES, enable_SMTPUTF8=True,
        ident="Watchkeeper", hostname="watchkeeper", timeout=PATIENCE,
    )  # fmt: skip
    return await asyncio.get_running_loop().create_server(made, sock=where)
