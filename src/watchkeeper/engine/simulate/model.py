"""Scenarios and what came of them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from watchkeeper.kernel.clock import Seconds
from watchkeeper.spec.findings import Place


@dataclass(frozen=True, slots=True)
class Errors:
    """From ``at`` on for ``lasts`` seconds, this share of an SLO's events is bad.

    ``silent``: nothing is measured at all.
    """

    at: Seconds
    lasts: float
    slo: str
    share: float
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Outside:
    """Another system's alert comes in, or is resolved."""

    at: Seconds
    key: str
    action: str
    summary: str
    service: str
    severity: str
    integration: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Somebody acknowledges or resolves what they were last called for."""

    at: Seconds
    user: str
    action: str


@dataclass(frozen=True, slots=True)
class Failing:
    """A channel fails from ``at`` on for ``lasts`` seconds."""

    at: Seconds
    lasts: float
    channel: str


Happening = Errors | Outside | Answer | Failing


@dataclass(frozen=True, slots=True)
class Expected:
    """What must (or, with ``never``, must not) happen; times in seconds after the start.

    ``user`` is called, ``by`` a channel, after ``after`` and within ``within``.
    ``resolved``: all pages are over by ``within``.
    """

    place: Place
    user: str = ""
    by: str = ""
    after: float = 0.0
    within: float | None = None
    never: bool = False
    resolved: bool = False

    def __str__(self) -> str:
        until = f" within {self.within / 60:g} min" if self.within is not None else ""
        if self.resolved:
            return f"everything is resolved{until}"
        by = f" by {self.by}" if self.by else ""
        return f"{self.user or 'anybody'} is {'not ' if self.never else ''}called{by}{until}"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A simulation to run.

    ``start`` is when it begins; ``traffic``: events a minute of each SLO; ``left``: the share of
    every budget that is left at the start; ``every``: seconds between two ticks of the engine.
    """

    name: str
    start: Seconds
    time_zone: str
    lasts: float
    traffic: float
    left: float
    every: float
    happenings: tuple[Happening, ...]
    expected: tuple[Expected, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened in the simulation."""

    at: Seconds
    kind: str  # alert, page, called, sent, failed, acknowledged, resolved, happening
    text: str
    user: str = ""
    channel: str = ""
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an expectation was met, and why."""

    expected: Expected
    met: bool
    why: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that happened, in order, and the verdicts."""

    scenario: Scenario
    entries: tuple[Entry, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def met(self) -> bool:
        """True when every expectation was met."""
        return all(v.met for v in self.verdicts)
