"""What faces stand on for reach: channels, contacts and policies, each with its last proof."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from watchkeeper.faces.duty import Duty
from watchkeeper.kernel.clock import Seconds
from watchkeeper.notify.outbox import Delivery
from watchkeeper.oncall import store, store_drills
from watchkeeper.oncall.drilling import next_drill
from watchkeeper.oncall.store import Proof
from watchkeeper.oncall.store_drills import Drilled
from watchkeeper.spec.duty import ChannelDefinition, EscalationPolicyDefinition, UserDefinition


@dataclass(frozen=True, slots=True)
class ContactView:
    """A way to a person: when its code came back, when a drill over it was answered."""

    user: str
    channel: str
    address: str
    verified_at: Seconds | None
    drilled_at: Seconds | None
    last: Delivery | None

    @property
    def proved_at(self) -> Seconds | None:
        """The later of both."""
        return _latest((self.verified_at, self.drilled_at))


@dataclass(frozen=True, slots=True)
class ChannelView:
    """A way to send, with its last message and the last proof over any of its addresses."""

    definition: ChannelDefinition
    contacts: int
    last: Delivery | None
    proved_at: Seconds | None


@dataclass(frozen=True, slots=True)
class PersonView:
    """A person with the last proof that they are reached, by whatever way."""

    definition: UserDefinition
    proved_at: Seconds | None
    unproved: int


@dataclass(frozen=True, slots=True)
class PolicyView:
    """An escalation policy with its drills."""

    definition: EscalationPolicyDefinition
    started_at: Seconds | None
    proved_at: Seconds | None
    next_at: Seconds | None


@dataclass(frozen=True, slots=True)
class Proofs:
    """The last proofs of everything, read at one instant."""

    people: Sequence[PersonView]
    channels: Sequence[ChannelView]
    policies: Sequence[PolicyView]
    contacts: Sequence[ContactView]


def proofs_of(duty: Duty) -> Proofs:
    """Everything at once: it is little, and one reading cannot disagree with itself."""
    with duty.db.read() as conn:
        held = store.proofs(conn)
        drills = store_drills.drilled(conn)
    found, specs = _contacts(duty, held), duty.specs().duty
    return Proofs(
        [_person(u, found) for u in specs.users.values()],
        [_channel(c, found, duty.deliveries(c.name, 1)) for c in specs.channels.values()],
        [_policy(p, drills, duty.clock.now()) for p in specs.escalation_policies.values()],
        found,
    )


def _contacts(duty: Duty, held: Mapping[tuple[str, str, str], Proof]) -> list[ContactView]:
    outcomes, rows = duty.outcomes(), []
    for user in duty.specs().duty.users.values():
        for contact in dict.fromkeys(user.contacts):
            proof = held.get((user.name, contact.channel, contact.address))
            rows.append(
                ContactView(
                    user.name,
                    contact.channel,
                    contact.address,
                    proof.verified_at if proof else None,
                    proof.drilled_at if proof else None,
                    outcomes.get((contact.channel, contact.address)),
                )
            )
    return rows


def _person(user: UserDefinition, contacts: Iterable[ContactView]) -> PersonView:
    mine = [c.proved_at for c in contacts if c.user == user.name]
    return PersonView(user, _latest(mine), sum(at is None for at in mine))


def _channel(
    channel: ChannelDefinition, contacts: Iterable[ContactView], sent: Sequence[Delivery]
) -> ChannelView:
    its = [c for c in contacts if c.channel == channel.name]
    proved = _latest(c.proved_at for c in its)
    return ChannelView(channel, len(its), sent[0] if sent else None, proved)


def _policy(
    policy: EscalationPolicyDefinition, drills: Mapping[str, Drilled], now: Seconds
) -> PolicyView:
    known = drills.get(policy.name)
    return PolicyView(
        policy,
        known.started_at if known else None,
        known.answered_at if known else None,
        next_drill(policy, now),
    )


def _latest(times: Iterable[Seconds | None]) -> Seconds | None:
    return max((at for at in times if at is not None), default=None)
