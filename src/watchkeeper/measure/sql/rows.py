"""What a query returned, as events per minute. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from watchkeeper.kernel.clock import Minute, minute_of
from watchkeeper.kernel.errors import UserError
from watchkeeper.measure.model import GroupKey

Cell = tuple[float, float]
"""Good and total events of one minute."""
MOST_EVENTS = 2.0**53
"""Above this a double cannot hold every whole number, so counts would no longer be exact."""


@dataclass(frozen=True, slots=True)
class Table:
    """A query's result: names of the columns, and the rows."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass
class Found:
    """Cells per group and minute; ``broken`` are those that were there but cannot be believed."""

    cells: dict[GroupKey, dict[Minute, Cell]] = field(default_factory=dict)
    broken: set[tuple[GroupKey, Minute]] = field(default_factory=set)
    faults: int = 0
    first_fault: str = ""

    def fault(self, what: str) -> None:
        """Count something that cannot be read, and keep the first for people to see."""
        self.faults += 1
        self.first_fault = self.first_fault or what

    def told(self) -> str:
        """What is to be said of the faults; empty when there are none."""
        return (
            f"{self.faults} rows are left out, the first: {self.first_fault}" if self.faults else ""
        )


Weigh = Callable[[float], Cell]
"""What one value of a (minute, value) row counts as."""


def read_pairs(table: Table, labels: Sequence[str], start: Minute, end: Minute) -> Found:
    """Rows of (minute, good, total) and the labels, for minutes in [start, end).

    An empty good or total is 0, as the sum over no rows is in SQL. Raises UserError when a column
    is missing.
    """
    places = columns_of(table.columns, ("minute", "good", "total"), labels)
    found = Found()
    for row in table.rows:
        where = _place(row, places, labels, start, end, found)
        if where is None:
            continue
        good, total = count_of(row[places["good"]]), count_of(row[places["total"]])
        if good is None or total is None:
            shown = (row[places["good"]], row[places["total"]])
            found.broken.add(where)
            found.fault(
                f"{_shown(where[1])}: good {shown[0]!r} and total {shown[1]!r} are no counts"
            )
            continue
        _add(found, where, (good, total))
    _check(found)
    return found


def read_values(
    table: Table, labels: Sequence[str], start: Minute, end: Minute, weigh: Weigh
) -> Found:
    """Rows of (minute, value) and the labels; ``weigh`` says what a value counts as.

    An empty value says nothing: its row is as good as absent.
    """
    value = value_column(table.columns, labels)
    places = columns_of(table.columns, ("minute",), labels)
    found = Found()
    for row in table.rows:
        where = _place(row, places, labels, start, end, found)
        if where is None or row[value] is None:
            continue
        read = number_of(row[value])
        if read is None:
            found.broken.add(where)
            found.fault(f"{_shown(where[1])}: {row[value]!r} is no number")
            continue
        _add(found, where, weigh(read))
    return found


def combine(total: Found, part: Found, part_is_bad: bool) -> Found:
    """Two results of one SLI, all events and the good (or bad) ones; each cell counts as total."""
    found = Found(broken=total.broken | part.broken, faults=total.faults + part.faults)
    found.first_fault = total.first_fault or part.first_fault
    for group in {**total.cells, **part.cells}:
        alls, some = total.cells.get(group, {}), part.cells.get(group, {})
        for minute in sorted({**alls, **some}):
            events, counted = alls.get(minute, (0, 0))[1], some.get(minute, (0, 0))[1]
            good = events - counted if part_is_bad else counted
            found.cells.setdefault(group, {})[minute] = (good, events)
    _check(found)
    return found


def columns_of(
    columns: Sequence[str], needed: Sequence[str], labels: Sequence[str]
) -> dict[str, int]:
    """Where each needed column and label stands, by name in any case.

    Without the names, the columns that are no labels are taken in the order of ``needed``.
    Raises UserError when one is missing.
    """
    names = [c.lower() for c in columns]
    places = {}
    for label in labels:
        if label.lower() not in names:
            raise UserError(
                f"the query returns no column {label!r}, which the SLI groups by",
                f"it returns {', '.join(columns) or 'nothing'}",
            )
        places[label] = names.index(label.lower())
    if all(name in names for name in needed):
        return {**places, **{name: names.index(name) for name in needed}}
    rest = [i for i in range(len(columns)) if i not in places.values()]
    if len(rest) < len(needed):
        raise UserError(
            f"the query returns {len(rest)} columns: {', '.join(columns)}",
            f"select {', '.join(needed)}",
        )
    return {**places, **dict(zip(needed, rest, strict=False))}


def value_column(columns: Sequence[str], labels: Sequence[str]) -> int:
    """The one column that is neither the minute nor a label. Raises UserError otherwise."""
    places = columns_of(columns, ("minute",), labels)
    rest = [i for i in range(len(columns)) if i not in places.values()]
    if len(rest) != 1:
        raise UserError(
            f"the query returns {len(rest)} values a minute: {', '.join(columns)}",
            "select minute and one value",
        )
    return rest[0]


def minute_of_value(value: object) -> Minute | None:
    """The minute of a time as databases give it: timestamp, date, epoch seconds, or text.

    Numbers above 1e11 are milliseconds. None when it is no time.
    """
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            try:
                value = datetime.fromisoformat(str(value).strip())
            except ValueError:
                return None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        return minute_of(moment.timestamp())
    number = number_of(value)
    if number is None or isinstance(value, bool):
        return None
    seconds = number / 1000 if number > 1e11 else number
    return minute_of(seconds) if 0 <= seconds < 1e11 else None


def count_of(value: object) -> float | None:
    """A number of events, 0 for none given; None when it cannot be one."""
    number = 0.0 if value is None else number_of(value)
    return None if number is None or not 0 <= number <= MOST_EVENTS else number


def number_of(value: object) -> float | None:
    """A finite number of SQL as a float; None when it is none."""
    if not isinstance(value, int | float | Decimal):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _place(
    row: Sequence[Any],
    places: Mapping[str, int],
    labels: Sequence[str],
    start: Minute,
    end: Minute,
    found: Found,
) -> tuple[GroupKey, Minute] | None:
    """The group and minute of a row; None for one that is outside or has no time."""
    minute = minute_of_value(row[places["minute"]])
    if minute is None:
        found.fault(f"{row[places['minute']]!r} is no time")
        return None
    if not start <= minute < end:
        return None
    group = tuple(sorted((label, _label(row[places[label]])) for label in labels))
    return group, minute


def _label(value: object) -> str:
    return "" if value is None else str(value)


def _add(found: Found, where: tuple[GroupKey, Minute], cell: Cell) -> None:
    group, minute = where
    cells = found.cells.setdefault(group, {})
    before = cells.get(minute, (0.0, 0.0))
    cells[minute] = (before[0] + cell[0], before[1] + cell[1])


def _check(found: Found) -> None:
    """Take out cells that cannot be: more good events than there were, or fewer than none."""
    for group, cells in found.cells.items():
        for minute, (good, total) in list(cells.items()):
            if not 0 <= good <= total:
                found.broken.add((group, minute))
                found.fault(f"{_shown(minute)}: {good:.15g} good of {total:.15g}")
    for group, minute in found.broken:
        found.cells.get(group, {}).pop(minute, None)


def _shown(minute: Minute) -> str:
    return datetime.fromtimestamp(minute * 60, UTC).strftime("%Y-%m-%d %H:%M UTC")
