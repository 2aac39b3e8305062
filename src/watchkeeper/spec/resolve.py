"""Following references: from what was read to definitions. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from watchkeeper.spec.duty_check import resolve_duty
from watchkeeper.spec.indicators import read_indicator
from watchkeeper.spec.model import (
    AlertPolicyDefinition,
    Aspect,
    Composite,
    CompositePart,
    CountsSli,
    HistogramSli,
    LogQuery,
    Measurement,
    Occurrences,
    ServiceDefinition,
    SliDefinition,
    SloDefinition,
    SourceDefinition,
    SourceType,
    Specs,
    ThresholdSli,
)
from watchkeeper.spec.native import ASPECT, JOURNEY, Native
from watchkeeper.spec.openslo import (
    RawIndicator,
    RawObjective,
    RawSlo,
    Read,
    metadata,
    method_of,
)
from watchkeeper.spec.policies import policy_of
from watchkeeper.spec.reader import Reader, dangling
from watchkeeper.spec.response_read import known_severities, resolve_response


def resolve(read: Read, own: Native) -> Specs:
    """The definitions; what cannot be followed is noted and left out."""
    policies = {name: policy_of(name, r, read) for name, r in read.raw_policies.items()}
    _both_apis(read, own)
    policies |= own.duty.alert_policies
    for reader, name, _ in read.policy_refs:
        if name not in policies:
            dangling(reader, "alertPolicyRef", "AlertPolicy", name, policies)
    services = {**read.services, **own.services}
    sources = dict(read.sources)
    slos: dict[str, SloDefinition] = {}
    for raw in read.slos.values():
        for definition in _slos(raw, read, sources):
            if definition.name in slos:
                raw.reader.fault(
                    "duplicate",
                    f"SLO '{definition.name}' is defined twice",
                    "a name of its own",
                    f"rename one of them; the first stands at {slos[definition.name].place}",
                )
            slos.setdefault(definition.name, definition)
    for name, definition in _composites(own).items():
        slos[name] = definition
    _implied_sources(slos, sources)
    _check_services(read, own, services)
    measured: dict[str, Mapping[str, object]] = {
        "Journey": own.journeys,
        "SLO": slos,
        "StatusPage": own.response.status_pages,
    }
    duty = resolve_duty(own.duty, services, own.teams, measured)
    response = resolve_response(own.response, duty)
    for mirror, _ in own.duty.mirrored:
        known_severities(mirror, response.severities)
    return Specs(
        sources, slos, services, own.teams, own.journeys, policies, duty, response,
        own.duty.budgets, own.duty.reviews,
    )  # fmt: skip


def _both_apis(read: Read, own: Native) -> None:
    """A policy written inside an SLO must not share its name with one of our own kind."""
    for name, reader in read.raw_policies.items():
        first = own.duty.alert_policies.get(name)
        if first is not None and reader.path:
            reader.at("metadata").fault(
                "duplicate",
                f"AlertPolicy '{name}' is defined twice",
                "a name of its own",
                f"rename one of them; the first stands at {first.place}",
                key="name",
            )


def _implied_sources(slos: dict[str, SloDefinition], sources: dict[str, SourceDefinition]) -> None:
    """Push and probe need no DataSource: they stand ready under their own names."""
    for slo in slos.values():
        name = slo.sli.source if slo.sli else ""
        if name in ("push", "probe") and name not in sources:
            sources[name] = SourceDefinition(name, SourceType(name), {}, slo.place)


def _check_services(read: Read, own: Native, services: dict[str, ServiceDefinition]) -> None:
    known = dict(services)
    for raw in read.slos.values():
        # Documents made from a journey or another tool: the journey itself is checked instead.
        if ("spec", "service") in raw.reader.document.places:
            _check_service(raw.spec, raw.service, known, read)
            _stand_in(raw.service, raw.reader, services)
    for name, journey in own.journeys.items():
        _check_service(own.readers["Journey", name], journey.service, known, read)
        _stand_in(journey.service, own.readers["Journey", name], services)
    for name, composite in own.composites.items():
        _check_service(own.readers["CompositeSLO", name], composite.service, known, read)
        _stand_in(composite.service, composite.reader, services)


def _check_service(
    reader: Reader, service: str, known: dict[str, ServiceDefinition], read: Read
) -> None:
    if not service or service in known:
        return
    if set(known) - read.implied:
        dangling(reader, "service", "Service", service, known)
        return
    reader.warn(
        "undefined-service",
        f"there is no Service '{service}'",
        "a Service for each one that SLOs name",
        "define it, with its owner and what it depends on",
        key="service",
    )


def _stand_in(service: str, reader: Reader, services: dict[str, ServiceDefinition]) -> None:
    """A service that is only named stands under its name: OpenSLO does not ask for more."""
    if service and service not in services:
        services[service] = ServiceDefinition(service, service, reader.place())


def _slos(raw: RawSlo, read: Read, sources: dict[str, SourceDefinition]) -> list[SloDefinition]:
    shared = _followed(raw.spec, raw.indicator, raw.indicator_ref, read)
    made = []
    for name, objective in zip(_names(raw), raw.objectives, strict=True):
        own = _followed(objective.reader, objective.indicator, objective.indicator_ref, read)
        indicator = own or shared
        definition = indicator and _slo(raw, name, objective, indicator, sources)
        if definition:
            made.append(definition)
    if len(made) == len(raw.objectives) > 1 and all(o.has_indicator for o in raw.objectives):
        made.append(_combined(raw, made))
    return made


def _combined(raw: RawSlo, parts: Sequence[SloDefinition]) -> SloDefinition:
    """OpenSLO's composite: the SLO as a whole, over objectives with indicators of their own.

    The specification gives weights but no target for the whole. Ours is the weighted mean of the
    parts' targets: the budget of the whole is then what the parts' budgets add up to.
    """
    weights = [Decimal(1) if o.weight is None else o.weight for o in raw.objectives]
    target = sum(w * p.target for w, p in zip(weights, parts, strict=True)) / sum(weights)
    members = tuple(CompositePart(p.name, w) for p, w in zip(parts, weights, strict=True))
    return replace(
        parts[0],
        name=raw.name,
        display_name=raw.display_name,
        target=Decimal(target),
        sli=None,
        composite=Composite(members),
        method=Occurrences(),
        aspect=None,
    )


def _followed(
    reader: Reader, inline: RawIndicator | None, ref: str, read: Read
) -> RawIndicator | None:
    """The indicator that is written here or referred to."""
    if ref and ref not in read.indicators:
        dangling(reader, "indicatorRef", "SLI", ref, read.indicators)
    return read.indicators.get(ref) if ref else inline


def _names(raw: RawSlo) -> list[str]:
    """One objective keeps the SLO's name; several add what tells them apart."""
    if len(raw.objectives) == 1:
        return [raw.name]
    names: list[str] = []
    for i, objective in enumerate(raw.objectives, 1):
        word = re.sub(r"[^a-z0-9]+", "-", objective.display_name.lower()).strip("-") or str(i)
        name = f"{raw.name}.{word}"
        names.append(name if name not in names else f"{name}-{i}")
    return names


def _slo(
    raw: RawSlo,
    name: str,
    objective: RawObjective,
    indicator: RawIndicator,
    sources: dict[str, SourceDefinition],
) -> SloDefinition | None:
    found = read_indicator(indicator, objective, sources)
    if found is None or objective.target is None or raw.window is None:
        return None
    source, measurement, group_by = found
    _, _, labels, annotations = metadata(raw.reader)
    shown = raw.display_name
    if len(raw.objectives) > 1:
        shown += f": {objective.display_name or name.rpartition('.')[2]}"
    return SloDefinition(
        name,
        shown,
        raw.service,
        objective.target,
        raw.window,
        raw.reader.place(),
        sli=SliDefinition(_key(raw, name, objective, measurement), source, measurement, group_by),
        method=method_of(raw, objective),
        description=raw.description,
        journey=annotations.get(JOURNEY) or None,
        aspect=_aspect(annotations.get(ASPECT), measurement),
        alert_policies=raw.policies,
        labels=labels,
        annotations=annotations,
    )


def _key(raw: RawSlo, name: str, objective: RawObjective, measurement: Measurement) -> str:
    """What names the SLI's row: shared by all objectives that count the same events."""
    if isinstance(measurement, ThresholdSli):
        return name
    if objective.indicator_ref or objective.indicator:
        return f"sli:{objective.indicator_ref}" if objective.indicator_ref else name
    return f"sli:{raw.indicator_ref}" if raw.indicator_ref else raw.name


def _aspect(written: str | None, measurement: Measurement) -> Aspect | None:
    if written in tuple(Aspect):
        return Aspect(written)
    if isinstance(measurement, HistogramSli):
        return Aspect.LATENCY
    if isinstance(measurement, CountsSli):
        good = measurement.good
        if isinstance(good, LogQuery) and good.faster_than is not None:
            return Aspect.LATENCY
    return None


def _composites(own: Native) -> dict[str, SloDefinition]:
    made: dict[str, SloDefinition] = {}
    for name, raw in own.composites.items():
        if raw.target is None or raw.window is None or not raw.composite.parts:
            continue
        _, _, labels, annotations = metadata(raw.reader)
        made[name] = SloDefinition(
            name,
            raw.display_name,
            raw.service,
            raw.target,
            raw.window,
            raw.reader.place(),
            composite=raw.composite,
            description=raw.spec.text("description"),
            alert_policies=raw.policies,
            labels=labels,
            annotations=annotations,
        )
    return made


def policies_of(specs: Specs, slo: SloDefinition) -> Sequence[AlertPolicyDefinition]:
    """The alert policies of an SLO that are defined."""
    return [specs.alert_policies[p] for p in slo.alert_policies if p in specs.alert_policies]
