"""What faces stand on for an incident's channel: commands, files, rooms in other chats."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from watchkeeper.engine.chatting import BEYOND
from watchkeeper.faces.duty import Duty
from watchkeeper.incidents import store
from watchkeeper.incidents.chat import attaching, commands, running, store_files, store_rooms
from watchkeeper.incidents.chat.files import IMAGES, LARGEST, FileInfo
from watchkeeper.incidents.chat.model import Room
from watchkeeper.incidents.keeping import By
from watchkeeper.incidents.model import Entry, Incident
from watchkeeper.kernel.errors import NotFound, UserError

MOST_COMMAND = 20_000


@dataclass(frozen=True, slots=True)
class RoomState:
    """A room in another chat. ``behind``: how many entries it was not told of yet."""

    room: Room
    behind: int


@dataclass
class Channel:
    """The use cases of an incident's channel."""

    duty: Duty

    def run(self, incident_id: int, text: str, by: By) -> str:
        """Do what a command asks for; gives what its writer is told. Raises UserError, NotFound."""
        now = self.duty.clock.now()
        said = text.strip()
        if len(said) > MOST_COMMAND:
            raise UserError(
                f"A command has at most {MOST_COMMAND:,} characters.", "Say it shorter."
            )
        command = commands.parse(said if said[:1] in commands.MARKS else f"/{said}", now)
        with self.duty.db.write() as conn:
            told = running.perform(
                conn, self.duty.specs(), self.duty.site, incident_id, command, BEYOND, by, now
            )
        self._changed()
        return told

    def attach(self, incident_id: int, name: str, content: bytes, by: By, text: str = "") -> Entry:
        """Keep a file with an entry. Raises UserError, NotFound."""
        with self.duty.db.write() as conn:
            made = attaching.attach(
                conn, incident_id, name, content, by, self.duty.clock.now(), text
            )
        self._changed()
        return made

    def files(self, incident_id: int) -> Sequence[FileInfo]:
        """The files of an incident. Raises NotFound."""
        with self.duty.db.read() as conn:
            _must(conn, incident_id)
            return store_files.of_incident(conn, incident_id)

    def file(self, incident_id: int, file_id: int) -> tuple[FileInfo, bytes]:
        """One file with its content. Raises NotFound."""
        with self.duty.db.read() as conn:
            return attaching.handed_out(conn, incident_id, file_id)

    def rooms(self, incident_id: int) -> Sequence[RoomState]:
        """Where it goes on in other chats. Raises NotFound."""
        with self.duty.db.read() as conn:
            incident = _must(conn, incident_id)
            found = store_rooms.of_incident(conn, incident_id)
        return [RoomState(r, max(0, incident.entries - r.told)) for r in found]

    def _changed(self) -> None:
        self.duty.board.post()
        self.duty.wake()


def _must(conn: Connection, incident_id: int) -> Incident:
    found = store.get(conn, incident_id)
    if found is None:
        raise NotFound(f"There is no incident {incident_id}.", "/incidents lists them.")
    return found


def headers_of(info: FileInfo, *, inline: bool = False) -> dict[str, str]:
    """With which a file is handed out: it is saved, or as an image shown, and never run."""
    kind = info.type if info.type != "text/plain" else "text/plain; charset=utf-8"
    plain = "".join(c if c.isascii() else "_" for c in info.name)
    quoted = "".join(c if (c.isascii() and c.isalnum()) or c in "-._" else _percent(c)
                     for c in info.name)  # fmt: skip
    how = "inline" if inline and info.type in IMAGES else "attachment"
    return {
        "Content-Type": kind,
        "Content-Disposition": f"{how}; filename=\"{plain}\"; filename*=UTF-8''{quoted}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "private, max-age=31536000, immutable",
        "ETag": f'"{info.sha256}"',
    }


def _percent(character: str) -> str:
    return "".join(f"%{b:02X}" for b in character.encode())


async def capped(chunks: AsyncIterator[bytes], more: int = 0) -> AsyncGenerator[bytes, None]:
    """What is sent, up to the largest file and ``more`` bytes. Raises UserError beyond."""
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > LARGEST + more:
            raise UserError(
                f"The file is larger than {LARGEST // 1024**2} MiB.",
                "Attach the part that matters.",
            )
        yield chunk
