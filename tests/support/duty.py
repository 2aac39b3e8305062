"""A small world of people, schedules and channels under a virtual clock."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from watchkeeper.alerting import work as alerts_work
from watchkeeper.alerting.model import Signal, SignalAction
from watchkeeper.engine.pager import Pager
from watchkeeper.kernel.clock import VirtualClock
from watchkeeper.notify.model import Message, Receipt, Transport, TransportError
from watchkeeper.notify.sending import Sender
from watchkeeper.oncall import store, work
from watchkeeper.oncall.model import Page, Site
from watchkeeper.spec.duty import (
    ChannelDefinition,
    ChannelType,
    ContactDefinition,
    Duty,
    EscalationPolicyDefinition,
    EscalationStep,
    EscalationTarget,
    LayerDefinition,
    NotifyRule,
    RotationKind,
    ScheduleDefinition,
    TargetKind,
    UserDefinition,
)
from watchkeeper.spec.model import Place, ServiceDefinition, Specs
from watchkeeper.store import Database

HERE = Place("duty.yaml")
START = 1_767_600_000.0  # Monday 2026-01-05 08:00 UTC
SITE = Site("https://watch.example", b"secret of the tests")
CHANNELS = ("push", "sms", "call", "mail", "room")


def user(name: str, **more: object) -> UserDefinition:
    """Push at once, text after two minutes, voice after five."""
    rules = (NotifyRule(0, "push"), NotifyRule(120, "sms"), NotifyRule(300, "call"))
    made: dict[str, object] = {
        "contacts": tuple(ContactDefinition(c, f"{name}@{c}") for c in ("push", "sms", "call")),
        "page": rules,
        "team": "shop",
        **more,
    }
    return UserDefinition(name, name.title(), HERE, **made)  # type: ignore[arg-type]


def schedule(name: str, *users: str, **more: object) -> ScheduleDefinition:
    """Daily turns from the world's start."""
    layer = LayerDefinition("days", users, RotationKind.DAILY, 1, "2026-01-05T08:00")
    return ScheduleDefinition(name, name, HERE, layers=(layer,), **more)  # type: ignore[arg-type]


def to(kind: TargetKind, name: str, address: str = "") -> EscalationTarget:
    """A target."""
    return EscalationTarget(kind, name, address)


def policy(
    *steps: tuple[EscalationTarget, float] | EscalationStep, **more: object
) -> EscalationPolicyDefinition:
    """The policy ``default``."""
    made = tuple(
        s if isinstance(s, EscalationStep) else EscalationStep((s[0],), s[1]) for s in steps
    )
    name = str(more.pop("name", "default"))
    return EscalationPolicyDefinition(name, name, HERE, made, **more)  # type: ignore[arg-type]


def specs(
    *, depends: Mapping[str, tuple[str, ...]] | None = None, **more: Mapping[str, object]
) -> Specs:
    """First and second line of the shop, then the whole team."""
    graph = depends or {"checkout": ("payments",), "payments": (), "search": ()}
    everyone = {n: user(n) for n in ("ann", "ben", "cho", "dee")}
    duty: dict[str, object] = {
        "users": everyone,
        "schedules": {
            "first": schedule("first", "ann", "ben"),
            "second": schedule("second", "cho", "dee"),
        },
        "escalation_policies": {
            "default": policy(
                (to(TargetKind.SCHEDULE, "first"), 300.0),
                (to(TargetKind.SCHEDULE, "second"), 300.0),
                repeat=1,
                fallback=(to(TargetKind.TEAM, "shop"),),
            )
        },
        "channels": {c: ChannelDefinition(c, ChannelType.INBOX, {}, HERE) for c in CHANNELS},
        **more,
    }
    services = {n: ServiceDefinition(n, n, HERE, depends_on=d) for n, d in graph.items()}
    return Specs({}, {}, services, {}, {}, {}, Duty(**duty))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that a channel took."""

    at: float
    channel: str
    address: str
    message: Message


@dataclass
class FakeChannel(Transport):
    """Takes everything, or fails as told."""

    name: str
    world: World
    fail: Callable[[Message, str], TransportError | None] = lambda _message, _address: None

    def send(self, message: Message, address: str) -> Receipt:
        error = self.fail(message, address)
        if error is not None and not error.unknown:
            raise error
        self.world.sent.append(Sent(self.world.clock.now(), self.name, address, message))
        if error is not None:
            raise error
        return Receipt(f"id-{len(self.world.sent)}")

    def close(self) -> None:
        """Nothing to let go of."""


@dataclass
class World:
    """One replica over a database, all of it stepped by hand."""

    db: Database
    specs: Specs = field(default_factory=specs)
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(START))
    sent: list[Sent] = field(default_factory=list)
    seed: int = 1
    channels: dict[str, FakeChannel] = field(init=False)
    pager: Pager = field(init=False)

    def __post_init__(self) -> None:
        self.channels = {c: FakeChannel(c, self) for c in CHANNELS}
        self.pager = self.replica("replica-1")

    def replica(self, name: str) -> Pager:
        """Another replica over the same database."""
        chance = random.Random(f"{self.seed}-{name}").random
        sender = Sender(
            self.db,
            lambda channel: self.channels[channel],
            self.clock,
            self.clock.now,
            chance,
            lambda act: act(),
            name,
        )
        return Pager(self.db, lambda: self.specs, SITE, sender)

    def signal(self, key: str = "k", service: str = "checkout", **more: object) -> int | None:
        """A signal comes in; the alert's id."""
        named: dict[str, object] = {"summary": f"{service} fails", **more}
        action = SignalAction(str(named.pop("action", "trigger")))
        made = Signal(key, action, service=service, **named)  # type: ignore[arg-type]
        with self.db.write() as conn:
            return alerts_work.accept(conn, "test", [made], self.clock.now(), self.specs)[
                0
            ].alert_id

    def run(self, seconds: float = 0.0, every: float = 1.0) -> None:
        """Step until this much time has passed."""
        end = self.clock.now() + seconds
        self.pager.step(self.clock.now())
        while self.clock.now() < end:
            self.clock.advance(min(every, end - self.clock.now()))
            self.pager.step(self.clock.now())

    def page(self, page_id: int = 1) -> Page:
        """A page as it is."""
        with self.db.read() as conn:
            found = store.get(conn, page_id)
        assert found is not None
        return found

    def ack(self, page_id: int = 1, actor: str = "ann") -> Page:
        """Somebody has it."""
        with self.db.write() as conn:
            return work.acknowledge(conn, page_id, actor, SITE, self.clock.now())

    def log(self) -> list[tuple[float, str, str]]:
        """(seconds since the start, channel, address) of all that was sent."""
        return [(s.at - START, s.channel, s.address) for s in self.sent]
