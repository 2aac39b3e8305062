"""Principals, scopes and secrets. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from watchkeeper.kernel.clock import Seconds

TOKEN_PREFIX = "wk_"  # noqa: S105 - a public prefix, so that secret scanners can find leaked tokens


class Scope(StrEnum):
    """What a token opens. Each stands alone: ``write`` does not imply ``read``."""

    READ = "read"
    PUSH = "push"
    WRITE = "write"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: a token (by its name) or an anonymous reader, and what is open to them."""

    name: str
    scopes: frozenset[Scope]

    def may(self, scope: Scope) -> bool:
        """True when this scope is open to them."""
        return scope in self.scopes


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is kept: never the secret."""

    id: int
    name: str
    scopes: frozenset[Scope]
    created_at: Seconds
    expires_at: Seconds | None
    revoked_at: Seconds | None

    def usable(self, now: Seconds) -> bool:
        """True unless revoked or expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def digest(secret: str) -> str:
    """The form in which a secret is kept: SHA-256, hex.

    Tokens and session ids carry 256 random bits, so a fast hash is enough: there is nothing to
    guess. Passwords, which people choose, would need a slow one.
    """
    return hashlib.sha256(secret.encode()).hexdigest()
