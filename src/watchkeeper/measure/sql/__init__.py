"""SQL: a query says how many events each minute had and how many of them were good.

Words. A *row* is (minute, good, total). The *lookback* is how far back each reading asks again:
rows that come late, or are corrected, are found there. What a minute *stands at* is what was
recorded for it up to now.

Rules.
- The query is read anew over the lookback, and only the difference to what a minute stands at is
  recorded: late rows, corrections and deletions within the lookback stay exact, nothing is counted
  twice.
- ``:from`` is the first instant asked for and ``:to`` the first one after, both in UTC. A time
  without a zone is UTC. Rows outside are left out and said.
- Connections are opened to read only where the database knows how, and rolled back always.
- A row that is no row (no time, negative, more good than total) is shown and left out; it is never
  fatal for the others.

``rows`` reads what a query returns and is pure, ``changes`` finds the differences and is pure,
``reading`` runs the query, ``source`` is what the engine opens.
"""
