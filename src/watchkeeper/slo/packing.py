"""How minutes are kept in bytes. Pure.

A *frame* is a chunk's cumulative (good, total, seen) at one minute: float64 [64, 3]. An *hour* is the
60 minutes' deltas, float64 [60, 64, 3], kept as compressed int32 when all are whole and small, which
measured counts nearly always are; else as compressed float64. Nothing is rounded.
"""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

SLOTS = 64
HOUR = 60
FIELDS = 3
_WHOLE = b"i"
_EXACT = b"f"
_INT32 = 2**31 - 1


def frame_bytes(frame: Array) -> bytes:
    """A frame as stored."""
    return np.ascontiguousarray(frame, dtype="<f8").tobytes()


def frame_of(data: bytes) -> Array:
    """A stored frame, float64 [64, 3], writable."""
    return np.frombuffer(data, dtype="<f8").reshape(SLOTS, FIELDS).astype(np.float64)


def hour_bytes(deltas: Array) -> bytes:
    """An hour's deltas [60, 64, 3] as stored."""
    # One SLI's minutes side by side compress best: they resemble each other.
    turned = np.ascontiguousarray(deltas.transpose(2, 1, 0))
    whole = turned.astype("<i4") if np.abs(turned).max(initial=0) <= _INT32 else None
    if whole is not None and np.array_equal(whole, turned):
        return _WHOLE + zlib.compress(whole.tobytes(), 1)
    return _EXACT + zlib.compress(turned.astype("<f8").tobytes(), 1)


def hour_of(data: bytes) -> Array:
    """A stored hour, float64 [60, 64, 3]."""
    kind = "<i4" if data[:1] == _WHOLE else "<f8"
    flat = np.frombuffer(zlib.decompress(data[1:]), dtype=kind)
    turned = flat.reshape(FIELDS, SLOTS, HOUR)
    return np.ascontiguousarray(turned.transpose(2, 1, 0), dtype=np.float64)
