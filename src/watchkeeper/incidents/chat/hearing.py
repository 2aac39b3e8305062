"""What comes from rooms of other chats: written into the timeline once, commands carried out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from watchkeeper.access import store_accounts as accounts
from watchkeeper.access.model import Permission
from watchkeeper.access.roles import may, principal_of
from watchkeeper.incidents import store, work
from watchkeeper.incidents.chat import commands, running, store_rooms
from watchkeeper.incidents.chat.mirror import user_of
from watchkeeper.incidents.chat.model import Chat, Heard, Known, Room
from watchkeeper.incidents.chat.running import Beyond
from watchkeeper.incidents.keeping import By
from watchkeeper.incidents.model import EntryKind, NewEntry
from watchkeeper.incidents.rules import MOST_TEXT
from watchkeeper.kernel.clock import Clock, Seconds
from watchkeeper.kernel.errors import UserError
from watchkeeper.notify.model import TransportError
from watchkeeper.oncall.model import Site
from watchkeeper.spec.duty import ChannelDefinition
from watchkeeper.spec.model import Specs
from watchkeeper.store import Database

ASK_AGAIN = 86_400.0
"""Seconds after which a chat is asked again who somebody is."""

log = logging.getLogger("watchkeeper.incidents")


@dataclass
class Ears:
    """Hears what people write in rooms; each thing once, however often the chat says it."""

    db: Database
    site: Site
    clock: Clock
    specs: Callable[[], Specs]
    opened: Callable[[str], Chat]
    beyond: Beyond
    changed: Callable[[], None] = lambda: None

    def hear(self, channel: str, heard: Heard) -> str:
        """Write down what was said, or do it. Gives what its writer alone is to be told."""
        definition = self.specs().duty.channels.get(channel)
        with self.db.read() as conn:
            room = store_rooms.by_external(conn, channel, heard.room)
        if definition is None or room is None:
            return ""
        by = self.who(definition, heard.writer, heard.name)
        now = self.clock.now()
        try:
            with self.db.write() as conn:
                if not store_rooms.first_time(conn, channel, heard.event, now):
                    return ""
                told = self._take(conn, room, heard, by, now)
        except UserError as error:
            # Nothing of it was done; a repetition is not answered again.
            with self.db.write() as conn:
                store_rooms.first_time(conn, channel, heard.event, now)
            return f"{error.message} {error.hint}".strip()
        self.changed()
        return told

    def command(self, channel: str, external: str, writer: str, name: str, text: str) -> str:
        """Do what a chat's own command asks for. Raises UserError, NotFound."""
        definition = self.specs().duty.channels.get(channel)
        with self.db.read() as conn:
            room = store_rooms.by_external(conn, channel, external)
        if definition is None or room is None:
            raise UserError("This is no room of an incident.", "Use it where one is worked on.")
        by, now = self.who(definition, writer, name), self.clock.now()
        with self.db.write() as conn:
            told = self._do(conn, room, f"/{text.strip().lstrip('/!')}", by, now)
        self.changed()
        return told

    def answer(self, channel: str, heard: Heard, told: str) -> None:
        """Tell the writer alone; what cannot be told is not worth more than a line in the log."""
        if not told:
            return
        try:
            text = f"```\n{told}\n```" if "\n" in told else told
            self.opened(channel).whisper(heard.room, heard.writer, text, f"re-{heard.event}")
        except TransportError as error:
            log.warning("channel %s: an answer was not told: %s", channel, error)

    def who(self, definition: ChannelDefinition, writer: str, name: str = "") -> By:
        """Who writes: the user here, or the chat's own name of somebody whom nobody knows."""
        known = self._known(definition, writer, name)
        return By(known.user or f"{definition.type}:{known.name}"[:200], str(definition.type))

    def _known(self, definition: ChannelDefinition, writer: str, name: str) -> Known:
        now = self.clock.now()
        with self.db.read() as conn:
            found = store_rooms.person(conn, definition.name, writer, now - ASK_AGAIN)
        if found is not None:
            return found
        try:
            shown, email = self.opened(definition.name).known(writer)
        except TransportError as error:
            log.warning("channel %s: %s", definition.name, error)
            return Known(user_of(self.specs(), definition, writer, ""), name or writer)
        made = Known(user_of(self.specs(), definition, writer, email), shown)
        with self.db.write() as conn:
            store_rooms.save_person(conn, definition.name, writer, made, now)
        return made

    # -- within the transaction
    def _take(self, conn: Connection, room: Room, heard: Heard, by: By, now: Seconds) -> str:
        if heard.amends:
            self._amend(conn, room, heard, by, now)
            return ""
        if commands.is_command(heard.text, commands.MARKS):
            return self._do(conn, room, heard.text, by, now)
        if store_rooms.entry_of(conn, room.incident_id, room.channel, heard.message) is not None:
            return ""
        made = NewEntry(
            EntryKind.MESSAGE, by.actor, by.source, heard.text.strip()[:MOST_TEXT],
            {"chat": {"channel": room.channel, "message": heard.message}},
            None if heard.at is None else min(heard.at, now),
        )  # fmt: skip
        kept = store.append(conn, room.incident_id, made, now)
        store_rooms.note_message(conn, room.incident_id, room.channel, kept.number, heard.message)
        return ""

    def _amend(self, conn: Connection, room: Room, heard: Heard, by: By, now: Seconds) -> None:
        number = store_rooms.entry_of(conn, room.incident_id, room.channel, heard.amends)
        entry = store.entry(conn, room.incident_id, number) if number is not None else None
        if entry is None or entry.actor != by.actor:  # a command, or a message of ours
            return
        text = heard.text.strip()[:MOST_TEXT]
        work.amend(conn, room.incident_id, entry.number, by, now, text=text)

    def _do(self, conn: Connection, room: Room, text: str, by: By, now: Seconds) -> str:
        self._may(conn, by)
        command = commands.parse(text, now)
        told = running.perform(
            conn, self.specs(), self.site, room.incident_id, command, self.beyond, by, now
        )
        # What is written into the timeline comes back to the room by itself.
        return told if isinstance(command, commands.Ask | commands.Run) else ""

    def _may(self, conn: Connection, by: By) -> None:
        account = accounts.by_name(conn, by.actor)
        active = account is not None and account.active
        if account is None or not active or not may(principal_of(account), Permission.RESPOND):
            raise UserError(
                f"{by.actor} may not use commands.",
                "They need an account here whose role may respond, and whose user has this chat's "
                "address or the same e-mail. Messages are taken from everybody.",
            )
