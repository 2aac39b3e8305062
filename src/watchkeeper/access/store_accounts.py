"""Accounts, their roles, sign-in buckets and set-up keys in the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import (
    Column,
    Connection,
    Double,
    Integer,
    String,
    Table,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.engine import RowMapping

from watchkeeper.access.model import Account, Role
from watchkeeper.access.throttle import EMPTY, Bucket
from watchkeeper.kernel.clock import Seconds
from watchkeeper.store import metadata

account = Table(
    "account",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("display_name", String(200), nullable=False),
    Column("email", String(254), nullable=False),
    Column("password", String(300), nullable=False),
    Column("role", String(20), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("disabled_at", Double),
)

account_role = Table(
    "account_role",
    metadata,
    Column("account_id", Integer, primary_key=True, autoincrement=False),
    Column("team", String(200), primary_key=True),
    Column("role", String(20), nullable=False),
)

signin_bucket = Table(
    "signin_bucket",
    metadata,
    Column("key", String(100), primary_key=True),
    Column("level", Double, nullable=False),
    Column("at", Double, nullable=False),
)

setup_key = Table(
    "setup_key",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("expires_at", Double, nullable=False),
)


def add(
    conn: Connection,
    name: str,
    display_name: str,
    email: str,
    password: str,
    role: Role,
    now: Seconds,
) -> None:
    """Keep a new account; ``password`` is the hash. Its name must be free."""
    conn.execute(
        insert(account).values(
            name=name,
            display_name=display_name,
            email=email,
            password=password,
            role=role.value,
            created_at=now,
        )
    )


def by_name(conn: Connection, name: str) -> Account | None:
    """The account of this name, or None."""
    return _one(
        conn, conn.execute(select(account).where(account.c.name == name)).mappings().first()
    )


def by_id(conn: Connection, account_id: int) -> Account | None:
    """The account of this number, or None."""
    query = select(account).where(account.c.id == account_id)
    return _one(conn, conn.execute(query).mappings().first())


def every(conn: Connection) -> Sequence[Account]:
    """All accounts, disabled ones too, by name."""
    roles: dict[int, dict[str, Role]] = {}
    for row in conn.execute(select(account_role).order_by(account_role.c.team)).mappings():
        roles.setdefault(row["account_id"], {})[row["team"]] = Role(row["role"])
    rows = conn.execute(select(account).order_by(account.c.name)).mappings()
    return [_account(row, roles.get(row["id"], {})) for row in rows]


def count(conn: Connection) -> int:
    """How many accounts there are."""
    return int(conn.execute(select(func.count()).select_from(account)).scalar_one())


def lock(conn: Connection) -> None:
    """Make other changes to accounts wait for this transaction (SQLite's all do anyway)."""
    conn.execute(select(account.c.id).order_by(account.c.id).with_for_update()).all()


def password_of(conn: Connection, name: str) -> tuple[int, str] | None:
    """(number, password hash) of the active account of this name, or None."""
    query = select(account.c.id, account.c.password).where(
        account.c.name == name, account.c.disabled_at.is_(None)
    )
    row = conn.execute(query).first()
    return (row[0], row[1]) if row else None


def set_password(conn: Connection, account_id: int, password: str) -> None:
    """Keep another password's hash."""
    _change(conn, account_id, password=password)


def rehash(conn: Connection, account_id: int, old: str, new: str) -> None:
    """Keep the same password hashed anew, unless it was changed meanwhile."""
    conn.execute(
        update(account)
        .where(account.c.id == account_id, account.c.password == old)
        .values(password=new)
    )


def set_role(conn: Connection, account_id: int, role: Role) -> None:
    """Keep another role."""
    _change(conn, account_id, role=role.value)


def set_names(conn: Connection, account_id: int, display_name: str, email: str) -> None:
    """Keep another display name and e-mail address."""
    _change(conn, account_id, display_name=display_name, email=email)


def set_disabled(conn: Connection, account_id: int, at: Seconds | None) -> None:
    """Close the account, or open it again (None)."""
    _change(conn, account_id, disabled_at=at)


def set_team_role(conn: Connection, account_id: int, team: str, role: Role | None) -> None:
    """Give, change or take back (None) a role in a team."""
    conn.execute(
        delete(account_role).where(
            account_role.c.account_id == account_id, account_role.c.team == team
        )
    )
    if role is not None:
        conn.execute(insert(account_role).values(account_id=account_id, team=team, role=role.value))


def buckets(conn: Connection, keys: Sequence[str]) -> Mapping[str, Bucket]:
    """The buckets of these keys, held until the transaction ends; unknown ones are made, empty.

    They are taken in one order, so that two tries of the same name cannot wait for each other.
    """
    found = {}
    for key in sorted(keys):
        row = _bucket(conn, key)
        if row is None:
            _make_bucket(conn, key)
            row = _bucket(conn, key)
        found[key] = Bucket(row["level"], row["at"]) if row else EMPTY
    return found


def set_buckets(conn: Connection, levels: Mapping[str, Bucket]) -> None:
    """Keep these levels."""
    for key, bucket in sorted(levels.items()):
        conn.execute(
            update(signin_bucket)
            .where(signin_bucket.c.key == key)
            .values(level=bucket.level, at=bucket.at)
        )


def drop_buckets(conn: Connection, keys: Sequence[str], before: Seconds) -> None:
    """Empty these buckets, and forget all that have leaked out since ``before``."""
    conn.execute(delete(signin_bucket).where(signin_bucket.c.key.in_(keys)))
    conn.execute(delete(signin_bucket).where(signin_bucket.c.at < before))


def add_setup_key(conn: Connection, hashed: str, now: Seconds, expires_at: Seconds) -> None:
    """Keep a one-time key; expired ones are swept on the way."""
    conn.execute(delete(setup_key).where(setup_key.c.expires_at <= now))
    conn.execute(insert(setup_key).values(hash=hashed, expires_at=expires_at))


def has_setup_key(conn: Connection, hashed: str, now: Seconds) -> bool:
    """True when this key would still open the set-up."""
    query = select(setup_key.c.hash).where(setup_key.c.hash == hashed, setup_key.c.expires_at > now)
    return conn.execute(query).first() is not None


def use_setup_key(conn: Connection, hashed: str, now: Seconds) -> bool:
    """Use up the key, and with it all others. False when it opens nothing (any more)."""
    used = conn.execute(
        delete(setup_key).where(setup_key.c.hash == hashed, setup_key.c.expires_at > now)
    ).rowcount
    if used:
        conn.execute(delete(setup_key))
    return bool(used)


def _bucket(conn: Connection, key: str) -> RowMapping | None:
    query = select(signin_bucket).where(signin_bucket.c.key == key).with_for_update()
    return conn.execute(query).mappings().first()


def _make_bucket(conn: Connection, key: str) -> None:
    from sqlalchemy.dialects import postgresql, sqlite

    dialect = postgresql if conn.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(signin_bucket).values(key=key, level=0.0, at=0.0)
    conn.execute(statement.on_conflict_do_nothing())


def _change(conn: Connection, account_id: int, **values: object) -> None:
    conn.execute(update(account).where(account.c.id == account_id).values(**values))


def _one(conn: Connection, row: RowMapping | None) -> Account | None:
    if row is None:
        return None
    mine = select(account_role).where(account_role.c.account_id == row["id"])
    roles = {r["team"]: Role(r["role"]) for r in conn.execute(mine).mappings()}
    return _account(row, roles)


def _account(row: RowMapping, roles: Mapping[str, Role]) -> Account:
    return Account(
        id=row["id"],
        name=row["name"],
        display_name=row["display_name"],
        email=row["email"],
        role=Role(row["role"]),
        team_roles=dict(sorted(roles.items())),
        created_at=row["created_at"],
        disabled_at=row["disabled_at"],
    )
