"""`wk evaluate`: measure and evaluate a directory once, in memory, without a server."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from watchkeeper.faces.cli import common
from watchkeeper.kernel.errors import UserError

if TYPE_CHECKING:
    from watchkeeper.spec.model import Specs


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--at", metavar="TIME", help="Evaluate as of this instant (default: now).")
@click.option("--slo", "names", multiple=True, help="Only this SLO; may be given again.")
@click.option("--timeout", default=300.0, show_default=True, help="Seconds for collecting.")
@click.option(
    "--fail-on",
    type=click.Choice(["none", "depleted", "at_risk"]),
    default="none",
    show_default=True,
    help="Exit status 1 when an SLO is in this state or worse.",
)
@common.json_option
def evaluate(
    directory: Path,
    at: str | None,
    names: tuple[str, ...],
    timeout: float,
    fail_on: str,
    as_json: bool,
) -> None:
    """Evaluate the specs in DIRECTORY once: every source is read for the whole window.

    For CI and for trying specs out. Exit status 2 when specs are wrong or a source cannot be read.
    """
    now = common.parse_time(at) if at else time.time()
    specs, _ = common.load_specs(directory)
    if not specs.slos:
        # A gate of CI that looks into the wrong directory must not pass.
        raise UserError(f"{directory} defines no objectives.", f"See `wk lint {directory}`.")
    items, problems = _evaluate(specs, names, now, timeout)
    if as_json:
        common.emit_json(items)
    else:
        from watchkeeper.faces.cli.table import print_statuses

        print_statuses(items)
    for problem in problems:
        click.echo(f"error: {problem}", err=True)
    if problems:
        raise click.exceptions.Exit(2)
    bad = {"depleted": ("depleted",), "at_risk": ("depleted", "at_risk")}.get(fail_on, ())
    if any(item["state"] in bad for item in items):
        raise click.exceptions.Exit(1)


def _evaluate(
    specs: Specs, names: tuple[str, ...], now: float, timeout: float
) -> tuple[list[dict[str, Any]], list[str]]:
    from watchkeeper.app import open_source
    from watchkeeper.engine.once import evaluate_once
    from watchkeeper.slo.contract import status_json

    with _progress() as progress:
        fleet, problems = evaluate_once(specs, open_source, now, timeout, names, progress)
    return [status_json(status) for status in fleet.statuses], problems


class _progress:  # noqa: N801 - used as a function
    """Tells on standard error what is being read, when a person watches."""

    def __enter__(self) -> Callable[[str, int], None]:
        return self.tell

    def __exit__(self, *_: object) -> None:
        if common.out_is_terminal():
            click.echo("\r\x1b[K", nl=False, err=True)

    def tell(self, source: str, counted: int) -> None:
        """Show how far a source has been read."""
        if common.out_is_terminal():
            click.echo(f"\r\x1b[Kreading {source}: {counted} minute counts", nl=False, err=True)
