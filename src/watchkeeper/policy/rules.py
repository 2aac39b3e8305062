"""What is left of budgets, which state that is, and how it is said. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_FLOOR, Decimal

from watchkeeper.kernel.clock import Seconds
from watchkeeper.policy.model import Evidence, Kept, Standing, Terms
from watchkeeper.slo.model import SloStatus
from watchkeeper.slo.subjects import base_name
from watchkeeper.spec.budget import (
    BudgetPolicyDefinition,
    BudgetState,
    Combine,
    ReleaseKind,
)
from watchkeeper.spec.model import Place, Specs

RANK = (BudgetState.NO_DATA, BudgetState.HEALTHY, BudgetState.AT_RISK, BudgetState.DEPLETED)
WORDS: Mapping[BudgetState, str] = {
    BudgetState.HEALTHY: "healthy",
    BudgetState.AT_RISK: "at risk",
    BudgetState.DEPLETED: "depleted",
    BudgetState.NO_DATA: "without data",
}
BUILT_IN = "default"
"""The name of what holds for a service that no policy rules."""


def policies_for(specs: Specs, service: str) -> list[BudgetPolicyDefinition]:
    """The policies that rule a service's releases; the built-in one when there is none."""
    found = [p for p in specs.budgets.values() if service in p.services]
    if found:
        return found
    return [BudgetPolicyDefinition(BUILT_IN, BUILT_IN, Place("built in"), services=(service,))]


def counted(policy: BudgetPolicyDefinition, specs: Specs) -> list[str]:
    """The names of the objectives whose budgets count for a policy, each once, as written."""
    if not policy.journeys and not policy.slos:
        return [name for name, slo in specs.slos.items() if slo.service in policy.services]
    journeys = [specs.journeys[j] for j in policy.journeys if j in specs.journeys]
    named = [*(s for j in journeys for s in j.slos), *policy.slos]
    return list(dict.fromkeys(n for n in named if n in specs.slos))


def terms_of(policy: BudgetPolicyDefinition) -> Terms:
    """What of a policy decides."""
    halt = {str(state): tuple(str(k) for k in kinds) for state, kinds in policy.halt.items()}
    return Terms(
        policy.name, str(policy.combine), float(policy.at_risk), float(policy.depleted), halt
    )


def left_of(status: SloStatus, window: str) -> float | None:
    """The share of its budget that is left, over its own window or another; None: no evidence.

    Over another window W it is 1 − burn rate over W: the burn rate is the share of W's own budget
    that was consumed (Google, The Site Reliability Workbook, chapter 5).
    """
    if not window:
        return status.budget.remaining_ratio
    burn = status.burn_rate.get(window)
    return None if burn is None else 1.0 - burn


def evidence_of(
    policy: BudgetPolicyDefinition, statuses: Sequence[SloStatus]
) -> tuple[Evidence, ...]:
    """What these objectives say, in their order."""
    return tuple(
        Evidence(s.name, str(s.target), policy.window or s.window, s.events.good, s.events.total,
                 left_of(s, policy.window))
        for s in statuses
    )  # fmt: skip


def state_of(left: float | None, terms: Terms) -> BudgetState:
    """The state that what is left is. Compared as decimals, so that 50 % is 50 %."""
    if left is None:
        return BudgetState.NO_DATA
    share = Decimal(repr(left))
    if share <= Decimal(repr(terms.depleted)):
        return BudgetState.DEPLETED
    return BudgetState.AT_RISK if share <= Decimal(repr(terms.at_risk)) else BudgetState.HEALTHY


def judged(terms: Terms, evidence: Sequence[Evidence]) -> Standing:
    """How the budget stands: by the worst objective, or by the mean of those with evidence."""
    known = [(e.left, e.slo) for e in evidence if e.left is not None]
    if not known:
        return Standing(terms, BudgetState.NO_DATA, None, "", tuple(evidence))
    least, worst = min(known)
    left = least
    if terms.combine == Combine.MEAN:
        left = sum(share for share, _ in known) / len(known)
    return Standing(terms, state_of(left, terms), left, worst, tuple(evidence))


def standing(policy: BudgetPolicyDefinition, specs: Specs, by_slo: StatusesOf) -> Standing:
    """How a policy's budget stands now."""
    statuses = [s for name in counted(policy, specs) for s in by_slo.get(name, ())]
    return judged(terms_of(policy), evidence_of(policy, statuses))


StatusesOf = Mapping[str, Sequence[SloStatus]]
"""An objective's definition → its statuses: one, or one for each label set."""


def by_definition(statuses: Sequence[SloStatus]) -> dict[str, list[SloStatus]]:
    """The statuses of each definition."""
    found: dict[str, list[SloStatus]] = {}
    for status in statuses:
        found.setdefault(base_name(status.name), []).append(status)
    return found


def worse(one: BudgetState, other: BudgetState) -> bool:
    """Whether one state is worse than another."""
    return RANK.index(one) > RANK.index(other)


# ---------------------------------------------------------------- changes of state


def observed(kept: Kept | None, now_is: Standing, hold: Seconds, now: Seconds) -> Kept:
    """What is known of a policy's state after a look. It was announced when ``state`` changed.

    A worse state holds at once; a better one only after it has lasted ``hold`` seconds, so that a
    budget at the edge does not halt and free releases by turns. No data says nothing: the state
    stays what it was until there is evidence again.
    """
    state = now_is.state
    if kept is None:
        return Kept(now_is.terms.policy, state, now, now_is.left, state, now)
    if state is BudgetState.NO_DATA and kept.state is not BudgetState.NO_DATA:
        return replace(kept, seen=kept.state, seen_since=now)
    seen_since = kept.seen_since if kept.seen is state else now
    after = replace(kept, seen=state, seen_since=seen_since)
    if state is kept.state:
        return after
    first = kept.state is BudgetState.NO_DATA
    if first or worse(state, kept.state) or now - seen_since >= hold:
        return replace(after, state=state, since=now, left=now_is.left)
    return after


# ---------------------------------------------------------------- words


def share_words(left: float | None) -> str:
    """``18 % left``, ``30 % over``, or that nothing is known."""
    if left is None:
        return "no evidence"
    # Rounded towards the bad side: what is spent is never said to be left.
    percent = int((Decimal(repr(left)) * 100).to_integral_value(ROUND_FLOOR))
    return f"{percent} % left" if left >= 0 else f"{-percent} % over"


def obliges(terms: Terms, state: BudgetState) -> str:
    """What a state means for releases, in a sentence."""
    halted = terms.halt.get(str(state), ())
    free = [str(k) for k in ReleaseKind if str(k) not in halted]
    if not halted:
        return "Releases of every kind go out."
    if not free:
        return "No release goes out without an exception."
    return f"{_and(halted).capitalize()} releases halt; {_and(free)} releases go out."


def why(now_is: Standing) -> str:
    """Why the state is what it is, for somebody who builds the product."""
    terms = now_is.terms
    if now_is.left is None:
        return "There is no evidence yet: no requests were counted."
    whose = f"the budget of {now_is.worst}" if terms.combine == Combine.WORST else "the mean budget"
    verb = "has" if now_is.left >= 0 else "is"
    said = f"{whose[0].upper()}{whose[1:]} {verb} {share_words(now_is.left)}"
    if now_is.state is BudgetState.HEALTHY:
        return f"{said}, more than {terms.at_risk * 100:g} %."
    limit = terms.depleted if now_is.state is BudgetState.DEPLETED else terms.at_risk
    if limit == 0:
        return f"{said}."
    return f"{said}; at {limit * 100:g} % or less it is {WORDS[now_is.state]}."


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
