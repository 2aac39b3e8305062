"""Verdicts that were reached, labels that people gave, and what was looked at. The room's SQL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    Index,
    Row,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
)

from watchkeeper.causes.model import Episode, Hypothesis, Kind, Label, Verdict
from watchkeeper.kernel.clock import Minute, Seconds
from watchkeeper.kernel.errors import NotFound
from watchkeeper.store import metadata
from watchkeeper.store.writing import upsert

episode = Table(
    "cause_episode",
    metadata,
    Column("slo", String(500), primary_key=True),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("end", BigInteger, nullable=False),
    Column("onset", BigInteger, nullable=False),
    Column("bad", Double, nullable=False),
    Column("total", Double, nullable=False),
    Column("kind", String(30), nullable=False),
    Column("service", String(200), nullable=False),
    Column("change_id", String(100), nullable=False),
    Column("judged_at", Double, nullable=False),
    Column("data", Text, nullable=False),
    Index("ix_cause_episode_end", "end"),
)

label = Table(
    "cause_label",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("slo", String(500), nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("end", BigInteger, nullable=False),
    Column("kind", String(30), nullable=False),
    Column("what", String(300), nullable=False),
    Column("note", Text, nullable=False),
    Column("change_id", String(100), nullable=False),
    Column("said", String(30), nullable=False),
    Column("author", String(200), nullable=False),
    Column("at", Double, nullable=False),
    Index("ix_cause_label_slo", "slo", "start"),
)

looked = Table(
    "cause_looked",
    metadata,
    Column("slo", String(500), primary_key=True),
    Column("bad", Double, nullable=False),
    Column("at", Double, nullable=False),
)


# ---------------------------------------------------------------- verdicts


def kept(conn: Connection, slo: str, start: Minute, end: Minute) -> dict[Minute, Verdict]:
    """The verdicts kept of episodes that touch [start, end), by their last minute."""
    c = episode.c
    touching = select(episode).where(c.slo == slo, c.end > start, c.start < end)
    return {row.end: _verdict(row) for row in conn.execute(touching)}


def keep(conn: Connection, slo: str, verdicts: Sequence[Verdict], at: Seconds) -> None:
    """Keep these instead of all that were kept of the same minutes."""
    for verdict in verdicts:
        its, c = verdict.episode, episode.c
        conn.execute(delete(episode).where(c.slo == slo, c.start < its.end, c.end > its.start))
    upsert(conn, episode, [_row(slo, v, at) for v in verdicts])


def forget(conn: Connection, slo: str, start: Minute, end: Minute, but: Sequence[Minute]) -> None:
    """Drop what was kept within [start, end), except episodes that start in these minutes."""
    c = episode.c
    within = delete(episode).where(c.slo == slo, c.start >= start, c.end <= end)
    conn.execute(within.where(c.start.not_in(list(but))))


def _row(slo: str, verdict: Verdict, at: Seconds) -> dict[str, Any]:
    its, best = verdict.episode, verdict.best
    data = {
        "hypotheses": [
            [h.kind, h.score, h.what, list(h.evidence), h.service, h.change]
            for h in verdict.hypotheses
        ],
        "usual_rate": verdict.usual_rate,
        "usual_demand": verdict.usual_demand,
        "slices": list(verdict.slices),
        "seen": verdict.seen,
        "ongoing": its.ongoing,
    }
    return {
        "slo": slo,
        "start": its.start,
        "end": its.end,
        "onset": its.onset,
        "bad": its.bad,
        "total": its.total,
        "kind": str(best.kind),
        "service": best.service,
        "change_id": best.change,
        "judged_at": at,
        "data": json.dumps(data),
    }


def _verdict(row: Row[Any]) -> Verdict:
    data = json.loads(row.data)
    its = Episode(row.start, row.end, row.onset, row.bad, row.total, bool(data["ongoing"]))
    hypotheses = tuple(
        Hypothesis(Kind(kind), score, what, tuple(evidence), service, change)
        for kind, score, what, evidence, service, change in data["hypotheses"]
    )
    rate, demand = data["usual_rate"], data["usual_demand"]
    return Verdict(its, hypotheses, rate, demand, tuple(data["slices"]), data["seen"])


# ---------------------------------------------------------------- labels


def labels(conn: Connection, slo: str, start: Minute, end: Minute) -> list[Label]:
    """What people said of minutes in [start, end), the oldest first."""
    c = label.c
    touching = select(label).where(c.slo == slo, c.end > start, c.start < end)
    return [_label(row) for row in conn.execute(touching.order_by(c.at, c.id))]


def every_label(conn: Connection, limit: int = 10_000) -> list[Label]:
    """What people said of any SLO, the latest first."""
    query = select(label).order_by(label.c.at.desc(), label.c.id).limit(limit)
    return [_label(row) for row in conn.execute(query)]


def add_label(conn: Connection, added: Label) -> None:
    """Keep what a person said."""
    values = {name: getattr(added, name) for name in _LABEL_FIELDS}
    kinds = {"kind": str(added.kind), "said": str(added.said), "change_id": added.change}
    conn.execute(insert(label).values(**values, **kinds))


def remove_label(conn: Connection, slo: str, label_id: str) -> Label:
    """Forget what a person said of this SLO; returns it. Raises NotFound."""
    query = select(label).where(label.c.id == label_id, label.c.slo == slo)
    row = conn.execute(query).first()
    if row is None:
        raise NotFound(f"Nobody said {label_id!r} of {slo}.", "The causes of the SLO list them.")
    conn.execute(delete(label).where(label.c.id == label_id))
    return _label(row)


_LABEL_FIELDS = ("id", "slo", "start", "end", "what", "note", "author", "at")


def _label(row: Row[Any]) -> Label:
    return Label(
        id=row.id,
        slo=row.slo,
        start=row.start,
        end=row.end,
        kind=Kind(row.kind),
        what=row.what,
        note=row.note,
        author=row.author,
        at=row.at,
        said=Kind(row.said),
        change=row.change_id,
    )


# ---------------------------------------------------------------- what was looked at


def looks(conn: Connection) -> Mapping[str, tuple[float, Seconds]]:
    """Of each SLO that was looked at: its bad events ever, then, and when that was."""
    return {row.slo: (row.bad, row.at) for row in conn.execute(select(looked))}


def note_looks(conn: Connection, bad: Mapping[str, float], at: Seconds) -> None:
    """These SLOs were looked at when they had so many bad events."""
    upsert(conn, looked, [{"slo": slo, "bad": b, "at": at} for slo, b in sorted(bad.items())])
