"""Make, check and revoke tokens; open and close sessions."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from sqlalchemy import Connection

from watchkeeper.access import store
from watchkeeper.access import store_accounts as accounts
from watchkeeper.access.model import TOKEN_PREFIX, Account, Principal, Scope, Token, digest
from watchkeeper.access.roles import ROLE_SCOPES, principal_of
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
    user: str | None = None,
) -> str:
    """Make a token and return its secret, which is never shown again.

    With ``user`` it is theirs: it acts in their name and never opens more than they may, whatever
    becomes of their role. Raises UserError when the name is taken, no scope is given, or the scopes
    are more than the user has; NotFound for an unknown user.
    """
    granted = frozenset(scopes)
    if not granted:
        known = ", ".join(Scope)
        raise UserError("A token needs at least one scope.", f"Scopes: {known}.")
    if store.token_by_name(conn, name) is not None:
        raise UserError(f"There is a token named {name!r} already.", "Choose another name.")
    if accounts.by_name(conn, name) is not None:
        raise UserError(
            f"There is a user named {name!r}; the timeline could not tell them apart.",
            "Choose another name.",
        )
    owner = _owner(conn, user, granted) if user is not None else None
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    owner_id = owner.id if owner else None
    store.add_token(conn, name, digest(secret), granted, now, expires_at, owner_id)
    said = {"scopes": sorted(granted), **({"user": user} if user else {})}
    timeline.append(conn, now, "token.created", f"token/{name}", actor, said)
    return secret


def _owner(conn: Connection, user: str, granted: frozenset[Scope]) -> Account:
    owner = accounts.by_name(conn, user)
    if owner is None or not owner.active:
        raise NotFound(f"There is no user named {user!r}.", "`wk user list` shows them all.")
    allowed = ROLE_SCOPES[owner.role].union(*(ROLE_SCOPES[r] for r in owner.team_roles.values()))
    if granted - allowed:
        raise UserError(
            f"{user} ({owner.role}) may not have the scope {', '.join(sorted(granted - allowed))}.",
            f"Scopes open to them: {', '.join(sorted(allowed))}.",
        )
    return owner


def revoke_token(conn: Connection, name: str, now: Seconds, actor: str) -> None:
    """Close a token for good. Raises NotFound when there is none of that name."""
    token = store.token_by_name(conn, name)
    if token is None:
        raise NotFound(f"There is no token named {name!r}.", "`wk token list` shows them all.")
    store.revoke_token(conn, token.id, now)
    timeline.append(conn, now, "token.revoked", f"token/{name}", actor, {})


def principal_of_token(conn: Connection, secret: str, now: Seconds) -> Principal | None:
    """Who holds this secret, or None when it opens nothing."""
    return _principal(conn, store.token_by_hash(conn, digest(secret)), now)


def sign_in(conn: Connection, secret: str, now: Seconds) -> tuple[str, str] | None:
    """Open a browser session: (session id, CSRF secret); None when the token opens nothing."""
    token = store.token_by_hash(conn, digest(secret))
    principal = _principal(conn, token, now)
    if token is None or principal is None or not principal.may(Scope.READ):
        return None
    timeline.append(conn, now, "session.opened", f"token/{token.name}", principal.name, {})
    return open_session(conn, now, token_id=token.id, account_id=token.account_id)


def open_session(
    conn: Connection, now: Seconds, token_id: int | None = None, account_id: int | None = None
) -> tuple[str, str]:
    """A new (session id, CSRF secret) for somebody who has proven who they are."""
    session, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    expires_at = now + SESSION_SECONDS
    store.add_session(
        conn, digest(session), csrf, now, expires_at, token_id=token_id, account_id=account_id
    )
    return session, csrf


def principal_of_session(
    conn: Connection, session: str, now: Seconds
) -> tuple[Principal, str] | None:
    """Who is signed in with this session id, and its CSRF secret."""
    found = store.session(conn, digest(session), now)
    if found is None:
        return None
    if found.token_id is not None:
        principal = _principal(conn, store.token_by_id(conn, found.token_id), now)
    else:
        account = accounts.by_id(conn, found.account_id or 0)
        principal = principal_of(account) if account is not None and account.active else None
    return (principal, found.csrf) if principal is not None else None


def sign_out(conn: Connection, session: str) -> None:
    """Close a browser session; unknown ones are no error."""
    store.drop_session(conn, digest(session))


def _principal(conn: Connection, token: Token | None, now: Seconds) -> Principal | None:
    if token is None or not token.usable(now):
        return None
    if token.account_id is None:
        return Principal(token.name, token.scopes, token=token.name)
    account = accounts.by_id(conn, token.account_id)
    return principal_of(account, token) if account is not None and account.active else None
