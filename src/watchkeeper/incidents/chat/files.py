"""What may be attached to an incident, and what it is by its content. Pure."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import UserError

LARGEST = 10 * 1024 * 1024
"""Bytes of one file."""
MOST = 100 * 1024 * 1024
"""Bytes of all files of one incident."""
TEXT = "text/plain"
IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")
"""What a page may show in place; all else is only handed out as a file."""
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
)
_CONTROLS = {chr(c) for c in range(32)} - set("\t\n\v\f\r\b\x1b")
"""What no text has; logs have colours, though."""
KNOWN = "PNG, JPEG, GIF, WebP, PDF, ZIP, gzip, and text in UTF-8"


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A file as it is told of; ``number``: of the entry that it belongs to."""

    id: int
    incident_id: int
    number: int
    name: str
    type: str
    size: int
    sha256: str
    at: Seconds
    actor: str


def type_of(content: bytes) -> str:
    """What a file is by its first bytes, or as text. Raises UserError for what is not taken."""
    for magic, found in _MAGIC:
        if content.startswith(magic):
            return found
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if set(text) & _CONTROLS:
        raise UserError("This kind of file is not taken.", f"Taken are {KNOWN}.")
    return TEXT


def checked(name: str, content: bytes, held: int) -> tuple[str, str]:
    """(name, type) of a file that may be kept. ``held``: bytes that the incident has already.

    Raises UserError.
    """
    if not content:
        raise UserError("The file is empty.", "Attach one with something in it.")
    if len(content) > LARGEST:
        raise UserError(
            f"The file is larger than {LARGEST // 1024**2} MiB.", "Attach the part that matters."
        )
    if held + len(content) > MOST:
        raise UserError(
            f"The files of this incident are larger than {MOST // 1024**2} MiB together.",
            "Keep it elsewhere, and write where.",
        )
    return safe_name(name), type_of(content)


def safe_name(name: str) -> str:
    """A name without paths, control characters, or what a header could not carry."""
    last = re.split(r"[/\\]", name.strip())[-1]
    said = "".join(c if c.isprintable() and c not in '"<>|:*?' else "_" for c in last)
    return said.strip(". ")[:150] or "file"


def digest(content: bytes) -> str:
    """SHA-256, hex."""
    return hashlib.sha256(content).hexdigest()


def size_words(size: int) -> str:
    """4.2 MB, 12 kB, 300 bytes."""
    if size >= 1_000_000:
        return f"{size / 1_000_000:.1f} MB"
    return f"{size / 1000:.0f} kB" if size >= 1000 else f"{size} bytes"
