"""Alert policies of OpenSLO: conditions and targets, inline or by reference. Pure."""

from __future__ import annotations

from watchkeeper.spec.model import AlertPolicyDefinition, BurnCondition
from watchkeeper.spec.openslo import OPS, Read
from watchkeeper.spec.reader import Reader, dangling


def policy_of(name: str, reader: Reader, read: Read) -> AlertPolicyDefinition:
    """An alert policy with its conditions and targets followed."""
    spec = reader.child("spec")
    conditions: list[BurnCondition] = []
    places = read.thresholds.setdefault(name, [])
    for item in spec.children("conditions") if spec is not None else []:
        followed = _condition(item, read)
        found = followed and _burn(followed)
        if followed and found:
            conditions.append(found)
            places.append(followed.document.place((*followed.path, "condition", "threshold")))
    for item in spec.children("notificationTargets") if spec is not None else []:
        ref = item.text("targetRef")
        if ref and ref not in read.targets:
            dangling(item, "targetRef", "AlertNotificationTarget", ref, read.targets)
    return AlertPolicyDefinition(
        name,
        reader.place(),
        tuple(conditions),
        spec.text("description") if spec is not None else "",
        dict(spec.data) if spec is not None else {},
    )


def _condition(item: Reader, read: Read) -> Reader | None:
    """The condition that is written here or referred to."""
    ref = item.text("conditionRef")
    if ref:
        item.only("conditionRef")
        if ref not in read.conditions:
            dangling(item, "conditionRef", "AlertCondition", ref, read.conditions)
        return read.conditions.get(ref)
    item.only("apiVersion", "kind", "metadata", "spec", "conditionRef")
    spec = item.child("spec")
    if spec is None:
        item.fault("missing", "no condition", "'conditionRef', or a condition with 'spec'")
    return spec


def _burn(spec: Reader) -> BurnCondition | None:
    spec.only("description", "severity", "condition")
    inner = spec.child("condition", required=True)
    if inner is None:
        return None
    inner.only("kind", "op", "threshold", "lookbackWindow", "alertAfter")
    inner.choice("kind", ("burnrate",))
    inner.choice("op", OPS)
    threshold = inner.number("threshold", required=True)
    lookback = inner.duration("lookbackWindow", required=True)
    after = inner.text("alertAfter")
    short = inner.duration("alertAfter") if after not in ("", "0", "0m", "0s") else None
    if threshold is None or lookback is None:
        return None
    severity = "page" if spec.text("severity").lower() in ("page", "critical", "high") else "ticket"
    return BurnCondition(lookback, short or lookback, threshold, severity)
