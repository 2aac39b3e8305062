"""What a target allows, in events and in time. Pure; for ``wk calc`` and the documentation.

99.9 % over an average month (30.436875 d) allows 43.8 minutes of full outage.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from watchkeeper.kernel.duration import AVERAGE_MONTH_SECONDS, Duration, parse_duration
from watchkeeper.kernel.errors import UserError
from watchkeeper.slo.burn import PAGE_CONDITIONS
from watchkeeper.slo.versions import allowance

PERIODS = ("1d", "1w", "28d", "30d", "1M", "1Q", "1Y")


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a target allows over a period."""

    period: str
    seconds: float  # of full outage
    events: float | None  # bad events, when the number of events is known


@dataclass(frozen=True, slots=True)
class PagePace:
    """How soon a burn rate that pages would spend the whole budget of a window."""

    long: str
    short: str
    burn_rate: float
    error_ratio: float  # share of bad events at that burn rate
    spends_all_in_seconds: float
    spent_when_paged: float  # share of the budget gone once the long window is full


@dataclass(frozen=True, slots=True)
class Calculation:
    """A target, what it allows over its window and over usual periods, and what pages."""

    target: Decimal
    window: Allowed
    periods: tuple[Allowed, ...]
    paces: tuple[PagePace, ...]


def parse_target(written: str) -> Decimal:
    """``99.9%``, ``99.9`` or ``0.999`` → 0.999. A bare number above 1 is taken as percent.

    Raises UserError when it is no number or not between 0 and 100 %.
    """
    body = written.strip()
    try:
        value = Decimal(body.removesuffix("%").strip())
    except InvalidOperation as error:
        raise UserError(f"{written!r} is not a target", "write e.g. 99.9% or 0.999") from error
    if not value.is_finite():
        raise UserError(f"{written!r} is not a target", "write e.g. 99.9% or 0.999")
    target = value / 100 if body.endswith("%") or value > 1 else value
    if not 0 <= target <= 1:
        raise UserError(f"a target of {written} is impossible", "it must lie between 0 and 100 %")
    return target


def outage_seconds(target: Decimal, period_seconds: float) -> float:
    """Seconds of full outage: (1 − target) × period."""
    return float(allowance(target) * Fraction(period_seconds))


def allowed_events(target: Decimal, events: float) -> float:
    """Bad events: (1 − target) × events."""
    return float(allowance(target) * Fraction(events))


def calculate(target: Decimal, window: Duration, events: float | None = None) -> Calculation:
    """Everything ``wk calc`` shows; ``events`` is the traffic expected over the window."""

    def over(duration: Duration) -> Allowed:
        share = duration.average_seconds / window.average_seconds
        some = None if events is None else allowed_events(target, events * share)
        return Allowed(str(duration), outage_seconds(target, duration.average_seconds), some)

    paces = tuple(
        PagePace(
            c.long,
            c.short,
            float(c.threshold),
            float(allowance(target) * c.threshold),
            window.average_seconds / float(c.threshold),
            float(c.threshold) * parse_duration(c.long).seconds / window.average_seconds,
        )
        for c in PAGE_CONDITIONS
    )
    return Calculation(target, over(window), tuple(over(parse_duration(p)) for p in PERIODS), paces)


def month_minutes(target: Decimal) -> float:
    """Minutes of full outage over an average month of 30.436875 days."""
    return outage_seconds(target, AVERAGE_MONTH_SECONDS) / 60
