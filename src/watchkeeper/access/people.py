"""Accounts: make, change, disable them; sign in with a password; set up the first admin.

Passwords are hashed outside of transactions: it takes a tenth of a second on purpose, in which
nobody else's write should have to wait. `db` is therefore a Database where that is so.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from watchkeeper.access import passwords, store, throttle
from watchkeeper.access import store_accounts as accounts
from watchkeeper.access.model import Account, Role, digest
from watchkeeper.access.roles import ORDER
from watchkeeper.access.work import open_session
from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.store import Database, timeline

SETUP_SECONDS = 24 * 3600.0
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}\Z")
EMAIL = re.compile(r"[^@\s<>\"]{1,64}@[^@\s<>\"]{1,189}\Z")
RESERVED = frozenset({"anonymous", "system", "engine", "setup"})


class TooManyTriesError(UserError):
    """Wait before the next sign-in: HTTP 429. ``seconds``: how long."""

    http_status = 429

    def __init__(self, seconds: float) -> None:
        minutes = max(1, round(seconds / 60))
        super().__init__(
            "There were too many tries to sign in.", f"Try again in about {minutes} min."
        )
        self.seconds = seconds


class ConflictError(UserError):
    """It stands against what is there: HTTP 409."""

    http_status = 409


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What a new account needs; the password in the clear, on its way to being hashed."""

    name: str
    password: str
    role: Role = Role.VIEWER
    display_name: str = ""
    email: str = ""
    team_roles: Mapping[str, Role] | None = None

    def __repr__(self) -> str:
        """Without the password: this may end in a log."""
        return f"NewAccount({self.name!r}, {self.role})"


def add_account(db: Database, new: NewAccount, now: Seconds, actor: str) -> Account:
    """Make an account. Raises UserError when a field is wrong, ConflictError for a taken name."""
    _check(new)
    password = passwords.hashed(new.password)
    with db.write() as conn:
        return _add(conn, new, password, now, actor)


def _check(new: NewAccount) -> None:
    if not NAME.match(new.name) or new.name in RESERVED:
        raise UserError(
            f"{new.name!r} cannot be a user name.",
            "Lower-case letters, digits, '.', '_' and '-', at most 100, e.g. amara.okafor.",
        )
    _check_names(new.display_name, new.email)
    _check_password(new.password, new.name, new.email)


def _check_names(display_name: str, email: str) -> None:
    if email and not EMAIL.match(email):
        raise UserError(f"{email!r} is no e-mail address.", "Write it like amara@example.com.")
    if len(display_name) > 200 or not display_name.isprintable():
        raise UserError("The display name is too long or holds control characters.", "At most 200.")


def _check_password(password: str, *personal: str) -> None:
    wrong = passwords.problem(password, *personal)
    if wrong:
        raise UserError(wrong, "Three or four unrelated words are easy to keep and hard to guess.")


def _add(conn: Connection, new: NewAccount, password: str, now: Seconds, actor: str) -> Account:
    accounts.lock(conn)
    if accounts.by_name(conn, new.name) is not None:
        raise ConflictError(f"There is a user named {new.name!r} already.", "Choose another name.")
    if store.token_by_name(conn, new.name) is not None:
        raise ConflictError(
            f"There is a token named {new.name!r}; the timeline could not tell them apart.",
            "Choose another name.",
        )
    accounts.add(conn, new.name, new.display_name or new.name, new.email, password, new.role, now)
    made = account_named(conn, new.name)
    for team, role in (new.team_roles or {}).items():
        accounts.set_team_role(conn, made.id, team, role)
    roles = {team: role.value for team, role in (new.team_roles or {}).items()}
    said = {"role": new.role.value, "team_roles": roles}
    timeline.append(conn, now, "user.added", f"user/{new.name}", actor, said)
    return account_named(conn, new.name)


def account_named(conn: Connection, name: str) -> Account:
    """The account of this name. Raises NotFound."""
    found = accounts.by_name(conn, name)
    if found is None:
        raise NotFound(f"There is no user named {name!r}.", "`wk user list` shows them all.")
    return found


def every_account(conn: Connection) -> Sequence[Account]:
    """All accounts, by name."""
    return accounts.every(conn)


# ---------------------------------------------------------------- changes


def set_role(conn: Connection, name: str, role: Role, now: Seconds, actor: str) -> Account:
    """Give another role. Raises NotFound; ConflictError when it would leave no admin."""
    accounts.lock(conn)
    found = account_named(conn, name)
    if role is not Role.ADMIN:
        _keep_an_admin(conn, found)
    accounts.set_role(conn, found.id, role)
    said = {"from": found.role.value, "to": role.value}
    timeline.append(conn, now, "user.role", f"user/{name}", actor, said)
    return account_named(conn, name)


def set_team_role(
    conn: Connection, name: str, team: str, role: Role | None, now: Seconds, actor: str
) -> Account:
    """Give a role in a team, or take it back (None). Raises NotFound, UserError."""
    if role is Role.ADMIN:
        raise UserError("Nobody is admin of a team.", f"Roles by team: {', '.join(ORDER[:-1])}.")
    if not 0 < len(team) <= 200:
        raise UserError("A team's name has 1 to 200 characters.", "Use the name in the specs.")
    found = account_named(conn, name)
    accounts.set_team_role(conn, found.id, team, role)
    said = {"team": team, "from": found.team_roles.get(team), "to": role}
    timeline.append(conn, now, "user.team_role", f"user/{name}", actor, said)
    return account_named(conn, name)


def set_names(
    conn: Connection, name: str, display_name: str, email: str, now: Seconds, actor: str
) -> Account:
    """Change display name and e-mail address. Raises NotFound, UserError."""
    _check_names(display_name, email)
    found = account_named(conn, name)
    accounts.set_names(conn, found.id, display_name or name, email)
    timeline.append(conn, now, "user.changed", f"user/{name}", actor, {})
    return account_named(conn, name)


def disable(conn: Connection, name: str, now: Seconds, actor: str) -> Account:
    """Close an account: sessions end, its tokens open nothing. Raises as `set_role` does."""
    accounts.lock(conn)
    found = account_named(conn, name)
    _keep_an_admin(conn, found)
    accounts.set_disabled(conn, found.id, found.disabled_at or now)
    store.drop_sessions_of(conn, found.id)
    timeline.append(conn, now, "user.disabled", f"user/{name}", actor, {})
    return account_named(conn, name)


def enable(conn: Connection, name: str, now: Seconds, actor: str) -> Account:
    """Open a disabled account again. Raises NotFound."""
    found = account_named(conn, name)
    accounts.set_disabled(conn, found.id, None)
    timeline.append(conn, now, "user.enabled", f"user/{name}", actor, {})
    return account_named(conn, name)


def _keep_an_admin(conn: Connection, leaving: Account) -> None:
    if leaving.role is not Role.ADMIN or not leaving.active:
        return
    others = [a for a in accounts.every(conn) if a.role is Role.ADMIN and a.active]
    if len(others) == 1:
        raise ConflictError(f"{leaving.name} is the only admin.", "Make somebody else admin first.")


def set_password(db: Database, name: str, password: str, now: Seconds, actor: str) -> None:
    """An admin, or the console, sets a password; all sessions end. Raises NotFound, UserError."""
    with db.read() as conn:
        found = account_named(conn, name)
    _check_password(password, name, found.email)
    kept = passwords.hashed(password)
    with db.write() as conn:
        accounts.set_password(conn, found.id, kept)
        store.drop_sessions_of(conn, found.id)
        timeline.append(conn, now, "user.password", f"user/{name}", actor, {})


def change_password(
    db: Database, name: str, old: str, new: str, address: str, now: Seconds
) -> tuple[str, str]:
    """One's own password: needs the old one; every other session ends.

    Returns a fresh (session id, CSRF secret). Raises UserError, TooManyTriesError.
    """
    account_id = _proven(db, name, old, address, now)
    if account_id is None:
        raise UserError("The present password is not right.", "Type the one you signed in with.")
    with db.read() as conn:
        found = account_named(conn, name)
    _check_password(new, name, found.email)
    if new == old:
        raise UserError("This is the password you have.", "Choose another one.")
    kept = passwords.hashed(new)
    with db.write() as conn:
        accounts.set_password(conn, found.id, kept)
        store.drop_sessions_of(conn, found.id)
        timeline.append(conn, now, "user.password", f"user/{name}", name, {})
        return open_session(conn, now, account_id=found.id)


def sign_out_everywhere(conn: Connection, name: str, now: Seconds, actor: str) -> int:
    """End every session of an account; how many there were. Raises NotFound."""
    found = account_named(conn, name)
    ended = store.drop_sessions_of(conn, found.id)
    timeline.append(conn, now, "session.all_closed", f"user/{name}", actor, {"sessions": ended})
    return ended


# ---------------------------------------------------------------- signing in


def sign_in_with_password(
    db: Database, name: str, password: str, address: str, now: Seconds
) -> tuple[str, str] | None:
    """Open a browser session: (session id, CSRF secret); None when name and password do not fit.

    An unknown or disabled name takes as long as a wrong password. Raises TooManyTriesError.
    """
    wanted = name.strip().casefold()
    account_id = _proven(db, wanted, password, address, now)
    seen = {"address": address[:60]}
    with db.write() as conn:
        if account_id is None:
            # The name as typed may be a password in the wrong field: only known ones are kept.
            known = accounts.by_name(conn, wanted) is not None
            subject = f"user/{wanted}" if known else "user/unknown"
            timeline.append(conn, now, "session.refused", subject, "anonymous", seen)
            return None
        found = accounts.by_id(conn, account_id)
        if found is None or not found.active:
            return None
        timeline.append(conn, now, "session.opened", f"user/{found.name}", found.name, seen)
        return open_session(conn, now, account_id=found.id)


def _proven(db: Database, name: str, password: str, address: str, now: Seconds) -> int | None:
    """The number of the account whose password this is. Raises TooManyTriesError."""
    keys = throttle.keys(name, address)
    _take(db, keys, now)
    with db.read() as conn:
        kept = accounts.password_of(conn, name)
    if not passwords.matches(kept[1] if kept else None, password) or kept is None:
        return None
    fresh = passwords.hashed(password) if passwords.outdated(kept[1]) else None
    with db.write() as conn:
        slowest = max(limit.seconds for limit in throttle.LIMITS.values())
        accounts.drop_buckets(conn, keys[:1], now - slowest)
        if fresh is not None:
            accounts.rehash(conn, kept[0], kept[1], fresh)
    return kept[0]


def _take(db: Database, keys: Sequence[str], now: Seconds) -> None:
    """Count a try before it is made, so that many at once cannot all slip through."""
    with db.write() as conn:
        found = accounts.buckets(conn, keys)
        seconds = throttle.wait([(throttle.limit_of(k), b) for k, b in found.items()], now)
        if seconds <= 0:
            accounts.set_buckets(
                conn, {k: throttle.filled(b, throttle.limit_of(k), now) for k, b in found.items()}
            )
    if seconds > 0:
        raise TooManyTriesError(seconds)


# ---------------------------------------------------------------- the first admin


def needs_setup(conn: Connection) -> bool:
    """True while there is nobody who could sign in: no account, no token."""
    return accounts.count(conn) == 0 and not store.tokens(conn)


def has_accounts(conn: Connection) -> bool:
    """True when anybody can sign in by name."""
    return accounts.count(conn) > 0


def setup_secret(conn: Connection, now: Seconds) -> str:
    """A one-time secret for the console; whoever has it may make the first admin for a day."""
    secret = secrets.token_urlsafe(24)
    accounts.add_setup_key(conn, digest(secret), now, now + SETUP_SECONDS)
    return secret


def setup_open(conn: Connection, secret: str, now: Seconds) -> bool:
    """True when this secret would still make the first admin."""
    return accounts.count(conn) == 0 and accounts.has_setup_key(conn, digest(secret), now)


def set_up(db: Database, secret: str, new: NewAccount, now: Seconds) -> tuple[str, str]:
    """Make the first admin and sign in: (session id, CSRF secret).

    Raises NotFound when the link was used or is too old, UserError when a field is wrong.
    """
    gone = NotFound("This link was used, or is too old.", "`wk serve` prints another one.")
    with db.read() as conn:
        if not setup_open(conn, secret, now):
            raise gone
    _check(new)
    admin = NewAccount(new.name, new.password, Role.ADMIN, new.display_name, new.email)
    kept = passwords.hashed(admin.password)
    with db.write() as conn:
        if accounts.count(conn) or not accounts.use_setup_key(conn, digest(secret), now):
            raise gone
        made = _add(conn, admin, kept, now, "setup")
        return open_session(conn, now, account_id=made.id)
