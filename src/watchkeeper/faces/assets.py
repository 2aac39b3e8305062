"""Where static files are, and their addresses with a hash, so that a new version is fetched."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

STATIC = Path(__file__).resolve().parent / "web" / "static"


@cache
def static_url(name: str) -> str:
    """The address of a static file, with its hash, so that a new version is fetched at once."""
    try:
        digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    except OSError:
        return f"/static/{name}"
    return f"/static/{name}?v={digest}"


@cache
def font_url(name: str) -> str:
    """A font as a ``data:`` address, for documents that load nothing; '' when it is not there."""
    try:
        held = (STATIC / name).read_bytes()
    except OSError:
        return ""
    return f"data:font/woff2;base64,{base64.b64encode(held).decode()}"
