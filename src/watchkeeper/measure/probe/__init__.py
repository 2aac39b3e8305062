"""Probe: checks that Watchkeeper makes itself, for services that tell nothing of themselves.

Words. A *check* is what an SLI wants of a target: an address and the assertions on its answer. A
*request* is what is sent; checks with the same request share it. A *probe* is one go at a request,
its *outcome* what came of it.

Rules.
- Each probe is one event, at the time it began, for every SLI that has its request: a journey's
  availability, latency and correctness are three judgements of one probe.
- A probe is good when every assertion of the check holds: an answer, its status, its body, the time
  until the whole answer was there, the days its certificate is still good for.
- No answer (no such name, refused, timed out, TLS trouble) is a bad event, with a note that says
  why. It is never "no data": the probe was made.
- A probe ends at its time-out, however slowly the other side dribbles.
- Redirects are not followed: an answer of 3xx is the answer.
- Between probes nothing is known, and nothing is made up for times when Watchkeeper stood still.

The targets come from the definitions in the user's repository: whoever can merge there can make
the server connect to any address that it reaches. That is the purpose; keep it in mind when you
decide who may merge.

``judging`` says whether an outcome fulfils a check and is pure. ``probing`` makes probes,
``source`` is what the engine opens.
"""

from watchkeeper.measure.probe.source import ProbeSource

__all__ = ["ProbeSource"]
