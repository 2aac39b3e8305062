"""How a person is reached, and how fresh the proof of it is. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from watchkeeper.faces.reaching import ContactView
from watchkeeper.faces.web import words
from watchkeeper.faces.web.words import Badge
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Seconds
from watchkeeper.spec.duty import NotifyRule, UserDefinition

FRESH_DAYS = 30
FRESH = FRESH_DAYS * 86_400.0
"""Seconds for which a proof counts as fresh."""
Shown = Callable[[str, str], str]
"""(channel, address) as people may read it: `Duty.shown`."""


@dataclass(frozen=True, slots=True)
class Way:
    """A way to a person."""

    channel: str
    address: str
    badge: Badge
    proof: str
    last: str
    raw: str


def fresh(at: Seconds | None, now: Seconds) -> bool:
    """True when the proof is at most 30 days old."""
    return at is not None and now - at <= FRESH


def proof_badge(at: Seconds | None, now: Seconds) -> Badge:
    """A proof as shape and word."""
    if at is None:
        return Badge("none", "Never proved")
    days = words.ago(at, now)
    return Badge("ok", f"Proved {days}") if fresh(at, now) else Badge("watch", f"Proved {days}")


def ways(contacts: Iterable[ContactView], user: str, shown: Shown, now: Seconds) -> list[Way]:
    """The contacts of one person."""
    return [
        Way(
            c.channel,
            shown(c.channel, c.address),
            proof_badge(c.proved_at, now),
            _proof_words(c),
            last_words(c, now),
            shown(c.channel, c.address),
        )
        for c in contacts
        if c.user == user
    ]


def _proof_words(contact: ContactView) -> str:
    said = []
    if contact.verified_at is not None:
        said.append(f"code {words.day_clock(contact.verified_at)}")
    if contact.drilled_at is not None:
        said.append(f"drill {words.day_clock(contact.drilled_at)}")
    return ", ".join(said) + " UTC" if said else "neither a code nor a drill came back"


def last_words(contact: ContactView, now: Seconds) -> str:
    """What came of the last message."""
    row = contact.last
    if row is None:
        return "no message yet"
    if row.sent_at is not None:
        return f"last message sent {words.ago(row.sent_at, now)}"
    return f"last message {row.state}" + (f": {row.outcome}" if row.outcome else "")


def reach_badge(contacts: Iterable[ContactView], users: Sequence[str], now: Seconds) -> Badge:
    """Whether those who are on call can be reached, as far as it was ever proved."""
    if not users:
        return Badge("burn", "Nobody to reach")
    mine = {u: [c for c in contacts if c.user == u] for u in users}
    if any(not its for its in mine.values()):
        return Badge("burn", "No way to reach")
    latest = [max((c.proved_at or 0.0 for c in its), default=0.0) for its in mine.values()]
    return proof_badge(min(latest) or None, now)


def rule_lines(
    rules: Sequence[NotifyRule], person: UserDefinition, shown: Shown
) -> list[tuple[str, str]]:
    """(when, by what) of the notification rules, as the engine reads them."""
    held: dict[str, list[str]] = {}
    for contact in dict.fromkeys(person.contacts):
        held.setdefault(contact.channel, []).append(shown(contact.channel, contact.address))
    if not rules:
        every = [f"{c}: {a}" for c, its in held.items() for a in its]
        return [("at once", ", ".join(every) or "no way to reach you is defined")]
    lines = []
    for rule in sorted(rules, key=lambda r: r.after):
        when = f"after {text.duration(rule.after)}" if rule.after else "at once"
        where = ", ".join(held.get(rule.channel, ())) or "no address on this channel"
        lines.append((when, f"{rule.channel}: {where}"))
    return lines
