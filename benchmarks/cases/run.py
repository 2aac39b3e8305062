"""Run every case and print one table."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.cases import moments, ours, peers
from benchmarks.cases.series import CASES, END, Case, open_metrics
from benchmarks.cases.server import prometheus
from watchkeeper.slo.model import SloStatus


@dataclass(frozen=True, slots=True)
class Answers:
    """The share of the budget used, by each. None: no sample at all."""

    case: Case
    sloth: float | None
    pyrra: float | None
    rules: float | None
    ledger: float | None


def answer(case: Case) -> tuple[Answers, SloStatus]:
    """Everybody's answer to one case from the same Prometheus, and all that we say of it."""
    with prometheus(open_metrics(case)) as url:
        status = ours.measured(url, END)
        left = status.budget.remaining_ratio
        found = Answers(
            case,
            peers.sloth_period(url),
            peers.pyrra_period(url),
            peers.our_rules(url),
            None if left is None else 1 - left,
        )
    return found, status


def shown(value: float | None) -> str:
    """A share as a person reads it: ``408 %``, ``4.08 %``, ``NaN``, ``no sample``."""
    if value is None:
        return "no sample"
    if math.isnan(value):
        return "NaN"
    percent = value * 100
    return f"{percent:,.0f} %" if percent >= 100 else f"{percent:.3g} %"


def table(found: Sequence[Answers]) -> str:
    """The cases as Markdown: how much of the 30 days' budget at 99.9 % is used."""
    head = "| case | truth | Sloth | Pyrra's form | our rules | Watchkeeper |"
    rows = [
        f"| {a.case.title} | {shown(a.case.truth.consumed)} | {shown(a.sloth)} | "
        f"{shown(a.pyrra)} | {shown(a.rules)} | {shown(a.ledger)} |"
        for a in found
    ]
    return "\n".join([head, "|---|---:|---:|---:|---:|---:|", *rows])


def moments_table() -> str:
    """The case of the moment as Markdown."""
    rows = [
        f"| {name} | {a.now:g} | {'yes' if a.alert else 'no'} | {a.before:g} |"
        for name, a in moments.answers().items()
    ]
    head = "| | burn over 1 h, now | alert at 14.4 | burn asked for two hours before |"
    return "\n".join([head, "|---|---:|---|---:|", *rows])


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables. ``--quick`` leaves out slo-generator, which has to be installed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args(argv)
    print(table([answer(make())[0] for make in CASES]))
    if not given.quick:
        print(f"\n{moments_table()}")
    return 0
