"""How minutes are kept in bytes. Pure.

A *frame* is a chunk's cumulative (good, total, seen) at one minute: float64 [64, 3]. An *hour* is
the 60 minutes' deltas, float64 [60, 64, 3]. Deltas that are all whole and small, as measured counts
nearly always are, become compressed int32; others compressed float64. Nothing is rounded.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

SLOTS = 64
HOUR = 60
FIELDS = 3
_WHOLE = b"i"
_EXACT = b"f"
_SMALL = 2**30  # so that total - good fits 32 bits as well


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
    if np.abs(turned).max(initial=0) <= _SMALL:
        whole = turned.astype("<i4")
        if np.array_equal(whole, turned):
            return _WHOLE + zlib.compress(_planes(whole), 1)
    return _EXACT + zlib.compress(turned.astype("<f8").tobytes(), 1)


def hour_of(data: bytes) -> Array:
    """A stored hour, float64 [60, 64, 3]."""
    flat = zlib.decompress(data[1:])
    if data[:1] == _EXACT:
        turned = np.frombuffer(flat, "<f8").reshape(FIELDS, SLOTS, HOUR)
        return np.ascontiguousarray(turned.transpose(2, 1, 0), dtype=np.float64)
    return np.ascontiguousarray(_unplaned(flat).transpose(2, 1, 0), dtype=np.float64)


def sum_of(data: bytes, minutes: int) -> Array:
    """What a stored hour's first ``minutes`` add up to, float64 [64, 3].

    The same as ``hour_of(data)[:minutes].sum(axis=0)``, at half the time for whole numbers.
    """
    if data[:1] == _EXACT:
        added: Array = hour_of(data)[:minutes].sum(axis=0)
        return added
    total: npt.NDArray[np.int64] = np.zeros((FIELDS, SLOTS), np.int64)
    for shift, plane in _filled(zlib.decompress(data[1:])):
        total += plane[:, :, :minutes].sum(axis=2, dtype=np.int64) << shift
    total[0] = total[1] - total[0]
    summed: Array = total.T.astype(np.float64)
    return summed


def _planes(whole: npt.NDArray[np.int32]) -> bytes:
    """Bad instead of good (mostly zeros), then all low bytes, all second bytes, and so on.

    The high bytes are nearly all zero, which takes next to no room once they stand together.
    """
    turned = whole.copy()
    turned[0] = whole[1] - whole[0]
    planes = np.ascontiguousarray(turned.view(np.uint8).reshape(-1, 4).T)
    return bytes(planes.tobytes())


def _unplaned(flat: bytes) -> npt.NDArray[np.int32]:
    whole: npt.NDArray[np.int32] = np.zeros((FIELDS, SLOTS, HOUR), "<i4")
    for shift, plane in _filled(flat):
        whole += plane.astype("<i4") << shift
    whole[0] = whole[1] - whole[0]
    return whole


def _filled(flat: bytes) -> Iterator[tuple[int, npt.NDArray[np.uint8] | npt.NDArray[np.int8]]]:
    """The planes that are not all zero, and by how many bits each is to be shifted; the highest has
    the sign. Taken one by one, because to put four bytes side by side takes longer than to add."""
    planes = np.frombuffer(flat, np.uint8).reshape(4, FIELDS, SLOTS, HOUR)
    for number, plane in enumerate(planes):
        if number == 0 or plane.any():
            yield 8 * number, plane.view(np.int8) if number == 3 else plane
