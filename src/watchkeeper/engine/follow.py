"""What is done beside the pager: reminders, calendars, and trackers of action items."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from watchkeeper.incidents import store as incidents
from watchkeeper.incidents import telling
from watchkeeper.kernel.clock import Clock, Seconds
from watchkeeper.kernel.errors import WatchkeeperError
from watchkeeper.oncall import calendars
from watchkeeper.oncall.calendars import Fetch
from watchkeeper.oncall.model import Site
from watchkeeper.postmortems import items_work, store_items
from watchkeeper.postmortems.items_work import Opened
from watchkeeper.spec.model import Specs
from watchkeeper.store import Database

log = logging.getLogger("watchkeeper.engine")

Run = Callable[[Callable[[], None]], object]


@dataclass
class Follower:
    """One replica's part. ``run`` runs what talks to other systems aside, so that no tick waits."""

    db: Database
    site: Site
    clock: Clock
    opened: Opened
    run: Run
    fetch: Fetch
    _busy: Lock = field(default_factory=Lock)

    def step(self, specs: Specs, now: Seconds) -> None:
        """Remind people; read calendars and talk to trackers if that is not under way already."""
        with self.db.read() as conn:
            late = incidents.anything_due(conn, now)
            due = store_items.anything_to_tell(conn, now)
            sync = store_items.anything_to_sync(conn, now) or calendars.due(conn, specs, now)
        if late:
            with self.db.write() as conn:
                telling.remind(conn, specs, self.site, now)
        if due:
            with self.db.write() as conn:
                items_work.remind(conn, specs, self.site, now)
        if sync and self._busy.acquire(blocking=False):
            self.run(lambda: self._sync(specs))

    def _sync(self, specs: Specs) -> None:
        try:
            calendars.refresh(self.db, specs, self.fetch, self.clock.now())
            while items_work.sync(self.db, specs, self.site, self.opened, self.clock.now()):
                pass
        except WatchkeeperError as error:
            log.error("%s", error)
        except Exception:  # a defect must not end the following
            log.exception("following up failed; it goes on")
        finally:
            self._busy.release()
