"""Rules are proved by simulating what they watch, through the real configuration, to the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from watchkeeper.engine.simulate.model import Outcome
from watchkeeper.engine.simulate.reading import ScenarioError, read_scenarios
from watchkeeper.engine.simulate.run import simulate
from watchkeeper.faces.cli.simulate import simulate as command
from watchkeeper.spec import load
from watchkeeper.spec.model import Specs

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "demo" / "specs"
HEAD = """
apiVersion: watchkeeper/v1
kind: Scenario
metadata: {name: test}
spec:
  start: 2026-11-29T02:30
  timeZone: Europe/Berlin
"""


def specs() -> Specs:
    found = load(DEMO).specs
    assert found is not None
    return found


def run(body: str) -> Outcome:
    scenarios = read_scenarios(HEAD + body, "scenario.yaml", specs())
    return simulate(specs(), scenarios[0])


def test_the_demo_scenario_calls_the_night_shift_then_the_second_line_and_resolves() -> None:
    result = CliRunner().invoke(
        command, [str(ROOT / "demo/scenarios/sunday-night.yaml"), "--specs", str(DEMO)]
    )

    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    called = [line for line in lines if "→ inbox to" in line and "is over" not in line]
    assert "cho (cho's phone)" in called[0]
    assert "dee (dee's phone)" in called[1]
    assert sum(line.startswith("  ok") for line in lines) == 4


def test_an_expectation_that_is_not_met_fails_with_its_place() -> None:
    outcome = run("""
  lasts: 3m
  events: [{slo: checkout-availability, errors: 90%, for: 2m}]
  expect: [{called: ben, within: 3m}]
""")

    assert not outcome.met
    assert str(outcome.verdicts[0].expected) == "ben is called within 3 min"
    assert outcome.verdicts[0].why == "never called"


def test_a_failing_channel_and_an_alert_from_outside_are_simulated_too() -> None:
    outcome = run("""
  lasts: 4m
  tick: 30s
  events:
    - {at: 0, channel: inbox, fails: 90s}
    - {at: 10s, alert: {key: disk, summary: disk is full, service: shop}}
  expect:
    - {notCalled: cho, within: 1m}
    - {called: cho, within: 4m}
""")

    assert outcome.met, [str(v) for v in outcome.verdicts]
    assert any(e.kind == "failed" for e in outcome.entries)


def test_a_quiet_hour_calls_nobody() -> None:
    outcome = run("""
  lasts: 10m
  tick: 60s
  events: [{slo: checkout-availability, errors: 0.05%, for: 10m}]
  expect: [{notCalled: anybody}]
""")

    assert outcome.met


def test_the_same_scenario_gives_the_same_answer() -> None:
    body = """
  lasts: 3m
  events: [{slo: checkout-availability, errors: 90%, for: 2m}]
"""
    assert run(body).entries == run(body).entries


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("  events: [{slo: chekout-availability, errors: 5%, for: 1m}]\n", "there is no SLO"),
        ("  events: [{user: nobody, does: acknowledge}]\n", "there is no User 'nobody'"),
        ("  expect: [{called: ann, resolved: true}]\n", "what is expected?"),
        ("  events: [{at: 5m}]\n", "what happens?"),
        ("  evnts: []\n", "unknown key 'evnts'"),
    ],
)
def test_a_wrong_scenario_is_refused_with_file_line_and_column(body: str, said: str) -> None:
    with pytest.raises(ScenarioError) as raised:
        run(body)

    assert said in raised.value.message
    assert "scenario.yaml:8:" in raised.value.message
