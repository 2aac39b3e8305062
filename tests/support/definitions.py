"""Definitions made by hand, for tests that need one without reading YAML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from watchkeeper.kernel.duration import parse_duration
from watchkeeper.spec.model import (
    AlertPolicyDefinition,
    CountsSli,
    Measurement,
    Method,
    Occurrences,
    Place,
    PrometheusQuery,
    RollingWindow,
    ServiceDefinition,
    SliDefinition,
    SloDefinition,
    SourceDefinition,
    SourceType,
    Specs,
    Window,
)

HERE = Place("slos.yaml")
PROMETHEUS = SourceDefinition("prometheus", SourceType.PROMETHEUS, {}, HERE)
LOG = SourceDefinition("log", SourceType.ACCESS_LOG, {}, HERE)
RATIO = CountsSli(
    total=PrometheusQuery("sum(rate(http_requests_total[{{.window}}]))"),
    bad=PrometheusQuery('sum(rate(http_requests_total{code=~"5.."}[{{.window}}]))'),
)
ROLLING = RollingWindow(parse_duration("30d"))


def slo(
    name: str = "api",
    measurement: Measurement = RATIO,
    *,
    target: str = "0.999",
    window: Window = ROLLING,
    method: Method = Occurrences(),
    group_by: tuple[str, ...] = (),
    source: str = "prometheus",
    service: str = "shop",
    policies: tuple[str, ...] = (),
    annotations: Mapping[str, str] | None = None,
) -> SloDefinition:
    """An SLO; what is not given is the usual: 99.9 % over 30 days of http_requests_total."""
    return SloDefinition(
        name,
        name.capitalize(),
        service,
        Decimal(target),
        window,
        HERE,
        sli=SliDefinition(name, source, measurement, group_by),
        method=method,
        alert_policies=policies,
        annotations=annotations or {},
    )


def specs(slos: Sequence[SloDefinition], *policies: AlertPolicyDefinition) -> Specs:
    """Specs of these SLOs, their services owned by team "platform"."""
    services = {
        s.service: ServiceDefinition(s.service, s.service, HERE, owner="platform") for s in slos
    }
    return Specs(
        {source.name: source for source in (PROMETHEUS, LOG)},
        {s.name: s for s in slos},
        services,
        {},
        {},
        {policy.name: policy for policy in policies},
    )
