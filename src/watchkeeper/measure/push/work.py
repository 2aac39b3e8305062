"""The door of push: what one message adds, in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import StoreError, UserError
from watchkeeper.measure import store
from watchkeeper.measure.counters import Tally
from watchkeeper.measure.model import Batch, Count
from watchkeeper.measure.push.matching import add_point, streams
from watchkeeper.measure.push.model import KEEP_KEYS_SECONDS
from watchkeeper.measure.push.otlp import Point, Refusals
from watchkeeper.measure.push.parsing import check_time
from watchkeeper.measure.push.series import BILLION, RefusedError, StreamState
from watchkeeper.spec.model import Place, SliDefinition, SourceDefinition, SourceType

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


def record_points(
    conn: Connection,
    points: Sequence[Point],
    slis: Sequence[SliDefinition],
    refusals: Refusals,
    key: str | None,
    now: Seconds,
    record: Record,
) -> Refusals:
    """Claim the key, move the series on and record what they grew by, all or nothing.

    ``points`` are in the order of their times. Returns ``refusals`` with those added that belong to
    no SLI or cannot be counted. Raises StoreError when another replica moved the same series.
    """
    if key is not None and not store.claim_push(conn, key, now, KEEP_KEYS_SECONDS):
        return Refusals()
    told = Refusals(refusals.reasons.copy())  # a transaction may be tried again
    wanted = _wanted(points, slis, told)
    saved = _load(conn, {point.stream for point in wanted if point.cumulative})
    states = {name: StreamState.load(cursor, int(now * BILLION)) for name, cursor in saved.items()}
    tally = Tally()
    for point in wanted:
        try:
            check_time(point.time / BILLION, now, "the time of a point")
            added = states[point.stream].take(point) if point.cumulative else point.amounts
        except (RefusedError, UserError) as error:
            told.add(f"{point.stream}: {error.args[0]}")
            continue
        if added is not None:
            _add(tally, slis, point, added, told)
    for name, state in states.items():
        held = SourceDefinition(_row(name), SourceType.PUSH, {}, Place(""))
        if not store.save(conn, held, Batch(cursor=state.dump()), now, saved[name]):
            raise StoreError(f"The series of {name!r} moved meanwhile.", "Send the same again.")
    record(conn, Batch(tally.counts()))
    return told


def _wanted(points: Sequence[Point], slis: Sequence[SliDefinition], told: Refusals) -> list[Point]:
    known = set(streams(slis))
    for point in points:
        if point.stream not in known:
            told.add(f"{point.stream}: no SLI measures this metric")
    return [point for point in points if point.stream in known]


def _add(
    tally: Tally,
    slis: Sequence[SliDefinition],
    point: Point,
    added: Sequence[float],
    told: Refusals,
) -> None:
    problems = []
    for sli in slis:
        try:
            add_point(tally, sli, point, added)
        except UserError as error:
            problems.append(error.message)
    if problems:  # a point is refused once, however many SLIs cannot use it
        told.add(f"{point.stream}: {problems[0]}")


def _load(conn: Connection, names: Iterable[str]) -> dict[str, Any]:
    rows = {name: _row(name) for name in sorted(names)}
    found = store.cursors(conn, list(rows.values())) if rows else {}
    return {name: found[row] for name, row in rows.items()}


def _row(stream: str) -> str:
    """Under which name the state of a stream is kept: never that of a source, of fixed length."""
    return f"push#{hashlib.sha256(stream.encode()).hexdigest()}"
