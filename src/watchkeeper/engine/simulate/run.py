"""Run a scenario: the real engine and pager, a virtual clock, made-up measurements and channels."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from watchkeeper.alerting import work as alerts_work
from watchkeeper.alerting.model import Signal, SignalAction
from watchkeeper.engine.board import Board
from watchkeeper.engine.collect import Collector
from watchkeeper.engine.pager import Pager
from watchkeeper.engine.simulate.model import (
    Answer,
    Entry,
    Errors,
    Expected,
    Failing,
    Happening,
    Outcome,
    Outside,
    Scenario,
    Verdict,
)
from watchkeeper.engine.tick import Engine
from watchkeeper.kernel.clock import Minute, VirtualClock, minute_of
from watchkeeper.kernel.errors import UserError
from watchkeeper.measure.model import Batch, Count, Source
from watchkeeper.notify.model import Message, MessageKind, Receipt, Transport, TransportError
from watchkeeper.notify.sending import Sender
from watchkeeper.oncall import store as duty_store
from watchkeeper.oncall import work as duty_work
from watchkeeper.oncall.model import Site
from watchkeeper.slo import ledger
from watchkeeper.slo import work as slo_work
from watchkeeper.spec.duty import ContactDefinition
from watchkeeper.spec.model import SloDefinition, SourceDefinition, Specs
from watchkeeper.store import Database, timeline

_ORDER = ("happening", "alert", "acknowledged", "resolved", "page", "failed", "sent", "told")
"""Of what happens in one second, the cause comes before its effect."""
SITE = Site("https://watchkeeper.invalid", b"simulated")
MOST_HISTORY = 90 * 1440
"""Minutes of made-up history before the start; longer windows begin with less."""


def simulate(
    specs: Specs, scenario: Scenario, progress: Callable[[float], None] = lambda _: None
) -> Outcome:
    """What would happen. Nothing leaves the machine; the same scenario gives the same answer."""
    db = Database.open(":memory:")
    try:
        return _Run(db, specs, scenario).go(progress)
    finally:
        db.close()


@dataclass
class _Run:
    db: Database
    specs: Specs
    scenario: Scenario
    clock: VirtualClock = field(init=False)
    engine: Engine = field(init=False)
    pager: Pager = field(init=False)
    entries: list[Entry] = field(default_factory=list)
    waiting: list[Happening] = field(init=False)
    errors: list[Errors] = field(default_factory=list)
    failing: list[Failing] = field(default_factory=list)
    seen_event: int = 0
    recorded: Minute = 0
    called: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        scenario = self.scenario
        self.clock = VirtualClock(scenario.start)
        self.waiting = list(scenario.happenings)
        board = Board()
        board.post(specs=self.specs)
        self.engine = Engine(self.db, (), Collector(_no_source), board)
        sender = Sender(
            self.db,
            lambda name: _Recorder(name, self),
            self.clock,
            self.clock.now,
            random.Random(scenario.name).random,  # noqa: S311 - not for secrets
            lambda work: work(),
            "simulated",
        )
        self.pager = Pager(self.db, lambda: self.specs, SITE, sender)

    def go(self, progress: Callable[[float], None]) -> Outcome:
        """All of it."""
        self._prepare()
        end = self.scenario.start + self.scenario.lasts
        next_tick = self.clock.now()
        while self.clock.now() <= end:
            now = self.clock.now()
            self._happen(now)
            if now >= next_tick:
                self._measure(now)
                self.engine.publish(now)
                self.engine.alert(now)
                next_tick += self.scenario.every
            while self.pager.step(now):
                pass
            self._read_events()
            progress((now - self.scenario.start) / max(1.0, self.scenario.lasts))
            self.clock.advance(1.0)
        entries = tuple(sorted(self.entries, key=lambda e: (e.at, _ORDER.index(e.kind))))
        verdicts = tuple(_judge(e, entries, self.scenario) for e in self.scenario.expected)
        return Outcome(self.scenario, entries, verdicts)

    # -- measurements
    def _prepare(self) -> None:
        """History in which exactly as much of each budget is left as the scenario says."""
        end = minute_of(self.scenario.start)
        self.recorded = end
        with self.db.write() as conn:
            slo_work.apply_specs(conn, self.specs, self.scenario.start)
            for slo in self._measured():
                assert slo.sli is not None
                minutes = min(MOST_HISTORY, slo.window.duration.minutes)
                at = np.arange(end - minutes, end, dtype=np.int64)
                total = np.full(len(at), self.scenario.traffic)
                spent = (1.0 - self.scenario.left) * (1.0 - float(slo.target))
                ids = ledger.register(conn, [(slo.sli.key, ())], self.scenario.start)
                rows = np.full(len(at), ids[0], dtype=np.int64)
                # Whole events, spread as evenly as can be.
                bad = np.diff(np.round(np.arange(len(at) + 1) * self.scenario.traffic * spent))
                ledger.record_arrays(conn, rows, at, total - bad, total, np.ones(len(at)))
            ledger.pack(conn, self.scenario.start)
            slo_work.apply_specs(conn, self.specs, self.scenario.start)

    def _measured(self) -> list[SloDefinition]:
        by_key = {s.sli.key: s for s in self.specs.slos.values() if s.sli is not None}
        return list(by_key.values())

    def _measure(self, now: float) -> None:
        until = minute_of(now)
        counts = [
            count
            for minute in range(self.recorded, until)
            for slo in self._measured()
            if (count := self._count(slo, minute)) is not None
        ]
        self.recorded = until
        if counts:
            with self.db.write() as conn:
                slo_work.record_batch(conn, self.specs, Batch(counts), now)

    def _count(self, slo: SloDefinition, minute: Minute) -> Count | None:
        assert slo.sli is not None
        traffic, share = self.scenario.traffic, 0.0
        for error in self.errors:
            named = self.specs.slos[error.slo].sli
            if named is None or named.key != slo.sli.key:
                continue
            over = min(minute * 60 + 60, error.at + error.lasts) - max(minute * 60, error.at)
            if over > 0 and error.silent:
                return None
            share = max(share, error.share * max(0.0, over) / 60)
        bad = round(traffic * share)
        return Count(slo.sli.key, minute, traffic - bad, traffic, 1)

    # -- what happens
    def _happen(self, now: float) -> None:
        while self.waiting and self.waiting[0].at <= now:
            self._one(self.waiting.pop(0), now)

    def _one(self, happening: Happening, now: float) -> None:
        match happening:
            case Errors():
                self.errors.append(happening)
                what = "silence" if happening.silent else f"{happening.share:.0%} errors"
                lasts = f"for {happening.lasts / 60:g} min"
                self._say("happening", f"{happening.slo}: {what} {lasts}")
            case Failing():
                self.failing.append(happening)
                self._say(
                    "happening", f"{happening.channel} fails for {happening.lasts / 60:g} min"
                )
            case Outside():
                signal = Signal(
                    happening.key,
                    SignalAction(happening.action),
                    happening.summary,
                    severity=happening.severity,
                    service=happening.service,
                )
                with self.db.write() as conn:
                    alerts_work.accept(conn, happening.integration, [signal], now, self.specs)
                self._say("happening", f"{happening.integration}: {happening.summary}")
            case Answer():
                self._answer(happening, now)

    def _answer(self, answer: Answer, now: float) -> None:
        page_id = self.called.get(answer.user)
        if page_id is None:
            self._say("happening", f"{answer.user} was not called, so answers nothing")
            return
        act = duty_work.acknowledge if answer.action == "acknowledge" else duty_work.resolve
        try:
            with self.db.write() as conn:
                act(conn, page_id, answer.user, SITE, now)
        except UserError as error:
            self._say("happening", f"{answer.user}: {error.message}")

    def is_down(self, channel: str) -> bool:
        """Whether the scenario lets this channel fail now."""
        now = self.clock.now()
        return any(f.channel == channel and f.at <= now < f.at + f.lasts for f in self.failing)

    def took(self, channel: str, message: Message, address: str) -> None:
        """A channel took a message."""
        page_id = int(message.thread.removeprefix("page-")) if message.thread else None
        with self.db.read() as conn:
            user = next(
                (c.user for c in duty_store.calls_of(conn, page_id or 0)
                 if any(k.address == address and k.channel == channel
                        for k in self._contacts(c.user))), ""
            )  # fmt: skip
        if page_id is not None and user and message.kind is MessageKind.PAGE:
            self.called[user] = page_id
        kind = "sent" if message.kind is MessageKind.PAGE else "told"
        to = f"{user} ({address})" if user else address
        self.entries.append(
            Entry(
                self.clock.now(),
                kind,
                f"{channel} to {to}: {message.title}",
                user,
                channel,
                page_id,
            )
        )

    def _contacts(self, user: str) -> Sequence[ContactDefinition]:
        known = self.specs.duty.users.get(user)
        return known.contacts if known else ()

    def _say(self, kind: str, text: str) -> None:
        self.entries.append(Entry(self.clock.now(), kind, text))

    def _read_events(self) -> None:
        with self.db.read() as conn:
            events = timeline.read(conn, self.seen_event)
            for event in events:
                self.seen_event = event.id
                if event.kind.startswith("alert."):
                    said = event.data.get("summary") or event.kind.removeprefix("alert.")
                    quiet = (
                        f" (nobody is called: {event.data['quiet']})"
                        if event.data.get("quiet")
                        else ""
                    )
                    self._say("alert", f"{event.subject} {said}{quiet}")
                elif event.kind in ("page.acknowledged", "page.resolved"):
                    kind = event.kind.removeprefix("page.")
                    self._say(kind, f"{event.subject} {kind} by {event.actor}")
                elif event.kind == "page.nobody":
                    self._say("page", f"{event.subject}: {event.data.get('what')}: nobody to call")


class _Recorder(Transport):
    """Takes messages into the record, or fails as the scenario says."""

    def __init__(self, name: str, run: _Run) -> None:
        self._name, self._run = name, run

    def send(self, message: Message, address: str) -> Receipt:
        """Write it down."""
        if self._run.is_down(self._name):
            self._run.entries.append(
                Entry(self._run.clock.now(), "failed", f"{self._name} fails: {message.title}",
                      "", self._name)
            )  # fmt: skip
            raise TransportError("the scenario lets this channel fail")
        self._run.took(self._name, message, address)
        return Receipt(message.id)

    def close(self) -> None:
        """Nothing to let go of."""


def _no_source(_: SourceDefinition, __: int) -> Source:
    raise AssertionError("a simulation measures nothing")


def _judge(expected: Expected, entries: Sequence[Entry], scenario: Scenario) -> Verdict:
    start = scenario.start
    if expected.resolved:
        opened = {e.page for e in entries if e.kind == "sent"}
        over = [e for e in entries if e.kind == "resolved"]
        by = [e.at - start for e in over]
        late = expected.within is not None and any(t > expected.within for t in by)
        met = len(over) >= len(opened) and not late
        return Verdict(expected, met, f"{len(over)} of {len(opened)} pages were resolved")
    calls = [
        e
        for e in entries
        if e.kind == "sent"
        and (not expected.user or e.user == expected.user)
        and (not expected.by or e.channel == expected.by)
        and e.at - start >= expected.after
        and (expected.within is None or e.at - start <= expected.within)
    ]
    if not calls:
        return Verdict(expected, expected.never, "never called")
    first = calls[0].at - start
    return Verdict(
        expected, not expected.never, f"called after {first / 60:.1f} min by {calls[0].channel}"
    )
