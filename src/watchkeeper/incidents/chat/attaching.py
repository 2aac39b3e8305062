"""Attaching a file to an incident, and handing it out again."""

from __future__ import annotations

from sqlalchemy import Connection

from watchkeeper.incidents import store
from watchkeeper.incidents.chain import Broken
from watchkeeper.incidents.chat import files, store_files
from watchkeeper.incidents.chat.files import FileInfo
from watchkeeper.incidents.keeping import By, log, must
from watchkeeper.incidents.model import Entry, EntryKind, NewEntry
from watchkeeper.incidents.rules import MOST_TEXT
from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import NotFound, UserError


def attach(
    conn: Connection, incident_id: int, name: str, content: bytes, by: By, now: Seconds,
    text: str = "",
) -> Entry:  # fmt: skip
    """Keep a file, with an entry that says its digest. Raises NotFound, UserError."""
    incident = must(conn, incident_id)
    if len(text) > MOST_TEXT:
        raise UserError(f"The text is longer than {MOST_TEXT:,} characters.", "Say it shorter.")
    named, kind = files.checked(name, content, store_files.held(conn, incident_id))
    sha256, size = files.digest(content), len(content)
    made = FileInfo(
        0, incident_id, incident.entries + 1, named, kind, size, sha256, now, by.actor
    )  # fmt: skip
    file_id = store_files.add(conn, made, content)
    shown = f"`{named.replace('`', '_')}`, {files.size_words(size)}, sha256 `{sha256}`"
    told = f"{text.strip()}\n\n{shown}".strip()
    data = {"file": {"id": file_id, "name": named, "type": kind, "size": size, "sha256": sha256}}
    entry = store.append(
        conn, incident_id, NewEntry(EntryKind.MESSAGE, by.actor, by.source, told, data), now
    )  # fmt: skip
    log(conn, incident, "incident.attached", by, now, {"file": named, "sha256": sha256})
    return entry


def handed_out(conn: Connection, incident_id: int, file_id: int) -> tuple[FileInfo, bytes]:
    """A file that is as it was attached. Raises NotFound."""
    found = store_files.get(conn, incident_id, file_id)
    if found is None:
        raise NotFound(f"Incident {incident_id} has no file {file_id}.", "Look at its timeline.")
    return found


def check(conn: Connection, incident_id: int) -> list[Broken]:
    """Entries whose file is gone, or is not the one that was attached."""
    found: list[Broken] = []
    for entry in store.entries(conn, incident_id, kinds=(EntryKind.MESSAGE,)):
        told = entry.data.get("file")
        if not isinstance(told, dict):
            continue
        held = store_files.get(conn, incident_id, int(told["id"]))
        if held is None:
            found.append(Broken(incident_id, entry.number, "has lost its file"))
        elif files.digest(held[1]) != told["sha256"]:
            found.append(Broken(incident_id, entry.number, "has a file that was altered"))
    return found
