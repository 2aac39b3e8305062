"""Triage: which service an alert belongs to, how urgent it is, who is called. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from watchkeeper.alerting.model import Signal, Urgency, urgency_of
from watchkeeper.spec.duty import Matcher, TriageRule
from watchkeeper.spec.model import Specs


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules decided for a signal. ``labels`` are those that silences are matched with."""

    urgency: Urgency
    service: str
    escalation_policy: str | None
    drop: bool
    auto_close: float | None
    labels: Mapping[str, str]


def judge(integration: str, signal: Signal, specs: Specs, rules: Sequence[TriageRule]) -> Verdict:
    """The first rule that matches decides; what it leaves open comes from the integration."""
    door = specs.duty.integrations.get(integration)
    service = _service(signal.service, specs) or (door.service if door else None) or signal.service
    labels = labels_of(integration, signal, service)
    rule = next((r for r in rules if matches(r.matchers, labels)), None)
    urgency = signal.urgency or urgency_of(signal.severity)
    if rule is not None and rule.urgency:
        urgency = Urgency(rule.urgency)
    if rule is not None and rule.service:
        service = rule.service
        labels = {**labels, "service": service}
    policy = door.escalation_policy if door else None
    closes = door.auto_close if door else None
    return Verdict(
        urgency,
        service,
        (rule.escalation_policy if rule else None) or policy,
        bool(rule and rule.drop),
        rule.auto_close if rule and rule.auto_close is not None else closes,
        labels,
    )


def _service(named: str, specs: Specs) -> str:
    """The service of this name; senders differ from us in case at most."""
    if named in specs.services:
        return named
    low = named.lower()
    return next((s for s in specs.services if s.lower() == low), "") if low else ""


def labels_of(integration: str, signal: Signal, service: str) -> dict[str, str]:
    """Everything that matchers see: the signal's own labels, and its fields over them."""
    fields = {
        "service": service,
        "severity": signal.severity,
        "integration": integration,
        "source": signal.source,
        "component": signal.component,
        "group": signal.group,
        "class": signal.klass,
        "summary": signal.summary,
    }
    return {**signal.labels, **{k: v for k, v in fields.items() if v}}


def matches(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """True when all hold. A label that is absent is empty, as in Alertmanager."""
    return all(_holds(m, labels.get(m.label, "")) for m in matchers)


def _holds(matcher: Matcher, value: str) -> bool:
    match matcher.op:
        case "=":
            return value == matcher.value
        case "!=":
            return value != matcher.value
        case "=~":
            return _regex(matcher.value).fullmatch(value) is not None
        case _:
            return _regex(matcher.value).fullmatch(value) is None


@lru_cache(maxsize=1000)
def _regex(text: str) -> re.Pattern[str]:
    return re.compile(text, re.DOTALL)
