"""The words of causes, as values. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from watchkeeper.kernel.clock import Minute, Seconds


class Kind(StrEnum):
    """What an episode was caused by. In the order in which equally good answers are preferred."""

    DEPLOYMENT = "deployment"  # of a version, a configuration or a flag
    INFRASTRUCTURE = "infrastructure"
    DEPENDENCY = "dependency"
    TRAFFIC_SPIKE = "traffic_spike"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Change:
    """What was changed, as far as causes care. ``until`` is when a roll-out was done, or ``at``."""

    id: str
    services: tuple[str, ...]
    kind: str
    at: Seconds
    until: Seconds
    title: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A possible cause: ``score`` is 0 (nothing speaks for it) to 1, ``evidence`` says why."""

    kind: Kind
    score: float
    what: str
    evidence: tuple[str, ...] = ()
    service: str = ""
    change: str = ""


@dataclass(frozen=True, slots=True)
class Episode:
    """Minutes [start, end) in which budget burnt; it got worse in minute ``onset``."""

    start: Minute
    end: Minute
    onset: Minute
    bad: float
    total: float
    ongoing: bool = False


@dataclass(frozen=True, slots=True)
class Parts:
    """The bad events of an episode: all four add up to exactly its bad events.

    ``usual``: at the usual rate and demand; ``volume``: more demand at the usual rate; ``rate``:
    the worse rate at the usual demand; ``interaction``: the worse rate on the demand above it.
    """

    usual: Fraction
    volume: Fraction
    rate: Fraction
    interaction: Fraction


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is held of one episode: hypotheses, the likeliest first, and how its events part."""

    episode: Episode
    hypotheses: tuple[Hypothesis, ...]
    usual_rate: float
    usual_demand: float = 1.0  # share of the demand that is usual; 1: it is not known to be more
    slices: tuple[str, ...] = ()
    seen: str = ""  # of which changes it was judged; another means judging anew

    @property
    def best(self) -> Hypothesis:
        """The answer."""
        return self.hypotheses[0]


@dataclass(frozen=True, slots=True)
class Label:
    """What a person said of an interval of an SLO; ``said`` is what we had held at that time."""

    id: str
    slo: str
    start: Minute
    end: Minute
    kind: Kind
    what: str
    note: str
    author: str
    at: Seconds
    said: Kind
    change: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of an account: ``bad`` events and what they are put down to.

    ``episode`` is None for what failed outside of episodes. ``label`` is set when a person said so.
    """

    kind: Kind
    what: str
    bad: Fraction
    episode: Episode | None = None
    verdict: Verdict | None = None
    label: Label | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """Where the budget of an SLO went over [start, end): entries add up to ``consumed``."""

    slo: str
    start: Minute
    end: Minute
    consumed: Fraction
    total: Fraction
    entries: tuple[Entry, ...]
    revision: int

    def by_kind(self) -> Mapping[Kind, Fraction]:
        """Bad events of each kind, all kinds, in their order; they add up to ``consumed``."""
        return {kind: _sum(self.entries, kind) for kind in Kind}


def _sum(entries: Sequence[Entry], kind: Kind) -> Fraction:
    return sum((e.bad for e in entries if e.kind is kind), Fraction(0))
