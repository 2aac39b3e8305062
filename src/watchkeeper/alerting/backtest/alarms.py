"""From where rules hold to the alarms that would have been. Pure.

The machine of ``policies.rules.decide``, walked from change to change instead of from tick to tick:
one alarm per urgency, a page includes the ticket and a ticket the information, and an alarm closes
once its rules have been false for ``hold``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from watchkeeper.alerting.backtest.conditions import holds, unseen
from watchkeeper.alerting.backtest.model import Alarm, Plan, PlanRule, RatioRule
from watchkeeper.alerting.backtest.windows import Counts
from watchkeeper.alerting.model import Urgency
from watchkeeper.kernel import text
from watchkeeper.slo.model import BoolArray
from watchkeeper.spec.duty import BurnRule, ConsumedRule, ExhaustionRule, NoDataRule

ORDER = (Urgency.PAGE, Urgency.TICKET, Urgency.INFO)
UNSEEN = len(ORDER)
"""The bit beside those of the urgencies that says that nothing was observed."""


def alarms(plan: Plan, counts: Counts) -> list[Alarm]:
    """The alarms of a plan over a history, by the time they opened."""
    fired = [holds(rule, counts, plan.guards) for rule in plan.rules]
    codes = np.zeros(counts.n, dtype=np.uint8)
    for rule, where in zip(plan.rules, fired, strict=True):
        codes |= where.view(np.uint8) << np.uint8(ORDER.index(Urgency(rule.urgency)))
    history = counts.history
    if not history.seen.all():
        codes |= unseen(counts).view(np.uint8) << np.uint8(UNSEEN)
    machine = _Machine(plan.guards.hold, history.step)
    starts, ends, values = _runs(codes[history.begin :])
    for start, end, code in zip(starts, ends, values, strict=True):
        machine.run(start, end, code)
    return [_alarm(found, plan, fired, counts) for found in machine.finished()]


def _runs(codes: npt.NDArray[np.uint8]) -> tuple[list[int], list[int], list[int]]:
    """Maximal stretches of equal codes: where they start and end, and the code."""
    if not len(codes):
        return [], [], []
    at = np.concatenate(([0], np.flatnonzero(codes[1:] != codes[:-1]) + 1))
    ends = np.append(at[1:], len(codes))
    return at.tolist(), ends.tolist(), codes[at].tolist()


@dataclass(slots=True)
class _Open:
    """An alarm by steps from the beginning; ``closed`` None: still open."""

    urgency: int
    opened: int
    closed: int | None = None
    clear: int | None = None


@dataclass(slots=True)
class _Machine:
    """What is open, and what was."""

    hold: float
    step: float
    held: list[_Open | None] = field(default_factory=lambda: [None] * len(ORDER))
    done: list[_Open] = field(default_factory=list)

    def run(self, start: int, end: int, code: int) -> None:
        """The same rules hold from step ``start`` to ``end``."""
        at: int | None = start
        while at is not None and at < end:
            self._decide(at, code)
            at = None if code >> UNSEEN & 1 else self._next(at)

    def _next(self, at: int) -> int | None:
        """When something closes by itself, if nothing changes."""
        wait = math.ceil(self.hold / self.step)
        due = [max(at + 1, o.clear + wait) for o in self.held if o and o.clear is not None]
        return min(due, default=None)

    def _decide(self, at: int, code: int) -> None:
        covered = False
        for urgency in range(len(ORDER)):
            mine = bool(code >> urgency & 1)
            self._stand(urgency, at, mine and not covered, covered, bool(code >> UNSEEN & 1))
            covered = covered or mine or self.held[urgency] is not None

    def _stand(self, urgency: int, at: int, wanted: bool, covered: bool, blind: bool) -> None:
        held = self.held[urgency]
        if held is None:
            if wanted:
                self.held[urgency] = _Open(urgency, at)
            return
        if wanted:
            held.clear = None
            return
        if blind and not covered:
            return
        held.clear = at if held.clear is None else held.clear
        if covered or (at - held.clear) * self.step >= self.hold:
            held.closed = at
            self.done.append(held)
            self.held[urgency] = None

    def finished(self) -> list[_Open]:
        """All, in the order they opened; the more urgent first."""
        every = [*self.done, *(o for o in self.held if o is not None)]
        return sorted(every, key=lambda o: (o.opened, o.urgency))


def _alarm(found: _Open, plan: Plan, fired: Sequence[BoolArray], counts: Counts) -> Alarm:
    """In seconds: a decision at step i is made when it ends."""
    begin, step = counts.history.judged_from, counts.step
    at = counts.history.begin + found.opened
    urgency = ORDER[found.urgency]
    why = tuple(
        told(rule)
        for rule, where in zip(plan.rules, fired, strict=True)
        if rule.urgency == urgency and where[at]
    )
    closed = None if found.closed is None else begin + (found.closed + 1) * step
    return Alarm(urgency, begin + (found.opened + 1) * step, closed, why)


def told(rule: PlanRule) -> str:
    """A rule in a few words: ``burn 14.4× over 1h and 5m``."""
    match rule:
        case BurnRule():
            return f"burn {rule.factor:g}× over {rule.long} and {rule.short}"
        case ExhaustionRule():
            plain = "" if rule.roll_off else ", without roll-off"
            return f"budget gone within {text.duration(rule.within)}{plain}"
        case ConsumedRule():
            return f"{text.percent(rule.share)} of the budget consumed"
        case NoDataRule():
            return f"no data for {text.duration(rule.after)}"
        case RatioRule():
            lasting = f" for {text.duration(rule.lasting)}" if rule.lasting else ""
            return f"errors above {text.percent(rule.above)} over {rule.window}{lasting}"
