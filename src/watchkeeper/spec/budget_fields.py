"""Budget policies as written. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from watchkeeper.spec.budget import (
    DAY,
    HALTS,
    BudgetPolicyDefinition,
    BudgetState,
    Combine,
    ReleaseKind,
)
from watchkeeper.spec.duty_fields import DutyRead, begin, delay, items, length, nearest_in, whole
from watchkeeper.spec.duty_people import read_targets
from watchkeeper.spec.reader import Reader, dangling

POLICY_KEYS = (
    "services", "journeys", "slos", "window", "combine", "atRisk", "depleted", "halt",
    "silverBullets", "longestException", "hold", "announce",
)  # fmt: skip
WINDOWS = ("1d", "3d", "7d")
"""Over which a budget may be judged beside the objective's own window."""
STATES = {"atRisk": BudgetState.AT_RISK, "depleted": BudgetState.DEPLETED,
          "noData": BudgetState.NO_DATA}  # fmt: skip
KINDS = tuple(str(kind) for kind in ReleaseKind)
HALF, NOTHING = Decimal("0.5"), Decimal(0)


def read_budget_policy(reader: Reader, duty: DutyRead) -> None:
    """What a budget obliges to."""
    begun = begin(reader, duty, POLICY_KEYS)
    if begun is None:
        return
    name, display, spec = begun
    services = tuple(
        duty.refer(item, "services", "Service", text) for item, text in items(spec, "services")
    )
    if not services:
        spec.lacks("services", "the services whose releases it rules, e.g. [shop]")
    at_risk, depleted = _left(spec, "atRisk", HALF), _left(spec, "depleted", NOTHING)
    if depleted >= at_risk:
        spec.fault(
            "bad-value",
            f"'depleted' ({depleted:%}) is not below 'atRisk' ({at_risk:%})",
            "less left than at risk",
            "lower 'depleted' or raise 'atRisk'",
            key="depleted" if spec.has("depleted") else "atRisk",
        )
    duty.budgets[name] = BudgetPolicyDefinition(
        name,
        display,
        reader.place(),
        spec.text("description"),
        services,
        spec.texts("journeys"),
        spec.texts("slos"),
        spec.choice("window", WINDOWS),
        Combine(spec.choice("combine", tuple(Combine)) or Combine.WORST),
        at_risk,
        depleted,
        _halts(spec),
        whole(spec, "silverBullets", 0, 0, 100),
        length(spec, "longestException") or 7 * DAY,
        delay(spec, "hold", 900.0, bare="m"),
        read_targets(spec, "announce", duty),
    )


def _left(spec: Reader, key: str, default: Decimal) -> Decimal:
    """A share of the budget, ``50%`` or 0.5; nothing may be left, as 0."""
    if str(spec.data.get(key)).strip().rstrip("%").strip() in ("0", "0.0"):
        return NOTHING
    found = spec.share(key)
    return default if found is None else found


def _halts(spec: Reader) -> Mapping[BudgetState, tuple[ReleaseKind, ...]]:
    halt = spec.child("halt")
    if halt is None:
        return dict(HALTS)
    halt.only(*STATES)
    found: dict[BudgetState, tuple[ReleaseKind, ...]] = {}
    for key, state in STATES.items():
        kinds = []
        for item, text in items(halt, key):
            if text in KINDS:
                kinds.append(ReleaseKind(text))
            else:
                item.fault(
                    "bad-value", f"'{text}' is no kind of release", f"one of {', '.join(KINDS)}",
                    nearest_in(text, KINDS),
                )  # fmt: skip
        found[state] = tuple(dict.fromkeys(kinds))
    weaker = [k for k in found[BudgetState.AT_RISK] if k not in found[BudgetState.DEPLETED]]
    if weaker and halt.has("depleted"):
        halt.warn(
            "halts-less",
            f"{', '.join(weaker)} is halted at risk and not when depleted",
            "a worse state to halt at least as much",
            f"add {', '.join(weaker)} to 'depleted'",
            key="depleted",
        )
    return found


def check_budgets(
    duty: DutyRead, journeys: Iterable[str], slos: Mapping[str, str], written: Iterable[str]
) -> None:
    """Note references to nothing, and policies over nothing.

    ``slos``: each objective's service; ``written``: names of SLOs, also of those that are too wrong
    to be defined, which has been pointed out already.
    """
    known = list(journeys)
    named = {*slos, *written}
    for name, policy in duty.budgets.items():
        reader = duty.readers["BudgetPolicy", name]
        for journey in policy.journeys:
            if journey not in known:
                dangling(reader, "journeys", "Journey", journey, known)
        for slo in policy.slos:
            if slo not in named:
                dangling(reader, "slos", "SLO", slo, list(slos))
        counted = policy.journeys or policy.slos
        if not counted and policy.services and not set(policy.services) & set(slos.values()):
            reader.warn(
                "rules-nothing",
                f"no objective counts for policy '{name}', so it never halts a release",
                "services with objectives, or journeys or slos whose budgets count",
                key="services",
            )
