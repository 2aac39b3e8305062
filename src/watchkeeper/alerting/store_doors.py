"""Silences and the keys of integrations and heartbeats in the database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.engine import RowMapping

from watchkeeper.alerting.quiet import Silence
from watchkeeper.alerting.store import alert, integration_key, silence
from watchkeeper.kernel.clock import Seconds
from watchkeeper.spec.duty import Matcher

_SILENCES = select(silence).order_by(silence.c.end, silence.c.id)
_IN_FORCE = _SILENCES.where(silence.c.end > bindparam("now"))

# ---------------------------------------------------------------- silences


def silences(conn: Connection, now: Seconds, *, all_of_them: bool = False) -> list[Silence]:
    """Silences that are not over, or all; by end."""
    if all_of_them:
        return [_silence(row) for row in conn.execute(_SILENCES).mappings()]
    return [_silence(row) for row in conn.execute(_IN_FORCE, {"now": now}).mappings()]


def add_silence(conn: Connection, made: Silence) -> None:
    """Keep a silence."""
    rows = [{"label": m.label, "op": m.op, "value": m.value} for m in made.matchers]
    values = {n: getattr(made, n) for n in Silence.__slots__}
    conn.execute(silence.insert().values(**{**values, "matchers": json.dumps(rows)}))


def end_silence(conn: Connection, silence_id: str, now: Seconds) -> bool:
    """Let a silence end now; False when there is none that lasts."""
    query = update(silence).where(silence.c.id == silence_id, silence.c.end > now)
    return bool(conn.execute(query.values(end=now)).rowcount)


def _silence(row: RowMapping) -> Silence:
    named = {n: row[n] for n in Silence.__slots__}
    named["matchers"] = tuple(Matcher(**m) for m in json.loads(row["matchers"]))
    return Silence(**named)


def quiet_ids(conn: Connection, after: int, limit: int) -> list[int]:
    """Open alerts for which nobody is called, after this id."""
    query = select(alert.c.id).where(
        alert.c.open_key.is_not(None),
        alert.c.quiet != "",
        alert.c.urgency != "info",
        alert.c.page_id.is_(None),
        alert.c.id > after,
    )
    return [int(i) for i in conn.execute(query.order_by(alert.c.id).limit(limit)).scalars()]


# ---------------------------------------------------------------- keys


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is kept, never the secret; ``integration`` may be ``heartbeat/<name>``."""

    name: str
    integration: str
    created_at: Seconds
    revoked_at: Seconds | None


def add_key(conn: Connection, hashed: str, name: str, integration: str, now: Seconds) -> None:
    """Keep a key's hash."""
    values = {"hash": hashed, "name": name, "integration": integration, "created_at": now}
    conn.execute(integration_key.insert().values(**values))


def integration_of(conn: Connection, hashed: str) -> str | None:
    """Whose key this is; None when there is none that is not revoked."""
    query = select(integration_key.c.integration).where(
        integration_key.c.hash == hashed, integration_key.c.revoked_at.is_(None)
    )
    return conn.execute(query).scalar_one_or_none()


def keys(conn: Connection, integration: str = "") -> Sequence[Key]:
    """All keys, or those of one integration; oldest first."""
    query = select(integration_key).order_by(integration_key.c.created_at, integration_key.c.name)
    if integration:
        query = query.where(integration_key.c.integration == integration)
    rows = conn.execute(query).mappings()
    return [Key(r["name"], r["integration"], r["created_at"], r["revoked_at"]) for r in rows]


def revoke_key(conn: Connection, integration: str, name: str, now: Seconds) -> int:
    """Close the keys of this name. Returns how many were open."""
    query = update(integration_key).where(
        integration_key.c.integration == integration,
        integration_key.c.name == name,
        integration_key.c.revoked_at.is_(None),
    )
    return int(conn.execute(query.values(revoked_at=now)).rowcount)
