"""E-mail: one message, as RFC 5322 text, is one signal.

Subjects that tell of one thing share a key: ``Re:``, counts and the words for its state are left
out of it, so that ``[RESOLVED] Disk full`` closes what ``[FIRING:2] Disk full`` opened.
"""

from __future__ import annotations

import re
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import parseaddr, parsedate_to_datetime
from html import unescape

from watchkeeper.alerting.intake.model import Asked, Understood
from watchkeeper.alerting.intake.reading import MOST_BYTES, severity_of, too_large, wrong
from watchkeeper.alerting.model import Signal, SignalAction
from watchkeeper.kernel.clock import Seconds

OVER = "resolved|recovery|recovered|closed|ok|up|cleared|normal"
SEEN = "acknowledged|acknowledgement|ack"
BAD = "firing|problem|alert|alarm|triggered|down|critical|warning|error|info|new|open|alerting"
_STATE = re.compile(
    rf"(?:\[\s*(?P<in>{OVER}|{SEEN}|{BAD})(?:\s*:\s*\d+)?\s*\]"
    rf"|^(?P<at>{OVER}|{SEEN}|{BAD})\s*[:!-])\s*",
    re.IGNORECASE,
)
_REPLY = re.compile(r"^\s*(?:(?:re|fwd?|aw|wg)\s*:\s*)+", re.IGNORECASE)
_TAG = re.compile(r"<(script|style)\b.*?</\1\s*>|<[^>]*>", re.IGNORECASE | re.DOTALL)
MOST_BODY = 20_000


def parse(body: bytes, asked: Asked) -> list[Understood]:
    """Raises UserError for what is no message: no headers, no subject and no text."""
    if len(body) > MOST_BYTES:
        raise too_large()
    message = BytesParser(policy=policy.default).parsebytes(body)
    try:
        subject, text = _header(message, "subject"), _text(message)
        sender = parseaddr(_header(message, "from"))[1] or _header(message, "from")
    except (LookupError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise wrong("the message", f"a readable e-mail ({str(error)[:100]})") from None
    if not sender and not subject:
        raise wrong("the message", "an e-mail with From and Subject", "From: a@b.c")
    words, topic = words_of(subject)
    urgent = _header(message, "x-priority")[:1] or _header(message, "importance").lower()
    return [
        Signal(
            key=_clean(f"{sender.lower()}|{topic.lower()}" if topic else asked.fresh),
            action=action_of(words),
            summary=_clean(subject or text[:100] or "e-mail without a subject")[:1000],
            severity=severity_in(words, urgent),
            source=_clean(sender)[:500],
            details={
                "text": _clean(text)[:MOST_BODY],
                "message_id": _header(message, "message-id"),
            },
            at=_date(_header(message, "date")),
        )
    ]


def _header(message: EmailMessage, name: str) -> str:
    try:
        value = message.get(name)
    except (ValueError, TypeError, AttributeError, IndexError, LookupError):
        return ""
    return _clean(" ".join(str(value).split()))[:2000] if value is not None else ""


def words_of(subject: str) -> tuple[list[str], str]:
    """The words of state in a subject, and what is left of it."""
    rest = _REPLY.sub("", subject)
    words: list[str] = []
    while match := _STATE.search(rest):
        words.append((match["in"] or match["at"]).lower())
        rest = (rest[: match.start()] + rest[match.end() :]).strip()
    return words, rest


def action_of(words: list[str]) -> SignalAction:
    """What the words of state ask for."""
    for word in words:
        if re.fullmatch(OVER, word):
            return SignalAction.RESOLVE
        if re.fullmatch(SEEN, word):
            return SignalAction.ACKNOWLEDGE
    return SignalAction.TRIGGER


def severity_in(words: list[str], urgent: str) -> str:
    """The severity that the words name, else the message's own importance."""
    for word in words:
        if word in ("critical", "warning", "error", "info"):
            return severity_of(word)
    return {"5": "info", "4": "warning", "low": "info"}.get(urgent, "critical")


def _text(message: EmailMessage) -> str:
    part = message.get_body(("plain", "html"))
    if part is None:
        return ""
    content = part.get_content()
    if not isinstance(content, str):
        return ""
    if part.get_content_subtype() == "html":
        content = unescape(_TAG.sub(" ", content))
    return content.strip()


def _date(text: str) -> Seconds | None:
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _clean(text: str) -> str:
    """Without NUL and lone surrogates, which stand for bytes that were no text."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
