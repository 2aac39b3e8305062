"""A real SMTP server on loopback that keeps what it takes."""

from __future__ import annotations

import email
from collections.abc import Iterator
from contextlib import contextmanager
from email import policy
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.support.processes import free_port


class Mailbox:
    """What came in; ``refuse`` is said instead of taking a mail."""

    def __init__(self) -> None:
        self.mails: list[Envelope] = []
        self.refuse = ""

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, _: list[str]
    ) -> str:
        if "unknown" in address:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.refuse:
            return self.refuse
        self.mails.append(envelope)
        return "250 taken"

    def parsed(self) -> list[EmailMessage]:
        """The mails as mail readers see them."""
        return [
            email.message_from_bytes(bytes(e.content or b""), policy=policy.default)  # type: ignore[arg-type]
            for e in self.mails
        ]

    def to(self, address: str) -> list[EmailMessage]:
        """Those to this address."""
        return [m for m in self.parsed() if m["To"] == address]


@contextmanager
def smtp_server() -> Iterator[tuple[Mailbox, int]]:
    """(mailbox, port) until the block ends; the password of every user is ``right``."""
    box = Mailbox()

    def check(_s: SMTP, _e: Session, _v: Envelope, _m: str, given: LoginPassword) -> AuthResult:
        return AuthResult(success=given.password == b"right", handled=False)

    server = Controller(
        box, hostname="127.0.0.1", port=free_port(), authenticator=check, auth_require_tls=False
    )
    server.start()
    try:
        yield box, server.port
    finally:
        server.stop()
