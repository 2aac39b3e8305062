"""What is done beside the pager: reminders, calendars, trackers of action items, causes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic

from sqlalchemy import Connection

from watchkeeper.causes import keeping
from watchkeeper.incidents import store as incidents
from watchkeeper.incidents import telling
from watchkeeper.incidents.mitigation import store as runs
from watchkeeper.incidents.mitigation import work as mitigations
from watchkeeper.incidents.status import announcing
from watchkeeper.kernel.clock import Clock, Seconds
from watchkeeper.kernel.errors import WatchkeeperError
from watchkeeper.oncall import calendars
from watchkeeper.oncall.calendars import Fetch
from watchkeeper.oncall.model import Site
from watchkeeper.postmortems import (
    digest_work,
    items_work,
    knowing,
    store,
    store_digest,
    store_items,
)
from watchkeeper.postmortems import work as postmortems
from watchkeeper.postmortems.items_work import Opened
from watchkeeper.reviews import work as reviews
from watchkeeper.slo.model import Fleet
from watchkeeper.spec.model import Specs
from watchkeeper.store import Database

LOOK_EVERY = 5.0
"""Seconds between two looks for incidents that ended and have no postmortem yet."""
JUDGE_EVERY = 60.0
"""Seconds between two looks at causes of budget spent."""
NO_FLEET = Fleet((), 0.0, 0)

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
    fleet: Callable[[], Fleet] = lambda: NO_FLEET
    _looked_at: Seconds = 0.0
    _busy: Lock = field(default_factory=Lock)
    _judged_at: Seconds = 0.0
    _judging: Lock = field(default_factory=Lock)
    _reviewing: Lock = field(default_factory=Lock)

    def step(self, specs: Specs, now: Seconds) -> None:
        """Remind people; read calendars and talk to trackers if that is not under way already."""
        with self.db.read() as conn:
            late = incidents.anything_due(conn, now)
            owed = self._postmortems_owed(conn, specs, now)
            unknown = knowing.anything_to_know(conn)
            digests = store_digest.anything_due(conn, now)
            helped = runs.anything_to_check(conn, now)
            due = store_items.anything_to_tell(conn, now)
            review = reviews.anything_due(conn, specs, now)
            planned = announcing.anything_to_announce(conn, specs, now)
            sync = store_items.anything_to_sync(conn, now) or calendars.due(conn, specs, now)
        if late:
            with self.db.write() as conn:
                telling.remind(conn, specs, self.site, now)
        if helped:
            with self.db.write() as conn:
                mitigations.check(conn, specs, now)
        if owed:
            with self.db.write() as conn:
                postmortems.open_owed(conn, specs, self.fleet(), self.site, now)
                postmortems.remind(conn, specs, self.site, now)
        if unknown:
            with self.db.write() as conn:
                knowing.step(conn, specs, self.site, now)
        if planned:
            with self.db.write() as conn:
                announcing.announce(conn, specs, now)
        if digests:
            with self.db.write() as conn:
                digest_work.send_due(conn, specs, self.site, now)
        if due:
            with self.db.write() as conn:
                items_work.remind(conn, specs, self.site, now)
        if review and self._reviewing.acquire(blocking=False):
            self.run(lambda: self._review(specs, now))
        if sync and self._busy.acquire(blocking=False):
            self.run(lambda: self._sync(specs))
        if now - self._judged_at >= JUDGE_EVERY and self._judging.acquire(blocking=False):
            self._judged_at = now
            self.run(lambda: self._judge(specs, now))

    def _postmortems_owed(self, conn: Connection, specs: Specs, now: Seconds) -> bool:
        if now - self._looked_at < LOOK_EVERY:
            return False
        self._looked_at = now
        owing = [
            s.name for s in specs.response.severities.values() if s.postmortem_within is not None
        ]
        return bool(store.owed(conn, owing, 1)) or store.anything_due(conn, now)

    def _judge(self, specs: Specs, now: Seconds) -> None:
        try:
            keeping.look_again(self.db, specs, self.fleet(), now, monotonic)
        except WatchkeeperError as error:
            log.error("%s", error)
        except Exception:  # a defect must not end the following
            log.exception("judging causes failed; it goes on")
        finally:
            self._judging.release()

    def _review(self, specs: Specs, now: Seconds) -> None:
        try:
            reviews.send_due(self.db, specs, self.site, now)
        except WatchkeeperError as error:
            log.error("%s", error)
        except Exception:  # a defect must not end the following
            log.exception("sending reviews failed; it goes on")
        finally:
            self._reviewing.release()

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
