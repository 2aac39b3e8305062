"""Probe: checks that Watchkeeper makes itself, for services that tell nothing of themselves.

Words. A *check* is what an SLI wants of a target: an address and the assertions on its answer. A
*probe* is one go at a check. Each probe is one event, at the time it began.

Rules.
- A probe is good when every assertion of its check holds: an answer, its status, its body, the time
  until the whole answer was there, the days its certificate is still good for.
- No answer (no such name, refused, timed out, TLS trouble) is a bad event, with a note that says
  why. It is never "no data": the probe was made.
- Checks that are the same are made once and counted for each SLI that has them.
- Redirects are not followed: an answer of 3xx is the answer.
- Between probes nothing is known; after Watchkeeper itself stood still, nothing is made up for.

``judging`` is pure: it says whether an outcome fulfils a check. ``probing`` makes probes,
``source`` is what the engine opens.
"""
