"""How often one may try to sign in: leaky buckets. Pure.

Each try fills three buckets by one: of the name from this address, of the address, and of the name
from anywhere. They leak steadily. A full one refuses, whatever the password. The first is small, so
that guessing is hopeless; the last is large, so that a stranger cannot easily lock a person out.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from watchkeeper.kernel.clock import Seconds


@dataclass(frozen=True, slots=True)
class Limit:
    """A bucket of ``size`` tries that empties in ``seconds``."""

    size: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Bucket:
    """How full it was at an instant."""

    level: float
    at: Seconds


LIMITS: Mapping[str, Limit] = {
    "pair": Limit(6, 900.0),
    "address": Limit(40, 900.0),
    "name": Limit(100, 900.0),
}
EMPTY = Bucket(0.0, 0.0)


def keys(name: str, address: str) -> Sequence[str]:
    """The keys of the three buckets, in the order of LIMITS; names appear only as hashes."""
    who, where = _short(name.strip().casefold()), network(address)
    return [f"pair:{who}:{where}", f"address:{where}", f"name:{who}"]


def limit_of(key: str) -> Limit:
    """The limit of a bucket's key."""
    return LIMITS[key.partition(":")[0]]


def level(bucket: Bucket, limit: Limit, now: Seconds) -> float:
    """How full it is now; a clock that steps back leaks nothing."""
    return max(0.0, bucket.level - max(0.0, now - bucket.at) * limit.size / limit.seconds)


def wait(buckets: Sequence[tuple[Limit, Bucket]], now: Seconds) -> float:
    """Seconds until all of them hold another try; 0 when they do now."""
    return max(
        (_excess(bucket, limit, now) * limit.seconds / limit.size for limit, bucket in buckets),
        default=0.0,
    )


def filled(bucket: Bucket, limit: Limit, now: Seconds) -> Bucket:
    """The bucket with one more try in it."""
    return Bucket(level(bucket, limit, now) + 1.0, max(now, bucket.at))


def network(address: str) -> str:
    """The address as a bucket knows it: a whole /64 of IPv6 is one household."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return _short(address)
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False).network_address)
    return str(found)


def _excess(bucket: Bucket, limit: Limit, now: Seconds) -> float:
    return max(0.0, level(bucket, limit, now) + 1.0 - limit.size)


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
