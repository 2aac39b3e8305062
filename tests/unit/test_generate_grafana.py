"""Dashboards: Grafana's model kept strictly, and nothing shown that nobody records."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.support.definitions import slo, specs
from watchkeeper.slo import metric_names
from watchkeeper.slo.generate import generate_grafana, generate_prometheus
from watchkeeper.slo.generate.grafana import GrafanaSource

SOURCES: tuple[GrafanaSource, ...] = ("watchkeeper", "prometheus")
SPECS = specs([slo("api"), slo("web", target="0.95"), slo('odd "x"', service="pay/ments")])
VARIABLES = re.compile(r"\$\w+")


def boards(source: GrafanaSource, url: str = "") -> dict[str, dict[str, Any]]:
    return {name: json.loads(t) for name, t in generate_grafana(SPECS, source, url=url).items()}


CASES = [
    pytest.param(source, name, board, id=f"{source}-{name}")
    for source in SOURCES
    for name, board in boards(source).items()
]


def targets(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in board["panels"]:
        yield from panel.get("targets", [])


def metrics_in(expr: str) -> set[str]:
    """The metrics that an expression reads, as PromQL's own parser sees it."""
    found: set[str] = set()

    def visit(node: promql_parser.Expr) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            found.add(node.name or "")
        if isinstance(node, promql_parser.MatrixSelector):
            found.add(node.vector_selector.name or "")
        return True

    promql_parser.walk(promql_parser.parse(expr), visit)
    return found


def test_there_is_a_board_for_the_fleet_and_one_for_each_service() -> None:
    names = sorted(generate_grafana(SPECS))
    assert names[0] == "fleet.json"
    assert "service-shop.json" in names
    assert len(names) == 3
    assert all("/" not in name for name in names)


def test_boards_have_uids_of_their_own_that_do_not_change() -> None:
    uids = [board["uid"] for board in boards("watchkeeper").values()]
    assert len(set(uids)) == 3
    assert uids == [board["uid"] for board in boards("watchkeeper").values()]
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", uid) for uid in uids)


@pytest.mark.parametrize(("source", "name", "board"), CASES)
def test_a_board_has_what_grafana_asks_for(
    source: GrafanaSource, name: str, board: dict[str, Any]
) -> None:
    assert board["id"] is None  # else Grafana looks for a board with that number
    assert board["schemaVersion"] >= 39
    assert board["title"]
    assert {"time", "templating", "annotations", "panels", "links", "tags"} <= set(board)
    known = {"row", "stat", "table", "timeseries", "bargauge"}
    assert {panel["type"] for panel in board["panels"]} <= known


def missing(said: object, kept: object, path: str = "") -> Iterator[str]:
    """What of ``said`` is not in ``kept``."""
    if isinstance(said, dict) and isinstance(kept, dict):
        for key, value in said.items():
            if key in kept:
                yield from missing(value, kept[key], f"{path}.{key}")
            elif value not in (None, [], {}, "", False):
                yield f"{path}.{key}"
    elif isinstance(said, list) and isinstance(kept, list) and len(said) == len(kept):
        for a, b in zip(said, kept, strict=True):
            yield from missing(a, b, f"{path}[]")
    elif said != kept:
        yield path


@pytest.mark.parametrize(("source", "name", "board"), CASES)
def test_grafanas_own_schema_knows_every_word_of_a_board(
    source: GrafanaSource, name: str, board: dict[str, Any]
) -> None:
    # Read into the types that Grafana generates from its schema, and written back: what it does not
    # know is lost, and a value of another type is refused or changed.
    register_default_plugins()
    kept = json.loads(JSONEncoder().encode(Dashboard.from_json(board)))
    # Grafana itself writes this into each query variable, though its schema lacks it.
    assert set(missing(board, kept)) <= {".templating.list[].definition"}


def test_a_word_that_grafana_does_not_know_is_noticed() -> None:
    register_default_plugins()
    board = boards("watchkeeper")["fleet.json"]
    board["panels"][1]["fieldConfig"]["defaults"]["unitt"] = "percent"
    kept = json.loads(JSONEncoder().encode(Dashboard.from_json(board)))
    assert ".panels[].fieldConfig.defaults.unitt" in set(missing(board, kept))


@pytest.mark.parametrize(("source", "name", "board"), CASES)
def test_panels_have_numbers_of_their_own_and_do_not_overlap(
    source: GrafanaSource, name: str, board: dict[str, Any]
) -> None:
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        own = set(
            itertools.product(range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"]))
        )
        assert own
        assert not own & cells, panel["title"]
        cells |= own


@pytest.mark.parametrize(("source", "name", "board"), CASES)
def test_every_query_goes_to_the_data_source_that_the_reader_picks(
    source: GrafanaSource, name: str, board: dict[str, Any]
) -> None:
    assert board["templating"]["list"][0]["type"] == "datasource"
    for panel in board["panels"]:
        if panel["type"] != "row":
            assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            assert len({t["refId"] for t in panel["targets"]}) == len(panel["targets"])
    for target in targets(board):
        assert target["datasource"]["uid"] == "${datasource}"


@pytest.mark.parametrize(("source", "name", "board"), CASES)
def test_every_expression_parses_and_reads_only_what_is_recorded_or_exported(
    source: GrafanaSource, name: str, board: dict[str, Any]
) -> None:
    if source == "prometheus":
        text = "".join(generate_prometheus(SPECS).values())
        known = set(re.findall(r"record: (\S+)", text))
    else:
        known = {metric.name for metric in metric_names.METRICS}
    exprs = [target["expr"] for target in targets(board)]
    assert len(exprs) >= 6
    for expr in exprs:
        found = metrics_in(VARIABLES.sub(".*", expr))
        assert found
        assert found <= known, expr


@pytest.mark.parametrize(("source", "name", "board"), CASES)
def test_every_variable_that_a_query_uses_is_defined(
    source: GrafanaSource, name: str, board: dict[str, Any]
) -> None:
    defined = {f"${variable['name']}" for variable in board["templating"]["list"]}
    used = {v for target in targets(board) for v in VARIABLES.findall(target["expr"])}
    assert used <= defined


@pytest.mark.parametrize("source", SOURCES)
def test_a_services_board_shows_the_four_numbers_of_each_of_its_slos(source: GrafanaSource) -> None:
    board = boards(source)["service-shop.json"]
    titles = [panel["title"] for panel in board["panels"]]
    for title in ("Attainment", "Burn rate, 1 h", "Gone in"):
        assert titles.count(title) == 2
    assert titles.count("Budget left") == 4  # a number and a line each


def test_attainment_turns_red_below_the_slos_own_target() -> None:
    board = boards("watchkeeper")["service-shop.json"]
    steps = [
        panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        for panel in board["panels"]
        if panel["title"] == "Attainment"
    ]
    assert [s[1] for s in steps] == [
        {"value": 0.999, "color": "green"},
        {"value": 0.95, "color": "green"},
    ]
    assert all(s[0] == {"value": None, "color": "red"} for s in steps)


def test_boards_link_to_each_other_and_to_the_pages_when_told_where_they_are() -> None:
    plain = boards("watchkeeper")["service-shop.json"]["links"]
    told = boards("watchkeeper", "https://wk.example.org")["service-shop.json"]["links"]
    fleet = boards("watchkeeper")["fleet.json"]["uid"]
    assert [link["url"] for link in plain] == [f"/d/{fleet}"]
    assert told[1]["url"] == "https://wk.example.org/?service=shop"
