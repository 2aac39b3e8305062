"""`wk calc`: what a target allows."""

from __future__ import annotations

import click

from watchkeeper.faces.cli import common


@click.command()
@click.argument("target")
@click.option("--window", default="1M", show_default=True, help="e.g. 28d, 1w, 1M (a month).")
@click.option("--requests", type=float, help="Requests in the window, to tell it in events.")
@common.json_option
def calc(target: str, window: str, requests: float | None, as_json: bool) -> None:
    """Say what TARGET (99.9%, 99.9 or 0.999) allows in a window, in time and in events."""
    from watchkeeper.kernel import text
    from watchkeeper.slo import allow

    answer = allow.calculate(target, window, requests)
    if as_json:
        common.emit_json(answer.as_json())
        return
    for line in answer.sentences(text):
        click.echo(line)
