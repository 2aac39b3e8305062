"""Counts over every window at every step, from cumulative sums. Pure and vectorised."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from decimal import Decimal
from fractions import Fraction

import numpy as np

from watchkeeper.alerting.backtest.model import History
from watchkeeper.kernel.clock import MINUTE
from watchkeeper.kernel.errors import UserError
from watchkeeper.slo.model import BoolArray, FloatArray, IntArray
from watchkeeper.slo.versions import allowance
from watchkeeper.slo.windows import period
from watchkeeper.spec.model import CalendarWindow, RollingWindow, Window


def over(cum: FloatArray, steps: int) -> FloatArray:
    """[n] the sum of the last ``steps`` at the end of each step; ``cum`` is [n + 1] from 0."""
    found = cum[1:].copy()
    if steps < len(found):
        found[steps:] -= cum[1 : len(found) - steps + 1]
    return found


class Counts:
    """One history under one objective, with what is read again and again kept.

    ``p / q`` is 1 − target exactly, so ``q · bad >= p · total`` is decided in whole numbers (exact
    while they stay under 2**53). ``debt`` is the cumulative ``q · bad − p · total`` [n + 1]: what
    is spent beyond what is earned.
    """

    def __init__(self, history: History, target: Decimal, window: Window) -> None:
        self.history, self.window, self.step = history, window, history.step
        self.share: Fraction = allowance(target)
        self.p, self.q = self.share.numerator, self.share.denominator
        self.n = len(history.total)
        self.bad = _cumulative(history.total - history.good)
        self.total = _cumulative(history.total)
        self.seen = _cumulative(history.seen)
        self.debt = self.q * self.bad - self.p * self.total
        self._known: dict[tuple[str, int], FloatArray] = {}
        self._own: tuple[IntArray, IntArray] | None = None
        self._once: dict[Hashable, BoolArray] = {}

    def steps(self, seconds: float) -> int:
        """So many seconds in steps, at least one."""
        return max(1, round(seconds / self.step))

    def of(self, what: str, steps: int) -> FloatArray:
        """[n] ``bad``, ``total``, ``seen`` or ``debt`` over the last so many steps."""
        key = (what, steps)
        if key not in self._known:
            self._known[key] = over(getattr(self, what), steps)
        return self._known[key]

    def once(self, key: Hashable, make: Callable[[], BoolArray]) -> BoolArray:
        """[n] what ``make`` gives, made once: plans have rules in common."""
        if key not in self._once:
            self._once[key] = make()
        return self._once[key]

    @property
    def rolling(self) -> bool:
        """Whether its own window forgets."""
        return isinstance(self.window, RollingWindow)

    @property
    def length(self) -> int:
        """Steps of its own window (of a month, the average one)."""
        return self.steps(self.window.duration.average_seconds)

    def own(self, what: str) -> FloatArray:
        """[n] the same over the SLO's own window as it stands at the end of each step."""
        if self.rolling:
            return self.of(what, self.length)
        cum: FloatArray = getattr(self, what)
        return cum[1:] - cum[self.periods()[0]]

    def periods(self) -> tuple[IntArray, IntArray]:
        """[n] each: the step at which the calendar period began, and how many it has left."""
        if self._own is None:
            self._own = _periods(self.history, self.window, self.n)
        return self._own


def _cumulative(steps: FloatArray) -> FloatArray:
    found = np.zeros(len(steps) + 1)
    np.cumsum(steps, out=found[1:])
    return found


def _periods(history: History, window: Window, n: int) -> tuple[IntArray, IntArray]:
    if not isinstance(window, CalendarWindow) or history.step != MINUTE:
        raise UserError("calendar windows are backtested in minutes", "give one value a minute")
    first = round(history.start / MINUTE)
    starts = np.zeros(n, dtype=np.int64)
    left = np.zeros(n, dtype=np.int64)
    i = 0
    while i < n:
        begin, end = period(window, first + i)
        stop = min(n, end - first)
        starts[i:stop] = max(0, begin - first)
        left[i:stop] = end - first - np.arange(i + 1, stop + 1)
        i = stop
    return starts, left
