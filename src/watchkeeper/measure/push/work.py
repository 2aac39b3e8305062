"""The door of push: what one message adds, in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import UserError
from watchkeeper.measure import store
from watchkeeper.measure.model import Batch, Count
from watchkeeper.measure.push.model import KEEP_KEYS_SECONDS

MOST_KEY = 200

Record = Callable[[Connection, Batch], object]
"""Adds a batch to the ledger in the transaction of the connection (the ledger stands above)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message: how many pushes or points were recorded; a repetition adds none."""

    recorded: int
    duplicate: bool = False


def key_of(sender: str, written: str | None) -> str | None:
    """The key under which a push is remembered: the sender's own, so that two never collide.

    Raises UserError when it is empty or longer than 200 characters.
    """
    if written is None:
        return None
    if not 0 < len(written) <= MOST_KEY:
        raise UserError(
            f"The Idempotency-Key has {len(written)} characters.", f"Expected 1 to {MOST_KEY}."
        )
    return hashlib.sha256(f"{sender}\0{written}".encode()).hexdigest()


def record_counts(
    conn: Connection,
    counts: Sequence[Count],
    pushes: int,
    key: str | None,
    now: Seconds,
    record: Record,
) -> Outcome:
    """Claim the key and record the counts, both or neither (the caller's transaction)."""
    if key is not None and not store.claim_push(conn, key, now, KEEP_KEYS_SECONDS):
        return Outcome(0, duplicate=True)
    record(conn, Batch(counts))
    return Outcome(pushes)
