"""What Twilio sends us: verified, and read. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass

_REPLY = re.compile(r"\s*(a|ack|acknowledge|r|res|resolve|1|2)\b\s*#?(\d+)?\s*", re.IGNORECASE)
FAILED = frozenset({"failed", "undelivered", "busy", "no-answer", "canceled"})


@dataclass(frozen=True, slots=True)
class Reply:
    """What a person wrote: ``action`` is ack or resolve; ``page`` None: the last one they got."""

    action: str
    page: int | None


def genuine(url: str, form: Mapping[str, str], given: str, token: str) -> bool:
    """True when Twilio signed this request: HMAC-SHA1 of the URL and the sorted fields.

    SHA-1 is Twilio's choice; as a MAC it is still sound.
    """
    base = url + "".join(k + form[k] for k in sorted(form))
    made = base64.b64encode(hmac.new(token.encode(), base.encode(), hashlib.sha1).digest())
    return bool(token) and hmac.compare_digest(made, given.encode())


def reply(text: str) -> Reply | None:
    """``ack 12``, ``1``, ``resolve``; None for anything else."""
    found = _REPLY.fullmatch(text[:200])
    if found is None:
        return None
    action = "ack" if found[1].lower()[0] in "a1" else "resolve"
    return Reply(action, int(found[2][:15]) if found[2] else None)


def key(digits: str) -> str:
    """The action of a pressed key; '' for one that means nothing."""
    return {"1": "ack", "2": "resolve"}.get(digits.strip(), "")
