"""`wk token`: make, list and revoke API tokens."""

from __future__ import annotations

import time

import click

from watchkeeper.faces.cli import common

SCOPES = ["read", "push", "respond", "write", "admin"]


@click.group()
def token() -> None:
    """Make, list and revoke API tokens. Works on the database, so it needs no server."""


@token.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    default=("read",),
    show_default=True,
    help="What it opens; may be given again.",
)
@click.option("--days", type=float, help="Valid for this many days (default: until revoked).")
@click.option("--user", help="Whose it is: it acts in their name and never opens more than they.")
@common.db_option
def create(
    name: str, scopes: tuple[str, ...], days: float | None, user: str | None, db: str | None
) -> None:
    """Make a token called NAME and print its secret, once."""
    from watchkeeper.access.model import Scope
    from watchkeeper.access.work import create_token

    now = time.time()
    with common.open_db(db) as database, database.write() as conn:
        secret = create_token(
            conn,
            name,
            [Scope(s) for s in scopes],
            now,
            common.actor(),
            now + days * 86400 if days else None,
            user,
        )
    click.echo(secret)


@token.command("list")
@common.db_option
@common.json_option
def list_(db: str | None, as_json: bool) -> None:
    """List tokens: names, scopes, until when. Never the secrets."""
    from watchkeeper.access.store import tokens
    from watchkeeper.kernel.clock import iso

    with common.open_db(db, must_exist=True) as database, database.read() as conn:
        found = tokens(conn)
    now = time.time()
    if as_json:
        common.emit_json(
            [
                {
                    "name": t.name,
                    "scopes": sorted(t.scopes),
                    "created_at": iso(t.created_at),
                    "expires_at": iso(t.expires_at) if t.expires_at else None,
                    "usable": t.usable(now),
                }
                for t in found
            ]
        )
        return
    for t in found:
        until = iso(t.expires_at) if t.expires_at else "until revoked"
        state = "usable" if t.usable(now) else "closed"
        click.echo(f"{t.name}  {','.join(sorted(t.scopes))}  {until}  {state}")


@token.command()
@click.argument("name")
@common.db_option
def revoke(name: str, db: str | None) -> None:
    """Close the token NAME, and every browser session opened with it, for good."""
    from watchkeeper.access.work import revoke_token

    with common.open_db(db, must_exist=True) as database, database.write() as conn:
        revoke_token(conn, name, time.time(), common.actor())
    click.echo(f"revoked {name}")
