"""What queries ask of a hit. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from watchkeeper.kernel.errors import UserError
from watchkeeper.measure.accesslog.hits import Hit
from watchkeeper.measure.model import GroupKey
from watchkeeper.spec.model import CountsSli, LogQuery, Query, SliDefinition

Ask = Callable[[Hit], bool]
LABELS = ("method", "status", "host", "path")


@dataclass(frozen=True, slots=True)
class Question:
    """An SLI as two questions: does this hit count, and is it good?"""

    key: str
    counts: Ask
    good: Ask
    labels: tuple[str, ...]
    paths: tuple[tuple[re.Pattern[str], str], ...]

    def group(self, hit: Hit) -> GroupKey:
        """The hit's label set, for an SLI that is grouped."""
        values = {"method": hit.method, "status": str(hit.status), "host": hit.host}
        return tuple(
            sorted((label, values.get(label) or self._route(hit.path)) for label in self.labels)
        )

    def _route(self, path: str) -> str:
        """The pattern that the path fits, so that ids in paths do not make a group each."""
        return next((name for pattern, name in self.paths if pattern.fullmatch(path)), path)


def question(sli: SliDefinition) -> Question:
    """The questions of an SLI. Raises UserError when it cannot be asked of a log."""
    measurement = sli.measurement
    if not isinstance(measurement, CountsSli) or not isinstance(measurement.total, LogQuery):
        raise UserError(f"SLI {sli.key!r} cannot be counted in an access log.", "Use log queries.")
    unknown = [label for label in sli.group_by if label not in LABELS]
    if unknown:
        raise UserError(
            f"SLI {sli.key!r} groups by {unknown[0]!r}.", f"A log has: {', '.join(LABELS)}."
        )
    total = ask(measurement.total)
    if measurement.good is not None:
        good = _both(total, ask(_log(measurement.good)))
    elif measurement.bad is not None:
        bad = ask(_log(measurement.bad))
        good = _but(total, bad)
    else:
        raise UserError(f"SLI {sli.key!r} has neither good nor bad.", "Give one of them.")
    paths = tuple((glob(p), p) for p in measurement.total.paths)
    return Question(sli.key, total, good, sli.group_by, paths)


def _log(query: Query) -> LogQuery:
    if not isinstance(query, LogQuery):
        raise UserError("A query on an access log is not a log query.", "Use paths, status, …")
    return query


def _both(one: Ask, other: Ask) -> Ask:
    return lambda hit: one(hit) and other(hit)


def _but(one: Ask, other: Ask) -> Ask:
    return lambda hit: one(hit) and not other(hit)


def thresholds(slis: Sequence[SliDefinition]) -> list[float]:
    """Every duration in seconds that some query asks about, ascending."""
    found: set[float] = set()
    for sli in slis:
        if isinstance(sli.measurement, CountsSli):
            for query in (sli.measurement.total, sli.measurement.good, sli.measurement.bad):
                if isinstance(query, LogQuery):
                    found |= {t for t in (query.faster_than, query.slower_than) if t is not None}
    return sorted(found)


def needs_path(slis: Sequence[SliDefinition]) -> bool:
    """True when some query or group asks for the path."""
    return any(
        "path" in sli.group_by or (isinstance(q, LogQuery) and bool(q.paths))
        for sli in slis
        if isinstance(sli.measurement, CountsSli)
        for q in (sli.measurement.total, sli.measurement.good, sli.measurement.bad)
    )


def ask(query: LogQuery) -> Ask:
    """The query as a question. A hit without a duration fits no bound on it."""
    asks: list[Ask] = []
    if query.paths:
        patterns = [glob(p) for p in query.paths]
        asks.append(lambda hit: any(p.fullmatch(hit.path) for p in patterns))
    if query.methods:
        asks.append(lambda hit: hit.method in query.methods)
    if query.status:
        wanted = statuses(query.status)
        asks.append(lambda hit: hit.status in wanted)
    if query.not_status:
        unwanted = statuses(query.not_status)
        asks.append(lambda hit: hit.status not in unwanted)
    if query.host:
        asks.append(lambda hit: hit.host == query.host)
    if query.faster_than is not None:
        fast = query.faster_than
        asks.append(lambda hit: hit.duration is not None and hit.duration <= fast)
    if query.slower_than is not None:
        slow = query.slower_than
        asks.append(lambda hit: hit.duration is not None and hit.duration > slow)
    return lambda hit: all(a(hit) for a in asks)


def glob(pattern: str) -> re.Pattern[str]:
    """``*`` stands for anything within a segment, ``**`` for anything across segments."""
    parts = re.split(r"(\*\*|\*)", pattern)
    kinds = {"**": ".*", "*": "[^/]*"}
    return re.compile("".join(kinds.get(p, re.escape(p)) for p in parts), re.DOTALL)


def statuses(patterns: Sequence[str]) -> frozenset[int]:
    """The statuses that fit ``5xx``, ``404`` or ``500-503``."""
    found: set[int] = set()
    for pattern in patterns:
        low, dash, high = pattern.lower().partition("-")
        if dash:
            found |= set(range(int(low), int(high) + 1))
        else:
            found |= set(range(int(low.replace("x", "0")), int(low.replace("x", "9")) + 1))
    return frozenset(found)
