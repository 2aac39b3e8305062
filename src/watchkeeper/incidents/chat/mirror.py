"""What a room of another chat is told next, and how. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from watchkeeper.incidents import rules
from watchkeeper.incidents.chat.model import Guest, Room
from watchkeeper.incidents.model import Entry, EntryKind, Incident, IncidentState, RoleHolding
from watchkeeper.kernel.clock import Seconds
from watchkeeper.notify.model import TransportError
from watchkeeper.spec.duty import ChannelDefinition, ChannelType, MirrorDefinition
from watchkeeper.spec.model import Specs

MOST_NAME = 80
MOST_TOPIC = 250
MOST_TEXT = 12_000
"""Characters of an entry that are told; Matrix takes 65,536 bytes for text and HTML together."""
FIRST_RETRY, LONGEST_RETRY = 2.0, 300.0
LONGEST_DOUBT = 900.0
"""Seconds between two attempts at what is refused for good, until somebody mends the settings."""
KEPT_OPEN = 7 * 86_400.0
"""Seconds after resolution for which a room still hears what is written."""


@dataclass(frozen=True, slots=True)
class Make:
    """The room is to be made."""

    name: str
    topic: str


@dataclass(frozen=True, slots=True)
class Invite:
    """People are to be asked in."""

    guests: tuple[Guest, ...]


@dataclass(frozen=True, slots=True)
class Topic:
    """Its topic is another now."""

    text: str


@dataclass(frozen=True, slots=True)
class Tell:
    """An entry is to be told there."""

    entry: Entry


Job = Make | Invite | Topic | Tell


def next_job(
    room: Room, incident: Incident, holdings: Sequence[RoleHolding], following: Entry | None,
    mirror: MirrorDefinition, specs: Specs,
) -> Job | None:  # fmt: skip
    """What is to be done in a room now; ``following``: the first entry that was not told.

    People and topic come before the entries, so that those who are asked in read all of it.
    """
    topic = topic_of(incident, holdings, specs)
    if not room.external:
        return Make(room.name, topic)
    guests = guests_of(incident, holdings, mirror, specs)
    new = tuple(g for g in guests if g.user not in room.invited)
    if new:
        return Invite(new)
    if topic != room.topic:
        return Topic(topic)
    return Tell(following) if following is not None else None


def name_of(prefix: str, incident: Incident) -> str:
    """``inc-12-checkout-fails``: letters, digits and hyphens, as Slack wants them."""
    plain = unicodedata.normalize("NFKD", incident.title).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")
    name = f"{prefix}-{incident.id}-{words}"
    # Room for a number behind it, when the name is taken.
    return name[: MOST_NAME - 4].rstrip("-")


def topic_of(incident: Incident, holdings: Sequence[RoleHolding], specs: Specs) -> str:
    """Severity, state, who leads, and the title."""
    lead = rules.holder(holdings, "commander")
    known = specs.duty.users.get(lead)
    who = known.display_name if known else lead or "nobody leads it"
    drill = "Drill. " if incident.drill else ""
    said = f"{drill}{incident.severity}, {incident.state}. {who}. {incident.title}"
    return said if len(said) <= MOST_TOPIC else f"{said[: MOST_TOPIC - 1]}…"


def guests_of(
    incident: Incident, holdings: Iterable[RoleHolding], mirror: MirrorDefinition, specs: Specs
) -> list[Guest]:
    """Who belongs in the room: those with a role or asked to take one, who declared it, and those
    whom the settings name. Somebody whom the chat cannot find is left out."""
    names = [n for h in holdings for n in (h.user, h.offered_to)]
    names += [incident.declared_by, *mirror.invite]
    found = [_guest(n, mirror.channel, specs) for n in dict.fromkeys(names)]
    return [g for g in found if g is not None]


def _guest(user: str, channel: str, specs: Specs) -> Guest | None:
    known = specs.duty.users.get(user)
    its = specs.duty.channels.get(channel)
    if known is None or its is None:
        return None
    external, email = "", ""
    for contact in known.contacts:
        by = specs.duty.channels.get(contact.channel)
        if by is None:
            continue
        if by.type is its.type and _is_person(its.type, contact.address):
            external = external or contact.address
        elif by.type is ChannelType.EMAIL:
            email = email or contact.address
    if not external and (its.type is not ChannelType.SLACK or not email):
        return None
    return Guest(user, external, email)


def _is_person(kind: ChannelType, address: str) -> bool:
    """A person's own address, not that of a room."""
    if kind is ChannelType.SLACK:
        return bool(re.fullmatch(r"[UW][A-Z0-9]{6,}", address))
    return address.startswith("@")


def user_of(specs: Specs, channel: ChannelDefinition, writer: str, email: str) -> str:
    """The user who somebody in a chat is, by their address there or their e-mail; '' nobody."""
    for user in specs.duty.users.values():
        for contact in user.contacts:
            by = specs.duty.channels.get(contact.channel)
            if by is None:
                continue
            if by.type is channel.type and contact.address == writer:
                return user.name
            mail = by.type is ChannelType.EMAIL and email
            if mail and contact.address.casefold() == email.casefold():
                return user.name
    return ""


# ---------------------------------------------------------------- what is said


def is_told(entry: Entry, channel: str) -> bool:
    """True for an entry that came from this very chat: it is there already."""
    return came_from(entry) == channel


def came_from(entry: Entry) -> str:
    """The channel of the chat in which an entry was written as a message; '' elsewhere."""
    told = entry.data.get("chat")
    return str(told.get("channel", "")) if isinstance(told, dict) else ""


def said(entry: Entry, text: str, url: str) -> str:
    """An entry in Markdown, as it reads now. ``url``: of the incident's page."""
    shown = text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]} …\n\nAll of it: {url}"
    if entry.kind is EntryKind.MESSAGE:
        head = f"**{entry.actor}**:"
    else:
        public = ", public" if entry.data.get("public") else ""
        who = "" if entry.actor == "engine" else f" ({entry.actor})"
        head = f"**{str(entry.kind).capitalize()}{public}**{who}:"
    told = entry.data.get("file")
    link = f"\n\n{url}/files/{told['id']}" if isinstance(told, dict) else ""
    return f"{head} {shown}{link}"


# ---------------------------------------------------------------- afterwards


def done(room: Room, now: Seconds, **changes: object) -> Room:
    """The room after something was done in it."""
    return replace(
        room, due_at=now, tries=0, doubt=False, said="", since=None, lease=None,
        **changes,  # type: ignore[arg-type]
    )  # fmt: skip


def failed(room: Room, error: TransportError, now: Seconds, chance: float) -> Room:
    """The room after an attempt that failed: it is tried again, later and later.

    ``chance``: in [0, 1), spreads the attempts of many rooms.
    """
    wait = min(LONGEST_RETRY, FIRST_RETRY * 2.0 ** min(room.tries, 10)) * (1 + chance / 4)
    if error.permanent:
        wait = min(LONGEST_DOUBT, max(30.0, 4 * wait))
    if error.retry_after is not None:
        wait = error.retry_after
    return replace(
        room,
        due_at=now + wait,
        tries=room.tries + 1,
        doubt=room.doubt or error.unknown,
        said=str(error.message)[:500],
        since=now if room.since is None else room.since,
        lease=None,
    )


def is_over(incident: Incident) -> bool:
    """True when nobody works on it any more."""
    return incident.state is IncidentState.RESOLVED or incident.merged_into is not None
