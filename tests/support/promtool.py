"""Prometheus' own tools as judges: rule files checked, and rules run over given series."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class At:
    """At this minute this expression must have this value (None: no sample at all)."""

    minute: int
    expr: str
    value: float | None


def check_rules(folder: Path, files: Mapping[str, str]) -> str:
    """`promtool check rules` over these files; empty when it accepts all, else what it says."""
    paths = []
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        paths.append(str(path))
    result = subprocess.run(["promtool", "check", "rules", *paths], capture_output=True, text=True)
    return "" if result.returncode == 0 else result.stdout + result.stderr


def run_rules(folder: Path, rules: str, series: Mapping[str, str], expected: Sequence[At]) -> str:
    """`promtool test rules`, evaluated each minute; empty when all is as expected."""
    (folder / "rules.yaml").write_text(rules, encoding="utf-8")
    test: dict[str, Any] = {
        "interval": "1m",
        "input_series": [{"series": k, "values": v} for k, v in series.items()],
        "promql_expr_test": [_expected(at) for at in expected],
    }
    body = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]}
    (folder / "test.yaml").write_text(yaml.safe_dump(body), encoding="utf-8")
    command = ["promtool", "test", "rules", str(folder / "test.yaml")]
    result = subprocess.run(command, capture_output=True, text=True)
    return "" if result.returncode == 0 else result.stdout + result.stderr


def _expected(at: At) -> dict[str, Any]:
    samples = [] if at.value is None else [{"labels": "{}", "value": at.value}]
    return {"expr": at.expr, "eval_time": f"{at.minute}m", "exp_samples": samples}
