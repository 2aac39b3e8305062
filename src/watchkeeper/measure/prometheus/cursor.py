"""Where reading stands: a few times, and which SLIs have been read up to each. Pure.

``{"v": 1, "streams": [{"at": seconds, "slis": base64 of 6-byte hashes}]}``: 8 bytes an SLI.
An SLI that is taken out of the definitions stays where it was, so that it is neither lost nor
counted twice when it comes back.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from watchkeeper.kernel.clock import Seconds

_BYTES = 6


def mark(key: str) -> bytes:
    """A short stable hash of an SLI's key."""
    return hashlib.blake2b(key.encode(), digest_size=_BYTES).digest()


def decode(cursor: Mapping[str, Any] | None) -> dict[bytes, Seconds]:
    """Up to when each SLI (by mark) has been read."""
    result: dict[bytes, Seconds] = {}
    for stream in (cursor or {}).get("streams", ()):
        packed = base64.b64decode(stream["slis"])
        for start in range(0, len(packed), _BYTES):
            result[packed[start : start + _BYTES]] = float(stream["at"])
    return result


def encode(positions: Mapping[bytes, Seconds]) -> dict[str, Any]:
    """The cursor for these positions."""
    by_time: dict[Seconds, list[bytes]] = {}
    for sli, at in positions.items():
        by_time.setdefault(at, []).append(sli)
    return {
        "v": 1,
        "streams": [
            {"at": at, "slis": _pack(marks)} for at, marks in sorted(by_time.items(), reverse=True)
        ],
    }


def _pack(marks: Iterable[bytes]) -> str:
    return base64.b64encode(b"".join(sorted(marks))).decode()
