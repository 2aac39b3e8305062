"""Tokens and sessions in the database; accounts are in `store_accounts`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import (
    Column,
    Connection,
    Double,
    Index,
    Integer,
    String,
    Table,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.engine import RowMapping

from watchkeeper.access.model import Scope, Token
from watchkeeper.kernel.clock import Seconds
from watchkeeper.store import metadata

api_token = Table(
    "api_token",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("hash", String(64), nullable=False, unique=True),
    Column("scopes", String(200), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("revoked_at", Double),
    Column("account_id", Integer),
)

web_session = Table(
    "web_session",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("token_id", Integer),
    Column("csrf", String(64), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("account_id", Integer),
    Index("ix_web_session_account", "account_id"),
)


@dataclass(frozen=True, slots=True)
class Session:
    """A browser's sign-in: of a token or of an account."""

    token_id: int | None
    account_id: int | None
    csrf: str


def add_token(
    conn: Connection,
    name: str,
    hashed: str,
    scopes: frozenset[Scope],
    now: Seconds,
    expires_at: Seconds | None,
    account_id: int | None = None,
) -> None:
    """Keep a new token; its name must be free."""
    conn.execute(
        insert(api_token).values(
            name=name,
            hash=hashed,
            scopes=",".join(sorted(scopes)),
            created_at=now,
            expires_at=expires_at,
            account_id=account_id,
        )
    )


def token_by_hash(conn: Connection, hashed: str) -> Token | None:
    """The token with this hash, or None."""
    row = conn.execute(select(api_token).where(api_token.c.hash == hashed)).mappings().first()
    return _token(row) if row else None


def token_by_name(conn: Connection, name: str) -> Token | None:
    """The token of this name, or None."""
    row = conn.execute(select(api_token).where(api_token.c.name == name)).mappings().first()
    return _token(row) if row else None


def tokens(conn: Connection) -> Sequence[Token]:
    """All tokens, revoked ones too, by name."""
    rows = conn.execute(select(api_token).order_by(api_token.c.name)).mappings()
    return [_token(row) for row in rows]


def revoke_token(conn: Connection, token_id: int, now: Seconds) -> None:
    """Close a token and every session opened with it."""
    conn.execute(update(api_token).where(api_token.c.id == token_id).values(revoked_at=now))
    conn.execute(web_session.delete().where(web_session.c.token_id == token_id))


def add_session(
    conn: Connection,
    hashed: str,
    csrf: str,
    now: Seconds,
    expires_at: Seconds,
    *,
    token_id: int | None = None,
    account_id: int | None = None,
) -> None:
    """Open a browser session of a token or an account; expired ones are swept on the way."""
    conn.execute(web_session.delete().where(web_session.c.expires_at <= now))
    conn.execute(
        insert(web_session).values(
            hash=hashed,
            token_id=token_id,
            account_id=account_id,
            csrf=csrf,
            created_at=now,
            expires_at=expires_at,
        )
    )


def session(conn: Connection, hashed: str, now: Seconds) -> Session | None:
    """The live session with this hash, or None."""
    query = select(web_session).where(web_session.c.hash == hashed, web_session.c.expires_at > now)
    row = conn.execute(query).mappings().first()
    return Session(row["token_id"], row["account_id"], row["csrf"]) if row else None


def token_by_id(conn: Connection, token_id: int) -> Token | None:
    """The token of this number, or None."""
    row = conn.execute(select(api_token).where(api_token.c.id == token_id)).mappings().first()
    return _token(row) if row else None


def drop_sessions_of(conn: Connection, account_id: int) -> int:
    """Sign an account out everywhere; how many sessions were closed."""
    mine = web_session.c.account_id == account_id
    return conn.execute(web_session.delete().where(mine)).rowcount


def sessions_of(conn: Connection, account_id: int, now: Seconds) -> int:
    """How many browsers an account is signed in with."""
    query = select(func.count()).where(
        web_session.c.account_id == account_id, web_session.c.expires_at > now
    )
    return int(conn.execute(query).scalar_one())


def drop_session(conn: Connection, hashed: str) -> None:
    """Sign out."""
    conn.execute(web_session.delete().where(web_session.c.hash == hashed))


def _token(row: RowMapping) -> Token:
    return Token(
        id=row["id"],
        name=row["name"],
        scopes=frozenset(Scope(s) for s in row["scopes"].split(",") if s),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        account_id=row["account_id"],
    )
