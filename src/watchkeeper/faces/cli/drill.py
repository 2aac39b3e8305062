"""`wk drill`: real pages through the real channels, which must be acknowledged."""

from __future__ import annotations

from typing import Any

import click

from watchkeeper.faces.cli import common
from watchkeeper.faces.cli.columns import print_columns


@click.group()
def drill() -> None:
    """Fire drills of a running server: proof that a page reaches people."""


@drill.command()
@click.argument("policy")
@common.api_options
@common.json_option
def start(policy: str, url: str, token: str | None, as_json: bool) -> None:
    """Call the people of the escalation POLICY now; nothing is wrong, and the message says so."""
    made = common.Api(url, token).call("POST", "/api/v1/drills", {"policy": policy})
    if as_json:
        common.emit_json(made)
        return
    click.echo(f"drill #{made['id']} of {policy} started; `wk page show {made['id']}` follows it")


@drill.command("list")
@common.api_options
@common.json_option
def list_(url: str, token: str | None, as_json: bool) -> None:
    """List drills, newest first."""
    found = common.Api(url, token).get("/api/v1/drills")
    if as_json:
        common.emit_json(found)
        return
    rows = [(f"#{p['id']}", p["escalation_policy"], p["opened_at"], _outcome(p)) for p in found]
    print_columns(("Drill", "Policy", "Started", "Outcome"), rows, "no drills yet")


def _outcome(p: dict[str, Any]) -> str:
    if p["acked_at"]:
        return f"answered at {p['acked_at']}"
    if p["state"] == "resolved":
        return f"not answered; ended by {p['resolved_by']}"
    return "waits for an answer"


@drill.command()
@common.api_options
@common.json_option
def proofs(url: str, token: str | None, as_json: bool) -> None:
    """The last proof of every policy, channel and person, and when the next drill is due."""
    found = common.Api(url, token).get("/api/v1/drills/proofs")
    if as_json:
        common.emit_json(found)
        return
    rows = [
        *(("policy", p["name"], p["proved_at"] or "never", p["next_drill_at"])
          for p in found["policies"]),
        *(("channel", c["name"], c["proved_at"] or "never", "") for c in found["channels"]),
        *(("person", p["name"], p["proved_at"] or "never", "") for p in found["people"]),
    ]  # fmt: skip
    print_columns(("What", "Name", "Last proof", "Next drill"), rows, "nothing to prove")
