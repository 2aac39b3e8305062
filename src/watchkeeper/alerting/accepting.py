"""Accept signals: many in a few statements, each in the caller's transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import Connection

from watchkeeper.alerting import folding, quiet, store, store_doors, triage
from watchkeeper.alerting.folding import Arrival
from watchkeeper.alerting.model import Alert, AlertState, Signal, SignalAction
from watchkeeper.alerting.quiet import Silence
from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import StoreError
from watchkeeper.spec.model import Specs
from watchkeeper.store import timeline
from watchkeeper.store.direct import Direct

Door = tuple[str, Signal]
"""An integration's name and what came in by it."""

MOST_TRIES = 10
"""How often one key may be lost to another replica before we give up and say so."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a signal. ``alert_id`` None: it was dropped, or there was nothing to close."""

    alert_id: int | None
    created: bool
    state: AlertState | None


NOTHING = Accepted(None, False, None)


@dataclass(slots=True)
class Hints:
    """What a caller keeps from one call for the next: it makes that faster, never different.

    ``mostly_new``: most of the last signals opened an alert. ``silences``: those last in force.
    """

    mostly_new: bool = False
    silences: Sequence[Silence] = ()


def accept(
    conn: Connection, integration: str, signals: Sequence[Signal], now: Seconds, specs: Specs
) -> list[Accepted]:
    """Open, change or close alerts; in order."""
    return accept_many(conn, [(integration, s) for s in signals], now, specs)


def accept_many(
    conn: Connection, doors: Sequence[Door], now: Seconds, specs: Specs
) -> list[Accepted]:
    """The same for signals of many integrations: a few statements however many there are."""
    return Acceptance(doors, now, specs).finish(conn)


class Acceptance:
    """Signals of many integrations, to be accepted together.

    When the ``hints`` say that most is new, it tries to open before it looks for what is open: the
    outcome is the same, at some statements less when all is new and one more when not.
    """

    def __init__(
        self, doors: Sequence[Door], now: Seconds, specs: Specs, hints: Hints | None = None
    ) -> None:
        rules = list(specs.duty.triage.values())
        self._arrivals = [
            Arrival(name, s, triage.judge(name, s, specs, rules), folding.open_key(name, s.key))
            for name, s in doors
        ]
        self._rounds = [self._by_key(turn) for turn in folding.rounds(self._arrivals)]
        self._specs, self._now, self._hints = specs, now, hints or Hints()
        self._opened: dict[str, Accepted] | None = None

    def _by_key(self, turn: Sequence[int]) -> dict[str, list[int]]:
        groups: dict[str, list[int]] = {}
        for i in turn:
            groups.setdefault(self._arrivals[i].key, []).append(i)
        return groups

    async def begin(self, direct: Direct) -> list[Accepted] | None:
        """PostgreSQL: open what is new and tell the timeline, in one statement. None when something
        is left for `finish`.

        It opens nothing when other silences are in force than was thought. Worth while when the
        hints say that most is new; what becomes of the signals is the same anyhow.
        """
        if not self._rounds:
            return None
        known = self._hints.silences
        made = _made(self._arrivals_of(self._rounds[0]), self._specs, lambda: known, self._now)
        told = [store.dumps(_told(a)) for a in made.values()]
        ends = store.dumps({s.id: s.end for s in known if s.end > self._now})
        ids = await store.open_at_once(direct, list(made.values()), told, ends, self._now)
        if ids is None:
            return None
        self._opened = {k: Accepted(i, True, AlertState.OPEN) for k, i in ids.items()}
        if len(self._rounds) > 1 or len(self._opened) < len(self._rounds[0]):
            return None
        return self._results([self._opened])

    def finish(self, conn: Connection) -> list[Accepted]:
        """Do all of it, or what `begin` has left; what became of the signals, in order."""
        batch = _Batch(conn, self._specs, self._now, self._hints)
        made = []
        for number, turn in enumerate(self._rounds):
            opened = self._opened if number == 0 else None
            made.append(batch.take(self._arrivals_of(turn), opened))
        timeline.append_many(conn, batch.events)
        return self._results(made)

    def _arrivals_of(self, turn: Mapping[str, list[int]]) -> dict[str, list[Arrival]]:
        return {key: [self._arrivals[i] for i in places] for key, places in turn.items()}

    def _results(self, made: Sequence[Mapping[str, Accepted]]) -> list[Accepted]:
        """Of what was done with each key in each round: of many that open one alert, the first
        did."""
        results = [NOTHING] * len(self._arrivals)
        for turn, done in zip(self._rounds, made, strict=True):
            for key, places in turn.items():
                found = done.get(key)
                if found is not None:
                    results[places[0]] = found
                    for i in places[1:]:
                        results[i] = Accepted(found.alert_id, False, found.state)
        self._hints.mostly_new = 2 * sum(r.created for r in results) > len(results)
        return results


class _Batch:
    """One transaction's work: what it did so far, and what it will tell the timeline."""

    def __init__(self, conn: Connection, specs: Specs, now: Seconds, hints: Hints) -> None:
        self.conn, self.specs, self.now, self.hints = conn, specs, now, hints
        self.events: list[timeline.NewEvent] = []

    @cached_property
    def silences(self) -> Sequence[Silence]:
        """Those in force; asked for only when an alert opens."""
        self.hints.silences = store_doors.silences(self.conn, self.now)
        return self.hints.silences

    def take(
        self, groups: Mapping[str, list[Arrival]], opened: Mapping[str, Accepted] | None = None
    ) -> dict[str, Accepted]:
        """One round: every key's signals ask for one thing. ``opened``: what was opened before."""
        if opened is not None:
            done = dict(opened)
        else:
            done = self._open(groups, {}) if self.hints.mostly_new else {}
        waiting = {k: g for k, g in groups.items() if k not in done}
        for _ in range(MOST_TRIES):
            if not waiting:
                return done
            known = store.by_open_keys(self.conn, sorted(waiting))
            changed = {k: self._change(known[k], waiting[k]) for k in known}
            store.save(self.conn, [c for k, c in changed.items() if c != known[k]])
            for key, alert in changed.items():
                self._tell_change(known[key], alert, waiting[key])
                done[key] = Accepted(alert.id, False, alert.state)
            done.update(self._open(waiting, changed))
            waiting = {k: g for k, g in waiting.items() if k not in done and _opens(g)}
        if not waiting:
            return done
        raise StoreError("An alert is opened and closed by many at once.", "Send it again.")

    def _change(self, held: Alert, group: Sequence[Arrival]) -> Alert:
        match group[0].signal.action:
            case SignalAction.RESOLVE:
                return folding.closed(held, self.now)
            case SignalAction.ACKNOWLEDGE:
                return folding.acknowledged(held, group, self.now)
            case _:
                kept = [a for a in group if not a.verdict.drop]
                if not kept:
                    return held
                if folding.worse(held, kept):
                    return folding.closed(held, self.now)
                return folding.repeated(held, kept, self.now)

    def _open(
        self, waiting: Mapping[str, list[Arrival]], changed: Mapping[str, Alert]
    ) -> dict[str, Accepted]:
        """Open what has no open alert, or only one that was closed for being worse now."""
        over = {k for k, a in changed.items() if a.state is AlertState.CLOSED}
        free = {k: g for k, g in waiting.items() if k in over or k not in changed}
        made = _made(free, self.specs, lambda: self.silences, self.now)
        ids = store.insert_open(self.conn, list(made.values()))
        for key, alert_id in ids.items():
            opened = made[key]
            self._tell("alert.opened", alert_id, opened.integration, _told(opened))
        return {k: Accepted(i, True, AlertState.OPEN) for k, i in ids.items()}

    def _tell_change(self, old: Alert, new: Alert, group: Sequence[Arrival]) -> None:
        if old.state is new.state:
            return
        signal = group[-1].signal
        data: dict[str, Any] = {}
        if signal.action is SignalAction.TRIGGER:
            data["reason"] = "it became more urgent and goes on as a new alert"
        self._tell(f"alert.{new.state}", new.id, signal.actor or new.integration, data)

    def _tell(self, kind: str, alert_id: int, actor: str, data: Mapping[str, Any]) -> None:
        self.events.append((self.now, kind, f"alert/{alert_id}", actor[:200], data))


def _made(
    groups: Mapping[str, list[Arrival]],
    specs: Specs,
    silences: Callable[[], Sequence[Silence]],
    now: Seconds,
) -> dict[str, Alert]:
    """The alerts that these would open."""
    made: dict[str, Alert] = {}
    for key, group in groups.items():
        if _opens(group):
            kept = [a for a in group if not a.verdict.drop]
            why = quiet.reason(kept[-1].verdict.labels, specs, silences(), now)
            made[key] = folding.opened(kept, why, now)
    return made


def _told(opened: Alert) -> dict[str, Any]:
    """What the timeline is told of an alert that opens."""
    data: dict[str, Any] = {"summary": opened.summary, "urgency": str(opened.urgency)}
    return {**data, "quiet": opened.quiet} if opened.quiet else data


def _opens(group: Sequence[Arrival]) -> bool:
    trigger = group[0].signal.action is SignalAction.TRIGGER
    return trigger and not all(a.verdict.drop for a in group)
