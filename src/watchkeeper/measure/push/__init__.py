"""Push: counts that others send us, as JSON or as OpenTelemetry metrics.

Words. A *push* is one message of a client. A *stream* is a name that an SLI listens to; for
OpenTelemetry it is the metric's name. An SLI takes what was pushed to its stream when the SLI's
attributes are among those given. A *series* is one stream with one set of attributes.

Rules.
- A push is recorded whole or not at all: its key, the state of its series and its counts are one
  transaction, and it is acknowledged after that transaction is on disk.
- A push with a key that was seen within ``KEEP_KEYS_SECONDS`` is a repetition and adds nothing.
  Without a key, two equal pushes count twice: nobody can tell a repetition from new events.
- A cumulative series adds what it grew by since its last point. It counts anew from zero when its
  start time lies after its last point or its value falls. A repeated or late point adds nothing.
- The first value of a series counts when the series began while its stream was being received (or
  within the last five minutes); otherwise it is where counting begins.
- What belongs to no SLI is refused with the names that are known. It is never dropped in silence.

``parsing`` reads JSON, ``otlp`` OpenTelemetry, ``series`` is the arithmetic of cumulative series,
``matching`` finds the SLIs, ``work`` records in one transaction, ``source`` is what the engine
opens.
"""
