"""Where incidents go on in other chats, as written. Pure."""

from __future__ import annotations

import re

from watchkeeper.spec.duty import ChannelType, MirrorDefinition
from watchkeeper.spec.duty_fields import DutyRead, begin, items
from watchkeeper.spec.reader import Reader

MIRROR_KEYS = ("channel", "severities", "prefix", "private", "drills", "invite")
LONGEST_PREFIX = 20
CHATS = (ChannelType.SLACK, ChannelType.MATRIX)
"""Channels that can have rooms for incidents."""


def read_mirror(reader: Reader, duty: DutyRead) -> None:
    """A chat in which each incident gets a room."""
    begun = begin(reader, duty, MIRROR_KEYS)
    if begun is None:
        return
    name, _, spec = begun
    spec.text("channel", required=True)
    channel = duty.refer(spec, "channel", "Channel")
    duty.mirrored.append((spec, channel))
    prefix = spec.text("prefix") or "inc"
    if not re.fullmatch(rf"[a-z0-9][a-z0-9_-]{{0,{LONGEST_PREFIX - 1}}}", prefix):
        spec.fault(
            "bad-value",
            f"'prefix' is '{prefix}'",
            f"lower-case letters, digits, - and _, at most {LONGEST_PREFIX}",
            key="prefix",
        )
        return
    if not channel:
        return
    duty.mirrors[name] = MirrorDefinition(
        name,
        channel,
        reader.place(),
        spec.texts("severities"),
        prefix,
        spec.flag("private", True),
        spec.flag("drills"),
        tuple(duty.refer(item, "invite", "User", who) for item, who in items(spec, "invite")),
    )


def check_mirrored(duty: DutyRead) -> None:
    """Point out channels that can have no rooms, and those that would have two of each."""
    seen: set[str] = set()
    for spec, name in duty.mirrored:
        channel = duty.channels.get(name)
        if channel is not None and channel.type not in CHATS:
            spec.fault(
                "bad-value",
                f"channel '{name}' is of type {channel.type}",
                f"a channel of type {' or '.join(CHATS)}",
                key="channel",
            )
        elif name and name in seen:
            spec.fault(
                "duplicate",
                f"incidents have rooms in '{name}' already",
                "one IncidentMirror for each channel",
                "put the settings into one",
                key="channel",
            )
        seen.add(name)
