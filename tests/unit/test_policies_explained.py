"""The worked examples of docs/explanation/alert-policies.md are what the code computes."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from math import comb

import numpy as np
import pytest

from tests.support.documents import ROOT
from tests.support.slo import rolling
from watchkeeper.alerting.backtest.alarms import alarms, told
from watchkeeper.alerting.backtest.grid import burn
from watchkeeper.alerting.backtest.model import History, Plan
from watchkeeper.alerting.backtest.windows import Counts
from watchkeeper.alerting.policies.evidence import chance_of
from watchkeeper.alerting.policies.rules import DEFAULT_GUARDS, DEFAULT_RULES
from watchkeeper.spec.duty import ExhaustionRule, Guards

PAGE = (ROOT / "docs" / "explanation" / "alert-policies.md").read_text(encoding="utf-8")


def table(heading: str) -> list[list[str]]:
    """The rows of the table whose first heading is this."""
    lines = PAGE.split(f"| {heading} |", 1)[1].splitlines()[2:]
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


@pytest.mark.parametrize("row", table("rule | 100 % errors"), ids=lambda r: r[0])
def test_the_table_of_detection_times_is_the_formula_and_what_fires(row: list[str]) -> None:
    found = re.fullmatch(r"([\d.]+) over (\w+) and (\w+)", row[0])
    assert found is not None
    rule = burn(found[2], found[3], float(found[1]), "page")
    for said, ratio in zip(row[1:], (1.0, 0.5, 0.1, 0.02), strict=True):
        seconds = Fraction(said.removesuffix(" s"))
        assert seconds == Fraction(str(rule.long.seconds)) * Fraction(found[1]) / 1000 / Fraction(
            str(ratio)
        )
        long = int(rule.long.seconds)
        total = np.full(2 * long, 1000.0)
        bad = np.where(np.arange(2 * long) < long, 0.0, 1000.0 * ratio)
        counts = Counts(History.of(total - bad, total, step=1.0), Decimal("0.999"), rolling("30d"))
        fired = alarms(Plan("one", (rule,)), counts)[0].opened - long
        assert 0 <= fired - float(seconds) < 1


def test_the_chances_of_the_table_are_exact_and_ours() -> None:
    rows = table("events")
    assert len(rows) == 4
    for n, k, target, chance in rows:
        bad = 1 - Fraction(target.removesuffix(" %")) / 100
        good = 1 - bad
        below = sum(comb(int(n), i) * bad**i * good ** (int(n) - i) for i in range(int(k)))
        assert float(1 - below) == pytest.approx(float(chance), rel=2e-5)
        assert chance_of(int(k), int(n), float(bad)) == pytest.approx(float(1 - below), rel=1e-10)


def test_the_example_of_exhaustion_pages_at_its_48_minutes() -> None:
    month, now = 43_200, 50_000
    total = np.full(now, 100.0)
    bad = np.zeros(now)
    bad[now - 20_000 : now - 20_000 + 81] = 50.0  # 4,050, and the last hour's 150: 4,200
    bad[-60:] = 2.5
    history = History.of(total - bad, total, begin=now - 1)
    counts = Counts(history, Decimal("0.999"), rolling("30d"))
    assert bad[-month:].sum() == 4200
    for within, pages in ((48 * 60.0, True), (47 * 60.0, False)):
        plan = Plan("one", (ExhaustionRule(within, "page"),))
        assert bool(alarms(plan, counts)) is pages


def test_the_default_policy_is_the_table() -> None:
    rows = table("rule | urgency")
    said = [(told(r).replace("×", ""), str(r.urgency)) for r in DEFAULT_RULES]
    assert [tuple(row) for row in rows] == said
    assert Guards(min_bad=2, significance=0.01, hold=120) == DEFAULT_GUARDS


def test_the_figures_in_the_text_are_right() -> None:
    assert "5 min · (1 − 0.0144) = 295.68 s" in PAGE
    assert pytest.approx(295.68) == 300 * (1 - 0.0144)
    assert pytest.approx(3548.16) == 3600 * (1 - 0.0144)
    assert (14.4 / 720, 36 / 720, 72 / 720) == (0.02, 0.05, 0.1)
