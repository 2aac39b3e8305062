"""`wk correct`: exclude an interval from an SLO's arithmetic, with who said so and why."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import click

from watchkeeper.faces.cli import common


@click.group()
def correct() -> None:
    """Corrections: intervals excluded from an SLO, each with a reason; asks the server."""


@correct.command()
@click.argument("slo")
@click.option("--from", "start", required=True, metavar="TIME", help="Begin of the interval.")
@click.option("--to", "end", required=True, metavar="TIME", help="End (exclusive).")
@click.option("--reason", required=True, help="Why these minutes do not count.")
@common.api_options
def add(slo: str, start: str, end: str, reason: str, url: str, token: str | None) -> None:
    """Exclude an interval from SLO."""
    body = {"from": common.parse_time(start), "to": common.parse_time(end), "reason": reason}
    made = common.Api(url, token).call("POST", _path(slo), body)
    click.echo(f"correction {made['id']} added")


@correct.command("list")
@click.argument("slo")
@common.api_options
@common.json_option
def list_(slo: str, url: str, token: str | None, as_json: bool) -> None:
    """List the corrections of SLO."""
    rows: list[dict[str, Any]] = common.Api(url, token).get(_path(slo))
    if as_json:
        common.emit_json(rows)
        return
    for row in rows:
        click.echo(f"{row['id']}  {row['from']} – {row['to']}  {row['author']}: {row['reason']}")


@correct.command()
@click.argument("slo")
@click.argument("correction_id")
@common.api_options
def remove(slo: str, correction_id: str, url: str, token: str | None) -> None:
    """Count the interval of CORRECTION_ID again."""
    common.Api(url, token).call("DELETE", f"{_path(slo)}/{quote(correction_id, safe='')}")
    click.echo(f"correction {correction_id} removed")


def _path(slo: str) -> str:
    return f"/api/v1/slos/{quote(slo, safe='')}/corrections"
