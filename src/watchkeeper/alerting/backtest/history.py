"""Histories from counts, from CSV and from a measurement source."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from watchkeeper.alerting.backtest.model import History, Incident
from watchkeeper.kernel.clock import MINUTE, Minute, Seconds, minute_of, window_end
from watchkeeper.kernel.errors import UserError
from watchkeeper.measure.model import Count, GroupKey, Source
from watchkeeper.slo.model import FloatArray
from watchkeeper.spec.model import SliDefinition

MOST_MINUTES = 2 * 366 * 1440
_TIMES = ("minute", "time", "timestamp", "start")
_ROUNDS = 100_000


def of_minutes(cum: FloatArray, first: Minute, begin: Minute) -> History:
    """From cumulative (good, total, seen, …) before each minute from ``first`` on, [n + 1, ≥ 3]."""
    good, total, seen = np.diff(cum[:, :3], axis=0).T
    return History(first * float(MINUTE), good, total, seen, begin=max(0, begin - first))


def from_counts(
    counts: Iterable[Count], start: Seconds, end: Seconds, look_back: float = 0.0
) -> History:
    """The minutes of [start − look_back, end) from measured counts; others are left out."""
    first, last = minute_of(start - look_back), window_end(end)
    n = _length(first, last)
    columns = np.zeros((3, n))
    for count in counts:
        if first <= count.minute < last:
            columns[:, count.minute - first] += (count.good, count.total, count.seen)
    columns[2] = np.minimum(columns[2], 1.0)
    begin = max(0, minute_of(start) - first)
    return History(first * float(MINUTE), columns[0], columns[1], columns[2], begin=begin)


def _length(first: Minute, last: Minute) -> int:
    if last <= first:
        raise UserError("the history ends before it begins", "give an end after the start")
    if last - first > MOST_MINUTES:
        raise UserError("the history is longer than two years", "choose a shorter time")
    return last - first


def from_source(
    source: Source,
    sli: SliDefinition,
    start: Seconds,
    end: Seconds,
    look_back: float = 0.0,
    group: GroupKey = (),
    progress: Callable[[int], None] = lambda _: None,
) -> History:
    """Read a source (Prometheus or any other) from its first minute on, and keep what is asked.

    ``source`` must be made to fetch far enough back. Raises UserError with what the source says
    when it cannot be read.
    """
    cursor: Mapping[str, Any] | None = None
    kept: list[Count] = []
    for _ in range(_ROUNDS):
        batch = source.collect([sli], cursor, end)
        wrong = [n.message for n in batch.notes if n.kind == "error"]
        if wrong:
            raise UserError(f"{source.name} cannot be read: {wrong[0]}", "Look at its settings.")
        kept += [c for c in batch.counts if c.sli == sli.key and c.group == group]
        progress(len(kept))
        cursor = batch.cursor if batch.cursor is not None else cursor
        if not batch.more:
            break
    return from_counts(kept, start, end, look_back)


# ---------------------------------------------------------------- CSV


def from_csv(
    text: str, name: str, start: Seconds | None, end: Seconds | None, look_back: float = 0.0
) -> History:
    """A history from CSV with a heading: ``time``, ``total`` and ``good`` or ``bad``.

    Times are RFC 3339 (no zone: UTC) or epoch seconds; rows of one minute add up; minutes without
    a row were not observed. ``start`` and ``end`` choose what is judged (default: all of it).
    Raises UserError with file, line and column for what cannot be read.
    """
    rows = _rows(text, name)
    counts = [_count(row, line, name) for line, row in rows]
    if not counts:
        raise UserError(f"{name}: there is no row of counts", "One row a minute is expected.")
    first = min(c.minute for c in counts) * float(MINUTE)
    last = (max(c.minute for c in counts) + 1) * float(MINUTE)
    begin = first if start is None else max(start, first)
    before = min(look_back, begin - first)
    return from_counts(counts, begin, last if end is None else min(end, last), before)


def _rows(text: str, name: str) -> list[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(io.StringIO(text))
    known = {(h or "").strip().lower() for h in reader.fieldnames or ()}
    if not known & set(_TIMES) or "total" not in known or not known & {"good", "bad"}:
        raise UserError(
            f"{name}:1:1: the heading is {', '.join(sorted(known)) or 'empty'}",
            "Expected time,good,total or time,bad,total.",
        )
    return [
        (
            reader.line_num,
            {
                (k or "").strip().lower(): (v or "").strip()
                for k, v in row.items()
                if isinstance(v, str)
            },
        )
        for row in reader
        if any(v for v in row.values())
    ]


def _count(row: Mapping[str, str], line: int, name: str) -> Count:
    key = next(k for k in _TIMES if k in row)
    minute = minute_of(instant(row[key], f"{name}:{line}: '{key}'"))
    total = _number(row.get("total", ""), f"{name}:{line}: 'total'")
    if "good" in row:
        good = _number(row["good"], f"{name}:{line}: 'good'")
    else:
        good = total - _number(row.get("bad", ""), f"{name}:{line}: 'bad'")
    if not 0 <= good <= total:
        raise UserError(
            f"{name}:{line}: {good:g} good of {total:g}", "Good lies between 0 and total."
        )
    return Count("csv", minute, good, total)


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise UserError(f"{where} is {text!r}", "A number is expected.") from None
    if not math.isfinite(value) or value < 0:
        raise UserError(f"{where} is {text}", "A number from 0 on is expected.")
    return value


def instant(text: str | float, where: str) -> Seconds:
    """RFC 3339 (no zone: UTC) or epoch seconds; UserError otherwise."""
    try:
        value = float(text)
    except ValueError:
        try:
            moment = datetime.fromisoformat(str(text))
            value = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            value = math.nan
    if not math.isfinite(value) or not 0 <= value < 253_402_300_800:
        raise UserError(f"{where} is {text!r}", "A time such as 2026-11-23T14:00:00Z is expected.")
    return value


# ---------------------------------------------------------------- incidents


def incidents_of(items: Sequence[Mapping[str, Any]], name: str) -> list[Incident]:
    """Labelled incidents from mappings with ``start``, ``end`` and, if it has one, ``name``."""
    found: list[Incident] = []
    for number, item in enumerate(items, 1):
        where = f"{name}: incident {number}"
        if not isinstance(item, Mapping) or not {"start", "end"} <= set(item):
            raise UserError(f"{where} has no 'start' and 'end'", "Give both as times.")
        start = instant(item["start"], f"{where}: 'start'")
        end = instant(item["end"], f"{where}: 'end'")
        if end <= start:
            raise UserError(f"{where} ends before it starts", "Give an end after the start.")
        found.append(Incident(start, end, str(item.get("name") or "")))
    return sorted(found, key=lambda i: i.start)


def incidents_from_csv(text: str, name: str) -> list[Incident]:
    """The same from CSV with the heading ``start,end`` or ``start,end,name``."""
    rows = [
        {(k or "").strip().lower(): (v or "").strip() for k, v in row.items() if isinstance(v, str)}
        for row in csv.DictReader(io.StringIO(text))
    ]
    return incidents_of([r for r in rows if any(r.values())], name)
