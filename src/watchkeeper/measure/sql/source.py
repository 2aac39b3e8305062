"""The SQL source: asks queries again over the lookback and records what changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from watchkeeper.kernel.clock import Minute, Seconds, minute_of
from watchkeeper.kernel.errors import UserError, WatchkeeperError
from watchkeeper.measure.http import seconds, secret
from watchkeeper.measure.model import Batch, Count, Note
from watchkeeper.measure.prometheus.minutes import COMPARE
from watchkeeper.measure.sql.changes import Standing, advance, asked_from, standing_of
from watchkeeper.measure.sql.reading import Reader, open_reader
from watchkeeper.measure.sql.rows import Cell, Found, Table, combine, read_pairs, read_values
from watchkeeper.spec.model import (
    CountsSli,
    Query,
    RawSli,
    SliDefinition,
    SourceDefinition,
    SqlQuery,
    ThresholdSli,
)

LOOKBACK_SECONDS = 3600.0
INTERVAL_SECONDS = 60.0
TIMEOUT_SECONDS = 60.0


class SqlSource:
    """Counts events that SQL queries return per minute.

    Cursor: ``{"v": 1, "slis": {key: standing}}`` (``sql.changes.Standing``). Settings: ``url``
    (may be ``{env: NAME}``), ``lookback`` (1h), ``interval`` (60s), ``timeout`` (60s).
    """

    def __init__(self, definition: SourceDefinition, backfill_minutes: int = 30 * 1440) -> None:
        settings = definition.settings
        self.name = definition.name
        self._url = settings["url"]
        self._timeout = seconds(settings.get("timeout"), TIMEOUT_SECONDS)
        self._interval = seconds(settings.get("interval"), INTERVAL_SECONDS)
        self._lookback = max(1, int(seconds(settings.get("lookback"), LOOKBACK_SECONDS) // 60))
        self._backfill = max(backfill_minutes, self._lookback)
        self._reader: Reader | None = None

    def collect(
        self, slis: Sequence[SliDefinition], cursor: Mapping[str, Any] | None, now: Seconds
    ) -> Batch:
        """Ask the queries of SLIs whose interval is over; see ``measure.model.Source``."""
        before = dict((cursor or {}).get("slis", {}))
        after = {sli.key: before[sli.key] for sli in slis if sli.key in before}
        counts: list[Count] = []
        notes: list[Note] = []
        tables: dict[tuple[str, Minute, Minute], Table] = {}
        for sli in slis:
            standing = standing_of(before.get(sli.key))
            # A tick that comes a moment early must not cost a whole interval.
            if standing is not None and 0 <= now - standing.at < self._interval * 0.9:
                continue
            try:
                found, new = self._ask(sli, standing, now, tables)
            except WatchkeeperError as error:
                notes.append(Note("error", f"{sli.key}: {error}", now, sli=sli.key))
                continue
            more, stands = new
            counts += more
            after[sli.key] = stands.as_json()
            if stands.told and (standing is None or standing.told != stands.told):
                message = f"{sli.key}: {stands.told}"
                notes.append(Note("unparsable", message, now, found.faults, sli.key))
        if after == before:
            return Batch(counts, cursor, notes)
        return Batch(counts, {"v": 1, "slis": after}, notes)

    def _ask(
        self,
        sli: SliDefinition,
        standing: Standing | None,
        now: Seconds,
        tables: dict[tuple[str, Minute, Minute], Table],
    ) -> tuple[Found, tuple[list[Count], Standing]]:
        this = minute_of(now) + 1
        asked = (asked_from(standing, this, self._lookback, self._backfill), this)

        def table(query: Query) -> Table:
            # Several SLIs, or the good and the total of one, may read the same query.
            sql = _sql(query)
            if (sql, *asked) not in tables:
                tables[sql, *asked] = self._open().run(sql, *asked)
            return tables[sql, *asked]

        found = _found(sli, table, asked)
        return found, advance(sli.key, standing, found, asked, self._lookback, now)

    def _open(self) -> Reader:
        if self._reader is None:
            self._reader = open_reader(secret(self._url, "url"), self._timeout)
        return self._reader


def _found(sli: SliDefinition, table: Any, asked: tuple[Minute, Minute]) -> Found:  # noqa: ANN401
    """What the queries of an SLI say of the minutes asked for."""
    measurement, labels = sli.measurement, sli.group_by
    match measurement:
        case CountsSli(total=total, good=None, bad=None):
            return read_pairs(table(total), labels, *asked)
        case CountsSli(total=total, good=good, bad=bad):
            part = bad if good is None else good
            alls = read_values(table(total), labels, *asked, weigh=_events)
            some = read_values(table(part), labels, *asked, weigh=_events)
            return combine(alls, some, part_is_bad=good is None)
        case RawSli(query=query, is_failure=is_failure):
            return read_values(table(query), labels, *asked, weigh=lambda v: _ratio(v, is_failure))
        case ThresholdSli(query=query, op=op, value=bound):
            return read_values(
                table(query), labels, *asked, weigh=lambda v: (float(COMPARE[op](v, bound)), 1.0)
            )
        case _:
            raise UserError("it cannot be counted by SQL", "use queries for good and total")


def _sql(query: Query) -> str:
    if not isinstance(query, SqlQuery):
        raise UserError(f"a SQL source needs a query, not {type(query).__name__}")
    return query.sql


def _events(value: float) -> Cell:
    return (value, value)


def _ratio(value: float, is_failure: bool) -> Cell:
    share = min(1.0, max(0.0, value))
    return (1.0 - share if is_failure else share, 1.0)
