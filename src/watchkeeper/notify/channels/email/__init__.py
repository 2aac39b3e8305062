"""E-mail by SMTP: one message a delivery, threads by page, buttons that are one-tap links."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
from collections.abc import Iterator
from email.message import EmailMessage
from email.utils import formataddr, formatdate, parseaddr

from watchkeeper.notify.model import Message, Receipt, TransportError
from watchkeeper.notify.render import html, plain
from watchkeeper.notify.settings import Settings
from watchkeeper.spec.duty import ChannelDefinition


class EmailTransport:
    """Sends through one SMTP server. A connection a message: pages are few and must not wait."""

    def __init__(self, definition: ChannelDefinition) -> None:
        self._settings = Settings(definition)

    def send(self, message: Message, address: str) -> Receipt:
        """Send to one mailbox. The Message-ID is made of the delivery's key: a repeat is the same
        message to mail readers that look."""
        settings = self._settings
        mail = compose(message, settings.must("from"), address)
        with self._ready() as server:
            try:
                refused = server.send_message(mail)
            except (smtplib.SMTPServerDisconnected, TimeoutError) as error:
                # The mail was on its way: the server may have taken it.
                raise TransportError(f"the mail server broke off: {error}", unknown=True) from None
            except smtplib.SMTPRecipientsRefused as error:
                code, said = next(iter(error.recipients.values()))
                raise _refused(code, said) from None
            except smtplib.SMTPResponseException as error:
                raise _refused(error.smtp_code, error.smtp_error) from None
            except OSError as error:
                raise TransportError(f"the mail server: {error}", unknown=True) from None
        if refused:
            code, said = next(iter(refused.values()))
            raise _refused(code, said)
        return Receipt(str(mail["Message-ID"]), "the mail server took it")

    @contextlib.contextmanager
    def _ready(self) -> Iterator[smtplib.SMTP]:
        """A session that is logged in. What fails before that has sent nothing."""
        try:
            server = self._connect()
            self._log_in(server)
        except smtplib.SMTPResponseException as error:
            raise _refused(error.smtp_code, error.smtp_error) from None
        except (smtplib.SMTPException, ssl.SSLError) as error:
            raise TransportError(f"the mail server: {error}") from None
        except OSError as error:
            raise TransportError(f"the mail server cannot be reached: {error}") from None
        try:
            yield server
        finally:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                server.quit()

    def close(self) -> None:
        """Nothing is kept open."""

    def _connect(self) -> smtplib.SMTP:
        settings = self._settings
        host, tls = settings.must("host"), settings.get("tls", "starttls")
        port = int(settings.get("port", "465" if tls == "tls" else "587"))
        name = socket.gethostname() or "localhost"
        if tls == "tls":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(host, port, name, timeout=settings.timeout, context=context)
        server = smtplib.SMTP(host, port, name, timeout=settings.timeout)
        if tls == "starttls":
            try:
                server.starttls(context=ssl.create_default_context())
            except smtplib.SMTPNotSupportedError:
                server.close()
                raise TransportError(
                    "the mail server offers no STARTTLS",
                    "Set tls: none only where the network is trusted.",
                    permanent=True,
                ) from None
        return server

    def _log_in(self, server: smtplib.SMTP) -> None:
        user = self._settings.get("username")
        if user:
            server.login(user, self._settings.get("password"))


def compose(message: Message, sender: str, address: str) -> EmailMessage:
    """The mail: text and HTML, in the thread of its page."""
    mail = EmailMessage()
    name, box = parseaddr(sender)
    domain = box.rpartition("@")[2] or "watchkeeper.invalid"
    mail["From"] = formataddr((name or "Watchkeeper", box))
    mail["To"] = _one_line(address)
    mail["Subject"] = _one_line(message.title)[:200]
    mail["Date"] = formatdate(message.at)
    mail["Message-ID"] = f"<{_token(message.id)}@{domain}>"
    if message.thread:
        first = f"<{_token(message.thread)}@{domain}>"
        mail["In-Reply-To"] = first
        mail["References"] = first
    mail["Auto-Submitted"] = "auto-generated"
    for header, value in message.headers.items():
        mail[header] = _one_line(value)
    if message.urgency == "page":
        mail["X-Priority"] = "1"
        mail["Importance"] = "high"
    mail.set_content(plain(message))
    mail.add_alternative(html(message), subtype="html")
    return mail


def _one_line(text: str) -> str:
    """Header values hold no line breaks: whatever comes from outside must not add headers."""
    return " ".join(text.split())


def _token(text: str) -> str:
    return "".join(c if c.isalnum() or c in "-+._" else "-" for c in text)


def _refused(code: int, said: object) -> TransportError:
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    # RFC 5321: 4yz is worth another try, 5yz is not.
    return TransportError(f"the mail server answered {code}: {text}", permanent=code >= 500)
