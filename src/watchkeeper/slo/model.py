"""The words of objectives and budgets, as values. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from watchkeeper.kernel.clock import Minute, Seconds

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

BURN_WINDOWS: tuple[tuple[str, int], ...] = (
    ("5m", 5),
    ("30m", 30),
    ("1h", 60),
    ("2h", 120),
    ("6h", 360),
    ("1d", 1440),
    ("3d", 4320),
    ("7d", 10080),
)
"""Windows of which every SLO's burn rate is shown: (name, minutes). Its own window is added."""


class State(StrEnum):
    """The budget's state as scripts see it. ok: more than half is left."""

    OK = "ok"
    AT_RISK = "at_risk"
    DEPLETED = "depleted"
    NO_DATA = "no_data"


class Look(StrEnum):
    """The state as pages show it (shape + word + colour)."""

    OK = "ok"  # Healthy
    WATCH = "watch"  # Watch: at risk, not burning fast
    BURN = "burn"  # Burning: a page-level burn rate now
    SPENT = "spent"  # Spent
    NONE = "none"  # No data


@dataclass(frozen=True, slots=True)
class Events:
    """Counts over an interval; ``seen`` is the number of minutes that were observed."""

    good: float
    total: float
    seen: int = 0

    @property
    def bad(self) -> float:
        """Events that were not good."""
        return self.total - self.good


@dataclass(frozen=True, slots=True)
class Stretch:
    """What was counted between two moments. ``unseen``: of ``minutes``, which leave out what was
    corrected and what was before the first data, those without data."""

    events: Events
    unseen: int
    minutes: int


@dataclass(frozen=True, slots=True)
class Budget:
    """The error budget, in events, signed: overspent is negative, never clamped.

    ``minutes_*`` say the same as minutes of full outage at the window's average traffic.
    """

    total: float
    consumed: float
    remaining: float
    remaining_ratio: float | None  # None: no events, so no evidence
    minutes_total: float
    minutes_consumed: float
    minutes_remaining: float


@dataclass(frozen=True, slots=True)
class Correction:
    """An interval excluded from an SLO's arithmetic, with who said so and why."""

    id: str
    slo: str
    start: Minute
    end: Minute
    reason: str
    author: str
    created_at: Seconds


@dataclass(frozen=True, slots=True)
class TargetVersion:
    """From minute ``since`` on, the target was this. A change never rewrites the past."""

    since: Minute
    target: Decimal


@dataclass(frozen=True, slots=True)
class SloStatus:
    """Everything that is said of one SLO at one instant."""

    name: str
    display_name: str
    service: str
    journey: str | None
    team: str | None
    aspect: str | None
    target: Decimal
    window: str
    window_start: Minute
    window_end: Minute  # exclusive: the events counted are in [window_start, window_end)
    period_end: Minute  # rolling: equals window_end; calendar: when the period ends
    attainment: float | None
    events: Events
    budget: Budget
    burn_rate: Mapping[str, float | None]
    time_to_exhaustion_seconds: float | None  # with roll-off; 0 when spent; None: never
    time_to_exhaustion_plain_seconds: float | None  # remaining / present burn, no roll-off
    recovers_in_seconds: float | None  # spent: until positive again if no more errors; else None
    even_spend_left: float | None  # ratio that an even spend would leave now (calendar windows
    # by elapsed share; rolling by where the window's events stand; None when no evidence)
    state: State
    look: Look
    as_of: Seconds
    since: Seconds | None = None  # since when it has looked like this, when known
    file: str = ""
    line: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    warnings: Sequence[str] = ()  # SLI looks broken: good > total, total never moves, …


@dataclass(frozen=True, slots=True)
class Series:
    """Events per step: ``starts`` are epoch minutes; arrays have one value a step."""

    starts: IntArray
    good: FloatArray
    total: FloatArray
    seen: FloatArray
    step_minutes: int


@dataclass(frozen=True, slots=True)
class Spend:
    """An interval in which budget was spent: when, how many bad events, share of all consumed."""

    start: Minute
    end: Minute
    bad: float
    share: float
    ongoing: bool = False


@dataclass(frozen=True, slots=True)
class BurnDown:
    """Budget left over the window, as ratios at epoch minutes; ``even`` is an even spend."""

    minutes: IntArray
    left: FloatArray  # NaN: no evidence yet
    even: FloatArray


@dataclass(frozen=True, slots=True)
class SloDetail:
    """One SLO in depth, all read at one ledger revision."""

    status: SloStatus
    burn_down: BurnDown
    per_hour: Series  # over the window
    per_minute: Series  # the last 3 hours
    spends: Sequence[Spend]  # largest first; together with ``elsewhere`` they add up to consumed
    elsewhere: float  # bad events outside the listed spends
    corrections: Sequence[Correction]
    versions: Sequence[TargetVersion]
    unseen_minutes: int  # minutes of the window (since first data) with no data
    revision: int


@dataclass(frozen=True, slots=True)
class WindowCounts:
    """What burn rates were computed from: [len(BURN_WINDOWS), N] each, in the fleet's order."""

    good: FloatArray
    total: FloatArray
    seen: FloatArray


@dataclass(frozen=True, slots=True)
class Fleet:
    """All SLOs at one instant and one ledger revision."""

    statuses: Sequence[SloStatus]
    as_of: Seconds
    revision: int
    counts: WindowCounts | None = field(default=None, repr=False, compare=False)

    def get(self, name: str) -> SloStatus | None:
        """The status of this SLO, or None."""
        return next((s for s in self.statuses if s.name == name), None)
