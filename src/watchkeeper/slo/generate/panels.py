"""Panels of a Grafana dashboard, and the grid that they stand on. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Panel = dict[str, Any]
Steps = Sequence[tuple[float | None, str]]
"""Thresholds: from this value on, this colour; the first value is None, for "from the lowest"."""

WIDTH = 24
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass
class Grid:
    """Places panels from left to right and top to bottom, and numbers them."""

    panels: list[Panel] = field(default_factory=list)
    x: int = 0
    y: int = 0
    height: int = 0

    def add(self, panel: Panel, width: int, height: int) -> None:
        """Put the panel at the next free place that is wide enough."""
        if self.x + width > WIDTH:
            self.x, self.y, self.height = 0, self.y + self.height, 0
        place = {"x": self.x, "y": self.y, "w": width, "h": height}
        self.panels.append({"id": len(self.panels) + 1, **panel, "gridPos": place})
        self.x, self.height = self.x + width, max(self.height, height)


def row(title: str) -> Panel:
    """A heading across the board."""
    return {"type": "row", "title": title, "collapsed": False, "panels": []}


def stat(title: str, expr: str, *, unit: str, steps: Steps, decimals: int | None = None) -> Panel:
    """One large number, coloured by thresholds; "no data" when there is none."""
    defaults = _defaults(unit, steps)
    if decimals is not None:
        defaults["decimals"] = decimals
    return {
        **_base("stat", title),
        "targets": [_target("A", expr, instant=True)],
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {
            "colorMode": "value",
            "graphMode": "none",
            "justifyMode": "auto",
            "orientation": "auto",
            "textMode": "auto",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        },
    }


def time_series(
    title: str, series: Mapping[str, str], *, unit: str, lines: Sequence[float] = ()
) -> Panel:
    """Lines over time, legend → expression; ``lines`` are drawn across as thresholds."""
    colours = ("orange", "red", "dark-red")
    steps: list[tuple[float | None, str]] = [(None, "green")]
    steps += [(float(at), colour) for at, colour in zip(lines, colours, strict=False)]
    defaults = _defaults(unit, steps)
    defaults["color"] = {"mode": "palette-classic"}
    defaults["custom"] = {
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 0,
        "showPoints": "never",
        "spanNulls": False,
        "thresholdsStyle": {"mode": "dashed"},
    }
    letters = (chr(ord("A") + i) for i in range(26))
    return {
        **_base("timeseries", title),
        "targets": [
            _target(letter, expr, legend=legend)
            for letter, (legend, expr) in zip(letters, series.items(), strict=False)
        ],
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {
            "legend": {
                "displayMode": "list",
                "placement": "bottom",
                "showLegend": True,
                "calcs": [],
            },
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    }


def bar(title: str, expr: str, legend: str) -> Panel:
    """Horizontal bars of a share, worst first."""
    defaults = _defaults("percentunit", [(None, "red"), (0.0001, "orange"), (0.5, "green")])
    return {
        **_base("bargauge", title),
        "targets": [_target("A", expr, instant=True, legend=legend)],
        "fieldConfig": {"defaults": {**defaults, "min": 0, "max": 1}, "overrides": []},
        "options": {
            "displayMode": "basic",
            "orientation": "horizontal",
            "showUnfilled": True,
            "valueMode": "color",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        },
    }


_UNITS: Mapping[str, tuple[str, Steps]] = {
    "Attainment": ("percentunit", [(None, "text")]),
    "Budget left": ("percentunit", [(None, "red"), (0.0001, "orange"), (0.5, "green")]),
    "Burn rate, 1 h": ("none", [(None, "green"), (1, "orange"), (6, "red")]),
    "Gone in": ("s", [(None, "red"), (3600, "orange"), (86400, "green")]),
}


def table(title: str, columns: Mapping[str, str], sort_by: str) -> Panel:
    """A row for each SLO; a column for each expression, joined by labels. At most 26 columns."""
    letters = [chr(ord("A") + i) for i in range(len(columns))]
    shown = {"service": 0, "slo": 1, "team": 2}
    targets = [
        {
            **_target(letter, f"max by (service, slo, team) ({expr})", instant=True),
            "format": "table",
        }
        for letter, expr in zip(letters, columns.values(), strict=True)
    ]
    names = {f"Value #{x}": name for x, name in zip(letters, columns, strict=True)}
    organise = {"excludeByName": {"Time": True}, "indexByName": shown, "renameByName": names}
    return {
        **_base("table", title),
        "targets": targets,
        "transformations": [
            {"id": "merge", "options": {}},
            {"id": "organize", "options": organise},
        ],
        "fieldConfig": {
            "defaults": _defaults("none", [(None, "text")]),
            "overrides": [_column(name) for name in columns],
        },
        "options": {
            "showHeader": True,
            "cellHeight": "sm",
            "sortBy": [{"displayName": sort_by, "desc": False}],
        },
    }


def _column(name: str) -> dict[str, Any]:
    unit, steps = _UNITS[name]
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [
            {"id": "unit", "value": unit},
            {"id": "thresholds", "value": _thresholds(steps)},
            {"id": "custom.cellOptions", "value": {"type": "color-text"}},
        ],
    }


def _base(kind: str, title: str) -> Panel:
    return {"type": kind, "title": title, "datasource": DATASOURCE}


def _target(ref: str, expr: str, *, instant: bool = False, legend: str = "") -> dict[str, Any]:
    return {
        "refId": ref,
        "datasource": DATASOURCE,
        "expr": expr,
        "instant": instant,
        "range": not instant,
        "legendFormat": legend or "__auto",
        "editorMode": "code",
    }


def _defaults(unit: str, steps: Steps) -> dict[str, Any]:
    return {
        "unit": unit,
        "noValue": "no data",
        "thresholds": _thresholds(steps),
        "color": {"mode": "thresholds"},
        "mappings": [
            {
                "type": "special",
                "options": {"match": "null+nan", "result": {"text": "no data", "index": 0}},
            }
        ],
    }


def _thresholds(steps: Steps) -> dict[str, Any]:
    found = [{"value": value, "color": colour} for value, colour in steps]
    return {"mode": "absolute", "steps": found}
