"""Telling rooms of other chats what happens: claim, act outside of any transaction, record.

The timeline is the outbox. A room is worked on by one replica at a time, under a lease; one whose
lease ran out was left in the middle, and is gone on with in doubt: what may have arrived is looked
for (Slack), or sent under the same key, which its server knows (Matrix).
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from watchkeeper.incidents import store
from watchkeeper.incidents.chat import mirror, store_rooms
from watchkeeper.incidents.chat.mirror import Invite, Job, Make, Tell, Topic
from watchkeeper.incidents.chat.model import Chat, Guest, Known, Room
from watchkeeper.incidents.model import Entry, EntryKind, Incident
from watchkeeper.kernel.clock import Clock, Seconds
from watchkeeper.kernel.errors import StoreError
from watchkeeper.notify.model import TransportError
from watchkeeper.notify.settings import Settings
from watchkeeper.oncall.model import Site
from watchkeeper.spec.duty import ChannelType, MirrorDefinition
from watchkeeper.spec.model import Specs
from watchkeeper.store import Database

CALLS = 6
"""A lease lasts this many time-outs of the channel: more calls than one job makes."""
BATCH = 8
"""Rooms that are claimed at once."""
MOST_JOBS = 50
"""Things done in a room before others have their turn."""
TIDY_EVERY = 600.0
REPEATED = 7 * 86_400.0
"""Seconds for which it is remembered what a chat has said: none repeats itself later."""

log = logging.getLogger("watchkeeper.incidents")

Run = Callable[[Callable[[], None]], object]


@dataclass
class Mirrors:
    """One replica's part. ``run`` runs the work on a room, perhaps beside that on others."""

    db: Database
    site: Site
    clock: Clock
    specs: Callable[[], Specs]
    opened: Callable[[str], Chat]
    chance: Callable[[], float]
    run: Run
    changed: Callable[[], None] = lambda: None
    _tidied: Seconds = 0.0

    def step(self) -> int:
        """Open the rooms that are missing, and begin on those that wait. Returns how many."""
        by_channel = {m.channel: m for m in self.specs().duty.mirrors.values()}
        if not by_channel:
            return 0
        now = self.clock.now()
        self._open_missing(by_channel.values(), now)
        self._tidy(now)
        with self.db.read() as conn:
            if not store_rooms.anything_due(conn, by_channel, now):
                return 0
        with self.db.write() as conn:
            lease = max((self._lease(c) for c in by_channel), default=60.0)
            rooms = store_rooms.claim(conn, by_channel, now, lease, BATCH)
        for room in rooms:
            self.run(lambda r=room: self._work(r, by_channel[r.channel]))  # type: ignore[misc]
        return len(rooms)

    def _lease(self, channel: str) -> float:
        definition = self.specs().duty.channels.get(channel)
        return CALLS * (Settings(definition).timeout if definition else 10.0)

    def _open_missing(self, mirrors: Iterable[MirrorDefinition], now: Seconds) -> None:
        missing: list[tuple[MirrorDefinition, int]] = []
        with self.db.read() as conn:
            for each in mirrors:
                found = store_rooms.without(conn, each.channel, each.severities, drills=each.drills)
                missing += [(each, i) for i in found if self._listens(conn, each.channel)]
        if not missing:
            return
        with self.db.write() as conn:
            for each, incident_id in missing:
                incident = store.get(conn, incident_id)
                if incident is not None:
                    name = mirror.name_of(each.prefix, incident)
                    store_rooms.open_room(conn, Room(incident.id, each.channel, name, due_at=now))

    def _listens(self, conn: Connection, channel: str) -> bool:
        """A Matrix room is made only when it is known from where on to listen: else the first
        words in it would be lost."""
        definition = self.specs().duty.channels.get(channel)
        if definition is None:
            return False
        return definition.type is not ChannelType.MATRIX or store_rooms.listens(conn, channel)

    def _tidy(self, now: Seconds) -> None:
        if now - self._tidied < TIDY_EVERY:
            return
        self._tidied = now
        with self.db.write() as conn:
            store_rooms.close_old(conn, now - mirror.KEPT_OPEN)
            store_rooms.forget_seen(conn, now - REPEATED)

    # -- one room
    def _work(self, room: Room, definition: MirrorDefinition) -> None:
        held: Room | None = room
        try:
            for _ in range(MOST_JOBS):
                if held is None:  # another has it, after a pause of ours
                    return
                room = held
                job, incident = self._next(room, definition)
                if job is None or incident is None:
                    break
                held = self._do(room, job, incident)
            if held is not None:
                self._keep(replace(held, lease=None))
        except TransportError as error:
            log.warning("channel %s, incident %s: %s", room.channel, room.incident_id, error)
            self._keep(mirror.failed(room, error, self.clock.now(), self.chance()))
        except StoreError as error:
            log.error("a room waits to be told: %s", error)  # its lease runs out
        except Exception as error:  # a defect in one room must not hold up the others
            log.exception("channel %s", room.channel)
            wrong = TransportError(f"{type(error).__name__} in the channel", unknown=True)
            self._keep(mirror.failed(room, wrong, self.clock.now(), self.chance()))
        self.changed()

    def _next(self, room: Room, definition: MirrorDefinition) -> tuple[Job | None, Incident | None]:
        with self.db.read() as conn:
            incident = store.get(conn, room.incident_id)
            if incident is None:
                return None, None
            holdings = store.roles(conn, room.incident_id)
            following = store.entry(conn, room.incident_id, room.told + 1)
        job = mirror.next_job(room, incident, holdings, following, definition, self.specs())
        return job, incident

    def _keep(self, room: Room) -> Room | None:
        with self.db.write() as conn:
            return store_rooms.save(conn, room)

    def _do(self, room: Room, job: Job, incident: Incident) -> Room | None:
        chat = self.opened(room.channel)
        match job:
            case Make(name, topic):
                key = self._key(f"room-{room.incident_id}", room)
                external, got = chat.make(name, topic, key, doubt=room.doubt)
                return self._went(room, external=external, name=got)
            case Invite(guests):
                return self._invited(room, chat, guests[:1])
            case Topic(text):
                chat.topic(room.external, text)
                return self._went(room, topic=text)
            case Tell(entry):
                return self._tell(room, chat, entry, incident)

    def _went(self, room: Room, **changes: object) -> Room | None:
        now = self.clock.now()
        return self._keep(replace(mirror.done(room, now, **changes), lease=room.lease))

    def _invited(self, room: Room, chat: Chat, guests: tuple[Guest, ...]) -> Room | None:
        found = chat.invite(room.external, guests)
        now = self.clock.now()
        with self.db.write() as conn:
            for guest, external in found:
                if external:
                    known = Known(guest.user, guest.user)
                    store_rooms.save_person(conn, room.channel, external, known, now)
        return self._went(room, invited=(*room.invited, *(g.user for g in guests)))

    def _tell(self, room: Room, chat: Chat, entry: Entry, incident: Incident) -> Room | None:
        message = ""
        if entry.kind is EntryKind.AMENDMENT:
            self._tell_amendment(room, chat, entry, incident)
        elif not mirror.is_told(entry, room.channel):
            text = mirror.said(entry, entry.text, self._url(incident))
            key = self._key(str(entry.number), room)
            message = chat.post(room.external, text, key, doubt=room.doubt)
        now = self.clock.now()
        after = replace(mirror.done(room, now, told=entry.number), lease=room.lease)
        with self.db.write() as conn:
            if message:
                store_rooms.note_message(
                    conn, room.incident_id, room.channel, entry.number, message
                )
            return store_rooms.save(conn, after)

    def _tell_amendment(self, room: Room, chat: Chat, entry: Entry, incident: Incident) -> None:
        number = entry.amends or 0
        with self.db.read() as conn:
            target = store.entry(conn, room.incident_id, number)
            message = store_rooms.message_of(conn, room.incident_id, room.channel, number)
        if target is None or not message:
            return
        key = self._key(str(entry.number), room)
        if "pinned" in entry.data:
            chat.pin(room.external, message, pinned=bool(entry.data["pinned"]))
        if "text" not in entry.data:
            return
        text = mirror.said(target, str(entry.data["text"]), self._url(incident))
        if not mirror.is_told(target, room.channel):
            chat.edit(room.external, message, text, key)
        elif entry.source != target.source:  # what others wrote there cannot be changed by us
            chat.post(room.external, f"Corrected: {text}", key, doubt=room.doubt)

    def _url(self, incident: Incident) -> str:
        return f"{self.site.base_url}/incidents/{incident.id}"

    def _key(self, what: str, room: Room) -> str:
        """The same for each attempt, and another for each installation."""
        ours = hmac.new(self.site.secret, b"rooms", hashlib.sha256).hexdigest()[:8]
        return f"wk-{ours}-{room.incident_id}-{what}"
