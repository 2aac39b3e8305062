"""The policy in force, on the page of an objective. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from watchkeeper.faces.web.words import Badge
from watchkeeper.policy import rules
from watchkeeper.slo.model import Fleet
from watchkeeper.slo.subjects import base_name
from watchkeeper.spec.budget import BudgetState
from watchkeeper.spec.model import Specs

BADGES: Mapping[BudgetState, Badge] = {
    BudgetState.HEALTHY: Badge("ok", "Healthy"),
    BudgetState.AT_RISK: Badge("watch", "At risk"),
    BudgetState.DEPLETED: Badge("spent", "Depleted"),
    BudgetState.NO_DATA: Badge("none", "No data"),
}


@dataclass(frozen=True, slots=True)
class PolicyCard:
    """A policy for which the objective counts."""

    title: str
    url: str
    badge: Badge
    obliges: str
    why: str


def policies_in_force(specs: Specs, fleet: Fleet, slo: str) -> Sequence[PolicyCard]:
    """The policies for which an objective's budget counts, and how each stands."""
    found = []
    for policy in specs.budgets.values():
        names = set(rules.counted(policy, specs))
        if base_name(slo) not in names and slo not in names:
            continue
        counted = [s for s in fleet.statuses if base_name(s.name) in names]
        its = rules.standing(policy, specs, rules.by_definition(counted))
        found.append(
            PolicyCard(
                policy.display_name, f"/budgets/{policy.name}", BADGES[its.state],
                rules.obliges(its.terms, its.state), rules.why(its),
            )
        )  # fmt: skip
    return found
