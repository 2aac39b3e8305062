"""Tokens and sessions in the database. The room's only SQL."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Column, Connection, Double, Integer, String, Table, insert, select, update
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
)

web_session = Table(
    "web_session",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("token_id", Integer, nullable=False),
    Column("csrf", String(64), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
)


def add_token(
    conn: Connection,
    name: str,
    hashed: str,
    scopes: frozenset[Scope],
    now: Seconds,
    expires_at: Seconds | None,
) -> None:
    """Keep a new token; its name must be free."""
    conn.execute(
        insert(api_token).values(
            name=name,
            hash=hashed,
            scopes=",".join(sorted(scopes)),
            created_at=now,
            expires_at=expires_at,
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
    conn: Connection, hashed: str, token_id: int, csrf: str, now: Seconds, expires_at: Seconds
) -> None:
    """Open a browser session; expired ones are swept on the way."""
    conn.execute(web_session.delete().where(web_session.c.expires_at <= now))
    conn.execute(
        insert(web_session).values(
            hash=hashed, token_id=token_id, csrf=csrf, created_at=now, expires_at=expires_at
        )
    )


def session_token(conn: Connection, hashed: str, now: Seconds) -> tuple[Token, str] | None:
    """The token and CSRF secret of a live session, or None."""
    query = (
        select(api_token, web_session.c.csrf)
        .join(web_session, web_session.c.token_id == api_token.c.id)
        .where(web_session.c.hash == hashed, web_session.c.expires_at > now)
    )
    row = conn.execute(query).mappings().first()
    return (_token(row), str(row["csrf"])) if row else None


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
    )
