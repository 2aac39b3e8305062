"""Measure: where numbers come from.

Words. A *source* is a place that numbers come from: a Prometheus, exposition pages, an access log,
probes, pushes, SQL. An *SLI* says which of its events are good and which there are at all. A
*count* adds good and total events to one minute of one SLI. A *batch* is what one collection found:
counts, notes for people, and the *cursor*, which says up to where the source has been read.

Rules.
- ``collect(slis, cursor, now)`` reads and writes nothing. The caller saves counts and cursor in one
  transaction: a crash before it means that the same events are read again, and counted once.
- The cursor is all that is remembered. What an adapter keeps in memory is a cache.
- Trouble is a note of kind ``error`` with the old cursor. It is never raised and never counted.
- A minute that was observed without events (``seen``) is not a minute without data.
- Nothing is extrapolated. What is estimated all the same says so in a note.

Each adapter is a folder: ``prometheus``, ``scrape``, ``accesslog``, ``probe``, ``push``, ``sql``.
``counters`` is the arithmetic of cumulative counters, ``selectors`` PromQL's selectors, ``http``
the client with its time-outs and secrets, ``store`` the room's only SQL, ``model`` the contract.
How exactness is kept is told in docs/explanation/exactness.md.
"""
