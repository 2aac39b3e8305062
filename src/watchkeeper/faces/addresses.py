"""Addresses as faces show and take them: what is secret is named, never shown or resolved here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.kernel.secrets import is_reference, resolve
from watchkeeper.notify.addresses import shown
from watchkeeper.notify.guarded import shown as shown_url
from watchkeeper.notify.model import MessageKind
from watchkeeper.notify.outbox import Delivery
from watchkeeper.spec.duty import TargetKind
from watchkeeper.spec.model import Specs


def shown_in(specs: Specs, channel: str, address: str) -> str:
    """An address of a channel as people may read it."""
    known = specs.duty.channels.get(channel)
    return shown(known.type if known else None, address)


def shown_rows(specs: Specs, rows: Sequence[Delivery]) -> list[Delivery]:
    """Deliveries as people may read them."""
    return [
        replace(row, address=_without_name(row.address) if row.kind is MessageKind.STATUS
                else shown_in(specs, row.channel, row.address))
        for row in rows
    ]  # fmt: skip


def _without_name(address: str) -> str:
    """A subscriber's address, of which only editors see the whole."""
    if "://" in address:
        return shown_url(address)
    return "…@" + address.rpartition("@")[2]


def meant(specs: Specs, channel: str, given: str) -> str:
    """The address that was given as it is defined, or as it was shown; else the given one.

    A reference that is written nowhere is refused: whoever may send a test must not be able to
    send any variable or file of the server. Raises NotFound, UserError.
    """
    defined = sorted({a for c, a in _defined(specs) if c == channel})
    if given in defined:
        return given
    found = [a for a in defined if shown_in(specs, channel, a) == given]
    if len(found) > 1:
        raise UserError(f"{given} is more than one address.", "Give the whole address.")
    if not found and is_reference(given):
        raise NotFound(
            f"No definition has the address {given} at {channel!r}.",
            "References are written in the definitions, not given with a request.",
        )
    return found[0] if found else given


def at(specs: Specs, address: str) -> Sequence[tuple[str, str]]:
    """(user, address as kept) of every contact that is this phone, mailbox, …"""
    return [
        (user.name, contact.address)
        for user in specs.duty.users.values()
        for contact in user.contacts
        if _resolved(contact.address) == address
    ]


def _resolved(address: str) -> str | None:
    try:
        return resolve(address, "the address")
    except UserError:
        return None


def _defined(specs: Specs) -> Iterator[tuple[str, str]]:
    duty = specs.duty
    for user in duty.users.values():
        yield from ((c.channel, c.address) for c in user.contacts)
    for policy in duty.escalation_policies.values():
        for target in (*(t for s in policy.steps for t in s.targets), *policy.fallback):
            if target.kind is TargetKind.CHANNEL:
                yield target.name, target.address
