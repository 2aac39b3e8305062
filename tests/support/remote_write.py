"""Native histograms for a real Prometheus, by its remote-write protocol.

https://prometheus.io/docs/specs/prw/remote_write_spec/ and ``prompb/types.proto``: a protobuf
``WriteRequest`` in Snappy's block format, whose literals may stand uncompressed.
"""

from __future__ import annotations

import math
import struct
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

SCHEMA = 3
"""Eight buckets for each doubling: the edges are the powers of 2^(1/8)."""


@dataclass
class NativeHistogram:
    """What a service shows of the durations that it observed since it started."""

    buckets: Counter[int] = field(default_factory=Counter)
    sum: float = 0.0

    def observe(self, value: float) -> None:
        """One more; ``value`` is positive."""
        self.buckets[math.ceil(math.log2(value) * 2**SCHEMA)] += 1
        self.sum += value

    def encoded(self, at_ms: int) -> bytes:
        """As a ``prompb.Histogram`` of this moment."""
        spans, deltas, before, last = b"", b"", 0, None
        for index, amount in sorted(self.buckets.items()):
            gap = index if last is None else index - last - 1
            spans += _message(11, _varint(1, _zigzag(gap)) + _varint(2, 1))
            deltas += _varint(12, _zigzag(amount - before))
            before, last = amount, index
        head = _varint(1, sum(self.buckets.values())) + _double(3, self.sum)
        head += _varint(4, _zigzag(SCHEMA)) + _double(5, 2.0**-128) + _varint(6, 0)
        return head + spans + deltas + _varint(15, at_ms)


def write(
    url: str, labels: Mapping[str, str], shown: Sequence[tuple[float, NativeHistogram]]
) -> None:
    """Give Prometheus one series: histograms by the second at which they were seen."""
    named = sorted(labels.items())
    series = b"".join(_message(1, _text(1, n) + _text(2, v)) for n, v in named)
    series += b"".join(_message(4, h.encoded(round(at * 1000))) for at, h in shown)
    request = urllib.request.Request(
        f"{url}/api/v1/write",
        _snappy(_message(1, series)),
        {
            "Content-Type": "application/x-protobuf",
            "Content-Encoding": "snappy",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        },
    )
    with urllib.request.urlopen(request, timeout=30):
        pass


def _raw(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _zigzag(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def _varint(number: int, value: int) -> bytes:
    return _raw(number << 3) + _raw(value)


def _double(number: int, value: float) -> bytes:
    return _raw(number << 3 | 1) + struct.pack("<d", value)


def _message(number: int, body: bytes) -> bytes:
    return _raw(number << 3 | 2) + _raw(len(body)) + body


def _text(number: int, value: str) -> bytes:
    return _message(number, value.encode())


def _snappy(body: bytes) -> bytes:
    """Literals of at most 64 KB: the length is told in two bytes after the tag 61."""
    return _raw(len(body)) + b"".join(
        bytes([61 << 2]) + struct.pack("<H", len(part) - 1) + part for part in _parts(body, 65_536)
    )


def _parts(body: bytes, size: int) -> Iterator[bytes]:
    for i in range(0, len(body), size):
        yield body[i : i + size]
