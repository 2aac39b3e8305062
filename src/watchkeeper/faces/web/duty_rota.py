"""What the page Reach shows: every way to every person, with its last proof and outcome. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from watchkeeper.faces.addresses import shown_in
from watchkeeper.faces.web import words
from watchkeeper.faces.web.reached import proof_badge
from watchkeeper.faces.web.words import Badge
from watchkeeper.kernel.clock import Seconds
from watchkeeper.notify.outbox import Delivery
from watchkeeper.oncall.store import Proof
from watchkeeper.spec.model import Specs


@dataclass(frozen=True, slots=True)
class ContactRow:
    """How a person is reached, and the last proof that it works."""

    user: str
    name: str
    channel: str
    address: str
    badge: Badge
    proof: str
    proved: bool
    last: str
    key: str


def contacts(
    specs: Specs,
    proofs: Mapping[tuple[str, str, str], Proof],
    outcomes: Mapping[tuple[str, str], Delivery],
    now: Seconds,
) -> list[ContactRow]:
    """Every contact of every user."""
    rows = []
    for user in specs.duty.users.values():
        for contact in user.contacts:
            proof = proofs.get((user.name, contact.channel, contact.address))
            last = outcomes.get((contact.channel, contact.address))
            rows.append(
                ContactRow(
                    user.name,
                    user.display_name,
                    contact.channel,
                    shown_in(specs, contact.channel, contact.address),
                    proof_badge(_proved_at(proof), now),
                    _proof_words(proof),
                    proof is not None and _proved_at(proof) is not None,
                    outcome(last),
                    outcome_key(last),
                )
            )
    return rows


def outcome(row: Delivery | None) -> str:
    """The last outcome in words."""
    if row is None:
        return "never used"
    if row.sent_at is not None:
        return f"sent {words.day_clock(row.sent_at)}"
    return f"{row.state}: {row.outcome}" if row.outcome else row.state


def outcome_key(row: Delivery | None) -> str:
    """The last outcome as a shape."""
    if row is None:
        return "none"
    if row.state == "sent":
        return "ok"
    return "spent" if row.state == "failed" else "watch"


def _proved_at(proof: Proof | None) -> Seconds | None:
    times = (proof.verified_at, proof.drilled_at) if proof else ()
    return max((at for at in times if at is not None), default=None)


def _proof_words(proof: Proof | None) -> str:
    """When a code came back, and when a drill was answered."""
    told = (("code", proof.verified_at), ("drill", proof.drilled_at)) if proof else ()
    return ", ".join(f"{what} {words.day_clock(at)}" for what, at in told if at is not None)
