"""Rules and dashboards generated from specs that others published: Prometheus accepts them all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.support.promtool import check_rules
from watchkeeper.slo.generate import generate_grafana, generate_prometheus
from watchkeeper.spec import load

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = ROOT.parent / "shared" / "data" / "slo"
FILES = sorted(
    path
    for folder in ("sloth", "pyrra")
    for path in (PUBLISHED / folder).iterdir()
    if path.suffix in {".yml", ".yaml"}
)


def test_there_are_published_specs_to_generate_from() -> None:
    assert len([p for p in FILES if p.parent.name == "sloth"]) >= 6
    assert len([p for p in FILES if p.parent.name == "pyrra"]) >= 6


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_promtool_accepts_the_rules_of_a_published_spec(path: Path, tmp_path: Path) -> None:
    loaded = load(path)
    assert loaded.specs is not None, loaded.findings
    files = generate_prometheus(loaded.specs)
    assert check_rules(tmp_path, files) == ""
    groups = [g for text in files.values() for g in yaml.safe_load(text)["groups"]]
    slos = {rule["labels"]["slo"] for group in groups for rule in group["rules"]}
    assert slos == set(loaded.specs.slos)


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_a_published_spec_has_a_board_for_its_service(path: Path) -> None:
    loaded = load(path)
    assert loaded.specs is not None, loaded.findings
    boards = {name: json.loads(text) for name, text in generate_grafana(loaded.specs).items()}
    shown = "".join(
        target["expr"]
        for board in boards.values()
        for panel in board["panels"]
        for target in panel.get("targets", [])
    )
    assert len(boards) >= 2
    for name in loaded.specs.slos:
        assert f'slo="{name}"' in shown
