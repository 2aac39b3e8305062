"""What others' rules say of a case, computed by Prometheus from the rules that they publish.

Sloth's rules are read from its published example when this runs. Pyrra's form is its `increase()`
over the whole window. The rules that we generate are asked in the same way.
"""

from __future__ import annotations

import math
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmarks.cases.ours import SLO, specs
from benchmarks.cases.series import END, LEAD, METRIC, MINUTES, Case, labels, promtool_values
from benchmarks.cases.server import query
from watchkeeper.slo.generate import generate_prometheus

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = ROOT.parent / "shared" / "data" / "slo" / "sloth" / "_gen" / "getting-started.yml"
WINDOW = "30d"
LAST = MINUTES + LEAD - 1

Rules = Sequence[Mapping[str, Any]]


def published() -> Mapping[str, str]:
    """Sloth's published recording rules of its first example: name → expression."""
    groups = yaml.safe_load(PUBLISHED.read_text(encoding="utf-8"))["groups"]
    rules = [rule for group in groups for rule in group["rules"] if "record" in rule]
    return {rule["record"]: rule["expr"].strip() for rule in rules}


def sloth_period(url: str) -> float | None:
    """The share of the budget that Sloth's rules say is used; None: no sample; may be NaN.

    Its period is the mean of the 5-minute ratios recorded each minute, its burn that over the
    budget. What would have been recorded is asked for as a subquery of the rule's own expression
    every minute, which gives the same samples.
    """
    rules = published()
    ratio, period = rules["slo:sli_error:ratio_rate5m"], rules["slo:sli_error:ratio_rate30d"]
    recorded = re.compile(r"slo:sli_error:ratio_rate5m\{[^}]*\}\[30d\]")
    expr, found = recorded.subn(lambda _: f"({ratio})[30d:1m]", period)
    assert found == 2, period
    expr = expr.replace("ignoring (sloth_window)", "")  # (a label of the rule, not of the query)
    return query(url, f"({expr}) / scalar({rules['slo:error_budget:ratio']})", END)


def sloth_in_promtool(case: Case) -> float | None:
    """The same by Prometheus' rule tester from the rules as they are published, every 5 minutes.

    (Every minute would be more samples than the tester allows.)
    """
    groups = yaml.safe_load(PUBLISHED.read_text(encoding="utf-8"))["groups"]
    rules = {
        rule["record"]: rule for group in groups for rule in group["rules"] if "record" in rule
    }
    kept = [rules[name] for name in ("slo:sli_error:ratio_rate5m", "slo:error_budget:ratio")]
    period, budget = published()["slo:sli_error:ratio_rate30d"], "slo:error_budget:ratio"
    return ask(case, kept, f"({period}) / scalar({budget})", "5m")


def pyrra_period(url: str) -> float | None:
    """The share of the budget that Pyrra's form says is used: increase() over the whole window."""
    bad = f'sum(increase({METRIC}{{job="myservice",code=~"5.."}}[{WINDOW}]))'
    total = f'sum(increase({METRIC}{{job="myservice"}}[{WINDOW}]))'
    return query(url, f"({bad} or vector(0)) / {total} / 0.001", END)


def our_rules(url: str) -> float | None:
    """The share of the budget that the rules that we generate for Prometheus say is used."""
    bad, events = our_counts(url)
    return None if bad is None or not events else bad * 1000 / events


def our_counts(url: str) -> tuple[float | None, float | None]:
    """Bad events and all events that our generated rules count, asked for as subqueries too."""
    groups = yaml.safe_load(generate_prometheus(specs(url))["watchkeeper.rules.yaml"])["groups"]
    rules = {rule["record"]: rule["expr"] for rule in groups[0]["rules"] if rule.get("record")}
    events, bad = rules["slo:events:count"], rules["slo:bad:count"]
    bad = bad.replace(f'slo:events:count{{slo="{SLO}"}}', f"({events})")
    found = [query(url, f"sum(sum_over_time(({e})[29d23h59m59s:1m]))", END) for e in (bad, events)]
    return found[0], found[1]


def ask(case: Case, rules: Rules, expr: str, interval: str) -> float | None:
    """The value of ``expr`` at the case's end after ``rules`` ran every ``interval``, by promtool.

    None when it has no sample. RuntimeError with promtool's words when it fails otherwise.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        groups = [{"name": "case", "interval": interval, "rules": list(rules)}] if rules else []
        (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}))
        (folder / "test.yaml").write_text(yaml.safe_dump(_test(case, expr, interval), width=10**9))
        command = ["promtool", "test", "rules", str(folder / "test.yaml")]
        result = subprocess.run(command, capture_output=True, text=True)
    return _value(result.stdout + result.stderr)


def _test(case: Case, expr: str, interval: str) -> dict[str, Any]:
    inputs = [
        {"series": labels(key), "values": promtool_values(values)}
        for key, values in case.series.items()
    ]
    # A value that cannot be: promtool then says what it got.
    wrong = {"expr": expr, "eval_time": f"{LAST}m", "exp_samples": [{"labels": "x", "value": -1}]}
    test = {"interval": "1m", "input_series": inputs, "promql_expr_test": [wrong]}
    return {"rule_files": ["rules.yaml"], "evaluation_interval": interval, "tests": [test]}


def _value(output: str) -> float | None:
    found = re.search(r"got:\s*(.*)", output)
    if found is None:
        raise RuntimeError(f"promtool did not say what it got:\n{output[:2000]}")
    if found[1].strip().startswith("nil"):
        return None
    value = found[1].rsplit(None, 1)[-1]
    return math.nan if value == "NaN" else float(value)
