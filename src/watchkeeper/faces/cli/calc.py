"""`wk calc`: what a target allows."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from watchkeeper.faces.cli import common

if TYPE_CHECKING:
    from watchkeeper.slo.allow import Calculation


@click.command()
@click.argument("target")
@click.option("--window", default="1M", show_default=True, help="e.g. 28d, 1w, 1M (a month).")
@click.option("--events", type=float, help="Events in the window, to tell it in events as well.")
@common.json_option
def calc(target: str, window: str, events: float | None, as_json: bool) -> None:
    """Say what TARGET (99.9%, 99.9 or 0.999) allows in a window, in time and in events."""
    from watchkeeper.kernel.duration import parse_duration
    from watchkeeper.kernel.errors import UserError
    from watchkeeper.slo import allow

    try:
        duration = parse_duration(window)
    except ValueError as error:
        raise UserError(str(error)) from None
    answer = allow.calculate(allow.parse_target(target), duration, events)
    if as_json:
        common.emit_json({**asdict(answer), "target": float(answer.target)})
    else:
        _tell(answer)


def _tell(answer: Calculation) -> None:
    from watchkeeper.kernel import text

    def minutes(seconds: float) -> str:
        return f"{text.number(seconds / 60)} min ({text.duration(seconds)})"

    goal, window = text.percent(answer.target, 6), answer.window
    click.echo(f"{goal} over {window.period} allows {minutes(window.seconds)} of full outage.")
    if window.events is not None:
        click.echo(f"That is {text.number(window.events)} bad events.")
    click.echo("\nOver other periods:")
    for period in answer.periods:
        click.echo(f"  {period.period:>4}  {minutes(period.seconds)}")
    click.echo("\nBurn rates that page:")
    for pace in answer.paces:
        click.echo(
            f"  {text.times(pace.burn_rate)} over {pace.long} and {pace.short}: "
            f"{text.percent(pace.error_ratio)} of events bad, all spent in "
            f"{text.duration(pace.spends_all_in_seconds)}, "
            f"{text.percent(pace.spent_when_paged)} spent when paged"
        )
