"""Following files: which bytes are new, through rotation, truncation and compression.

A file is known by its first bytes (its *print*), not by its name: a rotated file keeps its print
under another name or inode, a copied one under another inode, a compressed one inside the gzip.
"""

from __future__ import annotations

import glob
import gzip
import hashlib
import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

PRINT_BYTES = 1024
MOST_REMEMBERED = 200
"""How many finished files are remembered, so that compressing one does not count it again."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a file has been read: its print over ``length`` bytes, and the offset after it."""

    print: str
    length: int
    offset: int
    line: int  # lines before the offset, for telling where a bad line stands
    path: str

    def as_json(self) -> list[Any]:
        """For the cursor."""
        return [self.print, self.length, self.offset, self.line, self.path]


def marks_of(cursor: Mapping[str, Any] | None) -> list[Mark]:
    """The marks of a cursor."""
    return [Mark(*entry) for entry in (cursor or {}).get("files", [])]


def candidates(pattern: str, marks: list[Mark]) -> list[Path]:
    """Files to look at, the oldest change first: those of the pattern, then rotated ones we know.

    A rotated file (``access.log.1``, ``access.log-20261123.gz``) that does not fit the pattern is
    looked at only when something of it was read already; history is read when asked for.
    """
    wanted = {p for p in glob.glob(pattern, recursive=True) if os.path.isfile(p)}
    rotated: set[str] = set()
    for known in {m.path for m in marks}:
        rotated |= {p for p in glob.glob(glob.escape(known) + "*") if os.path.isfile(p)}
    found = []
    for path in sorted(wanted | rotated):
        try:
            found.append((os.stat(path).st_mtime, path))
        except OSError:
            continue  # rotated away while we looked; it is found under its new name next time
    return [Path(path) for _, path in sorted(found)]


def fits(path: Path, pattern: str) -> bool:
    """True when the pattern names this file itself."""
    return str(path) in glob.glob(pattern, recursive=True)


def open_log(path: Path) -> IO[bytes]:
    """The file's bytes, unpacked when it is a gzip."""
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def find_mark(head: bytes, marks: list[Mark]) -> Mark | None:
    """The mark of the file that begins like this; None when it is new."""
    for mark in marks:
        if len(head) >= mark.length and print_of(head[: mark.length]) == mark.print:
            return mark
    return None


def print_of(head: bytes) -> str:
    """What tells a file from others."""
    return hashlib.sha256(head).hexdigest()[:32]


def blocks_of(stream: IO[bytes], offset: int, size: int) -> Iterator[bytes]:
    """Whole lines from ``offset`` on, in blocks of about ``size`` bytes; a last part line waits."""
    stream.seek(offset)
    rest = b""
    while True:
        try:
            chunk = stream.read(size)
        except (EOFError, zlib.error):
            return  # a gzip that is still being written: what is whole was given
        if not chunk:
            return
        data = rest + chunk
        end = data.rfind(b"\n") + 1
        rest = data[end:]
        if end:
            yield data[:end]


def cursor_of(marks: list[Mark], more: Mapping[str, Any]) -> dict[str, Any]:
    """The cursor that remembers these marks."""
    return {"files": [m.as_json() for m in marks[-MOST_REMEMBERED:]], **more}
