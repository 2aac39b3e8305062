"""`wk user`: add people, give them roles and passwords."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from watchkeeper.faces.cli import common
from watchkeeper.kernel.errors import UserError

if TYPE_CHECKING:
    from watchkeeper.access.model import Account, Role

ROLES = ["viewer", "responder", "editor", "admin"]
stdin_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input, one line."
)


@click.group()
def user() -> None:
    """Add people, give them roles and passwords. Works on the database, so it needs no server."""


@user.command()
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), default="viewer", show_default=True)
@click.option(
    "--team-role",
    "team_roles",
    multiple=True,
    metavar="TEAM=ROLE",
    help="A role for what a team owns, beside --role; may be given again.",
)
@click.option("--display-name", default="", help="The name to show (default: NAME).")
@click.option("--email", default="")
@stdin_option
@common.db_option
def add(
    name: str,
    role: str,
    team_roles: tuple[str, ...],
    display_name: str,
    email: str,
    password_stdin: bool,
    db: str | None,
) -> None:
    """Add a person called NAME; asks for their first password."""
    from watchkeeper.access.model import Role
    from watchkeeper.access.people import NewAccount, add_account

    teams = dict(_team_role(given) for given in team_roles)
    password = _password(password_stdin)
    new = NewAccount(name, password, Role(role), display_name, email, teams)
    with common.open_db(db) as database:
        made = add_account(database, new, time.time(), common.actor())
    click.echo(f"added {_line(made)}")


@user.command("list")
@common.db_option
@common.json_option
def list_(db: str | None, as_json: bool) -> None:
    """List people: names, roles, state."""
    from watchkeeper.access.people import every_account
    from watchkeeper.kernel.clock import iso

    with common.open_db(db, must_exist=True) as database, database.read() as conn:
        found = every_account(conn)
    if not as_json:
        for account in found:
            click.echo(_line(account))
        return
    common.emit_json(
        [
            {
                "name": a.name,
                "display_name": a.display_name,
                "email": a.email,
                "role": a.role,
                "team_roles": dict(a.team_roles),
                "created_at": iso(a.created_at),
                "disabled_at": iso(a.disabled_at) if a.disabled_at is not None else None,
            }
            for a in found
        ]
    )


@user.command()
@click.argument("name")
@click.argument("new_role", metavar="ROLE", type=click.Choice([*ROLES, "none"]))
@click.option("--team", help="Only for what this team owns; 'none' takes it back.")
@common.db_option
def role(name: str, new_role: str, team: str | None, db: str | None) -> None:
    """Give the person NAME another ROLE: everywhere, or in one team."""
    from watchkeeper.access.model import Role
    from watchkeeper.access.people import set_role, set_team_role

    if team is None and new_role == "none":
        raise UserError("Everybody has a role.", "`wk user disable` closes an account.")
    given = None if new_role == "none" else Role(new_role)
    now, actor = time.time(), common.actor()
    with common.open_db(db, must_exist=True) as database, database.write() as conn:
        if team is not None:
            changed = set_team_role(conn, name, team, given, now, actor)
        else:
            changed = set_role(conn, name, Role(new_role), now, actor)
    click.echo(_line(changed))


@user.command()
@click.argument("name")
@stdin_option
@common.db_option
def password(name: str, password_stdin: bool, db: str | None) -> None:
    """Set the password of NAME; all of their sessions end."""
    from watchkeeper.access.people import set_password

    chosen = _password(password_stdin)
    with common.open_db(db, must_exist=True) as database:
        set_password(database, name, chosen, time.time(), common.actor())
    click.echo(f"changed the password of {name}")


@user.command()
@click.argument("name")
@common.db_option
def disable(name: str, db: str | None) -> None:
    """Close the account NAME: sessions end, its tokens open nothing."""
    from watchkeeper.access.people import disable as close

    with common.open_db(db, must_exist=True) as database, database.write() as conn:
        click.echo(_line(close(conn, name, time.time(), common.actor())))


@user.command()
@click.argument("name")
@common.db_option
def enable(name: str, db: str | None) -> None:
    """Open the disabled account NAME again."""
    from watchkeeper.access.people import enable as reopen

    with common.open_db(db, must_exist=True) as database, database.write() as conn:
        click.echo(_line(reopen(conn, name, time.time(), common.actor())))


def _line(account: Account) -> str:
    teams = "".join(f"  {team}={role}" for team, role in account.team_roles.items())
    state = "" if account.active else "  disabled"
    return f"{account.name}  {account.role}{teams}{state}"


def _team_role(given: str) -> tuple[str, Role]:
    from watchkeeper.access.model import Role

    team, _, role = given.rpartition("=")
    if not team or role not in ROLES[:-1]:
        raise UserError(
            f"{given!r} is no role in a team.", f"Write TEAM=ROLE, with {', '.join(ROLES[:-1])}."
        )
    return team, Role(role)


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise UserError("There is no terminal to ask for a password.", "Use --password-stdin.")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
