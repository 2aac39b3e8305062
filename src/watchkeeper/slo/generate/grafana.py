"""Dashboards for Grafana: the fleet, and one for each service; in Grafana's JSON model. Pure.

The model is the one that Grafana calls classic: ``schemaVersion`` 41, panels on a grid 24 wide.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from watchkeeper.measure.selectors import quote
from watchkeeper.slo import metric_names
from watchkeeper.slo.generate import rules
from watchkeeper.slo.generate.panels import Grid, Panel, bar, row, stat, table, time_series
from watchkeeper.slo.generate.prometheus import file_name
from watchkeeper.spec.model import SloDefinition, Specs

GrafanaSource = Literal["watchkeeper", "prometheus"]
SCHEMA_VERSION = 41
PLUGIN = "prometheus"


@dataclass(frozen=True, slots=True)
class Names:
    """The metrics that a dashboard shows, as one source calls them."""

    attainment: str
    remaining: str
    burn: str
    exhaustion: str
    objective: str


NAMES: Mapping[GrafanaSource, Names] = {
    "watchkeeper": Names(
        metric_names.ATTAINMENT.name,
        metric_names.BUDGET_REMAINING.name,
        metric_names.BURN_RATE.name,
        metric_names.TIME_TO_EXHAUSTION.name,
        metric_names.OBJECTIVE.name,
    ),
    "prometheus": Names(
        rules.ATTAINMENT,
        rules.BUDGET_REMAINING,
        rules.BURN_RATE,
        rules.TIME_TO_EXHAUSTION,
        rules.OBJECTIVE,
    ),
}


def generate_grafana(
    specs: Specs, source: GrafanaSource = "watchkeeper", *, url: str = ""
) -> Mapping[str, str]:
    """Dashboards by file name: ``fleet.json`` and ``service-<name>.json`` for services with SLOs.

    ``source`` says whose metrics are shown: ``watchkeeper`` (what `serve` exports at ``/metrics``)
    or ``prometheus`` (what the generated rules record). ``url`` is where Watchkeeper answers;
    with it each board links to the page of the same SLOs. Deterministic.
    """
    names = NAMES[source]
    by_service: dict[str, list[SloDefinition]] = {}
    for slo in specs.slos.values():
        by_service.setdefault(slo.service, []).append(slo)
    boards = {"fleet.json": _fleet(names, url)}
    for service, slos in sorted(by_service.items()):
        title = specs.services[service].display_name if service in specs.services else service
        boards[f"service-{file_name(service)}.json"] = _service(names, service, title, slos, url)
    return {name: json.dumps(board, indent=2) + "\n" for name, board in boards.items()}


def _fleet(names: Names, url: str) -> dict[str, Any]:
    where = '{service=~"$service",team=~"$team"}'
    best = f"{names.remaining}{where}"
    hour = f'{names.burn}{{service=~"$service",team=~"$team",window="1h"}}'
    grid = Grid()
    for title, expr, colour in (
        ("SLOs", f"count({names.objective}{where})", "text"),
        ("Budget spent", f"count({best} <= 0) or vector(0)", "red"),
        ("At risk", f"count({best} > 0 and {best} <= 0.5) or vector(0)", "orange"),
        ("Burning at 14.4 or faster", f"count({hour} >= 14.4) or vector(0)", "red"),
    ):
        grid.add(stat(title, expr, unit="none", steps=_alarm(colour)), 6, 4)
    columns = {
        "Attainment": f"{names.attainment}{where}",
        "Budget left": best,
        "Burn rate, 1 h": hour,
        "Gone in": f"{names.exhaustion}{where}",
    }
    grid.add(table("Every SLO, least budget first", columns, "Budget left"), 24, 14)
    grid.add(bar("Budget left, the ten worst", f"bottomk(10, {best})", "{{slo}}"), 12, 10)
    grid.add(
        time_series(
            "Burn rate over an hour, the ten fastest",
            {"{{slo}}": f"topk(10, {hour})"},
            unit="none",
            lines=(1, 6, 14.4),
        ),
        12,
        10,
    )
    variables = [
        _datasource(),
        _variable("service", f"label_values({names.objective}, service)"),
        _variable("team", f"label_values({names.objective}, team)"),
    ]
    link = [_link("Watchkeeper", url)] if url else []
    return _board("Watchkeeper: fleet", "fleet", grid.panels, variables, link)


def _alarm(colour: str) -> list[tuple[float | None, str]]:
    return [(None, "text")] if colour == "text" else [(None, "green"), (1, colour)]


def _service(
    names: Names, service: str, title: str, slos: Iterable[SloDefinition], url: str
) -> dict[str, Any]:
    grid = Grid()
    for slo in slos:
        _slo_row(grid, names, slo)
    links = [_link("Fleet", f"/d/{uid('fleet')}")]
    links += [_link("Watchkeeper", f"{url}/?service={service}")] if url else []
    return _board(
        f"Watchkeeper: {title}", f"service/{service}", grid.panels, [_datasource()], links
    )


def _slo_row(grid: Grid, names: Names, slo: SloDefinition) -> None:
    """One SLO: four numbers above, two lines below (three stats of 6, a line of 12 beside each)."""
    where = f"{{slo={quote(slo.name)}}}"
    target = float(slo.target)
    title = slo.display_name or slo.name
    grid.add(row(f"{title}: {slo.target * 100:f} % over {slo.window.duration}"), 24, 1)
    numbers = (
        ("Attainment", names.attainment, "percentunit", [(None, "red"), (target, "green")]),
        (
            "Budget left",
            names.remaining,
            "percentunit",
            [(None, "red"), (0.0001, "orange"), (0.5, "green")],
        ),
        (
            "Gone in",
            names.exhaustion,
            "s",
            [(None, "red"), (3600.0, "orange"), (86400.0, "green")],
        ),
    )
    for label, metric, unit, steps in numbers:
        panel = stat(label, f"{metric}{where}", unit=unit, steps=steps, decimals=None)
        grid.add(panel, 6, 4)
    hour = f'{names.burn}{{slo={quote(slo.name)},window="1h"}}'
    steps = [(None, "green"), (1.0, "orange"), (6.0, "red")]
    grid.add(stat("Burn rate, 1 h", hour, unit="none", steps=steps, decimals=2), 6, 4)
    left = {"left": f"{names.remaining}{where}"}
    grid.add(time_series("Budget left", left, unit="percentunit", lines=(0,)), 12, 8)
    some = "5m|1h|6h|3d"
    burn = {"{{window}}": f"{names.burn}{{slo={quote(slo.name)},window=~{quote(some)}}}"}
    grid.add(time_series("Burn rate", burn, unit="none", lines=(1, 6, 14.4)), 12, 8)


def _board(
    title: str,
    key: str,
    panels: list[Panel],
    variables: list[dict[str, Any]],
    links: list[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "id": None,
        "uid": uid(key),
        "title": title,
        "description": "Made by Watchkeeper from SLO definitions; generate again, do not edit.",
        "tags": ["slo", "watchkeeper"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "fiscalYearStartMonth": 0,
        "liveNow": False,
        "refresh": "1m",
        "time": {"from": "now-24h", "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "annotations": {"list": []},
        "templating": {"list": variables},
        "links": links,
        "panels": panels,
    }


def uid(key: str) -> str:
    """A dashboard's uid: stable, and within Grafana's 40 characters."""
    return "wk-" + hashlib.sha256(key.encode()).hexdigest()[:16]


def _link(title: str, url: str) -> dict[str, Any]:
    return {
        "title": title,
        "type": "link",
        "url": url,
        "icon": "external link",
        "tooltip": "",
        "tags": [],
        "asDropdown": False,
        "targetBlank": url.startswith("http"),
        "includeVars": False,
        "keepTime": True,
    }


def _datasource() -> dict[str, Any]:
    return {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": PLUGIN,
        "regex": "",
        "hide": 0,
        "refresh": 1,
        "multi": False,
        "includeAll": False,
        "options": [],
        "current": {},
    }


def _variable(name: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": name.capitalize(),
        "type": "query",
        "datasource": {"type": PLUGIN, "uid": "${datasource}"},
        "definition": query,
        "query": {"query": query, "refId": name},
        "regex": "",
        "hide": 0,
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "options": [],
        "current": {"text": ["All"], "value": ["$__all"]},
    }
