"""`wk action`: what was promised after incidents, and whether it is done."""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import urlencode

import click

from watchkeeper.faces.cli import common
from watchkeeper.faces.cli.columns import print_columns
from watchkeeper.kernel.errors import UserError

TYPES = click.Choice(["prevent", "detect", "mitigate", "process"])
STATES = click.Choice(["open", "doing", "done", "dropped"])
item_id = click.argument("item_id", metavar="ITEM", type=click.IntRange(1))


@click.group()
def action() -> None:
    """Action items of a running server, which live in other trackers as well."""


@action.command("list")
@click.option("--state", "states", multiple=True, type=STATES, default=("open", "doing"),
              show_default=True, help="May be given again.")  # fmt: skip
@click.option("--owner", default="")
@click.option("--team", default="")
@click.option("--text", "q", default="", help="In the text.")
@click.option("--incident", type=click.IntRange(1))
@click.option("--overdue", is_flag=True, help="Only those that are overdue.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True)
@common.api_options
@common.json_option
def list_(
    states: tuple[str, ...],
    owner: str,
    team: str,
    q: str,
    incident: int | None,
    overdue: bool,
    limit: int,
    url: str,
    token: str | None,
    as_json: bool,
) -> None:
    """List action items, newest first."""
    asked = [("state", s) for s in states] + [("limit", str(limit))]
    asked += [(k, v) for k, v in (("owner", owner), ("team", team), ("q", q)) if v]
    asked += [("incident", str(incident))] if incident else []
    asked += [("overdue", "true")] if overdue else []
    found = common.Api(url, token).get(f"/api/v1/actions?{urlencode(asked)}")
    if as_json:
        common.emit_json(found)
        return
    titles = ("Item", "State", "Due", "Owner", "Type", "Where", "Text")
    print_columns(titles, [_row(i) for i in found["actions"]], "no action items")


def _row(i: dict[str, Any]) -> tuple[object, ...]:
    due = f"{(i['due_at'] or '')[:10]}{' late' if i['overdue'] else ''}"
    where = f"{i['tracker']} {i['external'] or 'not yet'}" if i["tracker"] else ""
    return f"#{i['id']}", i["state"], due, i["owner"], i["type"], where, i["text"]


@action.command()
@click.argument("text")
@click.option("--type", "type_", type=TYPES, default="prevent", show_default=True)
@click.option("--owner", default="", help="A user.")
@click.option("--due", metavar="TIME", help="RFC 3339 (default: by the severity).")
@click.option("--severity", default="SEV3", show_default=True)
@click.option("--priority", type=click.IntRange(1, 4), default=2, show_default=True)
@click.option("--team", default="", help="Whose tracker it goes to (default: the owner's).")
@click.option("--incident", type=click.IntRange(1))
@common.api_options
@common.json_option
def add(
    text: str,
    type_: str,
    owner: str,
    due: str | None,
    severity: str,
    priority: int,
    team: str,
    incident: int | None,
    url: str,
    token: str | None,
    as_json: bool,
) -> None:
    """Make an action item: TEXT says what will be done."""
    body: dict[str, object] = {
        "text": text, "type": type_, "owner": owner, "severity": severity, "priority": priority,
        "team": team,
    }  # fmt: skip
    if due:
        body["due"] = common.parse_time(due)
    if incident:
        body["incident"] = incident
    made = common.Api(url, token).call("POST", "/api/v1/actions", body)
    if as_json:
        common.emit_json(made)
    else:
        click.echo(f"#{made['id']} due {made['due_at']}")


@action.command()
@item_id
@common.api_options
@common.json_option
def show(item_id: int, url: str, token: str | None, as_json: bool) -> None:
    """One item and what happened to it."""
    found = common.Api(url, token).get(f"/api/v1/actions/{item_id}")
    if as_json:
        common.emit_json(found)
        return
    click.secho(f"#{found['id']} {found['text']}", bold=True)
    late = ", overdue" if found["overdue"] else ""
    click.echo(f"  {found['state']}{late}, {found['type']}, owner {found['owner'] or 'nobody'}")
    for name in ("due_at", "done_at", "url", "notes", "why", "tracker_says"):
        if found[name]:
            click.echo(f"  {name.replace('_', ' ')}: {found[name]}")
    for event in found["story"]:
        click.echo(f"  {event['at']}  {event['kind']} by {event['actor']}")


@action.command()
@item_id
@click.option("--text")
@click.option("--type", "type_", type=TYPES)
@click.option("--owner")
@click.option("--due", metavar="TIME", help="RFC 3339.")
@click.option("--priority", type=click.IntRange(1, 4))
@click.option("--state", type=STATES)
@click.option("--why", default="", help="Needed to drop an item.")
@common.api_options
def change(
    item_id: int,
    text: str | None,
    type_: str | None,
    owner: str | None,
    due: str | None,
    priority: int | None,
    state: str | None,
    why: str,
    url: str,
    token: str | None,
) -> None:
    """Change an item, or put it into another state."""
    given = {
        "text": text, "type": type_, "owner": owner, "priority": priority, "state": state,
        "due": common.parse_time(due) if due else None, "why": why or None,
    }  # fmt: skip
    body = {k: v for k, v in given.items() if v is not None}
    if not body:
        raise UserError("Nothing would change.", "Give what is to be different, e.g. --owner ann.")
    made = common.Api(url, token).call("PATCH", f"/api/v1/actions/{item_id}", body)
    click.echo(f"#{made['id']} {made['state']}, due {made['due_at']}, {made['owner'] or 'nobody'}")


@action.command()
@common.api_options
@common.json_option
def verify(url: str, token: str | None, as_json: bool) -> None:
    """Ask every tracker whether our items are there and say the same. Exit status 1 if not."""
    found = common.Api(url, token).get("/api/v1/actions/verify")["mismatches"]
    if as_json:
        common.emit_json(found)
    else:
        for m in found:
            says = f": {m['ours']!r} here, {m['theirs']!r} there" if m["ours"] else ""
            click.echo(f"#{m['id']} in {m['tracker']}: {m['what']}{says}")
        click.echo(f"{len(found)} differ." if found else "All are there and agree.", err=True)
    if found:
        sys.exit(1)
