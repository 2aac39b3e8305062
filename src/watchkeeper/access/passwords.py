"""Passwords: argon2id, with RFC 9106's second recommended setting (64 MiB, three passes).

A name that nobody has is checked against a decoy, so that it takes as long as a wrong password.
"""

from __future__ import annotations

import base64
import functools
import secrets
import threading

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

SHORTEST = 12
LONGEST = 256

HASHER = PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=4)
_AT_ONCE = threading.BoundedSemaphore(4)  # bounds the memory that a flood of sign-ins can take


def problem(password: str, *personal: str) -> str:
    """What is wrong with a chosen password, or ''. ``personal``: the person's name and e-mail."""
    if len(password) < SHORTEST:
        return f"A password needs at least {SHORTEST} characters."
    if len(password) > LONGEST:
        return f"A password has at most {LONGEST} characters."
    if len(set(password)) < 5:
        return "This password repeats too few different characters."
    if password.casefold() in {p.casefold() for p in personal if p}:
        return "A password must not be the name or e-mail address."
    return ""


def hashed(password: str) -> str:
    """The form in which it is kept, with its salt and settings."""
    with _AT_ONCE:
        return HASHER.hash(password)


def matches(stored: str | None, password: str) -> bool:
    """True when ``password`` is the one that was stored; None (nobody) takes as long and is not."""
    known = stored if stored is not None else decoy()
    with _AT_ONCE:
        try:
            right = HASHER.verify(known, password[: LONGEST + 1])
        except (Argon2Error, InvalidHashError):
            return False
    return right and stored is not None


def outdated(stored: str) -> bool:
    """True when it was hashed with other settings than those of today."""
    return HASHER.check_needs_rehash(stored)


@functools.cache
def decoy() -> str:
    """A hash that no password matches; to check it takes as long as to check any other.

    Made of random bytes and not of a password: nothing is computed, nobody knows what would fit.
    """
    salt, digest = (
        base64.b64encode(secrets.token_bytes(n)).decode().rstrip("=")
        for n in (HASHER.salt_len, HASHER.hash_len)
    )
    costs = f"m={HASHER.memory_cost},t={HASHER.time_cost},p={HASHER.parallelism}"
    return f"$argon2id$v=19${costs}${salt}${digest}"
