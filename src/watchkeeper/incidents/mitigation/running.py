"""One server's part: takes runs, carries them out in threads, says that it lives, ends the rest."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote

from watchkeeper.incidents.mitigation import rules, store, work
from watchkeeper.incidents.mitigation.executors import carry_out
from watchkeeper.incidents.mitigation.model import Outcome, Run, RunState, Task
from watchkeeper.incidents.mitigation.tape import Tape
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import StoreError, WatchkeeperError
from watchkeeper.spec.model import Specs
from watchkeeper.spec.response import MitigationDefinition
from watchkeeper.store import Database

MOST = 8
"""Runs that one server carries out at a time."""

log = logging.getLogger("watchkeeper.mitigation")


@dataclass
class Runner:
    """``start`` begins a thread; ``told`` is called when something is to be seen."""

    db: Database
    clock: Clock
    specs: Callable[[], Specs]
    owner: str
    start: Callable[[Callable[[], None]], object]
    told: Callable[[], object] = lambda: None
    _under_way: dict[int, tuple[Run, Tape]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def step(self) -> int:
        """Say that we live and what was printed; take what waits, end what was left alone.

        Returns how many runs were taken.
        """
        self.keep_up()
        now = self.clock.now()
        with self.db.read() as conn:
            if not store.anything(conn, now):
                return 0
        with self.db.write() as conn:
            gone = work.give_up(conn, now)
            with self._lock:
                room = MOST - len(self._under_way)
            taken = work.take(conn, self.owner, now, room) if room > 0 else []
        for run in taken:
            tape = Tape()
            with self._lock:
                self._under_way[run.id] = (run, tape)
            self.start(lambda run=run, tape=tape: self._run(run, tape))  # type: ignore[misc]
        if taken or gone:
            self.told()
        return len(taken)

    @property
    def busy(self) -> bool:
        """True while it carries something out."""
        return bool(self._under_way)

    def keep_up(self) -> None:
        """Say that we live, and save what was printed."""
        with self._lock:
            under_way = list(self._under_way.values())
        news = [(run, tape.news()) for run, tape in under_way]
        if not news:
            return
        until = self.clock.now() + rules.LEASE
        with self.db.write() as conn:
            for run, printed in news:
                store.keep_up(conn, run.id, run.owner, run.fence, until, printed)
        if any(printed is not None for _, printed in news):
            self.told()

    def _run(self, run: Run, tape: Tape) -> None:
        try:
            outcome = self._carry_out(run, tape)
            self._record(run, outcome, tape)
        finally:
            with self._lock:
                del self._under_way[run.id]
            self.told()

    def _carry_out(self, run: Run, tape: Tape) -> Outcome:
        try:
            task = task_of(run, self.specs().response.mitigations.get(run.mitigation))
        except WatchkeeperError as error:
            return Outcome(RunState.FAILED, error.message)
        try:
            return carry_out(run.kind, task, tape)
        except Exception:  # a defect: what was done until then is not known
            log.exception("run %s of %s failed", run.id, run.mitigation)
            return Outcome(RunState.UNKNOWN, "It broke off; the server's log says where")

    def _record(self, run: Run, outcome: Outcome, tape: Tape) -> None:
        for wait in (0.5, 1.0, 2.0, 4.0, None):
            try:
                with self.db.write() as conn:
                    work.finish(conn, run, outcome, tape.text(), self.clock.now(), self.specs())
                return
            except StoreError as error:
                log.error("the end of run %s is not recorded yet: %s", run.id, error)
                if wait is None:
                    return  # its lease ends, and it is shown as unknown
                threading.Event().wait(wait)


def task_of(run: Run, definition: MitigationDefinition | None) -> Task:
    """What is carried out: the definition as it is now, with the run's values, checked again.

    Raises UserError when it is not what was asked for any more.
    """
    if definition is None or str(definition.kind) != run.kind:
        raise WatchkeeperError("Its definition is gone or another; nothing was done.")
    values = rules.checked_values(definition, run.values)
    settings = dict(rules.settings_of(definition, run.dry_run))
    if "url" in settings:
        in_url = {k: quote(v, safe="") for k, v in values.items()}
        settings["url"] = rules.filled(settings["url"], in_url)
    variables = {
        "WATCHKEEPER_INCIDENT": str(run.incident_id),
        "WATCHKEEPER_RUN": str(run.id),
        "WATCHKEEPER_USER": run.by,
        "WATCHKEEPER_DRY_RUN": "1" if run.dry_run else "",
    }
    return Task(rules.filled(settings, values), run.dry_run, run.timeout, variables)
