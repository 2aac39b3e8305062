"""The loop that ticks: on time, never twice at once, and it never gives up."""

from __future__ import annotations

import logging
import threading

from watchkeeper.engine.mitigate import MitigationLoop
from watchkeeper.engine.pager import PagerLoop
from watchkeeper.engine.rooms import RoomsLoop
from watchkeeper.engine.tick import Engine
from watchkeeper.kernel.clock import Clock

log = logging.getLogger("watchkeeper.engine")


class Loop:
    """Runs ticks in a thread of its own every ``interval`` seconds until stopped."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        interval: float,
        pager: PagerLoop | None = None,
        mitigation: MitigationLoop | None = None,
    ) -> None:
        self.engine = engine
        self.pager = pager
        self.rooms: RoomsLoop | None = None
        self.mitigation = mitigation
        self.clock = clock
        self.interval = interval
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Begin ticking."""
        self._thread.start()
        if self.pager is not None:
            self.pager.start()
        if self.rooms is not None:
            self.rooms.start()
        if self.mitigation is not None:
            self.mitigation.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Ask to stop and wait for the tick under way."""
        self._stop.set()
        if self.pager is not None:
            self.pager.stop(timeout)
        if self.rooms is not None:
            self.rooms.stop(timeout)
        if self.mitigation is not None:
            self.mitigation.stop(timeout)
        if self._thread.is_alive():
            self._thread.join(timeout)
        self.engine.collector.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            started = self.clock.now()
            try:
                self.engine.tick(started)
            except Exception:  # a defect in one tick must not end all later ones
                log.exception("tick failed; the next one is due in %s s", self.interval)
                self.engine.board.post(
                    trouble="The last tick failed; numbers may be old. See the server's log."
                )
            self._stop.wait(max(0.2, self.interval - (self.clock.now() - started)))
