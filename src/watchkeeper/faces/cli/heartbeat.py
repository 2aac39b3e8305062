"""`wk heartbeat`: what must report, and how it is doing."""

from __future__ import annotations

import click

from watchkeeper.faces.cli import common
from watchkeeper.faces.cli.columns import print_columns


@click.group()
def heartbeat() -> None:
    """What must report to a running server; `wk integration key heartbeat/NAME` gives its key."""


@heartbeat.command("list")
@common.api_options
@common.json_option
def list_(url: str, token: str | None, as_json: bool) -> None:
    """List heartbeats. Exit status 1 when one is late or failed."""
    found = common.Api(url, token).get("/api/v1/heartbeats")
    if as_json:
        common.emit_json(found)
    else:
        rows = [
            (h["name"], h["state"], h["last"] or "never", h["due_at"], _took(h["took_seconds"]))
            for h in found
        ]
        titles = ("Heartbeat", "State", "Last", "Due by", "Took")
        print_columns(titles, rows, "no heartbeats")
    if any(h["state"] in ("late", "failed") for h in found):
        raise click.exceptions.Exit(1)


def _took(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.1f} s"
