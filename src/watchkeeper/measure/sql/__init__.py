"""SQL: a query says how many events each minute had and how many of them were good.

Words. A *row* is (minute, good, total), or (minute, value) for SLIs that compare a value. The
*lookback* is how far back each reading asks again: rows that come late, or are corrected, are found
there. What a minute *stands at* is what was recorded for it up to now.

Rules.
- The query is read anew over the lookback, and only the difference to what a minute stands at is
  recorded: late rows, corrections and deletions within the lookback stay exact, nothing is counted
  twice. The minute in progress is read too: it is corrected by the next reading.
- ``:from`` is the first instant asked for and ``:to`` the first one after, both in UTC;
  ``:from_epoch`` and ``:to_epoch`` are the same in seconds; ``$from`` and so on, too.
  A time without a zone is UTC.
  Rows outside are left out. Several rows of a minute are added up.
- Between its first and its newest row, a minute without a row had no events. After the newest row
  nothing is known yet: who writes the table may be late.
- Only one SELECT is run, on a connection that is opened to read only where the database knows how,
  and is rolled back in any case.
- A row that is no row (no time, negative, more good than total) is shown and left out, and its
  minute keeps what it stood at. It is never fatal for the others.

``rows`` reads what a query returns and ``changes`` finds the differences (both pure), ``reading``
runs the query, ``source`` is what the engine opens.
"""

from watchkeeper.measure.sql.source import SqlSource

__all__ = ["SqlSource"]
