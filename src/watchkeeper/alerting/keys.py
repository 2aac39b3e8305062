"""Keys that open an integration's or a heartbeat's door. Kept as hashes; shown once."""

from __future__ import annotations

import hashlib
import secrets

from sqlalchemy import Connection

from watchkeeper.alerting import store_doors
from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.spec.model import Specs
from watchkeeper.store import timeline

KEY_PREFIX = "wki_"
HEARTBEAT = "heartbeat/"
"""Before the name of a heartbeat whose key it is."""


def digest(secret: str) -> str:
    """The form in which a key is kept: SHA-256, hex. Keys are random, so a fast hash is enough."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def create_key(
    conn: Connection, integration: str, name: str, specs: Specs, now: Seconds, actor: str
) -> str:
    """Make a key of 112 random bits and return it, once. Raises NotFound, UserError.

    32 characters in all, letters, digits and ``_``: PagerDuty's clients take it for a routing key.
    """
    _must_exist(specs, integration)
    if not name.strip() or len(name) > 200:
        raise UserError("A key needs a name of up to 200 characters.", "Say where it is used.")
    if any(k.name == name and k.revoked_at is None for k in store_doors.keys(conn, integration)):
        raise UserError(f"{integration} has a key named {name!r}.", "Revoke it, or name another.")
    secret = KEY_PREFIX + secrets.token_hex(14)
    store_doors.add_key(conn, digest(secret), name, integration, now)
    subject = f"integration/{integration}"
    timeline.append(conn, now, "integration.key_made", subject, actor, {"name": name})
    return secret


def revoke_key(conn: Connection, integration: str, name: str, now: Seconds, actor: str) -> None:
    """Close a key for good. Raises NotFound."""
    if not store_doors.revoke_key(conn, integration, name, now):
        raise NotFound(
            f"{integration} has no open key {name!r}.", "`wk integration list` shows them."
        )
    subject = f"integration/{integration}"
    timeline.append(conn, now, "integration.key_revoked", subject, actor, {"name": name})


def _must_exist(specs: Specs, integration: str) -> None:
    duty = specs.duty
    if integration.startswith(HEARTBEAT):
        known = [HEARTBEAT + n for n in duty.heartbeats]
    else:
        known = list(duty.integrations)
    if integration not in known:
        there = ", ".join(known) or "none"
        raise NotFound(f"There is no integration {integration!r}.", f"There are: {there}.")
