"""Alert policies of OpenSLO, and those of an SLO, as the rules that run live and in backtests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.support.slo import slo, specs
from watchkeeper.alerting.policies.rules import DEFAULT_GUARDS, DEFAULT_RULES, rules_in, rules_of
from watchkeeper.spec import load
from watchkeeper.spec.duty import BurnRule, ConsumedRule, Guards
from watchkeeper.spec.model import AlertPolicyDefinition, Place, Specs

POLICY = """\
apiVersion: openslo/v1
kind: AlertCondition
metadata: {name: fast}
spec:
  severity: page
  condition: {kind: burnrate, op: gte, threshold: 14.4, lookbackWindow: 1h, alertAfter: 5m}
---
apiVersion: openslo/v1
kind: AlertPolicy
metadata: {name: both}
spec:
  conditions:
    - conditionRef: fast
    - kind: AlertCondition
      metadata: {name: slow}
      spec:
        severity: ticket
        condition: {kind: burnrate, op: gte, threshold: 1, lookbackWindow: 3d, alertAfter: 0m}
"""
HERE = Place("x.yaml", 1, 1)


def read(folder: Path) -> AlertPolicyDefinition:
    (folder / "policy.yaml").write_text(POLICY, encoding="utf-8")
    loaded = load(folder)
    assert loaded.specs is not None, [str(f) for f in loaded.findings]
    return loaded.specs.alert_policies["both"]


def test_conditions_of_openslo_are_burn_rules_with_their_windows(tmp_path: Path) -> None:
    fast, slow = rules_in(read(tmp_path))
    assert isinstance(fast, BurnRule)
    assert (str(fast.long), str(fast.short), fast.factor, fast.urgency) == (
        "1h", "5m", 14.4, "page",
    )  # fmt: skip
    assert isinstance(slow, BurnRule)
    assert (str(slow.long), str(slow.short), slow.factor, slow.urgency) == (
        "3d", "3d", 1.0, "ticket",
    )  # fmt: skip


def test_rules_of_our_own_stand_before_conditions(tmp_path: Path) -> None:
    own = (ConsumedRule(0.9, "ticket"),)
    assert rules_in(replace(read(tmp_path), rules=own)) == own


def with_policies(*policies: AlertPolicyDefinition, named: tuple[str, ...]) -> Specs:
    defined = specs(replace(slo("checkout"), alert_policies=named))
    return replace(defined, alert_policies={p.name: p for p in policies})


def test_an_objective_that_names_no_policy_has_the_default_one() -> None:
    assert rules_of("checkout", with_policies(named=())) == (DEFAULT_RULES, DEFAULT_GUARDS)
    # One whose policy is not there (the specs are refused before) is not without alerts either.
    assert rules_of("checkout", with_policies(named=("gone",)))[0] == DEFAULT_RULES


def test_the_rules_of_several_policies_are_taken_together_also_for_an_instance() -> None:
    one = AlertPolicyDefinition("one", HERE, rules=(ConsumedRule(0.5, "info"),))
    two = AlertPolicyDefinition(
        "two", HERE, rules=(ConsumedRule(1.0, "ticket"),), guards=Guards(hold=60)
    )
    defined = with_policies(one, two, named=("one", "two"))
    expected = ((ConsumedRule(0.5, "info"), ConsumedRule(1.0, "ticket")), Guards(hold=60))
    assert rules_of("checkout", defined) == expected
    assert rules_of("checkout[tenant=a]", defined) == expected
