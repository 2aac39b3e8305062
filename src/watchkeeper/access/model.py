"""Principals, accounts, scopes and secrets. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from watchkeeper.kernel.clock import Seconds

TOKEN_PREFIX = "wk_"  # noqa: S105 - a public prefix, so that secret scanners can find leaked tokens


class Scope(StrEnum):
    """What a token opens. Each stands alone: ``write`` does not imply ``read``."""

    READ = "read"
    PUSH = "push"
    RESPOND = "respond"
    WRITE = "write"
    ADMIN = "admin"


class Role(StrEnum):
    """What a person is trusted with; each holds all that those before it do."""

    VIEWER = "viewer"
    RESPONDER = "responder"
    EDITOR = "editor"
    ADMIN = "admin"


class Permission(StrEnum):
    """What a door asks for.

    ``read``: see; ``push``: send measurements; ``respond``: acknowledge, resolve, snooze, note;
    ``edit``: overrides, silences, corrections, drills; ``administer``: people, tokens, audit log.
    """

    READ = "read"
    PUSH = "push"
    RESPOND = "respond"
    EDIT = "edit"
    ADMINISTER = "administer"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: an account, a token, or an anonymous reader, and what is open to them.

    ``name`` is what the timeline shows. ``user`` is the account, if it is a person's session or
    token. ``teams`` says what is open beside ``scopes`` for what a team owns. ``token`` names the
    token that was shown, if one was.
    """

    name: str
    scopes: frozenset[Scope]
    user: str | None = None
    teams: Mapping[str, frozenset[Scope]] = field(default_factory=dict, hash=False)
    role: Role | None = None
    token: str | None = None

    def may(self, scope: Scope) -> bool:
        """True when this scope is open to them, whatever the team."""
        return scope in self.scopes


@dataclass(frozen=True, slots=True)
class Account:
    """A person as they are kept; the password's hash stays in the store."""

    id: int
    name: str
    display_name: str
    email: str
    role: Role
    team_roles: Mapping[str, Role] = field(hash=False)
    created_at: Seconds
    disabled_at: Seconds | None

    @property
    def active(self) -> bool:
        """True unless disabled."""
        return self.disabled_at is None


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is kept: never the secret. ``account_id`` is whose it is."""

    id: int
    name: str
    scopes: frozenset[Scope]
    created_at: Seconds
    expires_at: Seconds | None
    revoked_at: Seconds | None
    account_id: int | None = None

    def usable(self, now: Seconds) -> bool:
        """True unless revoked or expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def digest(secret: str) -> str:
    """The form in which a secret is kept: SHA-256, hex.

    Tokens and session ids carry 256 random bits, so a fast hash is enough: there is nothing to
    guess. Passwords, which people choose, have a slow one (`passwords`).
    """
    return hashlib.sha256(secret.encode()).hexdigest()
