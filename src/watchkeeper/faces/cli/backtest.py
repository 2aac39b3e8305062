"""`wk backtest`: what alert policies would have done over a history."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from watchkeeper.faces.cli import common
from watchkeeper.kernel.errors import NotFound, UserError

if TYPE_CHECKING:
    from watchkeeper.alerting.backtest.model import Incident, Plan, Report
    from watchkeeper.spec.model import Specs, Window

STRIP = 72
"""Characters of the chart's time axis."""


@click.command()
@click.argument("slo", required=False)
@click.option("--from", "start", metavar="TIME", help="Judge from here on (default: 30 days ago).")
@click.option("--to", "end", metavar="TIME", help="Judge up to here (default: now).")
@click.option(
    "--policy",
    "policies",
    multiple=True,
    help="An alert policy of the specs, default, burn, …, or a set: usual, workbook.",
)
@click.option(
    "--incidents",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Labelled incidents, CSV (start,end,name) or JSON; else they are found in the counts.",
)
@click.option(
    "--csv",
    "csv_file",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Counts a minute (time,good,total or time,bad,total) instead of the ledger.",
)
@click.option("--measure", is_flag=True, help="Read the SLO's source (e.g. Prometheus) afresh.")
@click.option("--target", help="With --csv: the objective, e.g. 99.9%.")
@click.option("--window", help="With --csv: its rolling window, e.g. 30d.")
@common.db_option
@common.specs_option
@common.json_option
def backtest(
    slo: str | None,
    start: str | None,
    end: str | None,
    policies: tuple[str, ...],
    incidents: Path | None,
    csv_file: Path | None,
    measure: bool,
    target: str | None,
    window: str | None,
    db: str | None,
    specs_dir: Path,
    as_json: bool,
) -> None:
    """Say what alert policies would have done for SLO: pages, detection, precision, and which to
    take. The history comes from the ledger, from --csv, or with --measure from the SLO's source.

    Exit status 2 when the input is wrong.
    """
    labelled = _incidents(incidents) if incidents else None
    times = (_time(start), _time(end))
    if csv_file is not None:
        report = _from_csv(csv_file, slo, times, policies, labelled, target, window, specs_dir)
    elif slo is None:
        raise UserError("Which SLO?", "Name one, or give counts with --csv.")
    elif target or window:
        raise UserError("--target and --window go with --csv.", "An SLO has its own.")
    else:
        specs, _ = common.load_specs(specs_dir)
        read = _measured if measure else _from_ledger
        report = read(specs, slo, times, policies, labelled, db)
    from watchkeeper.alerting.backtest.work import report_json

    if as_json:
        common.emit_json(report_json(report))
    else:
        print_report(report)


Times = tuple[float | None, float | None]


def _time(text: str | None) -> float | None:
    return None if text is None else common.parse_time(text)


def _incidents(path: Path) -> list[Incident]:
    from watchkeeper.alerting.backtest.history import incidents_from_csv, incidents_of

    text = _text(path)
    if not text.lstrip().startswith(("[", "{")):
        return incidents_from_csv(text, str(path))
    try:
        items = json.loads(text)
    except ValueError as error:
        raise UserError(f"{path} is no JSON: {error}", "A list of {start, end, name}.") from None
    if not isinstance(items, list):
        raise UserError(f"{path} holds no list", "A list of {start, end, name} is expected.")
    return incidents_of(items, str(path))


def _text(path: Path) -> str:
    import sys

    if str(path) == "-":
        return sys.stdin.read()
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}", "Give a CSV or JSON file.") from None


# ---------------------------------------------------------------- where the history comes from


def _span(times: Times, specs: Specs, slo: str) -> tuple[float, float]:
    end = times[1] if times[1] is not None else time.time()
    start = times[0] if times[0] is not None else end - 30 * 86_400
    if end <= start:
        raise UserError("--to is not after --from.", "Check the two times.")
    return start, end


def _from_ledger(
    specs: Specs,
    slo: str,
    times: Times,
    policies: Sequence[str],
    labelled: Sequence[Incident] | None,
    db: str | None,
) -> Report:
    from watchkeeper.alerting.backtest import work

    start, end = _span(times, specs, slo)
    with common.open_db(db, must_exist=True) as database, database.read() as conn:
        subject = work.subject_of(conn, specs, slo)
        plans = work.plans_for(specs, slo, subject.definition.target, policies)
        return work.backtest(conn, specs, slo, start, end, plans, labelled)


def _measured(
    specs: Specs,
    slo: str,
    times: Times,
    policies: Sequence[str],
    labelled: Sequence[Incident] | None,
    db: str | None,
) -> Report:
    from watchkeeper.alerting.backtest import history, work
    from watchkeeper.alerting.backtest.run import longest_look_back, run
    from watchkeeper.app import open_source

    del db
    defined = specs.slos.get(slo)
    if defined is None:
        raise NotFound(f"There is no SLO named {slo!r}.", "Names are those in the specs.")
    if defined.sli is None or defined.sli.source not in specs.sources:
        raise UserError(f"{slo!r} has no source of its own.", "Backtest its parts, or the ledger.")
    if defined.sli.group_by:
        raise UserError(f"{slo!r} is grouped.", "Backtest one of its label sets from the ledger.")
    start, end = _span(times, specs, slo)
    plans = work.plans_for(specs, slo, defined.target, policies)
    look_back = longest_look_back(plans, defined.window)
    minutes = int((time.time() - start + look_back) // 60) + 2
    source = open_source(specs.sources[defined.sli.source], minutes)
    counts = history.from_source(source, defined.sli, start, end, look_back)
    return run(counts, defined.target, defined.window, plans, labelled, slo)


def _from_csv(
    path: Path,
    slo: str | None,
    times: Times,
    policies: Sequence[str],
    labelled: Sequence[Incident] | None,
    target: str | None,
    window: str | None,
    specs_dir: Path,
) -> Report:
    from watchkeeper.alerting.backtest import history, work
    from watchkeeper.alerting.backtest.run import longest_look_back, run

    specs = common.load_specs(specs_dir)[0] if slo or specs_dir.exists() else _no_specs()
    goal, its_window = _objective(slo, target, window, specs)
    plans: list[Plan] = work.plans_for(specs, slo or "", goal, policies)
    look_back = longest_look_back(plans, its_window)
    counts = history.from_csv(_text(path), str(path), *times, look_back)
    return run(counts, goal, its_window, plans, labelled, slo or path.stem)


def _no_specs() -> Specs:
    from watchkeeper.spec.model import Specs

    return Specs({}, {}, {}, {}, {}, {})


def _objective(
    slo: str | None, target: str | None, window: str | None, specs: Specs
) -> tuple[Decimal, Window]:
    from watchkeeper.kernel.duration import parse_duration
    from watchkeeper.slo.allow import parse_target
    from watchkeeper.spec.model import RollingWindow

    if slo is not None and slo not in specs.slos:
        raise NotFound(f"There is no SLO named {slo!r}.", "Names are those in the specs.")
    if slo is None and target is None:
        raise UserError("Which objective?", "Name an SLO, or give --target (and --window).")
    goal = parse_target(target) if target else specs.slos[slo or ""].target
    if window:
        try:
            return goal, RollingWindow(parse_duration(window))
        except ValueError as error:
            raise UserError(str(error)) from None
    return goal, specs.slos[slo].window if slo else RollingWindow(parse_duration("30d"))


# ---------------------------------------------------------------- for people


def print_report(report: Report) -> None:
    """A table of the policies, a chart of when they would have called, and the recommendation."""
    from rich.console import Console
    from rich.table import Table

    from watchkeeper.kernel import text
    from watchkeeper.kernel.clock import iso

    kind = "found in the counts" if report.inferred else "labelled"
    click.echo(
        f"{report.slo}, {iso(report.start)} to {iso(report.end)}: "
        f"{len(report.incidents)} incident(s), {kind}"
    )
    click.echo("Pages and tickets are a week; times and budget spent are medians.")
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Policy", overflow="fold")
    for title in ("Pages", "Tickets", "Right", "Told", "Detected", "Reset", "Spent"):
        table.add_column(title, justify="right", no_wrap=True)
    for score in report.scores:
        table.add_row(
            score.plan.name,
            f"{score.pages_per_week:.2g}",
            f"{score.tickets_per_week:.2g}",
            text.whole_percent(score.precision),
            text.whole_percent(score.recall),
            _length(score.median("detection")),
            _length(score.median("reset")),
            text.percent(score.median("budget"), 1),
        )
    Console(highlight=False).print(table)
    click.echo()
    for line in chart(report):
        click.echo(line)
    for note in report.notes:
        click.echo(f"note: {note}")
    if report.recommendation:
        best = report.recommendation
        click.echo(f"\nTake {best.plan!r}: {best.reason}")


def _length(seconds: float | None) -> str:
    from watchkeeper.kernel import text

    return text.NOTHING if seconds is None else text.duration(seconds)


def chart(report: Report) -> list[str]:
    """Time from left to right: ``#`` an incident, ``P`` a page open, ``t`` a ticket."""
    width = max([9, *(len(s.plan.name) for s in report.scores)])
    spans: list[tuple[str, list[tuple[float, float, str]]]] = [
        ("incidents", [(i.start, i.end, "#") for i in report.incidents])
    ]
    for score in report.scores:
        calm_first = sorted(score.alarms, key=lambda a: a.urgency == "page")
        marks = {"page": "P", "ticket": "t", "info": "."}
        drawn = [(a.opened, a.until(report.end), marks[a.urgency]) for a in calm_first]
        spans.append((score.plan.name, drawn))
    return [f"{name:<{width}} |{_strip(report, marks)}|" for name, marks in spans]


def _strip(report: Report, marks: Sequence[tuple[float, float, str]]) -> str:
    cells: list[Any] = [" "] * STRIP
    length = max(1.0, report.end - report.start)
    for start, end, mark in marks:
        first = int((start - report.start) / length * STRIP)
        last = int((end - report.start) / length * STRIP)
        for i in range(max(0, first), min(STRIP - 1, max(first, last)) + 1):
            cells[i] = mark
    return "".join(cells)
