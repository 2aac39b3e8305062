"""The whole chain under random trouble: crashes at commit points, failing channels, edits.

One seed gives one history; a law that breaks says the seed and the step.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, bindparam, exists, select

from tests.support.duty import CHANNELS, SITE, START, Sent, World, schedule, specs
from watchkeeper.engine.pager import Pager
from watchkeeper.kernel.errors import UserError
from watchkeeper.notify import outbox
from watchkeeper.notify.model import Message, MessageKind, TransportError
from watchkeeper.notify.sending import Sender
from watchkeeper.oncall import audit, store, work
from watchkeeper.oncall.escalation import target_of
from watchkeeper.oncall.model import PageState
from watchkeeper.oncall.schedule.model import Change
from watchkeeper.oncall.schedule.rules import on_call
from watchkeeper.spec.duty import NotifyRule
from watchkeeper.store import Database, asking

PEOPLE = ("ann", "ben", "cho", "dee")
SERVICES = ("checkout", "payments", "search", "")

_c = store.page.c
_BROKEN_OR_NEW = asking.ask(
    exists().where(_c.state == str(PageState.OPEN), _c.due_at.is_(None)),
    exists().where(store.page_call.c.id > bindparam("seen")),
)
"""What the laws ask at each step: open pages without a next step? calls that they have not seen?"""
_CALLS = (
    select(store.page_call)
    .where(store.page_call.c.id > bindparam("seen"))
    .order_by(store.page_call.c.id)
)
_UNRESOLVED = select(_c.id).where(_c.state != str(PageState.RESOLVED)).order_by(_c.id.desc())


class Crash(BaseException):
    """The process is gone at this point."""


class FragileDatabase:
    """A database whose user may crash before a commit, or right after it."""

    def __init__(self, db: Database, dice: random.Random) -> None:
        self._db, self._dice = db, dice
        self.fragile = False
        self.crashes = 0

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        with self._db.read() as conn:
            yield conn

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        with self._db.write() as conn:
            yield conn
            self._maybe(0.01)
        self._maybe(0.01)

    def submit(self, act: Callable[[Connection], object]) -> Done:
        with self.write() as conn:
            return Done(act(conn))

    def _maybe(self, chance: float) -> None:
        if self.fragile and self._dice.random() < chance:
            self.crashes += 1
            raise Crash


@dataclass
class Done:
    """A future that is done."""

    value: object

    def result(self) -> object:
        return self.value


@dataclass
class Chaos:
    """Three replicas and a random history."""

    db: Database
    seed: int
    dice: random.Random = field(init=False)
    world: World = field(init=False)
    fragile: FragileDatabase = field(init=False)
    replicas: list[Pager] = field(default_factory=list)
    changes: dict[str, list[Change]] = field(default_factory=dict)
    started: int = 0
    seen_calls: int = 0
    steps: int = 0
    checked_sent: int = 0
    by_key: dict[tuple[str, str], int] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    pending: list[Callable[[], None]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.world = World(self.db, seed=self.seed)
        self.fragile = FragileDatabase(self.db, self.dice)
        for name in CHANNELS:
            self.world.channels[name].fail = self._failure(name)
        self.replicas = [self._new_replica() for _ in range(3)]

    # -- the parts that fail
    def _new_replica(self) -> Pager:
        self.started += 1
        world = self.world
        sender = Sender(
            self.fragile,  # type: ignore[arg-type]
            lambda channel: world.channels[channel],
            world.clock,
            world.clock.now,
            self.dice.random,
            self._later,
            f"replica-{self.started}",
        )
        return Pager(self.fragile, lambda: world.specs, SITE, sender)  # type: ignore[arg-type]

    def _later(self, work: Callable[[], None]) -> None:
        """A send starts when its thread gets to run: at once, or much later on a paused machine."""
        if self.dice.random() < 0.5:
            work()
        else:
            self.pending.append(work)

    def _run_pending(self, most: int = 3) -> None:
        for _ in range(min(most, len(self.pending))):
            act = self.pending.pop(self.dice.randrange(len(self.pending)))
            with contextlib.suppress(Crash):  # that thread ends with its process
                act()

    def _failure(self, name: str) -> Callable[[Message, str], TransportError | None]:
        def fail(message: Message, _: str) -> TransportError | None:
            if message.kind is MessageKind.PAGE:
                self._law_wanted(message)
            if self.fragile.fragile and self.dice.random() < 0.02:
                self.fragile.crashes += 1
                raise Crash
            if name in self.down:
                return TransportError("down")
            roll = self.dice.random()
            if not self.fragile.fragile or roll > 0.2:
                return None
            return TransportError("odd", unknown=roll < 0.05)

        return fail

    # -- a step
    def step(self) -> None:
        """One thing happens, then one replica does what is due."""
        self.steps += 1
        self.dice.choices(
            (self._signal, self._resolve, self._acknowledge, self._edit, self._wait, self._flip),
            (10, 6, 5, 1, 30, 1),
        )[0]()
        index = self.dice.randrange(len(self.replicas))
        pager = self.replicas[index]
        try:
            pager.sender.beat()
            pager.step(self.world.clock.now())
        except Crash:
            self.replicas[index] = self._new_replica()
        if self.dice.random() < 0.3:
            self._run_pending()
        self._laws()

    def _signal(self) -> None:
        service = self.dice.choice(SERVICES)
        self.world.signal(f"{service}-{self.dice.randrange(4)}", service=service)

    def _resolve(self) -> None:
        service = self.dice.choice(SERVICES)
        key = f"{service}-{self.dice.randrange(4)}"
        self.world.signal(key, service=service, action="resolve")

    def _acknowledge(self) -> None:
        with self.db.read() as conn:
            pages = conn.execute(_UNRESOLVED.limit(100)).scalars().all()
        if pages:
            page_id = self.dice.choice(pages)
            act = self.dice.choice(("ack", "ack", "resolve", "reassign", "snooze"))
            with contextlib.suppress(UserError):
                self._answer(page_id, act)

    def _answer(self, page_id: int, act: str) -> None:
        now, site, who = self.world.clock.now(), SITE, self.dice.choice(PEOPLE)
        with self.db.write() as conn:
            match act:
                case "ack":
                    work.acknowledge(conn, page_id, who, site, now)
                case "resolve":
                    work.resolve(conn, page_id, who, site, now)
                case "snooze":
                    work.snooze(conn, page_id, who, now + 600, site, now)
                case _:
                    work.reassign(conn, page_id, who, (target_of("schedule:second"),), "", now)

    def _edit(self) -> None:
        """Schedules change, people go on leave, rules are edited, while escalations run."""
        first = self.dice.sample(PEOPLE, 2)
        second = [p for p in PEOPLE if p not in first]
        made = specs(
            schedules={"first": schedule("first", *first), "second": schedule("second", *second)}
        )
        if self.dice.random() < 0.3:
            someone = self.dice.choice(PEOPLE)
            duty = made.duty
            rules = (NotifyRule(self.dice.choice((0.0, 60.0)), "call"),)
            users = {**duty.users, someone: replace(duty.users[someone], page=rules)}
            made = replace(made, duty=replace(duty, users=users))
        self.world.specs = made
        if self.dice.random() < 0.5:
            now = self.world.clock.now()
            name = self.dice.choice(("first", "second"))
            change = Change(
                f"c{self.steps}",
                name,
                "override",
                now,
                now + 1800,
                self.dice.choice(PEOPLE),
                "",
                "",
                "x",
            )
            with self.db.write() as conn:
                store.add_change(conn, change, now)
            self.changes.setdefault(name, []).append(change)

    def _wait(self) -> None:
        self.world.clock.advance(self.dice.choice((0.1, 0.5, 0.5, 1.0, 1.0, 5.0, 30.0)))

    def _flip(self) -> None:
        """A channel goes down, or comes back; never all at once."""
        name = self.dice.choice(CHANNELS)
        if name in self.down:
            self.down.discard(name)
        elif len(self.down) < 2:
            self.down.add(name)

    def calm(self, seconds: float = 200.0) -> None:
        """Nothing fails any more, and nobody does anything: what is due gets done."""
        self.fragile.fragile = False
        self.down.clear()
        end = self.world.clock.now() + seconds
        while self.world.clock.now() < end:
            self.world.clock.advance(0.5)
            self._run_pending()
            for pager in self.replicas:
                pager.sender.beat()
                pager.step(self.world.clock.now())
        self._laws()

    # -- laws
    def _law_wanted(self, message: Message) -> None:
        """A page that somebody has, or that is over, sends no more calls."""
        page_id = int(message.thread.removeprefix("page-"))
        with self.db.read() as conn:
            page = store.get(conn, page_id)
        # The sender takes an error of a channel for a defect of it: so remember, and fail later.
        if page is None or page.state is not PageState.OPEN:
            self.broken.append(f"page {page_id} sends although it is {page and page.state}")

    def _laws(self) -> None:
        assert self.broken == [], self._where(self.broken[0])
        with self.db.read() as conn:
            lost, called = asking.answers(conn, _BROKEN_OR_NEW, seen=self.seen_calls)
            assert not lost, self._where("an open page without a next step")
            if called:
                self._law_on_call(conn)
        for sent in self.world.sent[self.checked_sent :]:
            self._law_marked(sent)
        self.checked_sent = len(self.world.sent)

    def _law_on_call(self, conn: Connection) -> None:
        for row in conn.execute(_CALLS, {"seen": self.seen_calls}).mappings():
            self.seen_calls = row["id"]
            if not row["via"].startswith("schedule:"):
                continue
            name = row["via"].removeprefix("schedule:")
            defined = self.world.specs.duty.schedules[name]
            shift = on_call(defined, self.changes.get(name, []), row["at"])
            assert row["user"] in shift.users, self._where(f"{row['user']} is off call in {name}")

    def _law_marked(self, sent: Sent) -> None:
        """Whatever is sent twice says so."""
        key = (sent.message.id, sent.address)
        again = self.by_key.get(key, 0)
        self.by_key[key] = again + 1
        if again:
            assert sent.message.maybe_duplicate, self._where(f"{key} twice, unmarked")

    def law_every_page_was_sent(self) -> None:
        """After the calm: each page that is open has been sent to somebody, and nothing waits."""
        with self.db.read() as conn:
            for page in store.find(conn, states=("open",), limit=1000):
                sent = [d for d in outbox.of_page(conn, page.id) if d.sent_at is not None]
                assert sent, self._where(f"page {page.id} was never sent")
            broken = audit.invariants(conn, self.world.clock.now())
        assert broken == [], self._where(str(broken))

    def _where(self, what: str) -> str:
        at = self.world.clock.now() - START
        return f"seed {self.seed}, step {self.steps}, {at:.1f} s: {what}"
