"""Make, check and revoke tokens; sign in and out."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from sqlalchemy import Connection

from watchkeeper.access import store
from watchkeeper.access.model import TOKEN_PREFIX, Principal, Scope, Token, digest
from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.store import timeline

SESSION_SECONDS = 12 * 3600
"""How long a sign-in lasts: a shift."""


def create_token(
    conn: Connection,
    name: str,
    scopes: Iterable[Scope],
    now: Seconds,
    actor: str,
    expires_at: Seconds | None = None,
) -> str:
    """Make a token and return its secret, which is never shown again.

    Raises UserError when the name is taken or no scope is given.
    """
    granted = frozenset(scopes)
    if not granted:
        raise UserError("A token needs at least one scope.", "Scopes: read, push, write, admin.")
    if store.token_by_name(conn, name) is not None:
        raise UserError(f"There is a token named {name!r} already.", "Choose another name.")
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    store.add_token(conn, name, digest(secret), granted, now, expires_at)
    timeline.append(conn, now, "token.created", f"token/{name}", actor, {"scopes": sorted(granted)})
    return secret


def revoke_token(conn: Connection, name: str, now: Seconds, actor: str) -> None:
    """Close a token for good. Raises NotFound when there is none of that name."""
    token = store.token_by_name(conn, name)
    if token is None:
        raise NotFound(f"There is no token named {name!r}.", "`wk token list` shows them all.")
    store.revoke_token(conn, token.id, now)
    timeline.append(conn, now, "token.revoked", f"token/{name}", actor, {})


def principal_of_token(conn: Connection, secret: str, now: Seconds) -> Principal | None:
    """Who holds this secret, or None when it opens nothing."""
    token = _usable(store.token_by_hash(conn, digest(secret)), now)
    return Principal(token.name, token.scopes) if token else None


def sign_in(conn: Connection, secret: str, now: Seconds) -> tuple[str, str] | None:
    """Open a browser session: (session id, CSRF secret); None when the token opens nothing."""
    token = _usable(store.token_by_hash(conn, digest(secret)), now)
    if token is None or Scope.READ not in token.scopes:
        return None
    session, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    store.add_session(conn, digest(session), token.id, csrf, now, now + SESSION_SECONDS)
    timeline.append(conn, now, "session.opened", f"token/{token.name}", token.name, {})
    return session, csrf


def principal_of_session(
    conn: Connection, session: str, now: Seconds
) -> tuple[Principal, str] | None:
    """Who is signed in with this session id, and its CSRF secret."""
    found = store.session_token(conn, digest(session), now)
    if found is None or not found[0].usable(now):
        return None
    return Principal(found[0].name, found[0].scopes), found[1]


def sign_out(conn: Connection, session: str) -> None:
    """Close a browser session; unknown ones are no error."""
    store.drop_session(conn, digest(session))


def _usable(token: Token | None, now: Seconds) -> Token | None:
    return token if token is not None and token.usable(now) else None
