"""Who is around a service: what it depends on, who calls it, and which objectives tell. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from watchkeeper.causes.graph import reachable
from watchkeeper.spec.model import (
    CountsSli,
    HistogramSli,
    Occurrences,
    SloDefinition,
    Specs,
    ThresholdSli,
)

MOST_SERVICES = 40
MOST_TOLD = 3
"""Objectives of one dependency that are looked at."""
MOST_GAUGES = 20


@dataclass(frozen=True, slots=True)
class Scene:
    """The surroundings of one SLO.

    ``depth``: dependencies, itself first, with how many calls away. ``told_by``: objectives by the
    dependency of which they tell. ``gauges``: objectives that watch a level, by their service.
    ``grouped``: the objective whose label sets part the same requests, '' when there is none.
    """

    service: str
    calls: Mapping[str, tuple[str, ...]]
    depth: Mapping[str, int]
    callers: tuple[str, ...]
    told_by: Mapping[str, tuple[str, ...]]
    gauges: Mapping[str, str]
    grouped: str

    @property
    def services(self) -> tuple[str, ...]:
        """All whose changes may matter."""
        return (*self.depth, *(c for c in self.callers if c not in self.depth))


def scene_of(specs: Specs, slo: SloDefinition) -> Scene:
    """The surroundings of ``slo``."""
    calls = {name: s.depends_on for name, s in specs.services.items()}
    depth = dict(list(reachable(slo.service, calls).items())[:MOST_SERVICES])
    callers = tuple(name for name, needs in calls.items() if slo.service in needs)
    told_by = {
        service: tuple(d.name for d in _alike(specs, slo, service)[:MOST_TOLD])
        for service in depth
        if service != slo.service
    }
    gauges = {
        d.name: d.service
        for d in specs.slos.values()
        if d.service in depth and d.sli is not None and isinstance(d.sli.measurement, ThresholdSli)
    }
    return Scene(
        slo.service,
        calls,
        depth,
        callers[:MOST_SERVICES],
        {service: names for service, names in told_by.items() if names},
        dict(list(gauges.items())[:MOST_GAUGES]),
        _grouped(specs, slo),
    )


def _alike(specs: Specs, slo: SloDefinition, service: str) -> list[SloDefinition]:
    """Objectives that count requests of a dependency: of the same aspect, else of any."""
    theirs = [d for d in specs.slos.values() if d.service == service and _counts(d)]
    same = [d for d in theirs if d.aspect == slo.aspect]
    return same or theirs


def _counts(slo: SloDefinition) -> bool:
    return (
        slo.sli is not None
        and isinstance(slo.method, Occurrences)
        and isinstance(slo.sli.measurement, CountsSli | HistogramSli)
    )


def _grouped(specs: Specs, slo: SloDefinition) -> str:
    """The objective that parts the same kind of requests by most labels: itself, or a sibling."""
    candidates = [
        d
        for d in specs.slos.values()
        if d.sli is not None
        and d.sli.group_by
        and (d.name == slo.name or (d.service == slo.service and d.aspect == slo.aspect))
    ]
    best = max(
        candidates,
        key=lambda d: (d.name == slo.name, len(d.sli.group_by) if d.sli else 0),
        default=None,
    )
    return best.name if best is not None else ""
