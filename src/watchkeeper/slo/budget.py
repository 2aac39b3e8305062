"""The error budget: 1 − target of all events in the window, signed and exact. Pure.

A target is a decimal, so what it allows is a fraction with whole numerator and denominator:
99.9 % allows ``total · 1 / 1000`` bad events. Decisions compare whole numbers
(``bad · 1000 >= total · 1``), never a rounded quotient: of 1,000,000 events at 99.9 % exactly the
1000th bad one spends the budget. Vectors of floats are exact while products stay under 2**53;
what comes closer to a boundary than their precision is decided again with fractions.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from watchkeeper.slo.model import Budget, Events, State
from watchkeeper.slo.versions import allowance

Evidence = tuple[Events, Decimal]
"""Events, and the target that was in force over them."""

HALF = Fraction(1, 2)


def exact(value: float) -> Fraction:
    """A count as the number it is: floats are exact binary fractions."""
    return Fraction(value)


def allowed(evidence: Sequence[Evidence]) -> Fraction:
    """Bad events that are allowed: Σ over target versions of (1 − target) · total."""
    return sum((allowance(t) * exact(e.total) for e, t in evidence), Fraction(0))


def total(evidence: Sequence[Evidence]) -> Events:
    """All events of the parts together."""
    return Events(
        sum(e.good for e, _ in evidence),
        sum(e.total for e, _ in evidence),
        sum(e.seen for e, _ in evidence),
    )


def remaining_ratio(allowance_events: Fraction, bad: Fraction, events: float) -> float | None:
    """Share of the budget that is left; negative when overspent; None without events.

    A target of 100 % allows nothing: untouched it is all left (1), and with any bad event nothing
    is left (0), as how far over has no meaning as a share of nothing.
    """
    if events <= 0:
        return None
    if allowance_events == 0:
        return 1.0 if bad <= 0 else 0.0
    return float(1 - bad / allowance_events)


def state(allowance_events: Fraction, bad: Fraction, events: float) -> State:
    """ok: more than half is left; at_risk: half or less; depleted: none; no_data: no evidence."""
    if events <= 0:
        return State.NO_DATA
    if bad > 0 and bad >= allowance_events:
        return State.DEPLETED
    return State.OK if bad * 2 < allowance_events or bad <= 0 else State.AT_RISK


def minutes(
    allowance_events: float, bad: float, events: float, window: float
) -> tuple[float, float]:
    """(total, consumed) as minutes of full outage at the window's average traffic.

    The average traffic is ``events / window`` a minute, so a budget of B events lasts
    ``B · window / events`` minutes in which every event is bad; for one target that is
    ``(1 − target) · window``. Without events both are 0: nothing to convert by.
    """
    if events <= 0:
        return 0.0, 0.0
    return allowance_events * window / events, bad * window / events


def budget(evidence: Sequence[Evidence], window_minutes: float, target: Decimal) -> Budget:
    """The budget over the evidence; ``target`` (now) says its minutes where there are no events."""
    events = total(evidence)
    may, bad = allowed(evidence), exact(events.total) - exact(events.good)
    in_minutes, used_minutes = minutes(float(may), float(bad), events.total, window_minutes)
    if events.total <= 0:
        in_minutes = float(allowance(target) * Fraction(window_minutes))
    return Budget(
        float(may),
        float(bad),
        float(may - bad),
        remaining_ratio(may, bad, events.total),
        in_minutes,
        used_minutes,
        in_minutes - used_minutes,
    )


def attainment(events: Events) -> float | None:
    """Share of good events; None for 0/0, which is no evidence of anything."""
    return events.good / events.total if events.total > 0 else None
