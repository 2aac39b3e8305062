"""A crash right before and right after every single commit of a page's life loses nothing.

The life: an alert comes in, its person is called by push, which fails, so a text goes out; somebody
acknowledges, the alert ends. It is lived once without a crash to count its commits, then once for
each commit and side of it. Whoever was refused by the crash asks again, as senders and people do.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import Connection

from tests.support.chaos import Crash, Done
from tests.support.duty import SITE, World
from watchkeeper.alerting import work as alerts_work
from watchkeeper.alerting.model import Signal, SignalAction
from watchkeeper.engine.pager import Pager
from watchkeeper.notify import outbox
from watchkeeper.notify.model import MessageKind, TransportError
from watchkeeper.notify.sending import Sender
from watchkeeper.oncall import audit, store, work
from watchkeeper.oncall.model import PageState
from watchkeeper.store import Database

BEFORE, AFTER = "before", "after"


@dataclass
class Counted:
    """A database that counts commits, and whose user is gone at one of them."""

    db: Database
    crash_at: int = 0
    side: str = BEFORE
    commits: int = 0
    counting: bool = True

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        with self.db.read() as conn:
            yield conn

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        with self.db.write() as conn:
            yield conn
            self.commits += self.counting
            mine = self.counting and self.commits == self.crash_at
            if mine and self.side == BEFORE:
                raise Crash
        if mine:
            raise Crash

    def submit(self, act: Callable[[Connection], object]) -> Done:
        with self.write() as conn:
            return Done(act(conn))


class Life:
    """One page's life over one database; a process that crashes is replaced by another."""

    def __init__(self, db: Database, crash_at: int, side: str) -> None:
        self.world = World(db)
        self.db = Counted(db, crash_at, side)
        self.started = 0
        self.acked_at = 0.0
        self.world.channels["push"].fail = lambda message, _: (
            TransportError("down") if message.kind is MessageKind.PAGE else None
        )
        self.pager = self._process()

    def _process(self) -> Pager:
        self.started += 1
        world = self.world
        sender = Sender(
            self.db,  # type: ignore[arg-type]
            lambda channel: world.channels[channel],
            world.clock,
            world.clock.now,
            lambda: 0.5,
            lambda act: act(),
            f"process-{self.started}",
        )
        return Pager(self.db, lambda: world.specs, SITE, sender)  # type: ignore[arg-type]

    def surely(self, act: Callable[[Connection, float], object]) -> None:
        """Ask until there is an answer; the process that crashed meanwhile is replaced."""
        for _ in range(2):
            try:
                with self.db.write() as conn:
                    act(conn, self.world.clock.now())
                return
            except Crash:
                self.pager = self._process()

    def run(self, seconds: float) -> None:
        end = self.world.clock.now() + seconds
        while self.world.clock.now() < end:
            self.world.clock.advance(0.5)
            self.db.counting = False  # a beat is no step of a page's life
            self.pager.sender.beat()
            self.db.counting = True
            try:
                self.pager.step(self.world.clock.now())
            except Crash:
                self.pager = self._process()

    def signal(self, action: SignalAction) -> None:
        made = Signal("k", action, "checkout fails", service="checkout")
        specs = self.world.specs
        self.surely(lambda conn, now: alerts_work.accept(conn, "test", [made], now, specs))

    def live(self) -> None:
        self.run(1)
        self.signal(SignalAction.TRIGGER)
        self.run(8)
        self.surely(lambda conn, now: work.acknowledge(conn, 1, "ann", SITE, now))
        self.acked_at = self.world.clock.now()
        self.run(5)
        self.signal(SignalAction.RESOLVE)
        self.run(5)


def lived(db: Database, crash_at: int = 0, side: str = BEFORE) -> Life:
    life = Life(db, crash_at, side)
    life.live()
    return life


@pytest.fixture(scope="module")
def commits() -> int:
    """How many commits the life has when nothing goes wrong."""
    return lived(Database.open(":memory:")).db.commits


def test_the_life_has_all_its_commits(commits: int) -> None:
    # accept, route, escalate, claim, record the failure, claim, record the text, acknowledge, end …
    assert commits >= 10


@pytest.mark.parametrize("side", [BEFORE, AFTER])
def test_whichever_commit_it_crashes_at_the_page_is_sent_answered_and_over(
    commits: int, side: str
) -> None:
    for crash_at in range(1, commits + 1):
        db = Database.open(":memory:")

        life = lived(db, crash_at, side)

        where = f"crash {side} commit {crash_at} of {commits}"
        assert life.started == 2, where
        calls = [s for s in life.world.sent if s.message.kind is MessageKind.PAGE]
        assert calls, f"{where}: nobody was called"
        assert all(s.at <= life.acked_at for s in calls), f"{where}: called after the answer"
        unmarked = [s for s in calls if not s.message.maybe_duplicate]
        assert len(unmarked) <= 1, f"{where}: called twice, unmarked"
        with db.read() as conn:
            (page,) = store.find(conn)
            assert (page.state, page.acked_by) == (PageState.RESOLVED, "ann"), where
            assert alerts_work.find(conn, states=("open", "acknowledged")) == [], where
            assert audit.invariants(conn, life.world.clock.now()) == [], where
            waiting = [d for d in outbox.of_page(conn, 1) if d.state in ("due", "leased")]
            assert waiting == [], where
        db.close()
