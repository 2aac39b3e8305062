"""Checks across definitions: references, cycles, thresholds that cannot fire, retention. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from watchkeeper.kernel.duration import Duration, parse_duration
from watchkeeper.spec.budget_fields import check_budgets
from watchkeeper.spec.duty import BurnRule
from watchkeeper.spec.duty_check import check_duty
from watchkeeper.spec.model import (
    Finding,
    Place,
    Severity,
    SloDefinition,
    SourceDefinition,
    SourceType,
    Specs,
)
from watchkeeper.spec.native import Native
from watchkeeper.spec.openslo import Read
from watchkeeper.spec.reader import dangling
from watchkeeper.spec.resolve import policies_of

DEFAULT_RETENTION = parse_duration("15d")
"""What Prometheus keeps unless told otherwise."""


def cross_check(specs: Specs, read: Read, own: Native) -> None:
    """Note what is wrong between definitions in ``read.findings``."""
    _owners(specs, own)
    _dependencies(specs, own, read.findings)
    _composites(specs, own, read)
    _burn_thresholds(specs, read)
    _factors(specs, own, read.findings)
    _retention(specs, read)
    critical = [(j, own.readers["Journey", n]) for n, j in specs.journeys.items() if j.critical]
    its = {name: slo.service for name, slo in specs.slos.items()}
    check_budgets(own.duty, specs.journeys, its, [*read.slos, *own.composites])
    check_duty(specs.duty, own.duty, specs.services, critical, read.findings)


def _owners(specs: Specs, own: Native) -> None:
    for name, service in own.services.items():
        reader = own.readers["Service", name]
        if service.owner and service.owner not in specs.teams:
            dangling(reader, "owner", "Team", service.owner, specs.teams)
        for needed in service.depends_on:
            if needed not in specs.services:
                dangling(reader, "dependsOn", "Service", needed, specs.services)


def _dependencies(specs: Specs, own: Native, findings: list[Finding]) -> None:
    graph = {name: service.depends_on for name, service in specs.services.items()}
    told: set[frozenset[str]] = set()
    for name in sorted(graph):
        cycle = _cycle(name, graph)
        if not cycle or frozenset(cycle) in told or ("Service", cycle[0]) not in own.readers:
            continue
        told.add(frozenset(cycle))
        findings.append(
            Finding(
                own.readers["Service", cycle[0]].place("dependsOn"),
                Severity.WARNING,
                "dependency-cycle",
                f"services depend on one another in a circle: {' → '.join([*cycle, cycle[0]])}",
                "a direction",
                "remove the dependency that is not needed to answer requests",
            )
        )


def _cycle(start: str, graph: Mapping[str, tuple[str, ...]]) -> list[str]:
    """A path from ``start`` back to itself, or nothing."""
    paths = [[start]]
    seen: set[str] = set()
    while paths:
        path = paths.pop()
        for following in graph.get(path[-1], ()):
            if following == start:
                return path
            if following not in seen:
                seen.add(following)
                paths.append([*path, following])
    return []


def _composites(specs: Specs, own: Native, read: Read) -> None:
    for name, raw in own.composites.items():
        reader = own.readers["CompositeSLO", name]
        for part in reader.children("parts"):
            slo = part.text("slo")
            if slo == name:
                part.fault(
                    "composite-cycle", f"'{name}' is a part of itself", "other SLOs", key="slo"
                )
            elif slo in own.composites or (slo in specs.slos and specs.slos[slo].composite):
                part.fault(
                    "composite-cycle", f"'{slo}' is a composite", "SLOs that are measured",
                    "list its parts here", key="slo",
                )  # fmt: skip
            elif slo and slo not in specs.slos and slo.partition(".")[0] not in read.slos:
                dangling(part, "slo", "SLO", slo, specs.slos)
        for policy in raw.policies:
            if policy not in specs.alert_policies:
                dangling(reader, "alertPolicies", "AlertPolicy", policy, specs.alert_policies)


def _burn_thresholds(specs: Specs, read: Read) -> None:
    for slo in specs.slos.values():
        most = Decimal(1) / (1 - slo.target) if slo.target < 1 else None
        for policy in policies_of(specs, slo):
            if policy.name not in read.thresholds:
                continue  # one of our own: see _factors
            for condition, place in zip(
                policy.conditions, read.thresholds[policy.name], strict=True
            ):
                if most is None or condition.threshold <= most:
                    continue
                read.findings.append(_never_fires(place, slo, condition.threshold, most))


def _factors(specs: Specs, own: Native, findings: list[Finding]) -> None:
    """Burn rules of our own policies that an SLO can never meet."""
    for slo in specs.slos.values():
        most = Decimal(1) / (1 - slo.target) if slo.target < 1 else None
        for policy in policies_of(specs, slo):
            reader = own.duty.readers.get(("AlertPolicy", policy.name))
            burning = [r for r in policy.rules if isinstance(r, BurnRule)]
            for i, rule in enumerate(burning):
                factor = Decimal(str(rule.factor))
                if reader is not None and most is not None and factor > most:
                    place = reader.document.place((*reader.path, "burn", i, "factor"))
                    findings.append(_never_fires(place, slo, factor, most))


def _never_fires(place: Place, slo: SloDefinition, rate: Decimal, most: Decimal) -> Finding:
    return Finding(
        place,
        Severity.WARNING,
        "never-fires",
        f"'{slo.name}' can never burn at a rate of {rate}",
        f"at most {_short(most)} (every event bad, target {slo.target})",
        "lower the threshold, or alert on the budget instead",
    )


def _retention(specs: Specs, read: Read) -> None:
    unsaid: dict[str, list[SloDefinition]] = {}
    for slo in specs.slos.values():
        source = specs.sources.get(slo.sli.source) if slo.sli else None
        if source is None or source.type is not SourceType.PROMETHEUS:
            continue
        if "retention" not in source.settings:
            unsaid.setdefault(source.name, []).append(slo)
            continue
        kept = _length(source.settings["retention"])
        if kept is not None and slo.window.duration.average_seconds > kept.average_seconds:
            raw = read.slos.get(slo.name) or read.slos.get(slo.name.partition(".")[0])
            place = raw.spec.place("timeWindow") if raw else slo.place
            read.findings.append(_too_long(slo, place, source.name, kept))
    for name, slos in unsaid.items():
        longest = max(slos, key=lambda s: s.window.duration.average_seconds)
        if longest.window.duration.average_seconds > DEFAULT_RETENTION.average_seconds:
            read.findings.append(_unsaid(specs.sources[name], longest))


def _length(written: object) -> Duration | None:
    try:
        return parse_duration(str(written))
    except ValueError:
        return None  # noted where it is written


def _too_long(slo: SloDefinition, place: Place, source: str, kept: Duration) -> Finding:
    return Finding(
        place,
        Severity.WARNING,
        "longer-than-kept",
        f"the window of '{slo.name}' is {slo.window.duration}, but '{source}' keeps {kept}",
        "history for the whole window",
        "keep more there; else the window fills up as time passes",
    )


def _unsaid(source: SourceDefinition, slo: SloDefinition) -> Finding:
    return Finding(
        source.place,
        Severity.WARNING,
        "retention-unsaid",
        f"'{source.name}' does not say how long it keeps data, and the window of '{slo.name}' is "
        f"{slo.window.duration}",
        "retention: in connectionDetails",
        f"say it; Prometheus keeps {DEFAULT_RETENTION} unless it is told otherwise",
    )


def _short(number: Decimal) -> str:
    return f"{number.quantize(Decimal('0.01')).normalize():f}"
