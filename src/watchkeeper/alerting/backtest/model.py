"""The words of a backtest, as values. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np

from watchkeeper.alerting.model import Urgency
from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.duration import Duration
from watchkeeper.kernel.errors import UserError
from watchkeeper.slo.model import FloatArray
from watchkeeper.spec.duty import NO_GUARDS, AlertRule, Guards


@dataclass(frozen=True, slots=True)
class History:
    """Events of one SLI: step i covers [start + i · step, start + (i + 1) · step) seconds.

    ``good``, ``total`` and ``seen`` (1: this step was observed) are float64 [n]. Decisions are made
    at the end of each step from ``begin`` on; what lies before only fills the windows.
    """

    start: Seconds
    good: FloatArray
    total: FloatArray
    seen: FloatArray
    step: float = 60.0
    begin: int = 0

    def __post_init__(self) -> None:
        n = len(self.total)
        if len(self.good) != n or len(self.seen) != n:
            raise UserError("a history's columns differ in length", "give one value a step in each")
        if not 0 <= self.begin <= n:
            raise UserError("a history begins outside itself", "begin with one of its steps")

    @classmethod
    def of(
        cls,
        good: Sequence[float] | FloatArray,
        total: Sequence[float] | FloatArray,
        *,
        start: Seconds = 0.0,
        step: float = 60.0,
        begin: int = 0,
    ) -> History:
        """All steps observed."""
        every = np.asarray(total, dtype=np.float64)
        fine = np.asarray(good, dtype=np.float64)
        return cls(start, fine, every, np.ones(len(every)), step, begin)

    @property
    def end(self) -> Seconds:
        """When its last step ends."""
        return self.start + len(self.total) * self.step

    @property
    def judged_from(self) -> Seconds:
        """From when on decisions are made."""
        return self.start + self.begin * self.step


@dataclass(frozen=True, slots=True)
class RatioRule:
    """A rule as many teams have it in Prometheus: error ratio over ``window`` > ``above``.

    It fires once that has held ``lasting`` seconds (Prometheus' ``for``), and only in backtests: a
    duration clause cannot tell a burst from a trickle (The Site Reliability Workbook, ch. 5, 3).
    """

    window: Duration
    above: Decimal
    lasting: float
    urgency: str


PlanRule = AlertRule | RatioRule


@dataclass(frozen=True, slots=True)
class Plan:
    """What is tried: rules, and the guards that hold them back."""

    name: str
    rules: tuple[PlanRule, ...]
    guards: Guards = NO_GUARDS


@dataclass(frozen=True, slots=True)
class Incident:
    """A time in which people say that something was wrong: [start, end) in epoch seconds."""

    start: Seconds
    end: Seconds
    name: str = ""


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alert that would have been: opened, closed (None: still open at the end), and why."""

    urgency: Urgency
    opened: Seconds
    closed: Seconds | None
    rules: tuple[str, ...] = ()

    def until(self, end: Seconds) -> Seconds:
        """When it closed, or the history's end."""
        return end if self.closed is None else self.closed


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one incident under one plan.

    ``detection`` seconds from its start to the first alarm, None: missed; ``reset`` seconds from
    its end to the end of the last alarm that told of it; ``budget`` the share of the whole budget
    that it had spent when it was detected (or, missed, at its end).
    """

    incident: Incident
    detection: float | None
    reset: float | None
    budget: float | None


@dataclass(frozen=True, slots=True)
class Score:
    """One plan over one history.

    ``precision`` is the share of alarms that told of an incident, ``recall`` the share of incidents
    that were told; None where there is nothing to divide by. The figures are those of pages, or of
    tickets for a plan that has no page; ``weeks`` is how long was judged.
    """

    plan: Plan
    alarms: Sequence[Alarm]
    told: Sequence[Told]
    weeks: float
    pages: int
    tickets: int
    precision: float | None
    recall: float | None

    @property
    def pages_per_week(self) -> float:
        """Pages a week."""
        return self.pages / self.weeks if self.weeks > 0 else 0.0

    @property
    def tickets_per_week(self) -> float:
        """Tickets a week."""
        return self.tickets / self.weeks if self.weeks > 0 else 0.0

    def median(self, what: str) -> float | None:
        """Median ``detection``, ``reset`` or ``budget`` of the incidents that were told."""
        values = [
            v for t in self.told if t.detection is not None and (v := getattr(t, what)) is not None
        ]
        return float(np.median(values)) if values else None


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The plan to take, and why in a sentence."""

    plan: str
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """A backtest of one SLO. ``inferred``: nobody labelled incidents, they were found in counts."""

    slo: str
    start: Seconds
    end: Seconds
    incidents: Sequence[Incident]
    inferred: bool
    scores: Sequence[Score]
    recommendation: Recommendation | None
    notes: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
