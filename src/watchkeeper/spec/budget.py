"""What users write about error budgets: what is left, and what that obliges releases to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from watchkeeper.spec.duty import EscalationTarget
from watchkeeper.spec.findings import Place

DAY = 86_400.0


class ReleaseKind(StrEnum):
    """What a release is for: the reason decides whether it may go out."""

    FEATURE = "feature"
    RELIABILITY = "reliability"
    SECURITY = "security"


class BudgetState(StrEnum):
    """How a budget stands by its policy."""

    HEALTHY = "healthy"
    AT_RISK = "at_risk"
    DEPLETED = "depleted"
    NO_DATA = "no_data"


class Combine(StrEnum):
    """How several objectives are one budget: the worst of them, or their mean."""

    WORST = "worst"
    MEAN = "mean"


HALTS: Mapping[BudgetState, tuple[ReleaseKind, ...]] = {
    BudgetState.DEPLETED: (ReleaseKind.FEATURE,),
}
"""What is halted when nothing else is written: features, once the budget is spent."""


@dataclass(frozen=True, slots=True)
class BudgetPolicyDefinition:
    """What a budget obliges to.

    ``services``: whose releases the policy rules. ``journeys`` and ``slos``: whose budgets count;
    when both are empty, all objectives of the services. ``window``: one of the burn windows over
    which the budget is judged, '' for each objective's own. ``at_risk`` and ``depleted``: shares
    of the budget; what is left must be above ``at_risk`` to be healthy and above ``depleted`` not
    to be depleted. ``halt``: which kinds of release each state halts. ``silver_bullets``: how many
    releases a calendar quarter may pass for no reason but that somebody decided so.
    ``longest_exception`` and ``hold`` in seconds: a better state is announced after ``hold``.
    """

    name: str
    display_name: str
    place: Place
    description: str = ""
    services: tuple[str, ...] = ()
    journeys: tuple[str, ...] = ()
    slos: tuple[str, ...] = ()
    window: str = ""
    combine: Combine = Combine.WORST
    at_risk: Decimal = Decimal("0.5")
    depleted: Decimal = Decimal(0)
    halt: Mapping[BudgetState, tuple[ReleaseKind, ...]] = field(default_factory=lambda: dict(HALTS))
    silver_bullets: int = 0
    longest_exception: float = 7 * DAY
    hold: float = 900.0
    announce: tuple[EscalationTarget, ...] = ()
