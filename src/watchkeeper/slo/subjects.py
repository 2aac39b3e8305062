"""Which SLOs there are to judge: definitions, and one instance per label set of a grouped one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

from watchkeeper.kernel.errors import NotFound
from watchkeeper.measure.model import GroupKey
from watchkeeper.slo import composite, slices
from watchkeeper.slo.fleet import Subject
from watchkeeper.spec.model import SloDefinition, Specs

Rows = Mapping[str, Sequence[tuple[int, GroupKey]]]
"""Ledger key → its rows' (id, group)."""


def row_key(slo: SloDefinition) -> str:
    """The ledger row (or, grouped, the rows) that holds this SLO's evidence."""
    if slo.composite is not None:
        return composite.row_key(slo.composite)
    key = slices.row_key(slo)
    if key is None:
        raise ValueError(f"SLO {slo.name!r} has neither an SLI nor parts")
    return key


def instance_name(name: str, group: GroupKey) -> str:
    """``name[label=value,…]`` for a label set, the plain name without one."""
    if not group:
        return name
    return f"{name}[{','.join(f'{label}={value}' for label, value in group)}]"


def base_name(name: str) -> str:
    """The definition's name of an instance's."""
    return name.split("[", 1)[0]


def wanted(specs: Specs, names: Sequence[str] | None) -> list[SloDefinition]:
    """The definitions to look at, in the order written. Raises NotFound for an unknown name."""
    if names is None:
        return list(specs.slos.values())
    bases = {base_name(n) if n not in specs.slos else n: n for n in names}
    for base, name in bases.items():
        if base not in specs.slos:
            raise unknown(name, specs.slos)
    return [slo for name, slo in specs.slos.items() if name in bases]


def unknown(name: str, known: Iterable[str]) -> NotFound:
    """No such SLO, with the nearest name there is."""
    near = difflib.get_close_matches(name, list(known), n=1)
    hint = f"did you mean {near[0]!r}?" if near else "`wk status` lists all SLOs"
    return NotFound(f"there is no SLO {name!r}", hint)


def subjects(specs: Specs, definitions: Sequence[SloDefinition], rows: Rows) -> list[Subject]:
    """One subject per definition or, grouped, per label set that the ledger knows.

    A grouped SLO of which no label set has been seen yet is one subject without data, so that it
    is not lost from sight.
    """
    found: list[Subject] = []
    for slo in definitions:
        grouped = slo.sli is not None and bool(slo.sli.group_by)
        known = [r for r in rows.get(row_key(slo), ()) if bool(r[1]) == grouped]
        for sli_id, group in sorted(known, key=lambda r: r[1]) or [(-1, ())]:
            found.append(_subject(specs, slo, sli_id, group))
    return found


def _subject(specs: Specs, slo: SloDefinition, sli_id: int, group: GroupKey) -> Subject:
    service = specs.services.get(slo.service)
    return Subject(
        instance_name(slo.name, group),
        slo,
        sli_id,
        service.owner if service else None,
        {**slo.labels, **dict(group)} if group else slo.labels,
        slices.minutes_of(slo.method),
    )
