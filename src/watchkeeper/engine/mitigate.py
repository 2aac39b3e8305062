"""The thread that carries mitigations out: often while one is under way, else now and then."""

from __future__ import annotations

import logging
import threading

from watchkeeper.incidents.mitigation.running import Runner
from watchkeeper.kernel.errors import StoreError

BUSY, IDLE = 0.5, 2.0
"""Seconds between two looks while something is under way, and else."""

log = logging.getLogger("watchkeeper.engine")


class MitigationLoop:
    """Steps a runner until stopped."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self._stop, self._awake = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="mitigate", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Something was asked for."""
        self._awake.set()

    def stop(self, timeout: float = 10.0) -> None:
        """Take nothing more; what is under way has ``timeout`` seconds to end."""
        self._stop.set()
        self._awake.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                self.runner.step()
            except StoreError as error:
                log.error("mitigations: %s", error)
            except Exception:  # a defect must not end it
                log.exception("mitigations failed; it goes on")
            self._awake.wait(BUSY if self.runner.busy else IDLE)
            self._awake.clear()
        while self.runner.busy:
            try:
                self.runner.keep_up()
            except StoreError as error:
                log.error("mitigations: %s", error)
            threading.Event().wait(0.1)
