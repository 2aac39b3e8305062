"""The probe source: makes the probes whose interval is over, side by side."""

from __future__ import annotations

import hashlib
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from watchkeeper.kernel.clock import Seconds, minute_of
from watchkeeper.kernel.errors import UserError
from watchkeeper.measure.counters import Tally
from watchkeeper.measure.http import seconds
from watchkeeper.measure.model import Batch, Note
from watchkeeper.measure.probe.judging import Check, Outcome, Request, check_of
from watchkeeper.measure.probe.probing import Patterns, probe
from watchkeeper.spec.model import SliDefinition, SourceDefinition

MOST_THREADS = 16
INTERVAL_SECONDS = 30.0
TIMEOUT_SECONDS = 10.0
GRACE_SECONDS = 5.0
"""How long after its time-out a probe may still hang, in the resolution of a name."""

Make = Callable[[Request, Patterns, ssl.SSLContext, float, Callable[[], Seconds]], Outcome]


class ProbeSource:
    """Counts the probes that it makes.

    Cursor: ``{"v": 1, "at": {request: seconds}}``, when each request was last made. Settings:
    ``interval`` (30s), ``timeout`` (10s), ``ca_file``, ``insecure_skip_verify``.
    """

    def __init__(self, definition: SourceDefinition, make: Make = probe) -> None:
        settings = definition.settings
        self.name = definition.name
        self._interval = seconds(settings.get("interval"), INTERVAL_SECONDS)
        self._timeout = seconds(settings.get("timeout"), TIMEOUT_SECONDS)
        self._verified = not settings.get("insecure_skip_verify")
        self._tls = tls_of(settings)
        self._make = make

    def collect(
        self, slis: Sequence[SliDefinition], cursor: Mapping[str, Any] | None, now: Seconds
    ) -> Batch:
        """Make the probes that are due; see ``measure.model.Source``."""
        requests, notes = self._requests(slis, now)
        before = dict((cursor or {}).get("at", {}))
        # A tick that comes a moment early must not cost a whole interval.
        due = [
            r for r in requests if not 0 <= now - before.get(_id(r), -1e9) < self._interval * 0.9
        ]
        if not due:
            return Batch((), cursor, notes)
        tally = Tally()
        for request, outcome in self._probe_all({r: requests[r] for r in due}, now).items():
            for check in requests[request]:
                good, why = check.judge(outcome)
                tally.add(check.sli, (), minute_of(outcome.began), float(good), 1.0, True)
                if why:
                    message = f"{request.shown}: {why}"
                    notes.append(Note("failed", message, outcome.began, sli=check.sli))
        after = {_id(r): before[_id(r)] for r in requests if _id(r) in before}
        after |= {_id(r): now for r in due}
        return Batch(tally.counts(), {"v": 1, "at": after}, notes)

    def _requests(
        self, slis: Sequence[SliDefinition], now: Seconds
    ) -> tuple[dict[Request, list[Check]], list[Note]]:
        requests: dict[Request, list[Check]] = {}
        notes = []
        for sli in slis:
            try:
                check = check_of(sli, self._verified)
            except UserError as error:
                notes.append(Note("error", f"{sli.key}: {error}", now, sli=sli.key))
                continue
            requests.setdefault(check.request, []).append(check)
        return requests, notes

    def _probe_all(
        self, requests: Mapping[Request, Sequence[Check]], now: Seconds
    ) -> dict[Request, Outcome]:
        start = time.monotonic()

        def clock() -> Seconds:
            return now + time.monotonic() - start

        threads = min(MOST_THREADS, len(requests))
        pool = ThreadPoolExecutor(threads, thread_name_prefix="probe")
        running: dict[Request, Future[Outcome]] = {}
        for request, checks in requests.items():
            patterns = [c.pattern for c in checks if c.pattern is not None]
            running[request] = pool.submit(
                self._make, request, patterns, self._tls, self._timeout, clock
            )
        rounds = -(-len(requests) // threads)
        wait(running.values(), timeout=rounds * self._timeout + GRACE_SECONDS)
        pool.shutdown(wait=False, cancel_futures=True)
        lost = Outcome(now, self._timeout, f"no answer within {self._timeout:g} s")
        return {
            r: f.result() if f.done() and not f.cancelled() else lost for r, f in running.items()
        }


def tls_of(settings: Mapping[str, Any]) -> ssl.SSLContext:
    """How certificates are verified. Raises UserError when the authorities cannot be read."""
    try:
        context = ssl.create_default_context(cafile=settings.get("ca_file"))
    except (OSError, ssl.SSLError) as error:
        raise UserError(f"ca_file {settings.get('ca_file')} cannot be read: {error}") from None
    if settings.get("insecure_skip_verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _id(request: Request) -> str:
    """A short name of a request for the cursor; headers and bodies may hold secrets."""
    return hashlib.sha256(repr(request).encode()).hexdigest()[:24]
