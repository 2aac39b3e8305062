"""`wk simulate`: who would be paged, when, by what; for people and for CI."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from watchkeeper.faces.cli import common
from watchkeeper.kernel.errors import UserError

if TYPE_CHECKING:
    from watchkeeper.engine.simulate.model import Outcome

SIGNS = {
    "happening": "·",
    "alert": "▲",
    "sent": "→",
    "failed": "✗",
    "told": "→",
    "acknowledged": "✓",
    "resolved": "✓",
    "page": "!",
}


@click.command()
@click.argument("scenario", type=click.Path(path_type=Path))
@common.specs_option
@click.option("--quiet", "-q", is_flag=True, help="Only the verdicts.")
@common.json_option
def simulate(scenario: Path, specs_dir: Path, quiet: bool, as_json: bool) -> None:
    """Run SCENARIO on the specs, under a virtual clock; nothing leaves this machine.

    Prints minute by minute what happens: errors, alerts, who is called and by what. Exit status 1
    when an expectation of the scenario is not met, 2 when specs or scenario are wrong.
    """
    from watchkeeper.engine.simulate.reading import read_scenarios
    from watchkeeper.engine.simulate.run import simulate as run

    specs, _ = common.load_specs(specs_dir)
    try:
        text = scenario.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{scenario} cannot be read: {error}", "Give a YAML file.") from None
    outcomes = [run(specs, each) for each in read_scenarios(text, str(scenario), specs)]
    if as_json:
        common.emit_json([_as_json(o) for o in outcomes])
    else:
        for outcome in outcomes:
            _print(outcome, quiet)
    if not all(o.met for o in outcomes):
        raise click.exceptions.Exit(1)


def _print(outcome: Outcome, quiet: bool) -> None:
    scenario = outcome.scenario
    zone = ZoneInfo(scenario.time_zone)
    begins = datetime.fromtimestamp(scenario.start, zone)
    click.secho(f"{scenario.name}: {begins:%A %d %B %Y %H:%M} {scenario.time_zone}", bold=True)
    if not quiet:
        for entry in outcome.entries:
            at = datetime.fromtimestamp(entry.at, zone)
            after = int(entry.at - scenario.start)
            click.echo(
                f"  {at:%H:%M:%S}  +{after // 60:3d}:{after % 60:02d}  "
                f"{SIGNS.get(entry.kind, ' ')} {entry.text}"
            )
    for verdict in outcome.verdicts:
        sign = click.style("ok  ", fg="green") if verdict.met else click.style("FAIL", fg="red")
        place = "" if verdict.met else f"  [{verdict.expected.place}]"
        click.echo(f"  {sign} {verdict.expected}: {verdict.why}{place}")


def _as_json(outcome: Outcome) -> dict[str, Any]:
    from watchkeeper.kernel.clock import iso

    return {
        "scenario": outcome.scenario.name,
        "met": outcome.met,
        "entries": [{**asdict(e), "at": iso(e.at)} for e in outcome.entries],
        "verdicts": [
            {"expected": str(v.expected), "met": v.met, "why": v.why} for v in outcome.verdicts
        ],
    }
